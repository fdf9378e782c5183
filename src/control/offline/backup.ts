// A backup is a vault: DEST can be mounted, checked and exported like any other, on any engine. A
// full backup is made under a temporary name and gets its own when it is complete and verified, so
// that the former backup stays valid until then; an interrupted one is resumed. With `incremental`
// the existing backup takes what is new in one transaction.

import { existsSync, lstatSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { serialize } from 'node:v8'
import { ownUser } from '../../base/own-files.ts'
import { syncFiles } from '../../base/sync-files.ts'
import { type SettingRow, setting } from '../../store/collections.ts'
import { backendOf, needBackend, openStore, persistentBackends } from '../../store/open.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import type { Store } from '../../store/store.ts'
import { type LineageState, readLineage } from '../../vault/core/lineage.ts'
import { parsedSetting, readSetting } from '../../vault/core/settings.ts'
import { differences } from '../../vault/transfer/copy-rows.ts'
import { RowDigest } from '../../vault/transfer/row-digest.ts'
import {
  BACKUP_SETTING,
  type Digests,
  readHave,
  rowsOf,
  surveyOf,
} from '../../vault/transfer/sync-have.ts'
import { ONCE_ROWS_MAX, SyncTaker, TooMuchError } from '../../vault/transfer/sync-take.ts'
import type { BackupState } from '../methods/method-types.ts'
import { namingDamaged } from '../methods/refusal.ts'
import { finishSwitch, switchFiles } from '../vaults/switch-files.ts'
import { bytesOf, moveFiles, removeFiles } from '../vaults/vault-files.ts'
import { ControlError } from '../wire/errors.ts'
import type { Piece, Receive } from '../wire/protocol.ts'
import { lockOffline } from './offline.ts'

export type BackupStep = 'looking' | 'copying' | 'verifying'

/** Makes the vault send what a copy lacks to `receive`. */
export type Ask = (
  receive: Receive,
  have: Uint8Array,
  report: (bytes: number) => void,
  over: LineageState | undefined,
) => Promise<BackupState>

export interface BackupOptions {
  /** The vault's own id: a backup of another vault is refused. */
  readonly id: string
  readonly incremental: boolean
  /** The copy becomes a vault like the one that is copied, not a backup. */
  readonly plain?: boolean
  readonly ask: Ask
  /** Overrides how many rows may be taken in one transaction. */
  readonly onceRowsMax?: number
  readonly notice: (text: string) => void
  readonly onProgress: (step: BackupStep, bytes: number) => void
  /** For tests: called at each point at which a crash would leave a different state behind. */
  readonly reached?: (point: string) => Promise<void> | void
}

export interface BackupReport {
  readonly path: string
  readonly backend: string
  readonly incremental: boolean
  /** Microseconds since 1970: the backup has everything up to then. */
  readonly moment: number
  readonly rows: number
  readonly bytes: number
  /** The part of them that was new. */
  readonly written: { readonly rows: number; readonly bytes: number }
  readonly seconds: number
}

/**
 * The row that marks a backup; `settings` is the digest of the other settings, which change as soon
 * as it is used as a vault.
 */
interface Mark {
  readonly id: string
  readonly moment: number
  readonly purged: string
  readonly settings: string
}

/**
 * The path of a backup: `given` itself if it ends in an engine's suffix; in a folder, the vault's
 * own name.
 */
export function backupPlace(given: string, source: { name: string; backend: string }): string {
  const path = resolve(given)
  if (persistentBackends.some(({ suffix }) => path.endsWith(suffix))) return path
  const { suffix } = backendOf('', source.backend)
  const isFolder = given.endsWith('/') || (existsSync(path) && statSync(path).isDirectory())
  return isFolder ? join(path, source.name + suffix) : path + suffix
}

/**
 * Makes or updates the backup at `path`. Throws ControlError: 'exists' if something else is there,
 * 'failed' if the copy is not as expected, 'locked' if it is in use; an existing backup is unharmed
 * then.
 */
export async function backUp(path: string, options: BackupOptions): Promise<BackupReport> {
  const began = performance.now()
  await needBackend(backendOf(path).name)
  const folder = dirname(path)
  if (!existsSync(folder)) throw new ControlError('failed', `there is no folder ${folder}`, folder)
  const lock = await lockOffline(path)
  try {
    const switched = finishSwitch(path)
    if (switched !== undefined) options.notice(switched)
    const before = existsSync(path)
      ? await unlessDamaged(path, formerAt(path, options.id))
      : undefined
    const isIncremental = options.incremental && before !== undefined
    const done =
      (isIncremental ? await bringUp(path, before, options) : undefined) ??
      (await makeAnew(path, before, options))
    // An interrupted full copy is obsolete, and may contain what was purged since.
    removeFiles(`${path}.partial`)
    return {
      ...{ path, backend: backendOf(path).name, incremental: isIncremental },
      ...{ moment: done.state.wall, written: done.written },
      rows: done.state.survey.reduce((sum, { rows }) => sum + rows, 0),
      bytes: bytesOf(path),
      seconds: (performance.now() - began) / 1000,
    }
  } finally {
    lock.release()
  }
}

interface Done {
  readonly state: BackupState
  readonly written: { readonly rows: number; readonly bytes: number }
}

/** The backup to be replaced or updated, and the state of the vault that it holds. */
interface Former extends Mark {
  readonly lineage: LineageState
}

const NOT_HELD =
  'may hold what the vault does not: the vault was restored, copied or repaired, and does not come from the state that is there; choose another place, or remove it'

/** The mark of a backup of this vault. Throws ControlError 'exists' for anything else. */
async function formerAt(path: string, id: string): Promise<Former> {
  const store = await openStore(path, { readOnly: true })
  try {
    const value = await retryUntilLoaded(() => readSetting(store, BACKUP_SETTING))
    const mark = markOf(value)
    const refuse = (why: string): ControlError =>
      new ControlError('exists', `${path} ${why}: choose another place, or remove it`, path)
    if (mark === undefined) throw refuse('is a vault and no backup')
    if (mark.id !== id) throw refuse('is a backup of another vault')
    if (mark.settings !== (await settingsOf(store)))
      throw refuse('was changed since it was made, as a vault of its own')
    return { ...mark, lineage: await retryUntilLoaded(() => readLineage(store)) }
  } finally {
    await store.close()
  }
}

/** Undefined if `value` is not a valid mark. */
function markOf(value: string | undefined): Mark | undefined {
  const { id, moment, purged, settings } = Object(parsedSetting(value)) as Mark
  const areTexts = [id, purged, settings].every((its) => typeof its === 'string')
  return areTexts && Number.isSafeInteger(moment) ? { id, moment, purged, settings } : undefined
}

function unlessDamaged<T>(path: string, work: Promise<T>): Promise<T> {
  return work.catch((error: unknown) => {
    throw namingDamaged(path, 'choose another place, or remove it', error)
  })
}

async function settingsOf(store: Store): Promise<string> {
  const digest = new RowDigest(setting as never)
  for await (const row of rowsOf(store, setting as never)) digest.add(row)
  return digest.digest
}

function markRow({ id, moment }: BackupState, purged: string, digests: Digests): SettingRow {
  const settings = digests.get(setting.name)?.digest ?? ''
  const mark: Mark = { id, moment, purged, settings }
  return { name: BACKUP_SETTING, value: JSON.stringify(mark) }
}

function note(store: Store, row: SettingRow): Promise<void> {
  return store.commit([{ collection: setting as never, puts: [row], deletes: [] }])
}

/** Makes a full copy beside the backup, or resumes one. */
async function makeAnew(
  path: string,
  former: Former | undefined,
  options: BackupOptions,
): Promise<Done> {
  const { notice, onProgress, reached = () => undefined } = options
  const partial = `${path}.partial`
  const backend = backendOf(path).name
  const isResumed = isOwnCopy(partial) && (await isPartOf(partial, backend, options.id))
  if (isResumed) notice('a copy was cut short: going on with it')
  else removeFiles(partial)
  const store = await openStore(partial, { create: !isResumed, backend })
  let done: Done
  let digests: Digests
  let isRefused = false
  try {
    // The id is noted first: blocks are sent before rows, and need not be sent again after an
    // interruption, if the copy is known to be of this vault.
    if (!isResumed) await note(store, { name: 'id', value: options.id })
    const had = await readHave(store, true, (bytes) => onProgress('looking', bytes))
    const taker = new SyncTaker(store, had.digests, 0)
    await reached('begun')
    const state = await receive(path, former, options, had.have, taker)
    await reached('copied')
    await taker.finish()
    // What was purged since the copy was begun must be destroyed here, too.
    if (isResumed && state.purged !== '') await store.compact({ anew: true })
    done = { state, written: taker.written }
  } catch (error) {
    isRefused = error instanceof ControlError && error.kind === 'exists'
    throw error
  } finally {
    await store.close()
    if (isRefused) removeFiles(partial)
  }
  await reached('closed')
  const again = await openStore(partial, { backend })
  try {
    digests = (await readHave(again, true, (bytes) => onProgress('verifying', bytes))).digests
    assertSame(done.state, digests, partial)
    if (options.plain !== true) await note(again, markRow(done.state, done.state.purged, digests))
  } finally {
    await again.close()
  }
  syncFiles(partial)
  await reached('verified')
  if (former !== undefined) switchFiles(partial, path, null)
  else moveFiles(partial, path)
  return done
}

/** Whether this user made the partial copy: its owner would own the backup. */
function isOwnCopy(partial: string): boolean {
  const found = lstatSync(partial, { throwIfNoEntry: false })
  return found?.uid === ownUser() && !found.isSymbolicLink()
}

/** Whether a partial copy is of this vault; an unreadable one is useless. */
async function isPartOf(partial: string, backend: string, id: string): Promise<boolean> {
  try {
    const store = await openStore(partial, { backend })
    try {
      return (await retryUntilLoaded(() => readSetting(store, 'id'))) === id
    } finally {
      await store.close()
    }
  } catch {
    return false
  }
}

/** Takes what is new in one transaction. Undefined if that is too much. */
async function bringUp(
  path: string,
  before: Former,
  options: BackupOptions,
): Promise<Done | undefined> {
  const { notice, onProgress, reached = () => undefined } = options
  const store = await unlessDamaged(path, openStore(path))
  try {
    const looking = readHave(store, false, (bytes) => onProgress('looking', bytes))
    const had = await unlessDamaged(path, looking)
    const taker = new SyncTaker(store, had.digests, options.onceRowsMax ?? ONCE_ROWS_MAX)
    const state = await receive(path, before, options, had.have, taker)
    await reached('copied')
    const digests = await taker.expected()
    assertSame(state, digests, path)
    await taker.proveBlocks()
    await reached('proved')
    await taker.finish(markRow(state, before.purged, digests))
    await reached('taken')
    // What was purged from the vault must be destroyed here, too.
    if (state.purged !== before.purged) {
      await store.compact({ anew: true })
      await note(store, markRow(state, state.purged, digests))
    }
    const { digests: found } = await readHave(store, false, (bytes) =>
      onProgress('verifying', bytes),
    )
    assertSame(state, found, path)
    return { state, written: taker.written }
  } catch (error) {
    if (!(error instanceof TooMuchError)) throw error
    notice('more is new than can be taken at one stroke: all of it is copied anew')
    return undefined
  } finally {
    await store.close()
  }
}

/**
 * Receives what the copy lacks. Throws ControlError 'exists' if the vault does not contain what
 * `former`, at `path`, does.
 */
async function receive(
  path: string,
  former: Former | undefined,
  { ask, id, onProgress }: BackupOptions,
  have: object,
  taker: SyncTaker,
): Promise<BackupState> {
  // The error of the taker, which is the cause; the call's own error only follows from it.
  let failure: unknown
  const take = async (piece: Piece): Promise<void> => {
    if (!(piece instanceof Uint8Array)) return
    try {
      await taker.take(piece)
    } catch (error) {
      failure ??= error
      throw error
    }
  }
  try {
    const report = (bytes: number): void => onProgress('copying', bytes)
    const state = await ask(take, serialize(have), report, former?.lineage)
    if (state.id !== id) throw new ControlError('failed', 'another vault has answered')
    if (!state.isHeld) throw new ControlError('exists', `${path} ${NOT_HELD}`, path)
    return state
  } catch (error) {
    throw failure ?? error
  }
}

/** Throws ControlError 'failed' unless the copy holds what was sent. */
function assertSame({ survey }: BackupState, digests: Digests, path: string): void {
  const [wrong] = differences(survey, surveyOf(digests))
  if (wrong !== undefined)
    throw new ControlError('failed', `the copy is not what it should be: ${wrong}`, path)
}
