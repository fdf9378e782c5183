// The table of repairs: the remedy for each finding of `vault check`. A remedy gets all findings of
// its code at once, and reads the rows again before it acts, because an earlier remedy may have
// changed them. Remedies run in the order of the table.

import { isDirectory } from '../../base/mode.ts'
import {
  actor as actors,
  type EntryRow,
  entry,
  extent,
  extentPast,
  hardlink,
  type InodeRow,
  inode as inodes,
  tagging,
  tag as tags,
  xattr,
} from '../../store/collections.ts'
import { hexOf } from '../core/blocks.ts'
import { ROOT_INO } from '../core/inode.ts'
import { everyProjection } from '../core/rows.ts'
import type { Problem } from './check.ts'
import type { FindingCode } from './findings.ts'
import { endBefore, endStates, inosOf, mendVersions, recover, seal } from './remedies-history.ts'
import type { RepairRows } from './repair-rows.ts'

type Remedy = (rows: RepairRows, problems: readonly Problem[]) => Promise<void>

/** The remedy for each finding, in the order in which they run. */
export const remedies: Readonly<Record<FindingCode, Remedy>> = {
  // Only copying what can be read helps.
  'engine-damaged': async () => undefined,
  'row-damaged': dropRows,
  'extent-chunk': dropRows,
  'extent-checksum': dropRows,
  'extent-overlap': dropRows,
  'block-codec': dropRows,
  'block-content': dropRows,
  'block-short': dropRows,
  'block-missing': dropUses,
  'tree-root': makeRoot,
  'entry-parent': makeParents,
  'entry-target': dropNames,
  'entry-type': mendType,
  'tree-names': nameOnce,
  'tree-reach': reach,
  'tree-orphan': dropRows,
  'tree-parent': recount,
  'links-hardlink': dropRows,
  'links-count': recount,
  'links-size': recount,
  'links-homes': recount,
  'extent-allocated': recount,
  'extent-end': recount,
  'history-xattrs': recount,
  'history-tags': recount,
  'history-tag': makeTags,
  'history-open': endStates,
  'history-sealed': seal,
  'history-present': endBefore,
  'history-state': dropRows,
  'history-end': recover,
  'history-version': mendVersions,
  'history-extent': dropRows,
  'history-covered': recover,
  'history-name': dropRows,
  'history-label': dropRows,
  'history-actor': makeActors,
  // Recounted after each round of remedies.
  'counter-damaged': recountAll,
  'counter-next': recountAll,
  'counter-inodes': recountAll,
  'counter-moment': recountAll,
  'counter-usage': recountAll,
}

async function dropRows(rows: RepairRows, problems: readonly Problem[]): Promise<void> {
  for (const { at, message, path } of problems) {
    if (at === undefined) continue
    rows.drop(at)
    rows.step(`dropped from ${at.collection}${path === undefined ? '' : ` of ${path}`}: ${message}`)
  }
}

/** Unmaps the bytes of lost blocks, which then read as zeros, in the present and the past. */
async function dropUses(rows: RepairRows, problems: readonly Problem[]): Promise<void> {
  const lost = new Set(
    problems.flatMap(({ at }) => (at === undefined ? [] : [at.key[0] as string])),
  )
  for await (const { ino, offset, length, hash } of everyProjection(rows.store, extent, [
    ...(['ino', 'offset', 'length', 'hash'] as const),
  ])) {
    if (!lost.has(hash)) continue
    rows.delete(extent, [ino, offset])
    const end = offset + length
    rows.step(`inode ${ino}: bytes ${offset} to ${end} are lost with block ${hexOf(hash)}`)
  }
  for await (const { ino, offset, since, hash } of everyProjection(rows.store, extentPast, [
    ...(['ino', 'offset', 'since', 'hash'] as const),
  ])) {
    if (!lost.has(hash)) continue
    rows.delete(extentPast, [ino, offset, since])
    rows.step(`inode ${ino}: former bytes at ${offset} are lost with block ${hexOf(hash)}`)
  }
}

async function makeRoot(rows: RepairRows): Promise<void> {
  const made = rows.newDirectory(ROOT_INO, ROOT_INO, '')
  rows.put(inodes, { ...made, mode: made.mode | 0o055 })
  rows.step('made the root directory anew')
}

