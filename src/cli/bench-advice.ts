// Which engine the figures of avfs bench speak for, by what somebody does most.

import type { FigureName, Figures } from './bench-work.ts'

export const workloads = ['general', 'write-heavy', 'read-heavy', 'large'] as const
export type Workload = (typeof workloads)[number]

const LIGHT = 0.5

/** How much each figure counts. */
const weights: Readonly<Record<Workload, Readonly<Partial<Record<FigureName, number>>>>> = {
  general: {
    ...{ createSmall: 1, fsync: 1, metadata: 1, writeLarge: 1 },
    ...{ readSmall: 1, readLarge: 1, randomRead: 1 },
  },
  'write-heavy': { createSmall: 3, fsync: 3, metadata: 2, writeLarge: 2 },
  'read-heavy': { readSmall: 3, randomRead: 3, readLarge: 2, metadata: 1 },
  large: { writeLarge: 3, readLarge: 3, randomRead: 2 },
}

/**
 * An engine and what it reached of the best, 0 to 1: the weighted geometric mean over all figures.
 */
export interface Score {
  readonly backend: string
  readonly score: number
}

/** The engines, the best first. */
export function scores(
  figures: ReadonlyMap<string, Figures>,
  workload: Workload,
): readonly Score[] {
  const names = Object.keys([...figures.values()][0] ?? {}) as FigureName[]
  const best = new Map(
    names.map((name) => [name, Math.max(...[...figures.values()].map((result) => result[name]))]),
  )
  return [...figures]
    .map(([backend, result]) => {
      let sum = 0
      let total = 0
      for (const name of names) {
        const weight = weights[workload][name] ?? LIGHT
        sum += weight * Math.log(result[name] / (best.get(name) ?? 1))
        total += weight
      }
      return { backend, score: Math.exp(sum / total) }
    })
    .sort((a, b) => b.score - a.score)
}

/**
 * Differences below this are noise: then the engine that is there already, or the default, is as
 * good.
 */
const NOISE = 0.1

/** The engine to take, with `preferred` before one that is hardly faster. */
export function advised(ranked: readonly Score[], preferred: string): string | undefined {
  const [first] = ranked
  const chosen = ranked.find(({ backend }) => backend === preferred)
  if (first === undefined || chosen === undefined) return first?.backend
  return chosen.score >= first.score * (1 - NOISE) ? preferred : first.backend
}
