// Imported files: those that are complete in one record, further names of earlier ones, and large
// files that arrive piece by piece. A large file is built without a name, so that a crash leaves
// nothing behind; if the vault may already have it, it is compared while it arrives.

import {
  type Attribute,
  attributesOf,
  contentOf,
  type EntryHead,
  FAILED,
  headOf,
  LINK,
  WHOLE,
} from '../../archive/records.ts'
import { ENXIO, errnoName, FsError, fail } from '../../base/errno.ts'
import { CHUNK_BYTES } from '../../base/limits.ts'
import { fileType, isRegular, isSymlink, S_IFMT } from '../../base/mode.ts'
import { idempotent } from '../../base/step.ts'
import { LINKED } from '../../store/collections.ts'
import {
  copyContent,
  flushWrites,
  growthOf,
  readContent,
  resizeContent,
  writeContent,
} from '../content/content.ts'
import { createWhole } from '../content/import-whole.ts'
import { prefetchContent, prefetchSeal } from '../content/prefetch.ts'
import { seal } from '../content/seal.ts'
import { seekContent } from '../content/seek.ts'
import { type Inode, isProvisional } from '../core/inode.ts'
import { admitInstead, admitOwner } from '../core/quota.ts'
import { chargeOf } from '../core/usage.ts'
import { observeLoss } from '../history/before-loss.ts'
import { tagsOf } from '../tree/attached.ts'
import { withTrace } from '../tree/history-recording.ts'
import { addLink, createInode, detach, findInode, reap } from '../tree/inodes.ts'
import { prefetchInode } from '../tree/prefetch.ts'
import { setTags, XDG_TAGS } from '../tree/tags.ts'
import { applyHead, hasHead } from './import-attributes.ts'
import { assertFree, assertTarget, completeAt, nameNode } from './import-name.ts'
import { prefetchCopy, prefetchHead, prefetchPut, prefetchSpot } from './import-prefetch.ts'
import { existing, guard, type LargeFile, type Run, type Spot } from './import-run.ts'

/** Puts a node that is complete in its record. Returns false when its content is yet to come. */
export function putNode(run: Run, record: Buffer, head: EntryHead, place: Spot): boolean {
  const { core, options, report, links } = run
  if ((head.flags & LINK) !== 0) {
    putLink(run, head, place)
    return true
  }
  const hasBytes = isRegular(head.mode)
  if (hasBytes && (head.flags & WHOLE) === 0) return false
  const content = contentOf(record)
  const attributes = attributesOf(record)
  assertFree(run, place)
  assertTarget(head, content)
  const found = existing(core, place)
  if (found !== undefined && holds(run, found, head, content)) {
    if (head.nlink > 1) links.set(head.key, found.ino)
    keep(run, found, head, attributes)
    return true
  }
  completeAt(run, place)
  prefetchPut(core, place, core.nextIno, attributes)
  admitInstead(core, head.uid, content.length, alone(found))
  const { mode, uid, gid, rdev } = head
  const isFilled = hasBytes || isSymlink(mode)
  const fits = content.length <= CHUNK_BYTES
  if (found === undefined && isFilled && attributes.length === 0 && fits) {
    const ino = createWhole(core, head, content, place)
    if (head.nlink > 1) links.set(head.key, ino)
    options.nameChanged(place.parent, place.name, undefined, { ino, type: fileType(mode) })
    report.files++
    report.bytes += content.length
    options.progress(report.files + report.unchanged, report.bytes)
    return true
  }
  const made = createInode(core, { mode, uid, gid, rdev, parent: 0 }, core.moments.next(), isFilled)
  if (content.length > 0) writeContent(core, made, 0, content)
  complete(run, made, head, attributes, place)
  report.bytes += content.length
  return true
}

/** The file, if this is its only name: then replacing the name deletes it. */
function alone(inode: Inode | undefined): Inode | undefined {
  return inode?.nlink === 1 ? inode : undefined
}

