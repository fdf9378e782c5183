// THE schema: every kind of row that a vault holds (column types: collection.ts). Engines map a
// collection to a table, column family or key prefix; migration, checks and statistics loop over
// all. A temporal collection holds the present, `<name>_past` what was, up to `until`.

import type { FileType } from '../base/mode.ts'
import { type Collection, collection } from './collection.ts'

export type { Collection, ColumnType, Key, KeyPart } from './collection.ts'

/** After every moment: the `since` of an unsealed change, the `until` of the past row it hides. */
export const PROVISIONAL = Number.MAX_SAFE_INTEGER

/**
 * Fields of stat(2); a directory's `size` is its number of entries. `allocated` counts the bytes
 * that extents cover. `parent` and `name` are its first name (its other hard links are rows of
 * `hardlink`). `xattrs` and `tags` count its extended attributes and labels; `versions` is its
 * newest version's number. `actor` changed it to this state at `since`.
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

/** How a name came to refer to its inode: `origin` of an EntryRow. */
export const CREATED = 0
export const RENAMED = 1
export const LINKED = 2
export const RESTORED = 3
export type Origin = typeof CREATED | typeof RENAMED | typeof LINKED | typeof RESTORED

/**
 * A name in a directory. `type` is the inode's mode >> 12, copied here for listings. If rename(2)
 * made it at `since`, `fromParent` and `fromName` are the old name, else 0 and ''. `actor` did it.
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
/** What ended a name: `fate` of an EntryPastRow. */
export const DELETED = 0
export const REPLACED = 1
export const MOVED = 2
export const UNSEEN = 3 // gone before its file was ever complete
export const LOST = 4 // DELETED by a command, or a young name of an older file: always shown
export type Fate = 0 | 1 | 2 | 3 | 4

/** `endedBy` is the actor who ended it. */
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
 * `length` bytes of a file at `offset`, within one chunk (CHUNK_BYTES): inline (`data`, their
 * CRC-32 `crc`, hash '') or at `blockOffset` of block `hash`. What no extent covers is a hole.
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

/** Up to CHUNK_BYTES of content, stored once for all files that have it. Never changes. */
export interface BlockRow {
  hash: string // SHA-256 of the plain bytes
  size: number // length of the plain bytes
  codec: number // 0 plain, 1 zstd
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

/** Version `number` (from 1) of a file, sealed at `moment` by `actor`, with its attributes then. */
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
 * A process that changed something: its user, pid and command (comm of proc(5), a byte string),
 * first seen at `since`; 0 and '' if unknown. Actor 0 in other rows means no known process.
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
 * Kept by prune when it drops what a name's version numbers count from: version `version` of the
 * inode that got the name (or joined its history) at `since` is version `number` of the name.
 * `replaced`: 1 if it replaced another inode; `begins`: 1 if no other span's history precedes it.
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

/** What prune must keep: a path's subtree and history (moment 0), or a snapshot and moment. */
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

/** From `moment` on, the host's clock shows moment + `offset`; before the first row, the moment. */
export interface ClockRow {
  moment: number
  offset: number
}
export const clock = collection<ClockRow>('clock', 1, { moment: 'uint', offset: 'int' })

/** An inode that is open but has no name: deleted when the vault is opened after a crash. */
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
