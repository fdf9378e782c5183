// Methods that walk through a tree, present or past: find lists entries, contents sends the content
// of files. Regular expressions are evaluated by the caller: one can take for ever, and would block
// a mounted vault.

import { FsError } from '../../base/errno.ts'
import { globRule, nameMatcher } from '../../base/glob.ts'
import { CHUNK_BYTES } from '../../base/limits.ts'
import { isDirectory, isRegular, S_IFMT } from '../../base/mode.ts'
import { alongWalk, overBytes } from '../../base/path-rule.ts'
import type { InodeRow } from '../../store/collections.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import { toRow } from '../../vault/core/inode.ts'
import { slicesOf } from '../../vault/core/time-slices.ts'
import { findPath } from '../../vault/history/paths.ts'
import { stateAt, stateNow, type TreeState } from '../../vault/history/tree-state.ts'
import { type Walked, walkTree } from '../../vault/history/walk.ts'
import type { Vault } from '../../vault/vault.ts'
import { toText } from '../wire/byte-strings.ts'
import { ControlError } from '../wire/errors.ts'
import { assertWanted } from '../wire/method-reply.ts'
import type { Receive } from '../wire/protocol.ts'
import type { Call, Given, Methods } from './method.ts'
import type { FoundEntry, ItemOf, Range, ResultOf, Stretch } from './method-types.ts'
import { numbersOf, objectOf, pathOf, stringsOf } from './parameters.ts'
import { inWords, refusing, refusingGlobs } from './refusal.ts'
import { findState, wantedOf } from './state.ts'

export const findMethods = {
  /**
   * {path, state, names, paths, types, size, mtime, tags, keys}: items are {entries}, each with one
   * or more FoundEntry, in order of path. Only `path` is required; all given conditions must hold.
   * `names`, `paths`: globs, of which one must match. `types`: file types of st_mode, of which one
   * must match. `size`, `mtime`: {above, below}, in bytes and seconds. `tags` and `keys` must all
   * be present.
   */
  find: {
    readOnly: true,
    run: (vault, parameters, call) => {
      const path = pathOf(parameters, 'path')
      return refusing(path, () => find(vault, path, parameters, call))
    },
  },
  /**
   * {path, state, include, exclude}: items are {stretches}, of all regular files at or below
   * `path`, in order of path, each item followed by the bytes of its stretches. A file named by
   * `path` itself is sent whatever the globs say.
   */
  contents: {
    readOnly: true,
    run: (vault, parameters, call) => {
      const path = pathOf(parameters, 'path')
      return refusing(path, () => contents(vault, path, parameters, call))
    },
  },
} satisfies Partial<Methods>

const ENTRIES_MAX = 500
const SEND_MS = 50
const STRETCH_BYTES = 4 * CHUNK_BYTES
const ZEROS = Buffer.alloc(STRETCH_BYTES)
const USER = 'user.'

interface Look {
  readonly state: TreeState
  readonly top: InodeRow
  /**
   * The present is walked: a row's counts tell whether it has labels and attributes. The counts of
   * a past row may not hold for the moment walked.
   */
  readonly isNow: boolean
  /** Yields to other work when due; throws if the caller has gone. */
  rest(): Promise<void> | undefined
}

async function lookFrom(
  { core }: Vault,
  path: string,
  parameters: Pick<Given<'find'>, 'state'>,
  { isGone }: Pick<Call, 'isGone'>,
): Promise<Look> {
  const wanted = wantedOf(parameters, 'state')
  const found = await retryUntilLoaded(() => {
    const now = Object.keys(wanted).length === 0 ? findPath(core, path) : undefined
    if (now !== undefined) return { state: stateNow(core), top: toRow(now), isNow: true }
    const { row, moment } = findState(core, path, wanted)
    return { state: stateAt(core, moment), top: row, isNow: false }
  })
  const slices = slicesOf(core)
  return {
    ...found,
    rest() {
      assertWanted(isGone)
      return slices.turn()
    },
  }
}

