// What a view is: a node of the virtual tree below .avfs, a record with a kind; and the kinds as
// objects with the operations that they take. One kind a file beside this one; view-operations.ts
// runs them. Knows nothing of what the kinds show.

import { hash } from 'node:crypto'
import type { FsError } from '../../base/errno.ts'
import { pauseWhenDue } from '../../store/pause.ts'
import { Fault } from '../../store/store.ts'
import type { Moment } from '../../vault/core/moment.ts'
import type { Reader } from '../access.ts'
import type { FsContext } from '../context.ts'
import type { Caller, Node } from '../operations.ts'
import type { HeldContent } from './held-content.ts'
import type { RowTicks } from './row-ticks.ts'
import type { Tagged, TaggedNames } from './tagged.ts'

export interface TaggedNameCache {
  /**
   * Notes that the kernel is about to learn `name`; returns how long it may cache it. `from`: the
   * names it was taken from.
   */
  note(view: TagDirectory, name: string, file: Tagged, from: TaggedNames): number
}

export interface TagDirectory {
  readonly number: number
  readonly directory: number
  readonly tags: readonly string[]
}

/** Inode numbers from here on belong to views; those of the vault stay below it. */
export const VIEW_BASE = 2 ** 52
/** The name under which every directory has its views. */
export const AVFS_NAME = '.avfs'

/** One node. What a kind needs beyond this it adds in an interface of its own. */
export interface View {
  readonly number: number
  readonly kind: ViewKind
  /**
   * `key` and `ino` together identify a view: they are equal in all records of it, and differ from
   * those of any other.
   */
  readonly key: string
  readonly ino: number
  /** The directory of the vault that this is a view of. */
  readonly directory: number
  /** The number of the node above. */
  readonly up: number
  /** The name by which the kernel knows it there; set for files whose content the kernel caches. */
  readonly name?: string
  /**
   * Its path below the .avfs of `directory`, of views that always stand there; see fixed-views.ts.
   */
  readonly fixedPath?: string
}

/** An entry of a view that is a directory. */
export interface ViewEntry {
  readonly name: string
  /** mode >> 12 */
  readonly type: number
  /** Undefined where only a lookup tells: the content is computed. */
  readonly view: View | undefined
}

/** What the kernel wants of a listing. It may differ from one READDIR to the next. */
export interface ListRequest {
  /** Attributes with the names (READDIRPLUS). */
  readonly plus: boolean
}

/** What all views of a vault share. */
export interface ViewContext {
  readonly fs: FsContext
  /** The earliest moment of which the vault holds a state. */
  readonly birth: Moment
  /** The views that the kernel knows, each with its lookup count. */
  readonly held: Map<number, { view: View; count: number }>
  /** Those with a fixed path, by their directory and by the path. */
  readonly fixed: FixedViews
  /** Files that are being copied into a tag; see tag-copy.ts. */
  readonly copies: Map<number, TagCopy>
  /** How renames ended that ran in the background; the kernel asks for each once more. */
  readonly finishedRenames: Map<string, true | FsError>
  readonly ticks: RowTicks
  readonly content: HeldContent
  readonly tagged: TaggedNameCache
  readonly past: PastNameCache
  /** Names in deleted/ that the kernel keeps, by the directory that they were deleted from. */
  readonly cachedDeleted: Map<number, CachedNames>
}

interface FixedViews {
  readonly byDirectory: Map<number, Set<number>>
  readonly byPath: Map<string, Set<number>>
}

export interface PastNameCache {
  /**
   * Whether the kernel may cache names of a directory of the past: everybody has access to it
   * today.
   */
  isCacheable(directory: number): boolean
}

/** What the kernel keeps of the names in a deleted/; see cached-deleted.ts. */
export interface CachedNames {
  readonly number: number
  untilMs: number
  /**
   * Names whose move was refused so that the kernel looks them up, and those that it has looked up
   * since.
   */
  readonly refused: Set<string>
  readonly forgotten: Set<string>
}

/** A file that is being copied into a tag. */
export interface TagCopy {
  readonly directory: number
  readonly name: string
  readonly tags: readonly string[]
  /** Who copies it. */
  readonly reader: Reader
  /** The file of the vault that it is copied from, once that is known. */
  source: number | undefined
  /**
   * The source is a file that the caller may not label: neither is it labelled, nor a new file
   * made.
   */
  isRefused: boolean
}