/** True when a present file has that type and content; compares size, then every byte. */
export function holds(run: Run, found: Inode, head: EntryHead, content: Uint8Array): boolean {
  if ((found.mode & S_IFMT) !== (head.mode & S_IFMT) || found.rdev !== head.rdev) return false
  if (!isRegular(found.mode) && !isSymlink(found.mode)) return true
  return found.size === content.length && isEqual(run, found, 0, content)
}

/** True when a present file has exactly these bytes at `offset`. Throws EIO where it is damaged. */
export function isEqual(run: Run, found: Inode, offset: number, bytes: Uint8Array): boolean {
  let at = 0
  for (const part of readContent(run.core, found, offset, bytes.length)) {
    if (Buffer.compare(part, bytes.subarray(at, at + part.length)) !== 0) return false
    at += part.length
  }
  return at === bytes.length
}

/** Keeps a file, and updates its attributes. */
function keep(run: Run, found: Inode, head: EntryHead, attributes: readonly Attribute[]): void {
  const { core, options, report } = run
  if (hasHead(core, found, head, attributes)) {
    report.unchanged++
    return
  }
  prefetchHead(core, found, attributes)
  admitOwner(core, found, head.uid)
  report.files++
  options.inodeChanged(found.ino)
  observeLoss(core, found)
  withTrace(core, () => applyHead(core, found, head, attributes))
}

/**
 * Gives a new inode its attributes and name, for which `prefetchPut` was called. Attributes that
 * are refused are reported; the file is created nevertheless.
 */
function complete(
  run: Run,
  made: Inode,
  head: EntryHead,
  attributes: readonly Attribute[],
  place: Spot,
): void {
  const { core, links, options, report } = run
  const before = existing(core, place)
  let refusal: FsError | undefined
  try {
    applyHead(core, made, head, attributes)
  } catch (error) {
    if (!(error instanceof FsError)) throw error
    refusal = error
  }
  // A file that replaces another inherits its labels, as in save by rename.
  if (before !== undefined && before.tags > 0 && !attributes.some(({ name }) => name === XDG_TAGS))
    setTags(core, made, tagsOf(core, before.ino))
  if (isRegular(made.mode) || isSymlink(made.mode)) seal(core, made)
  nameNode(run, place, made)
  report.files++
  if (head.nlink > 1) links.set(head.key, made.ino)
  options.progress(report.files + report.unchanged, report.bytes)
  if (refusal !== undefined) options.problem(place.path, errnoName(refusal.errno))
}

function putLink(run: Run, head: EntryHead, place: Spot): void {
  const { core, links, large, report } = run
  const ino = links.get(head.key)
  if (ino === undefined) {
    // Its first name is still arriving.
    for (const file of large.values())
      if (headOf(file.record).key === head.key) {
        waiting(file).push(place)
        return
      }
    // That name was refused, which was reported.
    fail(ENXIO)
  }
  const inode = findInode(core, ino)
  const found = existing(core, place)
  if (inode === undefined || inode.nlink === 0) fail(ENXIO)
  if (found?.ino === ino) {
    report.unchanged++
    return
  }
  assertFree(run, place)
  completeAt(run, place)
  prefetchSpot(core, place)
  prefetchInode(core, inode)
  addLink(core, inode)
  nameNode(run, place, inode, LINKED)
  run.options.inodeChanged(ino)
  report.files++
}

const waitingNames = new WeakMap<LargeFile, Spot[]>()

function waiting(file: LargeFile): Spot[] {
  const names = waitingNames.get(file) ?? []
  waitingNames.set(file, names)
  return names
}

