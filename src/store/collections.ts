// THE schema: every kind of row that a vault holds, declared once (collection.ts says what a column may be). Engines map a
// collection to a table, a column family or a key prefix; migration, verification and statistics are loops over `collections`.
// A temporal collection holds the present, with `since`; `<name>_past` holds what was, with `since` and `until`.

import type { FileType } from '../base/mode.ts'
import { type Collection, collection } from './collection.ts'

export type { Collection, ColumnType, Key, KeyPart } from './collection.ts'

/** `since` of a row whose change is not sealed yet, and `until` of the past row that it hides: after every moment. */
export const PROVISIONAL = Number.MAX_SAFE_INTEGER

/**
 * stat(2)'s fields; a directory's `size` is the number of its entries. `allocated` counts the bytes that extents cover, `parent` and `name` are where
 * it is found (of hard links the first; the others are rows of `hardlink`), `xattrs` and `tags` count its extended attributes and labels, `versions`
 * is the number of its newest version. `actor` is who made it what it is since `since`.
 */
export interface InodeRow {
  ino: number
  mode: number
  nlink: number
  uid: number
  gid: number
  rdev: number
  size: number
  allocated: number
  parent: number
  name: string
  xattrs: number
  tags: number
  versions: number
  atime: number
  atimeNs: number
  mtime: number
  mtimeNs: number
  ctime: number
  ctimeNs: number
  btime: number
  btimeNs: number
  actor: number
  since: number
}
export interface InodePastRow extends InodeRow {
  until: number
}

const attributes = {
  mode: 'uint',
  nlink: 'uint',
  uid: 'uint',
  gid: 'uint',
  rdev: 'uint',
  size: 'uint',
  allocated: 'uint',
  parent: 'uint',
  name: 'name',
  xattrs: 'uint',
  tags: 'uint',
  versions: 'uint',
  atime: 'int',
  atimeNs: 'uint',
  mtime: 'int',
  mtimeNs: 'uint',
  ctime: 'int',
  ctimeNs: 'uint',
  btime: 'int',
  btimeNs: 'uint',
  actor: 'uint',
} as const

export const inode = collection<InodeRow>('inode', 1, { ino: 'uint', ...attributes, since: 'uint' })
export const inodePast = collection<InodePastRow>('inode_past', 2, {
  ino: 'uint',
  since: 'uint',
  until: 'uint',
  ...attributes,
})

/** How a name came to lead where it leads; `origin` of an EntryRow. */
export const CREATED = 0
export const RENAMED = 1
export const LINKED = 2
export const RESTORED = 3
export type Origin = typeof CREATED | typeof RENAMED | typeof LINKED | typeof RESTORED

/**
 * A name in a directory; `type` is the inode's mode >> 12, kept here so that listings need no inode. `fromParent` and
 * `fromName` say which name became this one by rename(2) at `since`; 0 and '' if none did. `actor` is who did it.
 */
export interface EntryRow {
  parent: number
  name: string
  ino: number
  type: FileType
  origin: Origin
  fromParent: number
  fromName: string
  actor: number
  since: number
}
/** What ended a name. UNSEEN: it is gone, and its file was never complete. LOST: deleted, the young name of what was not young, or by a command. */
export const DELETED = 0
export const REPLACED = 1
export const MOVED = 2
export const UNSEEN = 3
export const LOST = 4
export type Fate = 0 | 1 | 2 | 3 | 4

/** `endedBy` is the actor who did that. */
export interface EntryPastRow extends EntryRow {
  until: number
  fate: Fate
  endedBy: number
}
export const entry = collection<EntryRow>('entry', 2, {
  parent: 'uint',
  name: 'name',
  ino: 'uint',
  type: 'uint',
  origin: 'uint',
  fromParent: 'uint',
  fromName: 'name',
  actor: 'uint',
  since: 'uint',
})
export const entryPast = collection<EntryPastRow>('entry_past', 3, {
  parent: 'uint',
  name: 'name',
  since: 'uint',
  until: 'uint',
  ino: 'uint',
  type: 'uint',
  origin: 'uint',
  fromParent: 'uint',
  fromName: 'name',
  actor: 'uint',
  fate: 'uint',
  endedBy: 'uint',
})

/** A name that an inode has beside the one in its row. */
export interface HardlinkRow {
  ino: number
  parent: number
  name: string
}
export const hardlink = collection<HardlinkRow>('hardlink', 3, {
  ino: 'uint',
  parent: 'uint',
  name: 'name',
})

/**
 * `length` bytes of a file at `offset`, never across a multiple of CHUNK_BYTES: either inline (`data`, with `crc` its
 * CRC-32 and hash '') or `length` bytes at `blockOffset` of block `hash`. What no extent covers is a hole.
 */
export interface ExtentRow {
  ino: number
  offset: number
  length: number
  hash: string
  blockOffset: number
  crc: number
  data: Uint8Array | null
  since: number
}
export interface ExtentPastRow extends ExtentRow {
  until: number
}
export const extent = collection<ExtentRow>('extent', 2, {
  ino: 'uint',
  offset: 'uint',
  length: 'uint',
  hash: 'digest',
  blockOffset: 'uint',
  crc: 'uint',
  data: 'bytes',
  since: 'uint',
})
export const extentPast = collection<ExtentPastRow>('extent_past', 3, {
  ino: 'uint',
  offset: 'uint',
  since: 'uint',
  until: 'uint',
  length: 'uint',
  hash: 'digest',
  blockOffset: 'uint',
  crc: 'uint',
  data: 'bytes',
})