/**
 * The operations of a kind. Missing ones are refused: reading with EISDIR or ENOTDIR, everything
 * that changes with EROFS. Lookups return undefined for a name that is not there. A `caller` is
 * valid during the call only.
 */
export interface ViewKind<V extends View = View> {
  /**
   * A number that changes whenever the listing may have, so that the kernel can cache it. Without
   * it listings are read each time.
   */
  tick?(context: ViewContext, view: V): number
  /**
   * Whether all users are shown the same while that number stays the same; without it, they are.
   */
  isCommon?(context: ViewContext, view: V): boolean
  /**
   * Throws EACCES unless the caller has the access `wanted` (access.ts), where attributes alone do
   * not decide.
   */
  assertAccess?(context: ViewContext, caller: Caller, view: V, wanted: number): void
  attributes(context: ViewContext, view: V): Node
  /**
   * Called at a view's first LOOKUP, and after its last FORGET. `hold` may throw ENOMEM or a Fault,
   * before anything has changed.
   */
  hold?(context: ViewContext, view: V): void
  release?(context: ViewContext, view: V): void
  lookup?(context: ViewContext, caller: Caller, view: V, name: string): View | undefined
  /**
   * Entries in a stable order; runs while the kernel asks for more. A yielded Fault must be loaded
   * before it can go on.
   */
  list?(
    context: ViewContext,
    caller: Caller,
    view: V,
    request: ListRequest,
  ): Iterable<ViewEntry | Fault>
  read?(context: ViewContext, view: V, offset: number, size: number): readonly Uint8Array[]
  readlink?(context: ViewContext, view: V): string
  xattrs?(context: ViewContext, view: V): ReadonlyMap<string, Uint8Array>
  mkdir?(context: ViewContext, caller: Caller, view: V, name: string): View
  rmdir?(context: ViewContext, caller: Caller, view: V, name: string): void
  /** Moves `name` within one view. */
  rename?(context: ViewContext, caller: Caller, view: V, name: string, newName: string): void
  /**
   * Save by rename: puts the file `name` in the place of the file `newName`, where these lie.
   * Returns false when they are not two files of the view.
   */
  replace?(context: ViewContext, caller: Caller, view: V, name: string, newName: string): boolean
  /** Adds a file of the vault, under a name that it need not keep. */
  addFile?(context: ViewContext, caller: Caller, view: V, ino: number, name: string): void
  /** Removes a name, which leaves the file where it is in the vault. */
  removeFile?(context: ViewContext, caller: Caller, view: V, name: string): void
  /** Moves `name` to a directory of the vault. */
  moveOut?(
    context: ViewContext,
    caller: Caller,
    view: V,
    name: string,
    parent: number,
    newName: string,
  ): void
  /** Makes a file that is filled by its writer. */
  create?(context: ViewContext, caller: Caller, view: V, name: string, mode: number): Node
}

/**
 * What `read` returns, for a generator: a Fault would end it, so that it hands it out (`yield*`)
 * and reads again when it is resumed. Others go on in between.
 */
export function* waiting<T>(read: () => T): Generator<Fault, T> {
  for (;;)
    try {
      pauseWhenDue()
      return read()
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      yield error
    }
}

/**
 * The number of node `ino` of the tree that `key` names. Within one tree numbers never meet; over
 * all trees the 52 bits of a hash keep them apart, so that a number needs no memory and is the same
 * as long as the node is.
 */
export function numberOf(key: string, ino = 0): number {
  const digest = hash('sha256', key, 'buffer')
  const base = digest.readUIntBE(0, 6) * 16 + ((digest[6] as number) & 15)
  return numberWithin(base, ino)
}

function numberWithin(base: number, ino: number): number {
  return VIEW_BASE + ((base + ino) % VIEW_BASE)
}

/** `numberOf` for many nodes of one tree. */
export function numbersOf(key: string): (ino: number) => number {
  const base = numberOf(key) - VIEW_BASE
  return (ino) => numberWithin(base, ino)
}

/** How long the kernel may keep a name that is announced when it changes. */
export const CACHED_MS = 60000
