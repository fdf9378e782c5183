// A dry run of an import: takes the same stream as import.ts and compares, but changes nothing.

import { setImmediate } from 'node:timers/promises'
import {
  attributesOf,
  BY_PATH,
  contentOf,
  DATA,
  dataOf,
  END,
  ENTRY,
  type EntryHead,
  endOf,
  FAILED,
  headOf,
  IMPLIED,
  LEAVE,
  LINK,
  leftOf,
  nameOf,
  recordsIn,
  STEP,
  WHOLE,
} from '../../archive/records.ts'
import { EISDIR, ENOTDIR, fail } from '../../base/errno.ts'
import { isDirectory, isRegular } from '../../base/mode.ts'
import { Units } from '../../base/units.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import type { Heard } from '../core/effect.ts'
import type { Inode } from '../core/inode.ts'
import { findPath } from '../history/paths.ts'
import { findInode } from '../tree/inodes.ts'
import type { Vault } from '../vault.ts'
import { type Importer, newRun, rootPlace } from './import.ts'
import { hasHead } from './import-attributes.ts'
import { holds, isEqual, isHole } from './import-file.ts'
import { assertFit, assertName, assertPath, assertTarget, settled } from './import-name.ts'
import { existing, guard, type ImportOptions, type Run, type Spot } from './import-run.ts'
import { parsedStep } from './import-steps.ts'

/** A directory of the stream; `ino` is undefined where it does not exist yet. */
interface Directory {
  readonly ino: number | undefined
  readonly path: string
  readonly record: Buffer
}

/** A file whose content is arriving; it is compared until a difference is found. */
interface Arriving {
  readonly record: Buffer
  readonly path: string
  readonly now: Inode | undefined
  isSame: boolean
  reached: number
}

/** A file of a foreign history: whether it existed before, and whether it does after all steps. */
interface Shadow {
  readonly was: boolean
  is: boolean
}

interface Plan {
  readonly run: Run
  readonly heard: Heard
  readonly directories: Map<number, Directory | undefined>
  readonly arriving: Map<number, Arriving>
  readonly shadows: Map<string, Shadow>
  readonly links: Map<string, number | 'made'>
}

const SLICE_MS = 4

/** As `importer`, but reports what would become of each path, and changes nothing. */
export function importPlan(vault: Vault, options: ImportOptions, heard: Heard): Importer {
  const run = newRun(vault, options)
  const plan: Plan = {
    run,
    heard,
    directories: new Map(),
    arriving: new Map(),
    shadows: new Map(),
    links: new Map(),
  }
  const units = new Units()
  let until = performance.now() + SLICE_MS
  return {
    async take(piece) {
      const whole = units.add(piece)
      if (whole === undefined) return
      const records = recordsIn(whole)
      for (;;) {
        const next = records.next()
        if (next.done === true) return units.keep(next.value)
        await retryUntilLoaded(() => planRecord(plan, next.value))
        run.writtenBack.clear()
        if (performance.now() < until) continue
        await setImmediate()
        until = performance.now() + SLICE_MS
      }
    },
    async finish() {
      if (units.waiting > 0) throw new RangeError('the stream of records was cut off')
      for (const id of [...plan.directories.keys()])
        await retryUntilLoaded(() => planLeave(plan, id))
      tellShadows(plan)
      return run.report
    },
    end: () => undefined,
  }
}

function planRecord(plan: Plan, record: Buffer): void {
  const { run } = plan
  const kind = record.readUInt8(4)
  if (kind === ENTRY) planEntry(plan, record)
  else if (kind === DATA) planData(plan, record)
  else if (kind === END) planEnd(plan, record)
  else if (kind === LEAVE) planLeave(plan, leftOf(record))
  else if (kind === STEP) planStep(plan, record)
  run.options.progress(run.report.files + run.report.unchanged, run.report.bytes)
}

function planEntry(plan: Plan, record: Buffer): void {
  const { run } = plan
  const head = headOf(record)
  const name = nameOf(record)
  if (head.parent === BY_PATH) {
    guard(run, `${run.options.path}/${name}`, () => {
      assertFit(head, name)
      planByPath(plan, record, head, name)
    })
    return
  }
  const place = placeOf(plan, head, name)
  if (place === undefined) return
  guard(run, place.path, () => {
    assertFit(head, name)
    const now = nowAt(plan, place)
    if (isDirectory(head.mode)) planDirectory(plan, record, head, place, now)
    else planFile(plan, record, head, place, now)
  })
}

type Place = Omit<Spot, 'parent'> & { readonly parent: number | undefined }

function placeOf({ run, directories }: Plan, head: EntryHead, name: string): Place | undefined {
  if (head.parent === 0) return rootPlace(run, head)
  const directory = directories.get(head.parent)
  return directory && { parent: directory.ino, name, path: `${directory.path}/${name}` }
}

function nowAt({ run }: Plan, { parent, name, path }: Place): Inode | undefined {
  if (name !== '') assertName(name)
  const now = parent === undefined ? undefined : existing(run.core, { parent, name, path })
  if (now !== undefined) settled(run, now)
  return now
}

