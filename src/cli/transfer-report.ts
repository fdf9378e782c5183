// What `export` and `import` tell while they run and in the end: a line with files and bytes on a
// terminal, each problem as it comes, and a summary.

import { getSystemErrorMap } from 'node:util'
import { throttled } from '../control/wire/throttle.ts'
import { EXIT_ERROR } from './errors.ts'
import { formatBytes, notice, printResult, tellLine } from './output.ts'
import { shownText } from './terminal.ts'

export interface TransferReport {
  /** Notes names and bytes that went through. */
  count(names: number, bytes: number): void
  /**
   * Tells of one thing that could not be done; the command ends with exit code 1. `message` may be
   * an errno's symbol.
   */
  problem(path: string, message: string): void
  /** How many problems there were. */
  readonly problems: number
  /** Wipes the line. */
  finish(): void
}

const messages = new Map([...getSystemErrorMap().values()])

/** 'EACCES' -> 'permission denied' */
function wordsOf(message: string): string {
  return messages.get(message) ?? message
}

export function transferReport(label: string, json: boolean): TransferReport {
  const isTerminal = process.stderr.isTTY
  let names = 0
  let bytes = 0
  let problems = 0
  const start = performance.now()
  const draw = throttled(() => {
    const rate = bytes / Math.max(0.001, (performance.now() - start) / 1000)
    process.stderr.write(
      `\r\x1b[K${label} ${names} files, ${formatBytes(bytes)} (${formatBytes(rate)}/s)`,
    )
  })
  const wipe = (): void => {
    if (isTerminal) process.stderr.write('\r\x1b[K')
  }
  return {
    count(more, moreBytes) {
      names += more
      bytes += moreBytes
      if (isTerminal) draw(names, 0)
    },
    problem(path, message) {
      problems++
      process.exitCode = EXIT_ERROR
      wipe()
      const words = wordsOf(message)
      if (json) tellLine(JSON.stringify({ path, message: words }))
      else notice(`${shownText(path, process.stderr)}: ${words}`)
    },
    get problems() {
      return problems
    },
    finish: wipe,
  }
}

/** Prints the summary; `notes` are sentences of their own for people. */
export function printSummary(
  json: boolean,
  value: object,
  text: string,
  notes: readonly string[],
): void {
  printResult(json, value, [text, ...notes].join('\n'))
}