/** Up to CHUNK_BYTES of content under the SHA-256 of its `size` plain bytes; `codec` 0 plain, 1 zstd. Never changes. */
export interface BlockRow {
  hash: string
  size: number
  codec: number
  data: Uint8Array | null
}
export const block = collection<BlockRow>('block', 1, {
  hash: 'digest',
  size: 'uint',
  codec: 'uint',
  data: 'bytes',
})

export interface XattrRow {
  ino: number
  name: string
  value: Uint8Array | null
  since: number
}
interface XattrPastRow extends XattrRow {
  until: number
}
export const xattr = collection<XattrRow>('xattr', 2, {
  ino: 'uint',
  name: 'name',
  value: 'bytes',
  since: 'uint',
})
export const xattrPast = collection<XattrPastRow>('xattr_past', 3, {
  ino: 'uint',
  name: 'name',
  since: 'uint',
  until: 'uint',
  value: 'bytes',
})

/** The complete state number `number` (1, 2, 3 ...) of a file, sealed at `moment` by `actor`, with its attributes of then. */
export interface VersionRow {
  ino: number
  number: number
  moment: number
  size: number
  mode: number
  uid: number
  gid: number
  mtime: number
  mtimeNs: number
  actor: number
}
export const version = collection<VersionRow>('version', 2, {
  ino: 'uint',
  number: 'uint',
  moment: 'uint',
  size: 'uint',
  mode: 'uint',
  uid: 'uint',
  gid: 'uint',
  mtime: 'int',
  mtimeNs: 'uint',
  actor: 'uint',
})

/**
 * A process that changed something: its user, its number and what it was called (comm of proc(5), a byte string), since it was
 * first seen. Number 0 and an empty command stand for what is not known; rows that say actor 0 know nobody at all.
 */
interface ActorRow {
  id: number
  uid: number
  pid: number
  command: string
  since: number
}
export const actor = collection<ActorRow>('actor', 1, {
  id: 'uint',
  uid: 'uint',
  pid: 'uint',
  command: 'name',
  since: 'uint',
})

/**
 * What prune writes down before it lets go of what the numbers of a name's versions are counted from: version `version` of the
 * inode that the name got at `since` (or that came with its history then) is version `number` of the name; `replaced` is 1 when
 * that inode took another's place, `begins` when no history of another span comes before it.
 */
export interface NumberingRow {
  parent: number
  name: string
  since: number
  ino: number
  version: number
  number: number
  replaced: number
  begins: number
}
export const numbering = collection<NumberingRow>('numbering', 3, {
  parent: 'uint',
  name: 'name',
  since: 'uint',
  ino: 'uint',
  version: 'uint',
  number: 'uint',
  replaced: 'uint',
  begins: 'uint',
})

/** A name for a moment, given at `createdAt` (microseconds since 1970). */
export interface SnapshotRow {
  name: string
  moment: number
  createdAt: number
}
export const snapshot = collection<SnapshotRow>('snapshot', 1, {
  name: 'text',
  moment: 'uint',
  createdAt: 'uint',
})

/** A label that exists, whether or not a file carries it. */
export interface TagRow {
  name: string
  since: number
}
export const tag = collection<TagRow>('tag', 1, { name: 'text', since: 'uint' })

/** A label on an inode. */
export interface TaggingRow {
  ino: number
  tag: string
  since: number
}
interface TaggingPastRow extends TaggingRow {
  until: number
}
export const tagging = collection<TaggingRow>('tagging', 2, {
  ino: 'uint',
  tag: 'text',
  since: 'uint',
})
export const taggingPast = collection<TaggingPastRow>('tagging_past', 3, {
  ino: 'uint',
  tag: 'text',
  since: 'uint',
  until: 'uint',
})

/** What prune must leave alone: a path ('/a.txt', with its history and what is below it; moment 0), or a snapshot's name (its UTF-8) with its moment. */
export interface HoldRow {
  name: string
  moment: number
  createdAt: number
}
export const hold = collection<HoldRow>('hold', 1, {
  name: 'name',
  moment: 'uint',
  createdAt: 'uint',
})

/** From `moment` on the host's clock, which was set then, shows moment + `offset`; before the first row the two are the same. */
export interface ClockRow {
  moment: number
  offset: number
}
export const clock = collection<ClockRow>('clock', 1, { moment: 'uint', offset: 'int' })

/** An inode that is open but has no name: swept when the vault is opened after a crash. */
interface OrphanRow {
  ino: number
}
export const orphan = collection<OrphanRow>('orphan', 1, { ino: 'uint' })

/** An inode with provisional rows: sealed when the vault is opened after a crash. */
export const unsealed = collection<OrphanRow>('unsealed', 1, { ino: 'uint' })

/** Facts about the vault itself: format, identity, counters, the user's settings. */
export interface SettingRow {
  name: string
  value: string
}
export const setting = collection<SettingRow>('setting', 1, { name: 'text', value: 'text' })

/** Every collection, in the order in which migration copies them. */
export const collections: readonly Collection<object>[] = [
  setting,
  actor,
  inode,
  inodePast,
  entry,
  entryPast,
  hardlink,
  extent,
  extentPast,
  block,
  xattr,
  xattrPast,
  version,
  numbering,
  snapshot,
  tag,
  tagging,
  taggingPast,
  hold,
  clock,
  orphan,
  unsealed,
] as unknown as readonly Collection<object>[]
