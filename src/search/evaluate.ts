// Answers a query over an index, best first and no further than somebody reads on. A file is found
// when the query is true for it, each leaf looked for in its path or in its body: paths and bodies
// are documents of different kinds, so that no engine can answer that alone. Knows no vault:
// whoever shows a result checks that it is still so.
//
// Files come in up to four streams, each in the order of its scores, which are merged; a file comes
// where it scores best:
//   few     files with some leaf in their path, of leaves that few paths have: held in memory and
//   evaluated leaf by leaf
//   bodies  the other files by their texts, which the engine finds; a leaf that many paths have is
//   assumed where that errs
//           towards finding, and each file is evaluated
//   pieces  the other files whose texts are kept in pieces, by the piece that fits best: what is
//   wanted together may be in several,
//           so that the engine is asked for each leaf, and each file is evaluated
//   paths   when that leaves nothing to ask of bodies (`src` in a vault where src is in most
//   paths): files by those leaves, as the
//           engine orders them, each evaluated; bodies are then asked for the leaves themselves
//
// Scores: few have the sum over the wanted leaves of the body's BM25 and twice the path's, paths
// twice the path's, bodies the body's. What most paths have says little about a file, so that it
// need not count in bodies.

import { type Hit, OPEN_ENDED, type Plan, type SearchEngine, type TextVersion } from './engine.ts'
import { anyOf, textPlan } from './plan.ts'
import type { Leaf, Query } from './query.ts'
import {
  type Candidate,
  evaluate,
  type Match,
  PATH_WEIGHT,
  type TermHits,
  termHitsOf,
} from './term-hits.ts'

export interface MatchOptions {
  /**
   * Whether older versions are looked at, too; else only the newest that the index knows of each
   * file.
   */
  readonly pastToo: boolean
  /** A leaf that more paths have is not held in memory. */
  readonly few?: number
  /** How many hits the engine is first asked for; then twice as many each time. */
  readonly page?: number
}

const FEW = 400
const PAGE = 64
const PAGE_MAX = 1024
/** Files that are evaluated together. */
const SLICE = 256

/**
 * All matches, best first; equal scores by inode within a page. No file is yielded twice. Holds the
 * inodes that were yielded and a page of each stream in memory. A batch that enters the index
 * meanwhile may hide a file or not.
 */
export function matchesOf(query: Query, engine: SearchEngine, options: MatchOptions): Stream {
  return new Search(query, engine, options).matches()
}

type Stream = Generator<Match, void, undefined>

/** A version with the score of its text. */
interface Found {
  readonly ino: number
  readonly score: number
  readonly version: TextVersion
}

/** One query at work. */
export class Search {
  /** Files that were yielded. */
  readonly #emitted = new Set<number>()
  readonly #query: Query
  readonly #engine: SearchEngine
  readonly #options: MatchOptions
  readonly #termHits: readonly TermHits[]
  readonly #few: ReadonlySet<number>
  /** Leaves that are wanted, and that many paths have. */
  readonly #common: ReadonlyMap<Leaf, TermHits>
  /** Whether a match of the body decides for files that are not among the few. */
  readonly #isCertain: boolean

