// Methods on the index of a vault: queries, its state, rebuilding it.

import { pathMatcher } from '../../base/glob.ts'
import { QuerySyntaxError } from '../../search/query.ts'
import type { SearchResult } from '../../search/results.ts'
import type { Searcher, SearchStatus } from '../../search/searcher.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import { StoreError } from '../../store/store.ts'
import { momentMeant } from '../../vault/core/when.ts'
import { findPath } from '../../vault/history/paths.ts'
import { findTag } from '../../vault/tree/tags.ts'
import type { Vault } from '../../vault/vault.ts'
import { toText } from '../wire/byte-strings.ts'
import { ControlError } from '../wire/errors.ts'
import { assertWanted } from '../wire/method-reply.ts'
import type { Call, Given, Methods } from './method.ts'
import type { FoundItem, ResultOf } from './method-types.ts'
import { countOf, flagOf, pathOf, stringOf, whenOf } from './parameters.ts'
import { refusingGlobs } from './refusal.ts'

/**
 * After this time a mounted vault answers with what it has; a command that opened the vault waits
 * until the index is complete.
 */
const MOUNTED_WAIT_MS = 5_000
const ALONE_WAIT_MS = 24 * 3_600_000
const FRAGMENTS = 3

export const searchMethods = {
  /**
   * {query, path, limit, glob?, tag?, since?, allVersions?}: items are FoundItem, best first. The
   * result {complete} says whether everything saved before the call was in the index.
   */
  search: { readOnly: false, alsoReadOnly: true, run: search },
  searchStatus: {
    readOnly: true,
    run: async (vault, _, { searcher }) => statusOf(vault, searcher()),
  },
  /** Rebuilds the index; the result is as that of searchStatus. */
  searchRebuild: {
    readOnly: false,
    run: (vault, _, { searcher, kernel, report, isGone }) =>
      inSearchWords(async () => {
        const its = searcher()
        await its.rebuild()
        if (kernel === undefined)
          await its.refresh(ALONE_WAIT_MS, (done) => report(done, 0), isGone)
        return statusOf(vault, its)
      }),
  },
} satisfies Partial<Methods>

async function statusOf({ core }: Vault, searcher: Searcher): Promise<SearchStatus> {
  const status = await searcher.status()
  return { ...status, watermark: core.moments.wallOf(status.watermark) }
}

async function search(
  vault: Vault,
  parameters: Given<'search'>,
  call: Call<FoundItem>,
): Promise<ResultOf<'search'>> {
  const query = stringOf(parameters, 'query')
  const top = pathOf(parameters, 'path')
  const limit = countOf(parameters, 'limit')
  const glob = parameters.glob === undefined ? undefined : stringOf(parameters, 'glob')
  const matches = glob === undefined ? () => true : refusingGlobs(() => pathMatcher([glob]))
  const tag = parameters.tag === undefined ? undefined : stringOf(parameters, 'tag')
  const since =
    parameters.since === undefined
      ? 0
      : momentMeant(vault.core.moments, whenOf(parameters, 'since'))
  const pastToo = flagOf(parameters, 'allVersions')
  await retryUntilLoaded(() => assertThere(vault, top, tag, pastToo))
  return inSearchWords(async () => {
    const searcher = call.searcher()
    const waitMs = call.kernel === undefined ? ALONE_WAIT_MS : MOUNTED_WAIT_MS
    const { isGone } = call
    const complete = await searcher.refresh(waitMs, (done) => call.report(done, 0), isGone)
    assertWanted(isGone)
    const results = await searcher.search({
      query,
      top,
      limit,
      // A time that the clock showed less often counts as before everything.
      since: since ?? 0,
      pastToo,
      tags: tag === undefined ? [] : [tag],
      matchesPath: (path) => matches(path.slice(1)),
      fragments: FRAGMENTS,
      isGone,
    })
    for (const result of results) await call.send({ item: itemOf(vault, result) })
    return { complete }
  })
}

function assertThere(vault: Vault, top: string, tag: string | undefined, pastToo: boolean): void {
  if (tag !== undefined && findTag(vault.core, tag) === undefined)
    throw new ControlError('absent', `there is no tag '${tag}'`)
  if (!pastToo && findPath(vault.core, top) === undefined)
    throw new ControlError('absent', `there is no ${toText(top)}`, toText(top))
}

function itemOf(
  { core }: Vault,
  { ino, path, score, isThere, row, versions, fragments }: SearchResult,
): FoundItem {
  const { moments } = core
  const shown = versions.map(({ number, moment, until, size }) => ({
    number: number ?? null,
    moment: moments.wallOf(moment),
    until: until === undefined ? null : moments.wallOf(until),
    size,
  }))
  return { path, ino, score, deleted: !isThere, mode: row.mode, versions: shown, fragments }
}

/** Turns errors of search into messages for people. */
async function inSearchWords<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof QuerySyntaxError)
      throw new ControlError('name', error.message, undefined, { cause: error })
    if (error instanceof StoreError && error.kind === 'unavailable')
      throw new ControlError('failed', error.message, undefined, { cause: error })
    throw error
  }
}

/** Compacts the index, if there is one. */
export async function compactIndex(searcher: Searcher): Promise<void> {
  try {
    await searcher.compact()
  } catch (error) {
    if (!(error instanceof StoreError) || error.kind !== 'unavailable') throw error
  }
}
