// Answers one query: asks the search thread for matches, looks at each in the vault, and goes on until there are enough. Fragments
// are made of the vault's own text.

import { answered } from '../store/retry.ts'
import type { Core } from '../vault/core.ts'
import type { Moment } from '../vault/moments.ts'
import { slicesOf } from '../vault/slices.ts'
import type { Match } from './evaluate.ts'
import { type Conditions, type FoundVersion, resultOf, type SearchResult } from './results.ts'
import { bytesOf } from './source.ts'
import type { SearchThread } from './thread.ts'

export interface SearchRequest extends Partial<Conditions> {
  readonly query: string
  readonly limit: number
  /** Fragments of each result; none unless told. */
  readonly fragments?: number
  /** True when nobody waits for the answer any more. */
  readonly isGone?: () => boolean
}

/** Matches asked for at a time: the first results come soon, and a strict condition does not ask a thousand times. */
const PAGE = 50
const PAGE_MAX = 1000

/** The best results that hold now. `settled`: names that are newer may not be in the index. */
export async function lookFor(
  core: Core,
  thread: SearchThread,
  request: SearchRequest,
  settled: () => Moment,
): Promise<SearchResult[]> {
  const { query, limit, fragments = 0 } = request
  const results = await resultsOf(core, thread, request, settled)
  if (fragments === 0 || limit === 0) return results
  const shown: SearchResult[] = []
  for (const result of results)
    shown.push(await withFragments(core, thread, result, query, fragments))
  return shown
}

async function resultsOf(
  core: Core,
  thread: SearchThread,
  request: SearchRequest,
  settled: () => Moment,
): Promise<SearchResult[]> {
  const { query, limit, isGone = () => false } = request
  const conditions = conditionsOf(request)
  const results: SearchResult[] = []
  const slices = slicesOf(core, isGone)
  const search = await thread.call('find', query, conditions.pastToo)
  try {
    for (let count = PAGE; results.length < limit; count = Math.min(2 * count, PAGE_MAX)) {
      const matches = await thread.call('next', search, count)
      for (const match of matches) {
        const found = await answered(() => resultOf(core, match, conditions, settled()))
        const result = found && (await certain(core, thread, query, found, match))
        if (result !== undefined) results.push(result)
        if (results.length === limit) break
        await slices.turn()
      }
      if (matches.length < count) break
    }
  } finally {
    await thread.call('done', search).catch(() => undefined)
  }
  return results
}

/** A result with the versions that are found indeed; undefined when that leaves none. */
async function certain(
  core: Core,
  thread: SearchThread,
  query: string,
  result: SearchResult,
  { ino, unsure }: Match,
): Promise<SearchResult | undefined> {
  if (unsure.length === 0) return result
  const asked = new Set(unsure)
  const versions: FoundVersion[] = []
  for (const version of result.versions) {
    const isSure = !asked.has(version.number)
    const bytes = isSure ? undefined : await bytesOf(core, ino, version, () => true, answered)
    if (isSure || (bytes && (await thread.call('isTrue', query, ino, bytes))))
      versions.push(version)
  }
  return versions.length === 0 ? undefined : { ...result, versions }
}

function conditionsOf(request: SearchRequest): Conditions {
  return {
    top: request.top ?? '/',
    isMeant: request.isMeant ?? (() => true),
    tags: request.tags ?? [],
    since: request.since ?? 0,
    pastToo: request.pastToo ?? false,
    reach: request.reach,
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
  const bytes = await bytesOf(core, result.ino, newest, () => true, answered)
  if (bytes === undefined) return result
  return { ...result, fragments: await thread.call('fragments', query, bytes, count) }
}
