// Answers one query: asks the search thread for matches, checks each against the vault, and goes on
// until there are enough. Fragments are made of the vault's own text.

import { retryUntilLoaded } from '../store/retry.ts'
import type { Core } from '../vault/core/core.ts'
import type { Moment } from '../vault/core/moment.ts'
import { type Slices, slicesOf } from '../vault/core/time-slices.ts'
import { VersionNames } from '../vault/history/version-names.ts'
import {
  type Conditions,
  type FoundVersion,
  joined,
  resultsOf,
  type SearchResult,
} from './results.ts'
import { bytesOf } from './source.ts'
import type { Match } from './term-hits.ts'
import type { SearchThread } from './thread.ts'

export interface SearchRequest extends Partial<Conditions> {
  readonly query: string
  readonly limit: number
  /** Fragments of each result; none unless told. */
  readonly fragments?: number
  /** True when nobody waits for the answer any more. */
  readonly isGone?: () => boolean
}

/**
 * Matches asked for at a time: the first results come soon, and a strict condition does not ask a
 * thousand times.
 */
const PAGE = 50
const PAGE_MAX = 1000

/** The best results that hold now. `settled`: names that are newer may not be in the index. */
export async function findMatches(
  core: Core,
  thread: SearchThread,
  request: SearchRequest,
  settled: () => Moment,
): Promise<SearchResult[]> {
  const { query, limit, fragments = 0 } = request
  const results = await resultsFor(core, thread, request, settled)
  if (fragments === 0 || limit === 0) return results
  const shown: SearchResult[] = []
  for (const result of results)
    shown.push(await withFragments(core, thread, result, query, fragments))
  return shown
}

/**
 * Collects results by path. With the past a path is shown with every inode that it led to, not only
 * with those found so far.
 */
class ResultCollector {
  readonly #results = new Map<string, SearchResult[]>()
  readonly #core: Core
  readonly #thread: SearchThread
  readonly #names: VersionNames
  readonly #request: SearchRequest
  readonly #conditions: Conditions
  readonly #settled: () => Moment
  readonly #slices: Slices
  /** Inodes that were evaluated. */
  readonly #evaluated = new Set<number>()

  constructor(core: Core, thread: SearchThread, request: SearchRequest, settled: () => Moment) {
    this.#core = core
    this.#thread = thread
    this.#names = new VersionNames(core)
    this.#request = request
    this.#conditions = conditionsOf(request)
    this.#settled = settled
    this.#slices = slicesOf(core, request.isGone)
  }

  get isFull(): boolean {
    return this.#results.size >= this.#request.limit
  }

  get results(): SearchResult[] {
    return [...this.#results.values()].map(joined)
  }

  /** Adds the results of a match; `among` evaluates other inodes. */
  async take(match: Match, among: (inos: number[]) => Promise<Match[]>): Promise<void> {
    if (this.#evaluated.has(match.ino)) return
    const paths = await this.#add(match)
    for (let path = paths.pop(); path !== undefined; path = paths.pop()) {
      const others = this.#conditions.pastToo ? await this.#othersUnder(path) : []
      while (others.length > 0)
        for (const other of await among(others.splice(0, PAGE_MAX)))
          paths.push(...(await this.#add(other)))
    }
  }

  /** Returns the paths that are new. */
  async #add(match: Match): Promise<string[]> {
    const results = this.#results
    this.#evaluated.add(match.ino)
    const found = await retryUntilLoaded(() =>
      resultsOf(this.#core, this.#names, match, this.#conditions, this.#settled()),
    )
    const fresh: string[] = []
    for (const candidate of found) {
      const result = await recheck(this.#core, this.#thread, this.#request.query, candidate, match)
      if (result === undefined) continue
      const { path } = result
      const before = results.get(path)
      if (before === undefined && this.isFull) continue
      if (before !== undefined) before.push(result)
      else {
        fresh.push(path)
        results.set(path, [result])
      }
    }
    await this.#slices.turn()
    return fresh
  }

  async #othersUnder(path: string): Promise<number[]> {
    const inos = await retryUntilLoaded(() => this.#names.inodesUnder(path))
    const others = [...inos].filter((ino) => !this.#evaluated.has(ino))
    for (const ino of others) this.#evaluated.add(ino)
    return others
  }
}

async function resultsFor(
  core: Core,
  thread: SearchThread,
  request: SearchRequest,
  settled: () => Moment,
): Promise<SearchResult[]> {
  const collector = new ResultCollector(core, thread, request, settled)
  const search = await thread.call('find', request.query, request.pastToo ?? false)
  const among = (inos: number[]): Promise<Match[]> => thread.call('among', search, inos)
  try {
    for (let count = PAGE; !collector.isFull; count = Math.min(2 * count, PAGE_MAX)) {
      const matches = await thread.call('next', search, count)
      for (const match of matches) {
        await collector.take(match, among)
        if (collector.isFull) break
      }
      if (matches.length < count) break
    }
  } finally {
    await thread.call('done', search).catch(() => undefined)
  }
  return collector.results
}

/**
 * A result without those versions whose text does not match after all; undefined when that leaves
 * none.
 */
async function recheck(
  core: Core,
  thread: SearchThread,
  query: string,
  result: SearchResult,
  { ino, toRecheck }: Match,
): Promise<SearchResult | undefined> {
  if (toRecheck.length === 0) return result
  const asked = new Set(toRecheck)
  const versions: FoundVersion[] = []
  for (const version of result.versions) {
    const isSure = !asked.has(version.version)
    const bytes = isSure
      ? undefined
      : await bytesOf(core, ino, version, () => true, retryUntilLoaded)
    if (isSure || (bytes && (await thread.call('isTrue', query, ino, bytes))))
      versions.push(version)
  }
  return versions.length === 0 ? undefined : { ...result, versions }
}

function conditionsOf(request: SearchRequest): Conditions {
  return {
    top: request.top ?? '/',
    matchesPath: request.matchesPath ?? (() => true),
    tags: request.tags ?? [],
    since: request.since ?? 0,
    pastToo: request.pastToo ?? false,
    isNumbered: request.isNumbered ?? true,
    isVisible: request.isVisible,
  }
}

async function withFragments(
  core: Core,
  thread: SearchThread,
  result: SearchResult,
  query: string,
  count: number,
): Promise<SearchResult> {
  const newest = result.versions[result.versions.length - 1]
  if (newest === undefined) return result
  const bytes = await bytesOf(core, newest.ino, newest, () => true, retryUntilLoaded)
  if (bytes === undefined) return result
  return { ...result, fragments: await thread.call('fragments', query, bytes, count) }
}
