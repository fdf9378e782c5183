// Evaluates a query for given files: asks the engine, a batch of files at a time, which of them
// have each leaf of the query in their path, and which of their texts have it in the body.
// evaluate.ts brings the files.

import {
  type Hit,
  IN_PIECES,
  OPEN_ENDED,
  type Plan,
  type SearchEngine,
  type Stretch,
  type TextVersion,
} from './engine.ts'
import { bodyPlan, filePlan, partsOf } from './plan.ts'
import type { Leaf, Query } from './query.ts'
import { isIn, textWords } from './text-match.ts'

/** A word in a name or a path tells more about a file than one somewhere in its text. */
export const PATH_WEIGHT = 2

export interface TermHits {
  readonly leaf: Leaf
  /** The leaf is under NOT: a file that has it is excluded. */
  readonly isExcluding: boolean
  readonly body: Plan | undefined
  /**
   * Plans that must each match some piece, where the leaf may be longer than what one piece is sure
   * to hold.
   */
  readonly parts: readonly Plan[] | undefined
  readonly file: Plan | undefined
  /**
   * All files that have the leaf in their path, with scores; undefined: too many to hold in memory.
   */
  readonly files: ReadonlyMap<number, number> | undefined
}

/**
 * A file that a query may find, with the versions that are searched: none for what never had
 * content.
 */
export interface Candidate {
  readonly ino: number
  readonly versions: readonly TextVersion[]
}

/**
 * A file that is found. `versions` are those for which the query is true: none for what is found by
 * its path and has no content.
 */
export interface Match extends Candidate {
  readonly score: number
  /**
   * Numbers of those versions for which the index cannot tell for sure: their text has to be looked
   * at.
   */
  readonly toRecheck: readonly number[]
}

/** Three-valued truth of a leaf or query. */
const YES = 2
const PERHAPS = 1
const NO = 0

/**
 * The leaves of a query. Those that at most `few` files have in their path are looked up at once,
 * as long as they are not many leaves: what is held in memory is bounded by 8 x `few`.
 */