/** Starts a file whose content arrives in pieces. */
export function startLarge(run: Run, record: Buffer, head: EntryHead, place: Spot): void {
  const { core, large } = run
  assertFree(run, place)
  const found = existing(core, place)
  const maySame =
    found !== undefined &&
    isRegular(found.mode) &&
    !isProvisional(found) &&
    found.size === head.size &&
    found.mtime === head.mtime &&
    found.mtimeNs === head.mtimeNs
  const { parent, name, path } = place
  const file: LargeFile = {
    parent,
    name,
    path,
    record: Buffer.from(record),
    made: undefined,
    same: maySame ? found : undefined,
    reached: 0,
  }
  if (!maySame) build(run, file)
  large.set(head.id, file)
}

/**
 * Creates the inode that a file is built in, with what has arrived so far. A repeated step finds it
 * created.
 */
function build({ core }: Run, file: LargeFile): Inode {
  const { made, same, reached } = file
  if (made !== undefined) return made
  if (same !== undefined) prefetchCopy(core, same, reached)
  const { mode, uid, gid } = headOf(file.record)
  const from = { mode, uid, gid, rdev: 0, parent: 0 }
  const bytes = same === undefined ? 0 : reached
  admitInstead(core, uid, bytes, alone(existing(core, file)))
  return idempotent(() => {
    const fresh = createInode(core, from, core.moments.next(), true)
    detach(core, fresh)
    if (same !== undefined) copyContent(core, same, 0, fresh, 0, reached)
    file.same = undefined
    file.made = fresh
    return fresh
  })
}

/** Takes the next piece; the gap after the piece before is a hole. */
export function dataArrived(run: Run, file: LargeFile, offset: number, bytes: Uint8Array): void {
  const { core, report } = run
  const { same } = file
  const isStillSame =
    same !== undefined &&
    same.nlink > 0 &&
    isHole(run, same, file.reached, offset) &&
    isEqual(run, same, offset, bytes)
  if (!isStillSame) {
    const made = build(run, file)
    prefetchContent(core, made, offset, offset + bytes.length)
    const growth = growthOf(core, made, offset, offset + bytes.length)
    admitInstead(core, made.uid, growth, alone(existing(core, file)), chargeOf(made))
    writeContent(core, made, offset, bytes)
  }
  file.reached = offset + bytes.length
  report.bytes += bytes.length
}

/** True when a present file has no data in [from, to). */
export function isHole({ core }: Run, inode: Inode, from: number, to: number): boolean {
  if (from >= to || from >= inode.size) return true
  try {
    return seekContent(core, inode, from, true) >= to
  } catch (error) {
    if (error instanceof FsError && error.errno === ENXIO) return true
    throw error
  }
}

/** Completes a large file of `size` bytes and gives it its names; drops it if it FAILED. */
export function fileEnded(run: Run, file: LargeFile, size: number, flags: number): void {
  const { core, links } = run
  if ((flags & FAILED) !== 0) {
    dropBuilding(run, file)
    return
  }
  const head = headOf(file.record)
  const attributes = attributesOf(file.record)
  try {
    // Much may have changed since it began.
    assertFree(run, file)
  } catch (error) {
    if (error instanceof FsError) dropBuilding(run, file)
    throw error
  }
  for (const place of waiting(file)) prefetchSpot(core, place)
  const { same } = file
  if (
    same !== undefined &&
    same.nlink > 0 &&
    same.size === size &&
    isHole(run, same, file.reached, size)
  ) {
    if (head.nlink > 1) links.set(head.key, same.ino)
    prefetchInode(core, same)
    keep(run, same, head, attributes)
  } else {
    completeAt(run, file)
    const made = build(run, file)
    // A repeated step finds the size set.
    if (made.size !== size) idempotent(() => resizeContent(core, made, size))
    flushWrites(core, made)
    prefetchSeal(core, made)
    prefetchPut(core, file, made.ino, attributes)
    addLink(core, made)
    complete(run, made, head, attributes, file)
  }
  for (const place of waiting(file)) guard(run, place.path, () => putLink(run, head, place))
}

/** Drops a file that was not completed. */
export function dropBuilding({ core }: Run, { made }: LargeFile): void {
  if (made !== undefined && made.nlink === 0) reap(core, made, core.moments.next())
}