async function dropNames(rows: RepairRows, problems: readonly Problem[]): Promise<void> {
  for (const { at, message } of problems) {
    const row = at === undefined ? undefined : await rows.get(entry, at.key)
    if (row === undefined || (await rows.get(inodes, [row.ino])) !== undefined) continue
    rows.delete(entry, [row.parent, row.name])
    rows.step(`dropped a name: ${message}`)
  }
}

async function mendType(rows: RepairRows, problems: readonly Problem[]): Promise<void> {
  for (const { at } of problems) {
    const row = at === undefined ? undefined : await rows.get(entry, at.key)
    const inode = row === undefined ? undefined : await rows.get(inodes, [row.ino])
    if (row === undefined || inode === undefined) continue
    rows.put(entry, { ...row, type: (inode.mode >>> 12) as EntryRow['type'] })
    rows.step(`${JSON.stringify(row.name)} in directory ${row.parent}: set its type`)
  }
}

/** Recreates directories whose inode is lost, so that entries in them keep their names. */
async function makeParents(rows: RepairRows, problems: readonly Problem[]): Promise<void> {
  const parents = new Set(
    problems.flatMap(({ at }) => (at === undefined ? [] : [at.key[0] as number])),
  )
  const lost = new Set<number>()
  for (const ino of parents)
    if ((await rows.get(inodes, [ino])) === undefined && ino > 0) lost.add(ino)
  for (const [ino, [name]] of await rows.namesOf(lost)) {
    const made = rows.newDirectory(ino, name?.parent ?? 0, name?.name ?? '')
    rows.step(`made directory ${ino} anew`)
    if (name === undefined) await rows.adopt(made)
    else rows.put(inodes, made)
  }
  for (const { at, message } of problems) {
    const parent = at === undefined ? undefined : await rows.get(inodes, [at.key[0] as number])
    if (at === undefined || (parent !== undefined && isDirectory(parent.mode))) continue
    rows.drop(at)
    rows.step(`dropped a name: ${message}`)
  }
}

/**
 * Leaves a directory one name: the one in its row, else the first, else one in /lost+found. The
 * root keeps none.
 */
async function nameOnce(rows: RepairRows, problems: readonly Problem[]): Promise<void> {
  const names = await rows.namesOf(inosOf(problems))
  for (const [ino, its] of names) {
    const row = await rows.get(inodes, [ino])
    if (row === undefined) continue
    const [first] = its
    if (ino === ROOT_INO) {
      for (const { parent, name } of its) {
        rows.delete(entry, [parent, name])
        rows.step(`dropped a name of the root: ${JSON.stringify(name)} in ${parent}`)
      }
      continue
    }
    if (first === undefined) {
      await rows.adopt(row)
      continue
    }
    const kept = its.find((name) => name.parent === row.parent && name.name === row.name) ?? first
    for (const { parent, name } of its) {
      if (parent === kept.parent && name === kept.name) continue
      rows.delete(entry, [parent, name])
      rows.step(`directory ${ino}: dropped its second name ${JSON.stringify(name)} in ${parent}`)
    }
  }
}

/** Breaks a cycle of directories at one place; what is below follows. */
async function reach(rows: RepairRows, problems: readonly Problem[]): Promise<void> {
  const names = await rows.namesOf(inosOf(problems))
  for (const [ino, [name]] of names) {
    if (name === undefined || !(await isInRing(rows, ino))) continue
    const row = await rows.get(inodes, [ino])
    if (row === undefined) continue
    rows.delete(entry, [name.parent, name.name])
    await rows.adopt(row)
    // One for each round: this may make the others reachable.
    return
  }
}

/** Follows the parents that the rows of directories name. */
async function isInRing(rows: RepairRows, start: number): Promise<boolean> {
  const seen = new Set<number>()
  for (let ino = start; ino !== ROOT_INO; ) {
    if (seen.has(ino)) return ino === start
    seen.add(ino)
    const row = await rows.get(inodes, [ino])
    if (row === undefined) return false
    ino = row.parent
  }
  return false
}