export function termHitsOf(query: Query, engine: SearchEngine, few: number): TermHits[] {
  let room = 8 * few
  return leavesOf(query, false).map(({ leaf, isExcluding }) => {
    const file = filePlan(leaf)
    const most = Math.min(few, room)
    const hits = file === undefined ? [] : engine.query(file, most + 1, 0)
    const files = hits.length > most ? undefined : scoresOf(hits)
    room -= files?.size ?? 0
    const body = bodyPlan(leaf)
    return { leaf, isExcluding, body, parts: body && partsOf(body), file, files }
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
 * The candidates for which the query is true: a leaf is true when it is in the path of the file or
 * in the body of the version. The score of a version is the sum over the leaves that are not
 * excluded, that of the path weighted; of several pieces the best counts. A file has the score of
 * its best version. Without `pastToo` the candidates' versions are the newest.
 */
export function evaluate(
  query: Query,
  termHits: readonly TermHits[],
  engine: SearchEngine,
  candidates: readonly Candidate[],
  pastToo: boolean,
): Match[] {
  if (candidates.length === 0) return []
  const inos = candidates.map(({ ino }) => ino)
  const texts = [
    ...new Set(candidates.flatMap(({ versions }) => versions.map(({ text }) => text))),
  ].filter((text) => text !== 0 && text !== IN_PIECES)
  const stretches = stretchesOf(engine, candidates, pastToo)
  const found = new Map<Leaf, FoundLeaf>(
    termHits.map(({ leaf, isExcluding, body, parts, file, files }) => [
      leaf,
      {
        isExcluding,
        paths: files ?? among(engine, file, inos),
        bodies: among(engine, body, texts),
        pieces: whereIn(engine, body, stretches),
        parts: parts?.map((part) => whereIn(engine, part, stretches)),
      },
    ]),
  )
  /** The score of a file with a text; undefined: the query does not hold. */
  const scoreOf = (
    ino: number,
    { text, number }: Pick<TextVersion, 'text' | 'number'>,
  ): { score: number; isSure: boolean } | undefined => {
    const inBody = ({ bodies, pieces }: FoundLeaf): number | undefined =>
      text === IN_PIECES ? pieces.get(ino)?.scoreAt(number) : bodies.get(text)
    const holds = (leaf: Leaf): number => {
      const hits = found.get(leaf)
      if (hits === undefined) return NO
      if (hits.paths.has(ino) || inBody(hits) !== undefined) return YES
      const { parts } = hits
      if (text !== IN_PIECES || parts === undefined) return NO
      return parts.every((part) => part.get(ino)?.scoreAt(number) !== undefined) ? PERHAPS : NO
    }
    const truth = truthOf(query, holds)
    if (truth === NO) return undefined
    let score = 0
    for (const hits of found.values())
      if (!hits.isExcluding) score += PATH_WEIGHT * (hits.paths.get(ino) ?? 0) + (inBody(hits) ?? 0)
    return { score, isSure: truth === YES }
  }
  return candidates.flatMap(({ ino, versions }): Match[] => {
    if (versions.length === 0) {
      const verdict = scoreOf(ino, { text: 0, number: 0 })
      return verdict === undefined ? [] : [{ ino, versions, score: verdict.score, toRecheck: [] }]
    }
    const scores = versions.map((version) => scoreOf(ino, version))
    const held = versions.filter((_, index) => scores[index] !== undefined)
    const best = scores.reduce(
      (most, verdict) => Math.max(most, verdict?.score ?? -Infinity),
      -Infinity,
    )
    const toRecheck = versions.flatMap(({ number }, index) =>
      scores[index]?.isSure === false ? [number] : [],
    )
    return held.length === 0 ? [] : [{ ino, versions: held, score: best, toRecheck }]
  })
}

/**
 * Where a leaf was found: scores of paths by inode, of texts by id, of pieces by inode and version.
 */
interface FoundLeaf {
  readonly isExcluding: boolean
  readonly paths: ReadonlyMap<number, number>
  readonly bodies: ReadonlyMap<number, number>
  readonly pieces: ReadonlyMap<number, Spans>
  readonly parts: readonly ReadonlyMap<number, Spans>[] | undefined
}

/** The stretches of those candidates of which some version is kept in pieces. */
function stretchesOf(
  engine: SearchEngine,
  candidates: readonly Candidate[],
  pastToo: boolean,
): Stretch[] {
  return candidates
    .filter(({ versions }) => versions.some(({ text }) => text === IN_PIECES))
    .flatMap(({ ino }) => engine.stretchesOfFile(ino))
    .filter(({ last }) => pastToo || last === OPEN_ENDED)
}

/** For each file the versions in which some piece matches the plan. */
function whereIn(
  engine: SearchEngine,
  plan: Plan | undefined,
  stretches: readonly Stretch[],
): ReadonlyMap<number, Spans> {
  const found = new Map<number, Spans>()
  const ids = stretches.map(({ id }) => id)
  const scores = among(engine, plan, ids)
  for (const stretch of [...stretches].sort((a, b) => a.first - b.first)) {
    const score = scores.get(stretch.id)
    if (score === undefined) continue
    const spans = found.get(stretch.ino) ?? new Spans()
    spans.add(stretch, score)
    found.set(stretch.ino, spans)
  }
  return found
}

/** A set of version numbers, as ranges. */
class Spans {
  /** Disjoint and in order. */
  readonly #spans: { first: number; last: number }[] = []
  #best = 0

  /** In the order of their first versions. */
  add({ first, last }: Stretch, score: number): void {
    const before = this.#spans.at(-1)
    if (before !== undefined && first <= before.last + 1) before.last = Math.max(before.last, last)
    else this.#spans.push({ first, last })
    this.#best = Math.max(this.#best, score)
  }

  /** The best score of all pieces if the version is in the set. */
  scoreAt(number: number): number | undefined {
    let [low, high] = [0, this.#spans.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#spans[middle]?.last ?? 0) < number) low = middle + 1
      else high = middle
    }
    return (this.#spans[low]?.first ?? Number.POSITIVE_INFINITY) <= number ? this.#best : undefined
  }
}

function truthOf(query: Query, holds: (leaf: Leaf) => number): number {
  switch (query.kind) {
    case 'phrase':
    case 'near':
      return holds(query)
    case 'and':
      return Math.min(...query.of.map((member) => truthOf(member, holds)))
    case 'or':
      return Math.max(...query.of.map((member) => truthOf(member, holds)))
    case 'not':
      return Math.min(truthOf(query.include, holds), YES - truthOf(query.exclude, holds))
  }
}

/** Whether a query is true for a file with this text, where its pieces alone cannot tell. */
export function isTrueFor(query: Query, engine: SearchEngine, ino: number, text: string): boolean {
  const words = textWords(text)
  const holds = (leaf: Leaf): number => {
    const body = bodyPlan(leaf)
    if (body !== undefined && isIn(body, words)) return YES
    return among(engine, filePlan(leaf), [ino]).size > 0 ? YES : NO
  }
  return truthOf(query, holds) === YES
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
