// Who had access to a directory when: its owner, permissions and access list (acl(5)) in all the
// time that the vault knows of. A busy directory has a state a second and changes these once a
// year, so that states are read once and kept as spans.

import { GenerationCache } from '../base/generation-cache.ts'
import { log } from '../base/log.ts'
import { firstIndex } from '../base/sorted.ts'
import { entryPast, type InodePastRow, inodePast } from '../store/collections.ts'
import { rowsOn, scanPages } from '../store/pages.ts'
import { retryUntilLoaded } from '../store/retry.ts'
import { Fault } from '../store/store.ts'
import { seal, writtenOverBelow } from '../vault/content/seal.ts'
import type { Core } from '../vault/core/core.ts'
import type { Inode } from '../vault/core/inode.ts'
import type { Moment } from '../vault/core/moment.ts'
import { xattrsAt } from '../vault/history/timeline.ts'
import { ACL_ACCESS } from '../vault/tree/acl.ts'
import { getXattr } from '../vault/tree/attached.ts'
import { findInode, keepState } from '../vault/tree/inodes.ts'

/** What guards a directory, and the one that it lies in. */
export interface Guard {
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly acl: Uint8Array | undefined
  readonly parent: number
}

/** From `since` on, until the next one or at least until `until`. */
interface Span extends Guard {
  readonly since: Moment
  until: Moment
  /** How many extended attributes the state has, as the access list is one. */
  readonly xattrs: number
}

/** For the spans that are known, and what one takes. */
const KNOWN_BYTES = 16 * 1024 * 1024
const SPAN_COST = 200
const PAGE_ROWS = 10_000

const known = new WeakMap<Core, GenerationCache<number, Span[]>>()

/**
 * What guarded a directory at a moment. Of a moment whose state is not known any more (prune let it
 * go, or nobody can have seen it) it is what did before and what did after: who needs a right needs
 * it of both. Empty where nothing is known.
 */
export function guardsAt(core: Core, ino: number, moment: Moment): readonly Guard[] {
  const present = presentGuard(core, ino)
  if (present !== undefined && present.since <= moment) return [present]
  const spans = spansOf(core, ino)
  const index = lastBegun(spans, moment)
  const before = spans[index]
  if (before !== undefined && moment < before.until) return [before]
  const after = spans[index + 1] ?? present
  return [before, after].filter((span) => span !== undefined)
}

/** What guards it, or did last if it is gone; undefined where nothing is known. */
export function guardNow(core: Core, ino: number): Guard | undefined {
  return presentGuard(core, ino) ?? spansOf(core, ino).at(-1)
}

/** All that ever guarded a directory which is there, as far as is known. */
export function guardsEver(core: Core, ino: number): readonly Guard[] {
  const present = presentGuard(core, ino)
  return present === undefined ? spansOf(core, ino) : [present, ...spansOf(core, ino)]
}

/**
 * Before the guards of a directory change: what happened in it until now happened under those that
 * it has, so that they stay on record, although nobody may have seen them yet. To be called when
 * all else is read.
 */
export function keepGuards(core: Core, inode: Inode): void {
  const { ino, size } = inode
  const range = { gte: [ino], lt: [ino + 1], limit: 1 }
  if (size > 0 || core.overlay.scan(entryPast, range).length > 0) keepState(core, inode)
}

/** What cannot be sealed (its content is damaged) keeps nobody from moving it. */
const unsealable = new WeakSet<Inode>()

/**
 * Before a file or directory moves, gets one more name or other permissions: what is being written
 * over there becomes a version, in a step of its own. Otherwise the content before would be shown
 * as of times at which others might come there. To be called before anything is changed.
 */
export function sealBefore(core: Core, ...changing: readonly Inode[]): void {
  const due = changing
    .flatMap((inode) => writtenOverBelow(core, inode))
    .filter((inode) => !unsealable.has(inode))
  if (due.length === 0) return
  throw new Fault(async () => {
    for (const inode of due)
      try {
        await retryUntilLoaded(() => {
          // Somebody may have closed it while a read was waited for.
          if (core.open.get(inode.ino) === inode) seal(core, inode)
        })
      } catch (error) {
        log('error', `inode ${inode.ino} cannot be sealed`, error)
        unsealable.add(inode)
      }
  })
}

function presentGuard(core: Core, ino: number): (Guard & { since: Moment }) | undefined {
  const inode = findInode(core, ino)
  if (inode === undefined || inode.nlink === 0) return undefined
  const { since, mode, uid, gid, parent } = inode
  return { since, mode, uid, gid, parent, acl: getXattr(core, inode, ACL_ACCESS) }
}

/** The index of the last span that began by then; -1: none. */
function lastBegun(spans: readonly Span[], moment: Moment): number {
  return firstIndex(spans.length, (index) => (spans[index] as Span).since > moment) - 1
}

function spansOf(core: Core, ino: number): readonly Span[] {
  const cache = known.get(core) ?? follow(core)
  const before = cache.get(ino)
  if (before !== undefined) return before
  const spans: Span[] = []
  const range = { gte: [ino], lt: [ino + 1] }
  for (const row of rowsOn(scanPages(core.overlay, inodePast, range, PAGE_ROWS)))
    if (!goesOn(spans.at(-1), row)) spans.push(spanOf(core, row))
  cache.set(ino, spans)
  return spans
}

function spanOf(core: Core, row: InodePastRow): Span {
  const { ino, since, until, mode, uid, gid, parent, xattrs } = row
  const acl = xattrs === 0 ? undefined : xattrsAt(core, ino, since).get(ACL_ACCESS)
  return { since, until, mode, uid, gid, parent, acl, xattrs }
}

/** Whether a state is guarded as the one before; then it makes that span longer. */
function goesOn(last: Span | undefined, row: InodePastRow): boolean {
  const isSame =
    last !== undefined &&
    last.since <= row.since &&
    last.xattrs === 0 &&
    row.xattrs === 0 &&
    last.mode === row.mode &&
    last.uid === row.uid &&
    last.gid === row.gid &&
    last.parent === row.parent
  if (isSame) last.until = Math.max(last.until, row.until)
  return isSame
}

function follow(core: Core): GenerationCache<number, Span[]> {
  const cache = new GenerationCache<number, Span[]>(
    KNOWN_BYTES,
    ({ length }) => (1 + length) * SPAN_COST,
  )
  known.set(core, cache)
  core.overlay.watch(inodePast, ([ino], row) => {
    const spans = cache.get(ino as number)
    if (spans !== undefined && (row === undefined || !goesOn(spans.at(-1), row)))
      cache.delete(ino as number)
  })
  return cache
}
