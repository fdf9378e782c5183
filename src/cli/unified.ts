// A difference between two texts in the unified format of diff(1). Texts are byte strings, so that
// what is no UTF-8 comes out as it went in. The lines that differ are found by the package diff.

import { structuredPatch } from 'diff'

export interface Labels {
  readonly before: string
  readonly after: string
}

const CONTEXT_LINES = 3
/**
 * Texts that have nothing in common take quadratic time: after this, all of one is replaced by all
 * of the other.
 */
const PATIENCE_MS = 5_000

/** The header and the hunks, each line with its newline; '' when there is no difference. */
export function unifiedDiff(before: string, after: string, labels: Labels): string {
  const options = { context: CONTEXT_LINES, timeout: PATIENCE_MS }
  const patch = structuredPatch(labels.before, labels.after, before, after, '', '', options)
  const hunks = patch?.hunks ?? [wholeHunk(before, after)]
  if (hunks.length === 0) return ''
  const lines = hunks.flatMap(({ oldStart, oldLines, newStart, newLines, lines }) => [
    `@@ -${range(oldStart, oldLines)} +${range(newStart, newLines)} @@`,
    ...lines,
  ])
  return `--- ${labels.before}\n+++ ${labels.after}\n${lines.join('\n')}\n`
}

/** diff(1) counts an empty range from the line before it, and leaves a count of 1 out. */
function range(start: number, count: number): string {
  if (count === 1) return `${start}`
  return `${count === 0 ? start - 1 : start},${count}`
}

interface Hunk {
  readonly oldStart: number
  readonly oldLines: number
  readonly newStart: number
  readonly newLines: number
  readonly lines: readonly string[]
}

function wholeHunk(before: string, after: string): Hunk {
  const removed = linesOf(before, '-')
  const added = linesOf(after, '+')
  const count = (lines: readonly string[]): number =>
    lines.filter((line) => !line.startsWith('\\')).length
  return {
    oldStart: 1,
    oldLines: count(removed),
    newStart: 1,
    newLines: count(added),
    lines: [...removed, ...added],
  }
}

function linesOf(text: string, sign: string): string[] {
  if (text === '') return []
  const lines = text.split('\n')
  const last = lines.pop() ?? ''
  const signed = lines.map((line) => sign + line)
  return last === '' ? signed : [...signed, sign + last, '\\ No newline at end of file']
}