async function find(
  vault: Vault,
  path: string,
  parameters: Given<'find'>,
  call: Call<ItemOf<'find'>>,
): Promise<ResultOf<'find'>> {
  const look = await lookFrom(vault, path, parameters, call)
  const test = conditionsOf(path, parameters)
  const keys = parameters.keys === undefined ? [] : stringsOf(parameters, 'keys')
  let entries: FoundEntry[] = []
  let sentAt = performance.now()
  const flush = async (): Promise<void> => {
    if (entries.length > 0) await call.send({ item: { entries } })
    entries = []
    sentAt = performance.now()
  }
  for await (const page of walkTree(look.state, look.top, () => false)) {
    for (const walked of page) {
      // Globs may take long on each name.
      const others = look.rest()
      if (others !== undefined) await others
      if (!test(walked)) continue
      const entry = await retryUntilLoaded(() => entryOf(look, walked, parameters, keys))
      if (entry !== undefined) entries.push(entry)
    }
    if (entries.length >= ENTRIES_MAX || performance.now() > sentAt + SEND_MS) await flush()
  }
  await flush()
  return {}
}

/** Tests the conditions that depend only on a row and its path. */
function conditionsOf(path: string, parameters: Given<'find'>): (walked: Walked) => boolean {
  const names = parameters.names === undefined ? undefined : stringsOf(parameters, 'names')
  const isNamed = names && refusingGlobs(() => nameMatcher(names))
  const isPlaced = placedBy(parameters, 'paths')
  const types = parameters.types === undefined ? undefined : numbersOf(parameters, 'types')
  const size = rangeOf(parameters, 'size')
  const mtime = rangeOf(parameters, 'mtime')
  const topName = path.slice(path.lastIndexOf('/') + 1)
  return (walked) => {
    // Evaluated for every entry: the state of a directory is needed for those in it.
    if (isPlaced?.(walked) === false) return false
    const { name, depth, row } = walked
    if (types !== undefined && !types.includes(row.mode & S_IFMT)) return false
    const bytes = isDirectory(row.mode) ? 0 : row.size
    if (size !== undefined && (isDirectory(row.mode) || !isWithin(bytes, size))) return false
    if (mtime !== undefined && !isWithin(row.mtime + row.mtimeNs / 1e9, mtime)) return false
    return isNamed === undefined || isNamed(toText(depth === 0 ? topName : name))
  }
}

function entryOf(
  { state, isNow }: Look,
  { path, row }: Walked,
  parameters: Given<'find'>,
  keys: readonly string[],
): FoundEntry | undefined {
  const { mode, mtime, mtimeNs } = row
  const size = isDirectory(mode) ? 0 : row.size
  const entry = { path, mode, size, mtime: mtime + mtimeNs / 1e9 }
  if (parameters.tags !== undefined) {
    if (isNow && row.tags === 0) return undefined
    const has = state.tags(row)
    if (!stringsOf(parameters, 'tags').every((tag) => has.includes(tag))) return undefined
  }
  if (keys.length === 0) return entry
  if (isNow && row.xattrs === 0 && row.tags === 0) return undefined
  const has = state.xattrs(row)
  const values = keys.flatMap((key): [string, string][] => {
    const value = has.get(USER + key)
    return value === undefined ? [] : [[key, Buffer.from(value).toString('latin1')]]
  })
  return values.length < keys.length ? undefined : { ...entry, values: Object.fromEntries(values) }
}

