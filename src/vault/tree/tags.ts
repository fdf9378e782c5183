// Labels: which exist, and which inodes carry them. They belong to the inode; a file that replaces
// another (save by rename) inherits its labels. Desktops read and write them as user.xdg.tags:
// names separated by commas.

import { steadyMs } from '../../base/clock.ts'
import { EEXIST, EINVAL, ENOENT, ENOTEMPTY, FsError, fail } from '../../base/errno.ts'
import { NAME_BYTES_MAX } from '../../base/limits.ts'
import { log } from '../../base/log.ts'
import {
  type TaggingRow,
  type TagRow,
  tagging,
  taggingPast,
  tag as tags,
} from '../../store/collections.ts'
import { ALL } from '../../store/store.ts'
import type { Core } from '../core/core.ts'
import type { Inode } from '../core/inode.ts'
import { assertTag, shownTag, tagFromShown } from '../core/label-rules.ts'
import type { Moment } from '../core/moment.ts'
import { BRIEF_MICROS } from '../core/moments.ts'
import { rowsOf, tagsOf } from './attached.ts'
import { isRecorded, recordedUntil } from './history-recording.ts'
import { alterNow, assertWritable, findInode, isOnRecord, stampChange } from './inodes.ts'
import { labelledWith } from './label-index.ts'
import { prefetchInode, prefetchTagged, prefetchTags } from './prefetch.ts'

export const XDG_TAGS = 'user.xdg.tags'

/** Bytes of the longest UTF-8 character. */
const LONGEST_CHARACTER = 4
const NONE: readonly string[] = []

/** Creates a label that no file carries yet. Throws EEXIST, EINVAL, ENAMETOOLONG. */
export function addTag(core: Core, name: string): void {
  assertTag(name)
  assertWritable(core)
  if (core.overlay.get(tags, [name]) !== undefined) fail(EEXIST)
  core.overlay.put(tags, { name, since: core.moments.next() })
}

/** Deletes a label that no file carries. Throws ENOENT, ENOTEMPTY. */
export function dropTag(core: Core, name: string): void {
  assertWritable(core)
  if (core.overlay.get(tags, [name]) === undefined) fail(ENOENT)
  const rows = taggingsOf(core, name)
  if (rows.some(({ ino }) => isThere(core, ino))) fail(ENOTEMPTY)
  prefetchTagged(
    core,
    rows.map(({ ino }) => ino),
  )
  const moment = core.moments.next()
  // Labels of deleted files stay in the past.
  for (const row of rows) retire(core, row, moment)
  core.overlay.delete(tags, [name])
}

/** Renames a label on every file. Throws ENOENT, EEXIST, EINVAL, ENAMETOOLONG. */
export function renameTag(core: Core, name: string, newName: string): void {
  assertTag(newName)
  assertWritable(core)
  const row = core.overlay.get(tags, [name]) ?? fail(ENOENT)
  if (name === newName) return
  if (core.overlay.get(tags, [newName]) !== undefined) fail(EEXIST)
  const rows = taggingsOf(core, name)
  prefetchTagged(
    core,
    rows.map(({ ino }) => ino),
  )
  const moment = core.moments.next()
  for (const its of rows) {
    retire(core, its, moment)
    core.overlay.put(tagging, { ino: its.ino, tag: newName, since: moment })
  }
  core.overlay.delete(tags, [name])
  core.overlay.put(tags, { ...row, name: newName })
}

/** All labels, in byte order. */
export function listTags(core: Core): TagRow[] {
  return core.overlay.scan(tags, { limit: ALL })
}

/** The label of that very name, or undefined. */
export function findTag(core: Core, name: string): TagRow | undefined {
  return core.overlay.get(tags, [name])
}

/** The name of a label in the views; slashes become %2F where another label has that name. */
export function nameInViews(core: Core, tag: string): string {
  const shown = shownTag(tag)
  const isTaken = shown !== tag && findTag(core, shown) !== undefined
  return isTaken ? tag.replaceAll('/', '%2F') : shown
}

/**
 * The label for a name in the views: the one with that very name, or the first one that is shown
 * so. A slash may also be written %2F.
 */
export function findShownTag(core: Core, shown: string): TagRow | undefined {
  const exact = findTag(core, shown) ?? findTag(core, tagFromShown(shown))
  // For a name that was cut only a search can tell.
  if (exact !== undefined || Buffer.byteLength(shown) <= NAME_BYTES_MAX - LONGEST_CHARACTER)
    return exact
  return listTags(core).find(({ name }) => shownTag(name) === shown)
}

/**
 * Adds a label to a file, and creates the label if it is new; does nothing when the file has it.
 * Throws EINVAL, ENAMETOOLONG.
 */
export function tagFile(core: Core, inode: Inode, name: string): void {
  assertTag(name)
  assertWritable(core)
  if (inode.tags > 0 && core.overlay.get(tagging, [inode.ino, name]) !== undefined) return
  prefetchInode(core, inode)
  if (core.overlay.get(tags, [name]) === undefined) addTag(core, name)
  core.overlay.put(tagging, { ino: inode.ino, tag: name, since: alterNow(core, inode) })
  inode.tags++
  stampChange(inode, false)
}

