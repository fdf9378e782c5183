// Creates a file with all of its content at once: puts its rows as they will be committed, without
// the inode in memory, the journal and the seal that writing step by step needs. The result is the
// same.

import { crc32 } from 'node:zlib'
import type { EntryHead } from '../../archive/records.ts'
import { wallTime } from '../../base/clock.ts'
import { INLINE_BYTES_MAX } from '../../base/limits.ts'
import { fileType, isRegular } from '../../base/mode.ts'
import {
  CREATED,
  extent,
  type InodeRow,
  inode as inodes,
  version,
} from '../../store/collections.ts'
import type { Core } from '../core/core.ts'
import type { Moment } from '../core/moment.ts'
import { copyBytes } from '../core/small-copies.ts'
import { putEntry } from '../tree/directory.ts'
import { assertWritable, getInode } from '../tree/inodes.ts'
import { toContent } from './content.ts'

/**
 * Creates a regular file or symbolic link at a free name, with all of its content, which fits one
 * chunk and is copied. It has no extended attributes and no labels. Returns its inode number.
 */
export function createWhole(
  core: Core,
  head: EntryHead,
  content: Uint8Array,
  place: { readonly parent: number; readonly name: string },
): number {
  assertWritable(core)
  const ino = core.nextIno++
  core.inodeCount++
  core.usage.add(head.uid, content.length, 1)
  const moment = core.moments.next()
  const { parent, name } = place
  const actor = core.actors.current
  const size = content.length
  if (size > 0) putContent(core, ino, content, moment)
  const { mode, uid, gid, mtime, mtimeNs, atime, atimeNs } = head
  const { sec, ns } = wallTime()
  const row: InodeRow = {
    ino,
    mode,
    nlink: 1,
    uid,
    gid,
    rdev: 0,
    size,
    allocated: size,
    parent,
    name,
    xattrs: 0,
    tags: 0,
    versions: 1,
    atime,
    atimeNs,
    mtime,
    mtimeNs,
    ctime: sec,
    ctimeNs: ns,
    btime: sec,
    btimeNs: ns,
    actor,
    since: moment,
  }
  core.overlay.put(inodes, row)
  if (isRegular(mode)) core.changed.fresh.offer(row, content)
  const made = { ino, number: 1, moment, size, mode, uid, gid, mtime, mtimeNs, actor }
  core.overlay.put(version, made)
  const directory = getInode(core, parent)
  const to = { ino, type: fileType(mode) }
  putEntry(core, directory, name, to, core.moments.next(), CREATED)
  return ino
}

function putContent(core: Core, ino: number, bytes: Uint8Array, since: Moment): void {
  const { length } = bytes
  const { hash, data } = toContent(core, copyBytes(bytes))
  const crc = length <= INLINE_BYTES_MAX ? crc32(bytes) : 0
  core.overlay.put(extent, { ino, offset: 0, length, hash, blockOffset: 0, crc, data, since })
  core.dirtyBytes += length
}