async function contents(
  vault: Vault,
  path: string,
  parameters: Given<'contents'>,
  call: Call<ItemOf<'contents'>>,
): Promise<ResultOf<'contents'>> {
  const look = await lookFrom(vault, path, parameters, call)
  const { state, top } = look
  if (!isRegular(top.mode) && !isDirectory(top.mode))
    throw new ControlError('failed', `${toText(path)} is neither a file nor a directory`)
  const isIncluded = placedBy(parameters, 'include')
  const isExcluded = placedBy(parameters, 'exclude') ?? (() => false)
  const { add, flush } = stretches(call.send)
  for await (const page of walkTree(state, top, isExcluded)) {
    for (const walked of page) {
      const { path: its, depth, row } = walked
      const isMeant = isIncluded === undefined || isIncluded(walked) || depth === 0
      if (isMeant && isRegular(row.mode)) await sendContent(look, its, row, add)
    }
    await look.rest()
  }
  await flush()
  return {}
}

type Add = (stretch: Stretch, piece?: Buffer) => Promise<void>

async function sendContent(
  { state, rest }: Look,
  path: string,
  row: InodeRow,
  add: Add,
): Promise<void> {
  try {
    for (let at = 0; ; ) {
      const from = at
      const piece = await retryUntilLoaded(() =>
        Buffer.concat(state.read(row, from, STRETCH_BYTES)),
      )
      // A present file may have been shortened or extended.
      const isLast = piece.length < STRETCH_BYTES
      await add({ path, bytes: piece.length, isLast }, piece)
      if (isLast) return
      at += STRETCH_BYTES
      // Within a long hole, one stretch stands for all: no line ends in it.
      if (ZEROS.equals(piece)) at = await retryUntilLoaded(() => behindHole(state, row, from))
      await rest()
    }
  } catch (error) {
    if (!(error instanceof FsError)) throw error
    await add({ path, bytes: 0, isLast: true, problem: inWords(error).text })
  }
}

/** The offset at which to continue after a stretch of zeros. */
function behindHole(state: TreeState, row: InodeRow, at: number): number {
  const next = at + STRETCH_BYTES
  if (next >= row.size) return next
  const data = Math.min(state.dataFrom(row, next), row.size)
  return Math.max(next, data - (data % STRETCH_BYTES))
}

/** Batches small files, since a message costs more than they do. */
function stretches(send: Receive<ItemOf<'contents'>>): {
  add: Add
  flush(): Promise<void>
} {
  let list: Stretch[] = []
  let pieces: Uint8Array[] = []
  let bytes = 0
  const flush = async (): Promise<void> => {
    if (list.length > 0) await send({ item: { stretches: list } })
    const [piece, ...more] = pieces
    if (piece !== undefined) await send(more.length === 0 ? piece : Buffer.concat(pieces))
    list = []
    pieces = []
    bytes = 0
  }
  return {
    async add(stretch, piece) {
      list.push(stretch)
      if (piece !== undefined && piece.length > 0) pieces.push(piece)
      bytes += stretch.bytes
      if (bytes >= STRETCH_BYTES || list.length >= ENTRIES_MAX) await flush()
    },
    flush,
  }
}

/** A test whether globs select an entry of a walk; undefined without globs. */
function placedBy<K extends string>(
  parameters: { readonly [P in K]?: unknown },
  name: K,
): ((walked: Walked) => boolean) | undefined {
  if (parameters[name] === undefined) return undefined
  const globs = stringsOf(parameters, name)
  return alongWalk(overBytes(refusingGlobs(() => globRule(globs))))
}

/** Both bounds are exclusive. */
function rangeOf<K extends string>(
  parameters: { readonly [P in K]?: unknown },
  name: K,
): Required<Range> | undefined {
  if (parameters[name] === undefined) return undefined
  const { above = Number.NEGATIVE_INFINITY, below = Number.POSITIVE_INFINITY } = objectOf(
    parameters,
    name,
    '{above, below}',
  )
  if (typeof above !== 'number' || typeof below !== 'number')
    throw new ControlError('failed', `parameter ${name} must be {above, below}`)
  return { above, below }
}

function isWithin(value: number, { above, below }: Required<Range>): boolean {
  return value > above && value < below
}
