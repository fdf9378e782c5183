// What is known of the leaves of one query: which files have each in their path and, for versions that are looked at, which
// texts have it in their body. With it evaluate.ts decides about single files. Asks the engine, a batch of files at a time.

import type { Hit, Plan, SearchEngine, TextVersion } from './engine.ts'
import { bodyPlan, filePlan } from './plan.ts'
import type { Leaf, Query } from './query.ts'

/** A word in a name or a path tells more about a file than one somewhere in its text. */
export const PATH_WEIGHT = 2

export interface LeafFacts {
  readonly leaf: Leaf
  /** Its finding something speaks against a file. */
  readonly isExcluding: boolean
  readonly body: Plan | undefined
  readonly file: Plan | undefined
  /** All files that have it in their path, with scores; undefined: they are too many to hold. */
  readonly files: ReadonlyMap<number, number> | undefined
}

/** A file with the versions that are asked about: none for what never had content. */
export interface Candidate {
  readonly ino: number
  readonly versions: readonly TextVersion[]
}

/** Versions for which the query holds; a file that has none is found by its path. */
export interface Judged extends Candidate {
  readonly score: number
}

/**
 * The leaves of a query. Those that at most `few` files have in their path are looked up at once, as long as they are not many
 * leaves: what is held is bounded by 8 x `few`.
 */
export function factsOf(query: Query, engine: SearchEngine, few: number): LeafFacts[] {
  let room = 8 * few
  return leavesOf(query, false).map(({ leaf, isExcluding }) => {
    const file = filePlan(leaf)
    const most = Math.min(few, room)
    const hits = file === undefined ? [] : engine.query(file, most + 1, 0)
    const files = hits.length > most ? undefined : scoresOf(hits)
    room -= files?.size ?? 0
    return { leaf, isExcluding, body: bodyPlan(leaf), file, files }
  })
}

function leavesOf(query: Query, isExcluding: boolean): { leaf: Leaf; isExcluding: boolean }[] {
  switch (query.kind) {
    case 'phrase':
    case 'near':
      return [{ leaf: query, isExcluding }]
    case 'and':
    case 'or':
      return query.of.flatMap((member) => leavesOf(member, isExcluding))
    case 'not':
      return [...leavesOf(query.include, isExcluding), ...leavesOf(query.exclude, !isExcluding)]
  }
}

/**
 * Which of these the query is true for: each leaf looked for in the path of the file or the body of the version. Scores are sums over
 * the leaves that are wanted, that of the path weighted; a file has that of its best version.
 */
export function judge(
  query: Query,
  facts: readonly LeafFacts[],
  engine: SearchEngine,
  candidates: readonly Candidate[],
): Judged[] {
  if (candidates.length === 0) return []
  const inos = candidates.map(({ ino }) => ino)
  const texts = [
    ...new Set(candidates.flatMap(({ versions }) => versions.map(({ text }) => text))),
  ].filter((text) => text !== 0)
  const found = new Map(
    facts.map(({ leaf, isExcluding, body, file, files }) => [
      leaf,
      {
        isExcluding,
        paths: files ?? among(engine, file, inos),
        bodies: among(engine, body, texts),
      },
    ]),
  )
  /** The score of a file with a text; undefined: the query does not hold. */
  const scoreOf = (ino: number, text: number): number | undefined => {
    const holds = (leaf: Leaf): boolean => {
      const { paths, bodies } = found.get(leaf) ?? {}
      return paths?.has(ino) === true || bodies?.has(text) === true
    }
    if (!isTrue(query, holds)) return undefined
    let score = 0
    for (const { isExcluding, paths, bodies } of found.values())
      if (!isExcluding) score += PATH_WEIGHT * (paths.get(ino) ?? 0) + (bodies.get(text) ?? 0)
    return score
  }
  return candidates.flatMap(({ ino, versions }) => {
    if (versions.length === 0) {
      const score = scoreOf(ino, 0)
      return score === undefined ? [] : [{ ino, versions, score }]
    }
    const scores = versions.map(({ text }) => scoreOf(ino, text))
    const held = versions.filter((_, index) => scores[index] !== undefined)
    const best = scores.reduce<number>(
      (most, score) => Math.max(most, score ?? -Infinity),
      -Infinity,
    )
    return held.length === 0 ? [] : [{ ino, versions: held, score: best }]
  })
}

function isTrue(query: Query, holds: (leaf: Leaf) => boolean): boolean {
  switch (query.kind) {
    case 'phrase':
    case 'near':
      return holds(query)
    case 'and':
      return query.of.every((member) => isTrue(member, holds))
    case 'or':
      return query.of.some((member) => isTrue(member, holds))
    case 'not':
      return isTrue(query.include, holds) && !isTrue(query.exclude, holds)
  }
}

function among(
  engine: SearchEngine,
  plan: Plan | undefined,
  ids: readonly number[],
): ReadonlyMap<number, number> {
  return scoresOf(plan === undefined || ids.length === 0 ? [] : engine.among(plan, ids))
}

function scoresOf(hits: readonly Hit[]): ReadonlyMap<number, number> {
  return new Map(hits.map(({ id, score }) => [id, score]))
}
