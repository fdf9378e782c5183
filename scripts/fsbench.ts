// Runs fsbench in several places in one run, a row for each figure. Shared by the benchmarks of
// mounts; knows no report.

import { execFileSync } from 'node:child_process'
import type { Place } from './bench-support.ts'

/** The rows of fsbench, and what a vault must make of the figure of its peer in the same mode. */
export const lines: Readonly<Record<string, number>> = {
  create4k: 2,
  stat_cold: 2,
  stat_warm: 0.9,
  read4k_cold: 4,
  read4k_warm: 3.5,
  ls_l: 2.5,
  rename: 1.8,
  rewrite_fsync: 1,
  unlink: 1.8,
  write_seq: 0.7,
  read_seq_cold: 1,
  rand_read4k: 4,
  rand_write4k: 1,
}

/** Row -> place -> one figure a round. */
export type Figures = Map<string, Map<string, number[]>>

/** How often, and what fsbench is given: files of 4 KiB, and the size of the large file in MiB. */
interface Counts {
  readonly rounds: number
  readonly files: string
  readonly mib: string
}

/** Runs fsbench in every place once a round; each round starts with another place. */
export function measure(
  fsbench: string,
  places: readonly Place[],
  { rounds, files, mib }: Counts,
  condition: string,
): Figures {
  const figures: Figures = new Map()
  for (let round = 0; round < rounds; round++) {
    const first = round % places.length
    for (const place of [...places.slice(first), ...places.slice(0, first)]) {
      console.error(`${condition}, round ${round + 1} of ${rounds}: ${place.name}`)
      const output = execFileSync(fsbench, [place.dir, files, mib], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      for (const [, row, figure] of output.matchAll(/^(\w+) +([\d.]+)/gm)) {
        if (row === undefined || figure === undefined) continue
        const ofRow = figures.get(row) ?? new Map<string, number[]>()
        figures.set(row, ofRow)
        ofRow.set(place.name, [...(ofRow.get(place.name) ?? []), Number(figure)])
      }
    }
  }
  return figures
}
