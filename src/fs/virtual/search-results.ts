// What a query finds below a directory, under the names that search/QUERY/ shows. Operations are
// synchronous and a search is not: a Fault waits for the search, which keeps its answer for the
// retry. The vault may have changed since: each name is checked again (search-access.ts) when it is
// shown or followed.

import { EIO, EOPNOTSUPP, fail } from '../../base/errno.ts'
import { NAME_BYTES_MAX } from '../../base/limits.ts'
import { log } from '../../base/log.ts'
import { cutName } from '../../base/names.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import { Fault, StoreError } from '../../store/store.ts'
import type { Core } from '../../vault/core/core.ts'
import type { Moment } from '../../vault/core/moment.ts'
import { pathOf } from '../../vault/tree/names.ts'
import type { Reader } from '../access.ts'
import type { FsContext } from '../context.ts'
import type { SearchedFile, SearchedName, SearchedVersion } from '../search-service.ts'
import { ticksOf } from './row-ticks.ts'
import { deletedBelow, mightFind, readableBelow, walkableBelow } from './search-access.ts'

/**
 * One result; `moment`: a state of the past, in directory `parent` if that is told; undefined: what
 * is there now.
 */
export interface Hit {
  readonly ino: number
  readonly moment: Moment | undefined
  readonly parent?: number
}

/** What is asked: by whom, below which directory. */
interface Question {
  readonly directory: number
  readonly query: string
  readonly pastToo: boolean
  readonly reader: Reader
}

/** By name, best first. */
type Hits = ReadonlyMap<string, Hit>

interface Answer {
  readonly hits: Hits
  /** Why the search failed; 0 when it did not. */
  readonly errno: number
  readonly generation: number
  /** When the search began. */
  readonly tick: number
  readonly atMs: number
  readonly costMs: number
}

const RESULTS_MAX = 1000
/** How long a listing waits for the index to take in what was just saved. */
const REFRESH_MS = 500
/**
 * An answer is used for this long, or for COST_FACTOR times what it took: programs call stat(2) on
 * all names soon after a listing.
 */
const LISTED_MS = 250
const COST_FACTOR = 4
/** How long a listed name leads to the same file, whatever changes. */
const FOLLOWED_MS = 10_000
/** Answers that are kept: 1,000 names each at most. */
const ANSWERS_MAX = 16

interface AnswerCache {
  readonly answers: Map<string, Answer>
  readonly underway: Map<string, Promise<void>>
}
const caches = new WeakMap<Core, AnswerCache>()

/**
 * What is found. `isListing`: for a listing, which must show what changed since the last one; a
 * lookup uses the names of the last listing. Throws EOPNOTSUPP where there is no search, EIO when
 * it fails; the log says why.
 */
export function hitsOf(fs: FsContext, question: Question, isListing: boolean): Hits {
  const { answers, underway } = cacheOf(fs.core)
  const { directory, query, pastToo, reader } = question
  const key = [directory, pastToo, reader.uid, [...reader.groups].join(), query].join('\0')
  const answer = answers.get(key)
  if (answer !== undefined && isFresh(fs, answer, isListing)) {
    if (answer.errno !== 0) fail(answer.errno)
    return answer.hits
  }
  throw new Fault(() => {
    const running = underway.get(key) ?? runSearch(fs, question, key)
    underway.set(key, running)
    return running.finally(() => underway.delete(key))
  })
}

function cacheOf(core: Core): AnswerCache {
  const before = caches.get(core)
  if (before !== undefined) return before
  const made = { answers: new Map(), underway: new Map() }
  caches.set(core, made)
  return made
}

function isFresh(
  { core, search }: FsContext,
  { generation, tick, atMs, costMs, errno }: Answer,
  isListing: boolean,
): boolean {
  const age = performance.now() - atMs
  if (age < Math.max(LISTED_MS, COST_FACTOR * costMs)) return true
  if (errno !== 0) return false
  const isSame = generation === search?.generation && tick === ticksOf(core).events()
  return isSame || (!isListing && age < FOLLOWED_MS)
}