function planDirectory(
  { run, directories, heard }: Plan,
  record: Buffer,
  head: EntryHead,
  { path }: Place,
  now: Inode | undefined,
): void {
  directories.set(head.id, undefined)
  if (now !== undefined && !isDirectory(now.mode)) fail(ENOTDIR)
  const kept = Buffer.from(record)
  directories.set(head.id, { ino: now?.ino, path, record: kept })
  if (now !== undefined) return
  run.report.directories++
  heard('created', path)
}

function planFile(
  plan: Plan,
  record: Buffer,
  head: EntryHead,
  { path }: Place,
  now: Inode | undefined,
): void {
  const { run, links, arriving } = plan
  if (now !== undefined && isDirectory(now.mode)) fail(EISDIR)
  if ((head.flags & LINK) !== 0) {
    const isSame = now !== undefined && links.get(head.key) === now.ino
    conclude(plan, path, now, isSame, isSame)
    return
  }
  if (isRegular(head.mode) && (head.flags & WHOLE) === 0) {
    const isSame = now !== undefined && now.size === head.size
    arriving.set(head.id, { record: Buffer.from(record), path, now, isSame, reached: 0 })
    return
  }
  const content = contentOf(record)
  assertTarget(head, content)
  const isSame = now !== undefined && holds(run, now, head, content)
  const isSameAll = isSame && hasHead(run.core, now, head, attributesOf(record))
  run.report.bytes += content.length
  conclude(plan, path, now, isSame, isSameAll)
  if (head.nlink > 1) links.set(head.key, isSame ? now.ino : 'made')
}

/** Reports what becomes of a file: unchanged, or changed only in attributes, or replaced. */
function conclude(
  { run, heard }: Plan,
  path: string,
  now: Inode | undefined,
  sameContent: boolean,
  sameAll: boolean,
): void {
  if (sameAll) {
    run.report.unchanged++
    return
  }
  run.report.files++
  heard(now === undefined ? 'created' : sameContent ? 'changed' : 'replaced', path)
}

function planData({ run, arriving }: Plan, record: Buffer): void {
  const { id, offset, bytes } = dataOf(record)
  const file = arriving.get(id)
  if (file === undefined) return
  const { now } = file
  file.isSame &&=
    now !== undefined && isHole(run, now, file.reached, offset) && isEqual(run, now, offset, bytes)
  file.reached = offset + bytes.length
  run.report.bytes += bytes.length
}

function planEnd(plan: Plan, record: Buffer): void {
  const { run, arriving, links } = plan
  const { id, size, flags } = endOf(record)
  const file = arriving.get(id)
  if (file === undefined || (flags & FAILED) !== 0) return
  const head = headOf(file.record)
  const { now } = file
  const isSame =
    file.isSame && now !== undefined && now.size === size && isHole(run, now, file.reached, size)
  const isSameAll = isSame && hasHead(run.core, now, head, attributesOf(file.record))
  arriving.delete(id)
  conclude(plan, file.path, now, isSame, isSameAll)
  if (head.nlink > 1) links.set(head.key, isSame ? now.ino : 'made')
}

/** Reports an existing directory whose attributes would change. */
function planLeave({ run, heard, directories }: Plan, id: number): void {
  const directory = directories.get(id)
  if (directory?.ino !== undefined) {
    const now = findInode(run.core, directory.ino)
    const head = headOf(directory.record)
    const isLeft = now === undefined || (head.flags & IMPLIED) !== 0
    if (!isLeft && !hasHead(run.core, now, head, attributesOf(directory.record)))
      heard('changed', directory.path)
  }
  directories.delete(id)
}

function shadowOf({ run, shadows }: Plan, name: string): Shadow {
  const path = `${run.options.path}/${name}`
  const known = shadows.get(path)
  if (known !== undefined) return known
  const was = findPath(run.core, path) !== undefined
  const shadow = { was, is: was }
  shadows.set(path, shadow)
  return shadow
}

function planByPath(plan: Plan, record: Buffer, head: EntryHead, name: string): void {
  const { run, shadows } = plan
  const path = `${run.options.path}/${name}`
  const now = shadows.has(path) ? undefined : findPath(run.core, path)
  if (now !== undefined && !isDirectory(now.mode)) {
    settled(run, now)
    // Not reported so far, and stays the same.
    const isWhole = !isRegular(head.mode) || (head.flags & WHOLE) !== 0
    if (isWhole && holds(run, now, head, contentOf(record))) return
  }
  shadowOf(plan, name).is = true
}

function planStep(plan: Plan, record: Buffer): void {
  const step = parsedStep(record)
  if (step.step === 'remove') shadowOf(plan, step.path).is = false
  if (step.step !== 'move') return
  guard(plan.run, `${plan.run.options.path}/${step.to}`, () => {
    assertPath(step.to)
    shadowOf(plan, step.from).is = false
    shadowOf(plan, step.to).is = true
  })
}

/** Reports what all steps together do to files. */
function tellShadows({ run, heard, shadows }: Plan): void {
  for (const [path, { was, is }] of shadows) {
    if (!was && !is) continue
    run.report.files++
    heard(!was ? 'created' : is ? 'replaced' : 'removed', path)
  }
}
