// All that commands write: results on standard output, as text for people or one JSON object a
// command with --json; notices, progress and errors on standard error. Knows no command.

import { styleText } from 'node:util'
import { ControlError, systemCode } from '../control/wire/errors.ts'
import { throttled } from '../control/wire/throttle.ts'
import { type Failure, failureOf } from './errors.ts'
import { visible } from './terminal.ts'

/** Writes a result: `text` for people, or `value` as one line of JSON. */
export function printResult(json: boolean, value: unknown, text: string): void {
  if (json) printLine(JSON.stringify(value))
  else if (text !== '') printLine(text)
}

/** The same of text that is styled, in which what comes from others was made `visible`. */
export function printStyled(json: boolean, value: unknown, text: string): void {
  if (json) printLine(JSON.stringify(value))
  else if (text !== '') process.stdout.write(`${text}\n`)
}

/** Writes one line of a result, or several. */
export function printLine(text: string): void {
  process.stdout.write(`${visible(text, process.stdout)}\n`)
}

/** Writes beside the result what is not `notice`d. */
export function tellLine(text: string): void {
  process.stderr.write(`${visible(text, process.stderr)}\n`)
}

/**
 * Writes bytes as they are; resolves when more are welcome. Throws ReaderGone, ControlError when
 * none can be written any more.
 */
export function writeBytes(bytes: Uint8Array): Promise<void> | undefined {
  if (loss !== undefined) throw lossOf(loss)
  if (process.stdout.write(bytes)) return undefined
  return new Promise((resolve, reject) => {
    const welcome = (): void => {
      process.stdout.off('error', lost)
      resolve()
    }
    const lost = (error: Error): void => {
      process.stdout.off('drain', welcome)
      reject(lossOf(error))
    }
    process.stdout.once('drain', welcome).once('error', lost)
  })
}

/** Tells people something beside the result; never part of the output that programs read. */
export function notice(text: string): void {
  tellLine(`avfs: ${text}`)
}

/** Writes why a command failed and returns its exit code. */
export function printFailure(json: boolean, error: unknown): number {
  const failure: Failure = failureOf(error)
  if (json) {
    tellLine(JSON.stringify(failure))
  } else {
    const prefix = styleText('red', 'avfs:', { stream: process.stderr })
    process.stderr.write(`${prefix} ${visible(failure.message, process.stderr)}\n`)
  }
  return failure.code
}

/**
 * Rows of cells as columns; the first row is the heading. Cells that look like numbers go to the
 * right.
 */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  )
  return rows
    .map((row) =>
      row
        .map((cell, column) => {
          const width = widths[column] ?? 0
          return /^[\d.,]+( [KMGT]?i?B)?$/.test(cell) ? cell.padStart(width) : cell.padEnd(width)
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** An object as lines of 'name  value'; nested objects by dotted names. */
export function properties(value: object): string {
  const lines = flatten(value, '')
  const width = Math.max(0, ...lines.map(([name]) => name.length))
  return lines.map(([name, text]) => `${name.padEnd(width)}  ${text}`).join('\n')
}

function flatten(value: object, prefix: string): [string, string][] {
  return Object.entries(value).flatMap(([name, part]): [string, string][] =>
    typeof part === 'object' && part !== null
      ? flatten(part, `${prefix}${name}.`)
      : [[prefix + name, String(part ?? '-')]],
  )
}

/** 1536 -> '1.5 KiB' */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`
}

const BAR_WIDTH = 30

/** `note` is written behind the count. */
type ReportBar = (done: number, total: number, note?: string) => void

/**
 * A bar on standard error while long work runs: only on a terminal. `finish` wipes it.
 */
export function progressBar(
  label: string,
  countText: (done: number, total: number) => string = (done, total) => `${done}/${total}`,
): { report: ReportBar; finish(): void } {
  if (!process.stderr.isTTY) return { report: () => undefined, finish: () => undefined }
  let note = ''
  let drawn = false
  const draw = throttled((done: number, total: number): void => {
    drawn = true
    const share = total > 0 ? Math.min(1, done / total) : 0
    const filled = Math.round(share * BAR_WIDTH)
    const bar = total > 0 ? ` [${'#'.repeat(filled).padEnd(BAR_WIDTH, '.')}]` : ''
    const count = total > 0 ? `${Math.floor(share * 100)}% ${countText(done, total)}` : `${done}`
    process.stderr.write(`\r\x1b[K${label}${bar} ${count}${note}`)
  })
  return {
    report(done, total, behind = '') {
      note = behind
      draw(done, total)
    },
    finish() {
      if (drawn) process.stderr.write('\r\x1b[K')
      drawn = false
    },
  }
}

/**
 * Nobody reads the results any more (`avfs ... | head`): who only looks for them ends, and that is
 * no error.
 */
export class ReaderGone extends Error {}

/** Why standard output takes nothing more. */
let loss: Error | undefined

/** Keeps write errors from becoming exceptions, so that work is finished although nobody reads. */
export function outliveOutputs(): void {
  process.stdout.on('error', (error) => {
    loss ??= error
  })
  // An error on standard error cannot be reported anywhere.
  process.stderr.on('error', () => undefined)
}

/**
 * Resolves when all results are written, or their reader has gone. Rejects with ControlError when
 * they could not be.
 */
export async function assertWritten(): Promise<void> {
  await new Promise<void>((resolve) => process.stdout.write('', () => resolve()))
  if (loss !== undefined && systemCode(loss) !== 'EPIPE') throw lossOf(loss)
}

function lossOf(error: Error): Error {
  if (systemCode(error) === 'EPIPE') return new ReaderGone()
  return new ControlError('failed', `standard output cannot be written: ${error.message}`)
}
