// ripgrep over a mounted tree, beside the queries of bench-search.ts: search without an index.
// Knows how rg is called, and no vault.

import { spawnSync } from 'node:child_process'

/** A look through all files takes seconds: so many queries of a kind. */
const QUERIES_A_KIND = 10
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024
/**
 * Kinds of queries that rg can be asked, too: it knows no two words in one file, and no distance.
 */
const KINDS = ['rare words', 'middling words', 'common words', 'phrases']

/** 'ripgrep 13.0.0' and the like; undefined where it is not installed. */
export function ripgrepVersion(): string | undefined {
  const { status, stdout } = spawnSync('rg', ['--version'], { encoding: 'utf8' })
  return status === 0 ? /^.*\d/.exec(stdout)?.[0].split(' (')[0] : undefined
}

/** Milliseconds of queries by kind, warm: the kernel has read what it can keep. */
export function ripgrepTimes(
  dir: string,
  queries: ReadonlyMap<string, readonly string[]>,
): Map<string, number[]> {
  const times = new Map<string, number[]>()
  milliseconds(dir, 'nothing that is anywhere')
  for (const kind of KINDS) {
    const asked = (queries.get(kind) ?? []).slice(0, QUERIES_A_KIND)
    times.set(
      kind,
      asked.map((query) => milliseconds(dir, query.replaceAll('"', ''))),
    )
  }
  return times
}

/** How long it takes to name the files that have these words. */
function milliseconds(dir: string, words: string): number {
  const how = ['--files-with-matches', '--ignore-case', '--word-regexp', '--fixed-strings']
  const start = performance.now()
  const { status, stderr } = spawnSync('rg', [...how, '--no-ignore', '--', words, dir], {
    encoding: 'utf8',
    maxBuffer: OUTPUT_BYTES_MAX,
  })
  // 1: nothing is found.
  if (status !== 0 && status !== 1) throw new Error(`rg failed: ${stderr}`)
  return performance.now() - start
}