/** Recounts what an inode's row says about other rows. */
async function recount(rows: RepairRows, problems: readonly Problem[]): Promise<void> {
  const names = await rows.namesOf(inosOf(problems))
  for (const [ino, its] of names) {
    const row = await rows.get(inodes, [ino])
    if (row === undefined) continue
    const isDir = isDirectory(row.mode)
    if (!isDir && its.length === 0 && row.nlink > 0) {
      await rows.adopt(row)
      continue
    }
    const home =
      its.find(({ parent, name }) => parent === row.parent && name === row.name) ?? its[0]
    const isTop = ino === ROOT_INO || home === undefined
    const fresh = {
      ...row,
      ...(isTop ? {} : { parent: home.parent, name: home.name }),
      ...(isDir ? await countedNames(rows, ino) : { nlink: its.length }),
      ...(isDir ? {} : await coveredNow(rows, row)),
      xattrs: (await rows.below(xattr, ino)).length,
      tags: (await rows.below(tagging, ino)).length,
    }
    rows.put(inodes, fresh)
    const linked = await linkAnew(rows, ino, its, isTop ? undefined : home)
    const cleared = isDir ? await dropContent(rows, ino) : 0
    const what = [
      ...differences(row, fresh),
      ...(linked ? ['its links'] : []),
      ...(cleared > 0 ? [`${cleared} pieces of content dropped, which a directory has not`] : []),
    ]
    if (what.length > 0) rows.step(`inode ${ino}: counted anew: ${what.join(', ')}`)
  }
}

async function dropContent(rows: RepairRows, ino: number): Promise<number> {
  const parts = await rows.below(extent, ino)
  for (const { offset } of parts) rows.delete(extent, [ino, offset])
  return parts.length
}

function differences(before: InodeRow, after: InodeRow): string[] {
  const fields = ['parent', 'name', 'nlink', 'size', 'allocated', 'xattrs', 'tags'] as const
  return fields
    .filter((field) => before[field] !== after[field])
    .map((field) => `${field} ${JSON.stringify(before[field])} -> ${JSON.stringify(after[field])}`)
}

/** Returns whether anything changed. */
async function linkAnew(
  rows: RepairRows,
  ino: number,
  names: readonly EntryRow[],
  home: EntryRow | undefined,
): Promise<boolean> {
  const others = names.filter((name) => home !== undefined && name !== home)
  const wanted = new Set(others.map(({ parent, name }) => `${parent}/${name}`))
  const there = await rows.below(hardlink, ino)
  for (const { parent, name } of there)
    if (!wanted.has(`${parent}/${name}`)) rows.delete(hardlink, [ino, parent, name])
  for (const { parent, name } of others) rows.put(hardlink, { ino, parent, name })
  const known = there.filter(({ parent, name }) => wanted.has(`${parent}/${name}`))
  return known.length !== there.length || known.length !== others.length
}

async function countedNames(
  rows: RepairRows,
  ino: number,
): Promise<{ nlink: number; size: number }> {
  let size = 0
  let below = 0
  for (const name of await rows.below<EntryRow>(entry, ino)) {
    size++
    const child = await rows.get(inodes, [name.ino])
    if (child !== undefined && isDirectory(child.mode)) below++
  }
  return { nlink: 2 + below, size }
}

/** A file is at least as long as its content: truncating it would lose data. */
async function coveredNow(
  rows: RepairRows,
  row: InodeRow,
): Promise<{ allocated: number; size: number }> {
  let { size } = row
  let allocated = 0
  for (const { offset, length } of await rows.below(extent, row.ino)) {
    allocated += length
    size = Math.max(size, offset + length)
  }
  return { allocated, size }
}

/** Creates an unknown actor for each missing number, which rows keep. */
async function makeActors(rows: RepairRows, problems: readonly Problem[]): Promise<void> {
  const ids = new Set(problems.flatMap(({ at }) => (at === undefined ? [] : [Number(at.key[0])])))
  for (const id of ids) {
    rows.put(actors, { id, uid: 0, pid: 0, command: '', since: rows.moment() })
    rows.step(`actor ${id}, who made changes, is somebody who is not known`)
  }
}

async function makeTags(rows: RepairRows, problems: readonly Problem[]): Promise<void> {
  const names = new Set(problems.flatMap(({ at }) => (at === undefined ? [] : [`${at.key[0]}`])))
  for (const name of names) {
    rows.put(tags, { name, since: rows.moment() })
    rows.step(`made the tag ${JSON.stringify(name)}, which files carry`)
  }
}

async function recountAll(rows: RepairRows, problems: readonly Problem[]): Promise<void> {
  const [first] = problems
  const more = problems.length > 1 ? `, and ${problems.length - 1} like it` : ''
  rows.step(`counted the vault anew: ${first?.message}${more}`)
  await rows.close()
}
