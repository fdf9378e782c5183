// How the benchmarks report: medians, a markdown table, the machine's facts, and the section of
// docs/benchmarks.md that a benchmark owns. Knows no benchmark.

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import { resolve } from 'node:path'

const benchmarks = resolve(import.meta.dirname, '..', 'docs', 'benchmarks.md')

/** The middle value, the mean of the two middle ones of an even number. Throws on none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const half = Math.floor(sorted.length / 2)
  const upper = sorted[half]
  const lower = sorted[sorted.length % 2 === 1 ? half : half - 1]
  if (upper === undefined || lower === undefined) throw new RangeError('median of no values')
  return (upper + lower) / 2
}

/** 12,345 from 100 on, 12.3 below. */
export function amount(value: number): string {
  return value.toLocaleString('en-US', {
    minimumFractionDigits: 0,
    maximumFractionDigits: value >= 100 ? 0 : value >= 10 ? 1 : 2,
  })
}

/** A markdown table; the first column stands left, the others right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  const rule = head.map((_, column) => (column === 0 ? '---' : '---:'))
  return [line(head), line(rule), ...rows.map(line)].join('\n')
}

/** One line on where and when: processor, kernel, Node, date. Names no host. */
export function machine(): string {
  const cores = cpus()
  const memoryGib = Math.round(totalmem() / 2 ** 30)
  const date = new Date().toISOString().slice(0, 10)
  return `${cores[0]?.model ?? 'processor unknown'}, ${cores.length} cores, ${memoryGib} GiB; Linux ${release()}; Node ${process.version}; ${date}.`
}

/**
 * Replaces what stands between the markers of `section` in docs/benchmarks.md, or adds the section
 * at its end; the rest of the document is left alone.
 */
export function writeSection(section: string, text: string, document = benchmarks): void {
  const begin = `<!-- ${section}: written by scripts/bench, do not edit -->`
  const end = `<!-- ${section}: end -->`
  const before = existsSync(document) ? readFileSync(document, 'utf8') : '# Benchmarks\n'
  const from = before.indexOf(begin)
  const to = before.indexOf(end)
  const block = `${begin}\n${text.trim()}\n${end}`
  const after =
    from >= 0 && to > from
      ? before.slice(0, from) + block + before.slice(to + end.length)
      : `${before.trimEnd()}\n\n${block}\n`
  writeFileSync(document, after)
}

/** The cells of a line that is to be held. */
export function verdict(isHeld: boolean, line: string): string[] {
  return [line, isHeld ? 'holds' : 'fails']
}
