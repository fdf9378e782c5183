// What a view is: a node of the virtual tree below .avfs, a record with a kind; and the kinds as objects with the operations
// that they take. One kind a file beside this one; view-operations.ts runs them. Knows nothing of what the kinds show.

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
  /** Notes that `name` is on its way to the kernel; returns how long it may keep it. `from`: whence it was taken. */
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
  /** Together these make the node the one it is: equal for all records of it, different for any other node. */
  readonly key: string
  readonly ino: number
  /** The directory of the vault that this is a view of. */
  readonly directory: number
  /** The number of the node above. */
  readonly up: number
  /** What the kernel calls the node there, of files whose content it keeps. */
  readonly name?: string
  /** Its path below the .avfs of `directory`, of views that always stand there; see fixed-views.ts. */
  readonly fixedPath?: string
}

/** An entry of a view that is a directory. */
export interface ViewEntry {
  readonly name: string
  /** mode >> 12 */
  readonly type: number
  /** Undefined where a lookup has to find out: content that is computed. */
  readonly view: View | undefined
}

/** What the kernel asks of a listing now. It may change its mind from one part to the next. */
export interface ListRequest {
  /** Attributes with the names. */
  readonly plus: boolean
}

/** What all views of a vault share. */
export interface ViewContext {
  readonly fs: FsContext
  /** The vault holds no earlier state than this. */
  readonly birth: Moment
  /** The nodes that the kernel knows, and how often. */
  readonly held: Map<number, { view: View; count: number }>
  /** Those with a fixed path, by their directory and by the path. */
  readonly fixed: FixedViews
  /** Files that are being copied into a tag; see tag-copy.ts. */
  readonly copies: Map<number, TagCopy>
  /** Renames that brought something back and are asked for once more: how they ended. */
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
  /** Whether the kernel may keep names of a directory of the past: everybody may come there today. */
  isCacheable(directory: number): boolean
}

/** What the kernel keeps of the names in a deleted/; see cached-deleted.ts. */
export interface CachedNames {
  readonly number: number
  untilMs: number
  /** Names that were not moved, so that the kernel asks for them, and those that it has asked for since. */
  readonly refused: Set<string>
  readonly forgotten: Set<string>
}

/** A file on its way into a tag. */
export interface TagCopy {
  readonly directory: number
  readonly name: string
  readonly tags: readonly string[]
  /** Who copies it. */
  readonly reader: Reader
  /** The file of the vault that it is copied from, once that is known. */
  source: number | undefined
  /** It was copied from what its copier may not label: it is not labelled, nor made anew. */
  isRefused: boolean
}

/**
 * The operations of a kind. Missing ones are refused: reading with EISDIR or ENOTDIR, everything that changes with EROFS.
 * Lookups return undefined for a name that is not there. A `caller` is valid during the call only.
 */
export interface ViewKind<V extends View = View> {
  /** A number that is another when a listing may be, so that the kernel can keep one. None: listings are read each time. */
  tick?(context: ViewContext, view: V): number
  /** Whether everybody is shown the same, as long as that number is the same; if not told, they are. */
  isCommon?(context: ViewContext, view: V): boolean
  /** Throws EACCES unless the caller may do that here (`wanted` as in access.ts), where the attributes do not say it all. */
  assertAccess?(context: ViewContext, caller: Caller, view: V, wanted: number): void
  attributes(context: ViewContext, view: V): Node
  /** The kernel comes to know a node, and has let go of it. May throw ENOMEM, or a Fault, before anything has changed. */
  hold?(context: ViewContext, view: V): void
  release?(context: ViewContext, view: V): void
  lookup?(context: ViewContext, caller: Caller, view: V, name: string): View | undefined
  /** Names in an order that stays; runs while the kernel asks for more. A Fault says that it can only go on when that is loaded. */
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
   * Save by rename: puts the file `name` in the place of the file `newName`, where these lie. Returns false when they are not two
   * files of the view.
   */
  replace?(context: ViewContext, caller: Caller, view: V, name: string, newName: string): boolean
  /** Takes a file of the vault in, under a name that need not stay. */
  take?(context: ViewContext, caller: Caller, view: V, ino: number, name: string): void
  /** Lets a name go. */
  drop?(context: ViewContext, caller: Caller, view: V, name: string): void
  /** Gives `name` back to a directory of the vault. */
  giveBack?(
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
 * What `read` returns, for a generator: a Fault would end it, so that it hands it out (`yield*`) and reads again when it is
 * resumed. Others go on in between.
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
 * The number of node `ino` of the tree that `key` names. Within one tree numbers never meet; over all trees the 52 bits of
 * a hash keep them apart, so that a number needs no memory and is the same as long as the node is.
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