/** Removes a label from a file. Throws ENOENT when the file does not have it. */
export function untagFile(core: Core, inode: Inode, name: string): void {
  assertWritable(core)
  const row = inode.tags === 0 ? undefined : core.overlay.get(tagging, [inode.ino, name])
  if (row === undefined) fail(ENOENT)
  prefetchInode(core, inode)
  retire(core, row, alterNow(core, inode))
  inode.tags--
  stampChange(inode, false)
}

function retire(core: Core, row: TaggingRow, moment: Moment): void {
  const { ino, tag, since } = row
  const inode = findInode(core, ino)
  // Of a deleted file no state is newer than the last one recorded.
  const isKept = inode !== undefined && isRecorded(core, inode)
  const until = isKept ? moment : Math.min(moment, recordedUntil(core, ino))
  if (isOnRecord(core, inode, since) && since < until)
    core.overlay.put(taggingPast, { ...row, until })
  core.overlay.delete(tagging, [ino, tag])
}

function taggingsOf(core: Core, name: string): TaggingRow[] {
  return labelledWith(core, [name]).flatMap((ino) => core.overlay.get(tagging, [ino, name]) ?? [])
}

function isThere(core: Core, ino: number): boolean {
  return (findInode(core, ino)?.nlink ?? 0) > 0
}

/** The labels of an inode as of a moment, in byte order; also of a deleted inode. */
export function tagsAt(core: Core, ino: number, moment: Moment): string[] {
  const past = core.overlay
    .scan(taggingPast, { gte: [ino], lt: [ino + 1], limit: ALL })
    .filter((row) => row.since <= moment && row.until > moment)
  const present = rowsOf(core, ino).filter((row) => row.since <= moment)
  return [...past, ...present].map((row) => row.tag).sort()
}

/** Inodes with a name that carry all of these labels, sorted by number. */
export function filesWith(core: Core, names: readonly string[]): number[] {
  return labelledWith(core, names).filter((ino) => isThere(core, ino))
}

/** Labels as a value of user.xdg.tags. */
export function toXdgTags(names: readonly string[]): Uint8Array {
  return Buffer.from(names.join(','))
}

/** The labels in a value of user.xdg.tags. */
interface XdgTags {
  readonly fit: readonly string[]
  /** Those that are not UTF-8 or not valid labels, and why; they do not affect the others. */
  readonly unfit: readonly { readonly name: string; readonly errno: number }[]
}

/** Parses a value of user.xdg.tags; throws nothing. */
export function fromXdgTags(value: Uint8Array): XdgTags {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  const fit = new Set<string>()
  const unfit: { name: string; errno: number }[] = []
  for (const part of Buffer.from(value).toString('latin1').split(',')) {
    const bytes = Buffer.from(part, 'latin1')
    let name = bytes.toString().trim()
    try {
      name = decoder.decode(bytes).trim()
      if (name === '') continue
      assertTag(name)
      fit.add(name)
    } catch (error) {
      unfit.push({ name, errno: error instanceof FsError ? error.errno : EINVAL })
    }
  }
  return { fit: [...fit], unfit }
}

/**
 * The valid labels in a value of user.xdg.tags. A desktop writes all labels of a file at once, so
 * an invalid one is logged and left out instead of losing the others. Throws EINVAL, ENAMETOOLONG
 * when none is valid but some are invalid.
 */
export function fitTags(value: Uint8Array): readonly string[] {
  const { fit, unfit } = fromXdgTags(value)
  if (fit.length === 0) for (const { errno } of unfit) fail(errno)
  for (const { name } of unfit) log('warn', `no label, and left out: ${JSON.stringify(name)}`)
  return fit
}

/** Replaces the labels of a file. Throws EINVAL, ENAMETOOLONG before anything changes. */
export function setTags(core: Core, inode: Inode, names: readonly string[]): void {
  for (const name of names) assertTag(name)
  const before = tagsOf(core, inode.ino)
  prefetchInode(core, inode)
  prefetchTags(core, inode.ino, names)
  for (const name of before) if (!names.includes(name)) untagFile(core, inode, name)
  for (const name of names) tagFile(core, inode, name)
}

/**
 * Remembers for a second the labels of a name whose file is being removed: the next file that is
 * created there inherits them.
 */
export function leaveTags(core: Core, inode: Inode, parent: number, name: string): void {
  if (inode.tags === 0) return
  const now = steadyMs()
  for (const [key, left] of core.leftTags) if (left.untilMs < now) core.leftTags.delete(key)
  core.leftTags.set(`${parent}/${name}`, {
    tags: tagsOf(core, inode.ino),
    untilMs: now + BRIEF_MICROS / 1000,
  })
}

/** The labels that were left at a name. */
export function tagsLeftAt(core: Core, parent: number, name: string): readonly string[] {
  if (core.leftTags.size === 0) return NONE
  return core.leftTags.get(`${parent}/${name}`)?.tags ?? NONE
}

/** Gives a file the labels that were left at its name. */
export function claimTags(core: Core, inode: Inode, parent: number, name: string): void {
  if (core.leftTags.size === 0) return
  const key = `${parent}/${name}`
  const left = core.leftTags.get(key)
  core.leftTags.delete(key)
  if (left !== undefined && left.untilMs >= steadyMs())
    for (const its of left.tags) tagFile(core, inode, its)
}
