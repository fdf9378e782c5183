// Moves a vault to another engine: makes a copy beside it, verifies that it holds the same, and
// gives it the vault's name. At every moment either the vault or the copy is whole, so that a crash
// costs only time; see migration-note.ts.

import { existsSync, lstatSync, realpathSync, rmSync, symlinkSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { syncFiles } from '../../base/sync-files.ts'
import { setting } from '../../store/collections.ts'
import { backendOf, needBackend, openStore, persistentBackends } from '../../store/open.ts'
import { isWritablePlace } from '../../store/read-only-place.ts'
import type { Store } from '../../store/store.ts'
import { type Damage, everyPage } from '../../vault/check/read-all.ts'
import { breakLineage } from '../../vault/core/lineage.ts'
import { copyStore, differences, type Survey, surveyStore } from '../../vault/transfer/copy-rows.ts'
import { RowDigest } from '../../vault/transfer/row-digest.ts'
import { assertWritablePlace } from '../methods/refusal.ts'
import type { Lock } from '../vaults/lock.ts'
import { hasNote, NOTE_ENDING, readNote, removeNote, writeNote } from '../vaults/migration-note.ts'
import { finishSwitch } from '../vaults/switch-files.ts'
import { bytesOf, moveFiles, removeFiles } from '../vaults/vault-files.ts'
import {
  existingVault,
  freePath,
  migratedPaths,
  namesakes,
  stemOfPath,
  vaultPlace,
} from '../vaults/vault-names.ts'
import { ControlError } from '../wire/errors.ts'
import { lockOffline, needRoom } from './offline.ts'

export type MigrationStep = 'checking' | 'reading' | 'copying' | 'verifying'

interface MigrateOptions {
  readonly to: string
  /** Where to put the copy instead of replacing the vault, which then stays as it is. */
  readonly output: string | undefined
  readonly keepOriginal: boolean
  readonly dryRun: boolean
  readonly skipDamaged: boolean
  readonly damaged: (damage: Damage) => void
  readonly notice: (text: string) => void
  readonly onProgress: (step: MigrationStep, rows: number, bytes: number, total: number) => void
  /** For tests: called at each point at which a crash would leave a different state behind. */
  readonly reached?: (point: string) => Promise<void> | void
}

/** `path` is null if no copy was made or kept. */
export interface MigrationReport {
  readonly name: string
  readonly from: { readonly backend: string; readonly path: string; readonly bytes: number }
  readonly to: { readonly backend: string; readonly path: string; readonly bytes: number }
  /** Where the replaced vault was moved; null if it was removed or not replaced. */
  readonly original: string | null
  readonly dryRun: boolean
  /** Only the leftovers of an earlier run had to be removed. */
  readonly finished: boolean
  readonly damaged: number
  readonly rows: number
  readonly bytes: number
  readonly seconds: number
  readonly collections: Survey
}

/**
 * Size of a copy relative to the same vault on SQLite: the measured maximum (docs/backends.md) and
 * at least a tenth more.
 */
const ROOM: Readonly<Record<string, number>> = {
  sqlite: 1.2,
  lmdb: 1.5,
  leveldb: 2,
  rocksdb: 2,
  sled: 3,
}
const ROOM_DEFAULT = 2

/**
 * Migrates the vault `given`. Throws ControlError: 'locked' if it is open, 'exists' if the target
 * exists, 'failed' if rows are damaged, the copy differs or the disk has no space. The vault is
 * unchanged then.
 */
export async function migrateVault(
  given: string,
  options: MigrateOptions,
): Promise<MigrationReport> {
  const began = performance.now()
  const { to, output, notice } = options
  await needBackend(to)
  const isFinished = await finishEarlier(given, notice)
  const named = vaultPlace(given).path
  const { name, path: source } = existingVault(given)
  const from = backendOf(source).name
  const target = targetOf(source, to, output)
  const sides = {
    name,
    from: { backend: from, path: source, bytes: bytesOf(source) },
    to: { backend: to, path: target, bytes: 0 },
  }
  if (from === to && output === undefined) {
    if (isFinished) return finishedReport(sides, began)
    throw new ControlError(
      'exists',
      `${source} is on ${to} already; avfs vault compact gives its unused space back, --output makes a fresh copy`,
      source,
    )
  }
  if (output === undefined && !options.dryRun) assertWritablePlace(source)
  const folder = dirname(target)
  if (!existsSync(folder)) throw new ControlError('failed', `there is no folder ${folder}`, folder)
  const locks: Lock[] = []
  try {
    locks.push(await lockOffline(source))
    locks.push(await lockOffline(target))
    const switched = finishSwitch(source)
    if (switched !== undefined) notice(switched)
    await clearEarlier(source, notice)
    for (const link of deadLinks(stemOfPath(named))) rmSync(link)
    if (existsSync(target)) throw new ControlError('exists', `there is ${target} already`, target)
    needRoom(target, sides.from.bytes * (ROOM[to] ?? ROOM_DEFAULT), '--output puts it elsewhere')
    const done = options.dryRun
      ? await rehearse(source, sides.from.bytes, options)
      : await migrate(source, target, named, sides.from.bytes, options)
    return {
      ...sides,
      to: { ...sides.to, bytes: options.dryRun ? expectedBytes(done.survey, to) : bytesOf(target) },
      original: done.original,
      dryRun: options.dryRun,
      finished: false,
      damaged: done.damaged,
      rows: done.survey.reduce((sum, { rows }) => sum + rows, 0),
      bytes: done.survey.reduce((sum, { bytes }) => sum + bytes, 0),
      seconds: (performance.now() - began) / 1000,
      collections: done.survey,
    }
  } finally {
    for (const lock of locks.reverse()) lock.release()
  }
}

interface Done {
  readonly survey: Survey
  readonly damaged: number
  readonly original: string | null
}

function finishedReport(
  sides: Pick<MigrationReport, 'name' | 'from' | 'to'>,
  began: number,
): MigrationReport {
  const seconds = (performance.now() - began) / 1000
  const nothing = { original: null, dryRun: false, damaged: 0, rows: 0, bytes: 0, collections: [] }
  return { ...sides, to: sides.from, ...nothing, finished: true, seconds }
}

/** The path of the copy. Throws StoreError 'format' for an unknown engine. */
function targetOf(source: string, to: string, output: string | undefined): string {
  const { suffix } = backendOf('', to)
  if (suffix === '') throw new ControlError('failed', `${to} keeps nothing on disk`)
  if (output === undefined) return migratedPaths(source, to).target
  const path = resolve(output)
  return path.endsWith(suffix) ? path : path + suffix
}

/** Removes the vault that an earlier run has replaced. True if there was one. */
async function finishEarlier(given: string, notice: (text: string) => void): Promise<boolean> {
  const { path } = vaultPlace(given)
  if (!existsSync(path)) return false
  for (const link of deadLinks(stemOfPath(path))) rmSync(link)
  const real = realpathSync(path)
  const replaced = namesakes(stemOfPath(real), NOTE_ENDING).filter((other) => !existsSync(other))
  for (const other of replaced) {
    const lock = await lockOffline(other)
    try {
      removeFiles(other)
      removeNote(other)
    } finally {
      lock.release()
    }
    notice(`an earlier migration was complete; removed what was left of ${other}`)
  }
  return replaced.length > 0
}

/** Symbolic links to a vault that no longer exists. */
function deadLinks(stem: string): string[] {
  return persistentBackends
    .map(({ suffix }) => stem + suffix)
    .filter((link) => lstatSync(link, { throwIfNoEntry: false })?.isSymbolicLink() === true)
    .filter((link) => !existsSync(link))
}

/**
 * Reverts an earlier run that did not finish. Throws ControlError 'exists' if its copy has been
 * used since.
 */
async function clearEarlier(source: string, notice: (text: string) => void): Promise<void> {
  if (!hasNote(source)) return
  const note = readNote(source)
  if (note !== undefined) {
    const { target, partial } = migratedPaths(source, note.backend)
    removeFiles(partial)
    if (note.step === 'switching' && existsSync(target)) {
      const store = await openStore(target, { backend: note.backend, readOnly: true })
      const settings = await settingsDigest(store).finally(() => store.close())
      if (settings !== note.settings)
        throw new ControlError(
          'exists',
          `an earlier migration was cut short after it made ${target}, and that was changed since, perhaps ${source} too: look which to keep, and remove the other and ${source}.migration`,
          target,
        )
      removeFiles(target)
    }
  }
  removeNote(source)
  notice('an earlier migration was cut short; starting over')
}

async function settingsDigest(store: Store): Promise<string> {
  const digest = new RowDigest(setting as never)
  for await (const rows of everyPage(store, setting, () => undefined))
    for (const row of rows) digest.add(row)
  return digest.digest
}

function expectedBytes(survey: Survey, to: string): number {
  const bytes = survey.reduce((sum, its) => sum + its.bytes, 0)
  return Math.ceil(bytes * (ROOM[to] ?? ROOM_DEFAULT))
}

async function rehearse(source: string, total: number, options: MigrateOptions): Promise<Done> {
  const store = await openStore(source, { readOnly: true })
  let count = 0
  const damaged = (damage: Damage): void => {
    count++
    options.damaged(damage)
  }
  try {
    await checkEngine(store, total, options, damaged)
    const survey = await surveyStore(store, {
      damaged,
      onProgress: (rows, bytes) => options.onProgress('reading', rows, bytes, total),
    })
    return { survey, damaged: count, original: null }
  } finally {
    await store.close()
  }
}

/** The engine's own check: damage may have lost rows without leaving a trace in the others. */
async function checkEngine(
  store: Store,
  total: number,
  { onProgress }: MigrateOptions,
  damaged: (damage: Damage) => void,
): Promise<void> {
  onProgress('checking', 0, 0, total)
  const collection = store.traits.backend
  for (const message of await store.verify()) damaged({ collection, key: undefined, message })
}

async function migrate(
  source: string,
  target: string,
  named: string,
  total: number,
  options: MigrateOptions,
): Promise<Done> {
  const { to, output, keepOriginal, reached = () => undefined } = options
  const partial = `${target}.partial`
  removeFiles(partial)
  const note = { step: 'copying', backend: to, settings: '' } as const
  // A vault that stays needs no note: it is valid whatever happens to the copy.
  const isNoted = output === undefined
  if (isNoted) writeNote(source, note)
  let copied: { survey: Survey; damaged: number }
  let settings: string
  try {
    await reached('noted')
    copied = await copyTo(source, partial, total, options)
    await reached('copied')
    await verify(partial, copied.survey, options)
    settings =
      copied.damaged > 0
        ? await withoutLineage(partial, to)
        : (copied.survey.find(({ name }) => name === setting.name)?.digest ?? '')
    syncFiles(partial)
    await reached('verified')
  } catch (error) {
    removeFiles(partial)
    if (isNoted) removeNote(source)
    throw error
  }
  if (isNoted) writeNote(source, { ...note, step: 'switching', settings })
  await reached('switching')
  moveFiles(partial, target)
  await reached('named')
  const link =
    output === undefined && lstatSync(named).isSymbolicLink()
      ? `${stemOfPath(named)}${backendOf('', to).suffix}`
      : undefined
  // A vault outside the vaults directory is found by a link, whose name tells the engine, too.
  if (link !== undefined) symlinkSync(target, link)
  const original = output === undefined && keepOriginal ? freePath(source, 'original') : null
  if (original !== null) moveFiles(source, original)
  else if (output === undefined) removeFiles(source)
  await reached('removed')
  if (link !== undefined) rmSync(named, { force: true })
  if (isNoted) removeNote(source)
  return { ...copied, original }
}

/**
 * Breaks the lineage, so that an incomplete copy cannot replace any backup. Returns the digest of
 * its settings.
 */
async function withoutLineage(partial: string, backend: string): Promise<string> {
  const store = await openStore(partial, { backend })
  try {
    await breakLineage(store)
    return await settingsDigest(store)
  } finally {
    await store.close()
  }
}

async function copyTo(
  source: string,
  partial: string,
  total: number,
  options: MigrateOptions,
): Promise<{ survey: Survey; damaged: number }> {
  let count = 0
  const damaged = (damage: Damage): void => {
    count++
    options.damaged(damage)
  }
  // Not read-only, so that the engine merges its log into the vault, which may be moved later.
  const from = await openStore(source, { readOnly: !isWritablePlace(source) })
  let survey: Survey
  try {
    await checkEngine(from, total, options, damaged)
    const to = await openStore(partial, { create: true, backend: options.to })
    try {
      survey = await copyStore(from, to, {
        damaged,
        onProgress: (rows, bytes) => options.onProgress('copying', rows, bytes, total),
      })
    } finally {
      await to.close()
    }
  } finally {
    await from.close()
  }
  if (count > 0 && !options.skipDamaged)
    throw new ControlError(
      'failed',
      `${count} damaged, so that nothing was migrated; --skip-damaged leaves them behind`,
      source,
    )
  return { survey, damaged: count }
}

/**
 * Opens the copy like any later user of it. Throws ControlError 'failed' unless it holds the same.
 */
async function verify(partial: string, wanted: Survey, options: MigrateOptions): Promise<void> {
  const store = await openStore(partial, { backend: options.to, readOnly: true })
  const total = wanted.reduce((sum, { bytes }) => sum + bytes, 0)
  const wrong: string[] = []
  try {
    const found = await surveyStore(store, {
      damaged: ({ collection, message }) => {
        // Damaged content was already reported during the copy.
        if (collection !== 'extent' && collection !== 'extent_past') wrong.push(message)
      },
      onProgress: (rows, bytes) => options.onProgress('verifying', rows, bytes, total),
    })
    wrong.push(...differences(wanted, found))
  } finally {
    await store.close()
  }
  const [first] = wrong
  if (first === undefined) return
  throw new ControlError('failed', `the copy is not what it should be: ${first}`, partial)
}
