// What is known of the leaves of one query: which files have each in their path and, for versions that are looked at, which
// texts have it in their body. With it evaluate.ts decides about single files. Asks the engine, a batch of files at a time.

import {
  type Hit,
  IN_PIECES,
  type Plan,
  type SearchEngine,
  STILL,
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
  /** Its finding something speaks against a file. */
  readonly isExcluding: boolean
  readonly body: Plan | undefined
  /** What must be in pieces for it, where one need not hold it all. */
  readonly parts: readonly Plan[] | undefined
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
  /** Those of them, by number, for which it may not: only the text tells. */
  readonly unsure: readonly number[]
}

/** Whether something holds: for sure, perhaps, not at all. */
const YES = 2
const PERHAPS = 1
const NO = 0

/**
 * The leaves of a query. Those that at most `few` files have in their path are looked up at once, as long as they are not many
 * leaves: what is held is bounded by 8 x `few`.
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
 * Which of these the query is true for: each leaf looked for in the path of the file or the body of the version. Scores are sums over
 * the leaves that are wanted, that of the path weighted; a file has that of its best version. Of one that is kept in pieces the best
 * counts. Without `pastToo` the candidates' versions are the newest.
 */
export function judge(
  query: Query,
  facts: readonly TermHits[],
  engine: SearchEngine,
  candidates: readonly Candidate[],
  pastToo: boolean,
): Judged[] {
  if (candidates.length === 0) return []
  const inos = candidates.map(({ ino }) => ino)
  const texts = [
    ...new Set(candidates.flatMap(({ versions }) => versions.map(({ text }) => text))),
  ].filter((text) => text !== 0 && text !== IN_PIECES)
  const stretches = stretchesOf(engine, candidates, pastToo)
  const found = new Map<Leaf, FoundLeaf>(
    facts.map(({ leaf, isExcluding, body, parts, file, files }) => [
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
      text === IN_PIECES ? pieces.get(ino)?.at(number) : bodies.get(text)
    const holds = (leaf: Leaf): number => {
      const its = found.get(leaf)
      if (its === undefined) return NO
      if (its.paths.has(ino) || inBody(its) !== undefined) return YES
      const { parts } = its
      if (text !== IN_PIECES || parts === undefined) return NO
      return parts.every((part) => part.get(ino)?.at(number) !== undefined) ? PERHAPS : NO
    }
    const truth = truthOf(query, holds)
    if (truth === NO) return undefined
    let score = 0
    for (const its of found.values())
      if (!its.isExcluding) score += PATH_WEIGHT * (its.paths.get(ino) ?? 0) + (inBody(its) ?? 0)
    return { score, isSure: truth === YES }
  }
  return candidates.flatMap(({ ino, versions }): Judged[] => {
    if (versions.length === 0) {
      const its = scoreOf(ino, { text: 0, number: 0 })
      return its === undefined ? [] : [{ ino, versions, score: its.score, unsure: [] }]
    }
    const scores = versions.map((version) => scoreOf(ino, version))
    const held = versions.filter((_, index) => scores[index] !== undefined)
    const best = scores.reduce((most, its) => Math.max(most, its?.score ?? -Infinity), -Infinity)
    const unsure = versions.flatMap(({ number }, index) =>
      scores[index]?.isSure === false ? [number] : [],
    )
    return held.length === 0 ? [] : [{ ino, versions: held, score: best, unsure }]
  })
}

/** Where a leaf is: scores of paths by inode, of texts by their ids, of pieces by inode and version. */
interface FoundLeaf {
  readonly isExcluding: boolean
  readonly paths: ReadonlyMap<number, number>
  readonly bodies: ReadonlyMap<number, number>
  readonly pieces: ReadonlyMap<number, Spans>
  readonly parts: readonly ReadonlyMap<number, Spans>[] | undefined
}

/** The pieces of files of which some version is kept in them. */
function stretchesOf(
  engine: SearchEngine,
  candidates: readonly Candidate[],
  pastToo: boolean,
): Stretch[] {
  return candidates
    .filter(({ versions }) => versions.some(({ text }) => text === IN_PIECES))
    .flatMap(({ ino }) => engine.stretchesOfFile(ino))
    .filter(({ last }) => pastToo || last === STILL)
}

/** In which versions of which files a piece has what a plan looks for. */
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

/** Versions from one to another, any number of times. */
class Spans {
  /** Apart from each other, in order. */
  readonly #spans: { first: number; last: number }[] = []
  #best = 0

  /** In the order of their first versions. */
  add({ first, last }: Stretch, score: number): void {
    const before = this.#spans.at(-1)
    if (before !== undefined && first <= before.last + 1) before.last = Math.max(before.last, last)
    else this.#spans.push({ first, last })
    this.#best = Math.max(this.#best, score)
  }

  /** The best score of all when that version is among them. */
  at(number: number): number | undefined {
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

/** Whether a query is true for a file with this text: the text says what its pieces do not. */
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