async function runSearch(fs: FsContext, question: Question, key: string): Promise<void> {
  const began = performance.now()
  const tick = ticksOf(fs.core).events()
  const { answers } = cacheOf(fs.core)
  const answer = await searchBelow(fs, question)
  const atMs = performance.now()
  answers.delete(key)
  answers.set(key, { ...answer, tick, atMs, costMs: atMs - began })
  const [oldest] = answers.keys()
  if (answers.size > ANSWERS_MAX && oldest !== undefined) answers.delete(oldest)
}

async function searchBelow(
  fs: FsContext,
  { directory, query, pastToo, reader }: Question,
): Promise<Pick<Answer, 'hits' | 'errno' | 'generation'>> {
  const { core, search } = fs
  const nothing = new Map<string, Hit>()
  let generation = search?.generation ?? 0
  try {
    if (search === undefined) throw new StoreError('unavailable', 'there is no search here')
    await search.refresh(REFRESH_MS)
    // What the index takes in from here on may be missing.
    generation = search.generation
    const top = await retryUntilLoaded(() => pathOf(core, directory))
    if (top === undefined) return { hits: nothing, errno: 0, generation }
    const isVisible = ({ ino, isThere, parent }: SearchedName): boolean => {
      if (!isThere) return deletedBelow(fs, directory, ino, reader, parent) !== undefined
      const below = pastToo ? walkableBelow : readableBelow
      return below(core, directory, ino, reader) !== undefined
    }
    const request = { query, limit: RESULTS_MAX, pastToo, isNumbered: pastToo, top, isVisible }
    const files = await search.search(request)
    const hits = await numberedHits(fs, files, { directory, query, pastToo, reader })
    return { hits, errno: 0, generation }
  } catch (error) {
    const isOff = error instanceof StoreError && error.kind === 'unavailable'
    log(isOff ? 'info' : 'warn', `search/${query} shows nothing`, error)
    return { hits: nothing, errno: isOff ? EOPNOTSUPP : EIO, generation }
  }
}

interface Unnumbered {
  readonly hit: Hit
  readonly name: string
}

async function numberedHits(
  fs: FsContext,
  files: readonly SearchedFile[],
  question: Question,
): Promise<Hits> {
  const list: Unnumbered[] = []
  for (const file of files) {
    if (list.length >= RESULTS_MAX) break
    if (question.pastToo && file.versions.length > 0) await addVersions(fs, file, question, list)
    else list.push(...(await retryUntilLoaded(() => hitsIn(fs, file, question))))
  }
  list.splice(RESULTS_MAX)
  const width = String(list.length).length
  return new Map(
    list.map(({ hit, name }, index) => [
      fitting(`${String(index + 1).padStart(width, '0')}-`, name),
      hit,
    ]),
  )
}

/** What a file is shown as. */
function hitsIn(
  fs: FsContext,
  { ino, isThere }: SearchedFile,
  { directory, pastToo, reader }: Question,
): Unnumbered[] {
  const present = isThere ? readableBelow(fs.core, directory, ino, reader) : undefined
  const gone = isThere || !pastToo ? undefined : deletedBelow(fs, directory, ino, reader)
  const name = present?.path.at(-1) ?? gone?.name
  return name === undefined ? [] : [{ hit: { ino, moment: gone?.since }, name }]
}

/**
 * With the past each version that was found, the newest first. One step each, so that a Fault
 * repeats no other.
 */
async function addVersions(
  fs: FsContext,
  { path, versions }: SearchedFile,
  { directory, reader }: Question,
  list: Unnumbered[],
): Promise<void> {
  const name = path.slice(path.lastIndexOf('/') + 1)
  for (let index = versions.length - 1; index >= 0 && list.length < RESULTS_MAX; index--) {
    const { ino, moment, parent, number } = versions[index] as SearchedVersion
    if (!(await retryUntilLoaded(() => mightFind(fs, directory, ino, moment, reader)))) continue
    const shown = number === undefined ? name : `v${number}-${name}`
    list.push({ hit: { ino, moment, parent }, name: shown })
  }
}

/**
 * A name of at most NAME_BYTES_MAX bytes that keeps its extension and is cut between characters of
 * UTF-8.
 */
function fitting(prefix: string, name: string): string {
  const room = NAME_BYTES_MAX - prefix.length
  if (name.length <= room) return prefix + name
  const dot = name.lastIndexOf('.')
  const extension = dot > 0 && name.length - dot < 20 ? name.slice(dot) : ''
  return prefix + cutName(name, room - extension.length) + extension
}