  constructor(query: Query, engine: SearchEngine, options: MatchOptions) {
    this.#query = query
    this.#engine = engine
    this.#options = options
    this.#termHits = termHitsOf(query, engine, options.few ?? FEW)
    this.#few = new Set(this.#termHits.flatMap(({ files }) => [...(files?.keys() ?? [])]))
    const many = this.#termHits.filter(({ files }) => files === undefined)
    this.#isCertain = many.length === 0
    this.#common = new Map(
      many.filter(({ isExcluding }) => !isExcluding).map((termHits) => [termHits.leaf, termHits]),
    )
  }

  /** As `matchesOf` says. */
  *matches(): Stream {
    for (const match of merged(this.#streams())) {
      if (this.#emitted.has(match.ino)) continue
      this.#emitted.add(match.ino)
      yield match
    }
  }

  /** Which of these files match, in no order, whether or not they were yielded. */
  among(inos: readonly number[]): Match[] {
    return [...slices(inos)].flatMap((some) => this.#evaluate(this.#filesOf(some)))
  }

  #streams(): Stream[] {
    // A leaf that many paths have is assumed true where that finds more. Under NOT the body alone
    // decides.
    const texts = textPlan(this.#query, (leaf) => (this.#common.has(leaf) ? true : undefined))
    if (texts !== true) return [this.#fewFiles(), this.#bodies(texts), this.#pieces()]
    const inPaths = anyOf([...this.#common.values()].flatMap(({ file }) => file ?? []))
    const inBodies = textPlan(this.#query, () => undefined)
    return [this.#fewFiles(), this.#paths(inPaths), this.#bodies(inBodies), this.#pieces()]
  }

  *#fewFiles(): Stream {
    const matches: Match[] = []
    for (const inos of slices([...this.#few])) matches.push(...this.#evaluate(this.#filesOf(inos)))
    yield* matches.sort(byScore)
  }

  *#paths(plan: Plan): Stream {
    for (const hits of this.#pages(plan))
      yield* this.#scored(new Map(hits.map(({ id, score }) => [id, PATH_WEIGHT * score])))
  }

  *#pieces(): Stream {
    const plans = this.#termHits.flatMap(({ isExcluding, body, parts = [] }) =>
      isExcluding || body === undefined ? [] : [body, ...parts],
    )
    if (plans.length === 0) return
    const find = (limit: number, offset: number): Hit[] =>
      this.#engine.queryPieces(anyOf(plans), limit, offset)
    const seen = new Set<number>()
    for (const hits of this.#pagesOf(find)) {
      const scores = new Map<number, number>()
      const hitOf = new Map(hits.map(({ id, score }) => [id, score]))
      for (const { id, ino, last } of this.#engine.stretches([...hitOf.keys()])) {
        if (seen.has(ino) || (!this.#options.pastToo && last !== OPEN_ENDED)) continue
        scores.set(ino, Math.max(scores.get(ino) ?? 0, hitOf.get(id) ?? 0))
      }
      for (const ino of scores.keys()) seen.add(ino)
      yield* this.#scored(scores)
    }
  }

  /** Those of these files that are pending and match, with these scores. */
  #scored(scores: ReadonlyMap<number, number>): Match[] {
    const files = this.#filesOf([...scores.keys()].filter((ino) => this.#isPending(ino)))
    return this.#evaluate(files)
      .map((match) => ({ ...match, score: scores.get(match.ino) ?? 0 }))
      .sort(byScore)
  }

  /** Files by their texts. */
  *#bodies(plan: Plan | boolean): Stream {
    if (typeof plan === 'boolean') return
    // A text may have any number of copies.
    for (const hits of this.#pages(plan))
      for (const found of slices(this.#versionsWith(hits))) yield* this.#holding(found)
  }

  #versionsWith(hits: readonly Hit[]): Found[] {
    return hits
      .flatMap(({ id, score }) =>
        this.#engine.versionsOf(id).map((version) => ({ ino: version.ino, score, version })),
      )
      .sort(byScore)
  }

  #holding(found: readonly Found[]): Match[] {
    const open = found.filter(({ ino }) => this.#isPending(ino))
    const files = this.#filesOf([...new Set(open.map(({ ino }) => ino))])
    const isCertain = this.#isCertain && !this.#options.pastToo
    const matches = isCertain
      ? files.map((file) => ({ ...file, toRecheck: [] }))
      : this.#evaluate(files)
    const held = new Map(matches.map((file) => [file.ino, file]))
    return open.flatMap(({ ino, score, version }) => {
      const { versions = [], toRecheck = [] } = held.get(ino) ?? {}
      const isHeld = versions.some(({ number }) => number === version.number)
      return isHeld ? [{ ino, score, versions, toRecheck }] : []
    })
  }

  /** Whether a file may still come from a stream other than that of the few. */
  #isPending(ino: number): boolean {
    return !this.#few.has(ino) && !this.#emitted.has(ino)
  }

  /** Files with the versions that are searched. */
  #filesOf(inos: readonly number[]): Candidate[] {
    return inos.map((ino) => {
      const versions = this.#engine.versionsOfFile(ino)
      return { ino, versions: this.#options.pastToo ? versions : versions.slice(-1) }
    })
  }

  #evaluate(candidates: readonly Candidate[]): Match[] {
    return evaluate(this.#query, this.#termHits, this.#engine, candidates, this.#options.pastToo)
  }

  #pages(plan: Plan): Generator<Hit[], void, undefined> {
    return this.#pagesOf((limit, offset) => this.#engine.query(plan, limit, offset))
  }

  *#pagesOf(find: (limit: number, offset: number) => Hit[]): Generator<Hit[], void, undefined> {
    let offset = 0
    let size = this.#options.page ?? PAGE
    for (;;) {
      const hits = find(size, offset)
      if (hits.length > 0) yield hits
      if (hits.length < size) return
      offset += hits.length
      size = Math.min(2 * size, PAGE_MAX)
    }
  }
}

function byScore(
  a: { readonly ino: number; readonly score: number },
  b: { readonly ino: number; readonly score: number },
): number {
  return b.score - a.score || a.ino - b.ino
}

/** The streams as one, in order; of equals, that of the earlier stream first. */
function* merged(streams: readonly Stream[]): Stream {
  const heads = streams.map((stream) => ({ stream, next: stream.next() }))
  for (;;) {
    let best: { head: (typeof heads)[number]; match: Match } | undefined
    for (const head of heads) {
      if (head.next.done === true) continue
      if (best === undefined || byScore(head.next.value, best.match) < 0)
        best = { head, match: head.next.value }
    }
    if (best === undefined) return
    yield best.match
    best.head.next = best.head.stream.next()
  }
}

function* slices<T>(items: readonly T[]): Generator<T[], void, undefined> {
  for (let start = 0; start < items.length; start += SLICE) yield items.slice(start, start + SLICE)
}
