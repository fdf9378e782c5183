// What a crash left in the intent log of a vault: giving it to the engine at the next opening.
// Records are given in order and without a gap, beginning with the one after the newest batch that
// the engine has. Where one is missing although a later one is whole, the log is damaged: a crash
// can tear only the newest, which nobody was told of.

import { closeSync, constants, fstatSync, openSync, readSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { EAGAIN } from '../../base/errno.ts'
import { log } from '../../base/log.ts'
import { addon } from '../../base/native.ts'
import { syncOne } from '../../base/sync-files.ts'
import { setting } from '../collections.ts'
import { unpackBatch } from '../kv/unpack.ts'
import { Layer } from '../overlay.ts'
import { retryUntilLoaded } from '../retry.ts'
import { type Store, StoreError } from '../store.ts'
import { LOG_ENDING, LOG_SETTING } from './intent-log.ts'
import { hasRecords, readRecords } from './record.ts'

/** Suffix of a log's copy that was set aside. */
export const ASIDE_ENDING = `${LOG_ENDING}.damaged`
/** Rows given to the engine in one commit. */
const ROWS_MAX = 20_000
/** More than any log has. */
const LOG_BYTES_MAX = 64 * 1024 * 1024

interface Left {
  /** Changes that the engine lacks, in order. */
  readonly changes: readonly Buffer[]
  /** What is wrong with the rest, in words. */
  readonly damage: string | undefined
  /** The log is of another vault, or of another state of this one: it is set aside. */
  readonly isForeign: boolean
}

interface RecoveryOptions {
  readonly readOnly: boolean
  /** Sets a damaged log aside, once the engine has what can be read of it. */
  readonly salvage: boolean
}

/**
 * Opens the vault at `path` with all that its log holds. A writer is refused with StoreError
 * 'corrupt' where the log is damaged; a reader gets what is before the damage, and a finding of
 * `verify`.
 */
export async function openRecovered(
  path: string,
  { readOnly, salvage }: RecoveryOptions,
  open: (readOnly: boolean) => Promise<Store>,
): Promise<Store> {
  const fd = openLog(path + LOG_ENDING)
  if (fd === undefined) return open(readOnly)
  try {
    let store = await open(readOnly)
    try {
      const left = await leftIn(fd, store)
      if (!readOnly) {
        if (left.damage !== undefined && !salvage) throw refusal(path, left.damage)
        await give(store, left)
        putAway(path, left)
        return store
      }
      if (left.changes.length > 0) {
        await store.close()
        const writer = await open(false)
        await give(writer, left).finally(() => writer.close())
        store = await open(true)
      }
      return left.damage === undefined ? store : withFinding(store, left.damage)
    } catch (error) {
      await store.close()
      throw error
    }
  } finally {
    closeSync(fd)
  }
}

/** A descriptor of the log, locked; undefined where there is none, or another process writes it. */
function openLog(path: string): number | undefined {
  let fd: number
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
  if (fstatSync(fd).isFile() && addon().flock(fd, 1) !== -EAGAIN) return fd
  closeSync(fd)
  return undefined
}

async function leftIn(fd: number, store: Store): Promise<Left> {
  const bytes = Buffer.alloc(Math.min(fstatSync(fd).size, LOG_BYTES_MAX))
  readSync(fd, bytes, 0, bytes.length, 0)
  const known = await retryUntilLoaded(() => store.get(setting, [LOG_SETTING])?.value)
  const [session = '', sequence] = known?.split(' ') ?? []
  const records = readRecords(bytes, Buffer.from(session, 'hex'))
  const changes: Buffer[] = []
  if (records.size === 0) return { changes, damage: undefined, isForeign: hasRecords(bytes) }
  let next = Number(sequence) + 1
  if (!Number.isSafeInteger(next))
    return { changes, damage: `setting ${LOG_SETTING} is damaged`, isForeign: false }
  for (let found = records.get(next); found !== undefined; found = records.get(++next))
    changes.push(found)
  const isCut = [...records.keys()].some((other) => other > next)
  const damage = isCut ? `record ${next} is not whole` : undefined
  return { changes, damage, isForeign: false }
}

async function give(store: Store, { changes }: Left): Promise<void> {
  let layer = new Layer()
  for (const bytes of changes) {
    for (const { collection, key, row } of unpackBatch(bytes)) layer.set(collection, key, row)
    if (layer.size < ROWS_MAX) continue
    await store.commit(layer.batch())
    layer = new Layer()
  }
  if (layer.size > 0) await store.commit(layer.batch())
  if (changes.length > 0) log('info', `after a crash: ${changes.length} fsyncs taken from the log`)
}

function putAway(path: string, { damage, isForeign }: Left): void {
  if (damage === undefined && !isForeign) rmSync(path + LOG_ENDING, { force: true })
  else {
    const why = damage ?? 'it belongs to another vault, or to another state of this one'
    log('warn', `${path + LOG_ENDING} is kept as ${path + ASIDE_ENDING}: ${why}`)
    renameSync(path + LOG_ENDING, path + ASIDE_ENDING)
  }
  syncOne(dirname(path))
}

function refusal(path: string, damage: string): StoreError {
  const advice = 'run avfs vault check --deep'
  const what = `its log ${path + LOG_ENDING}: ${damage}`
  return new StoreError('corrupt', `the vault is damaged: ${advice} (${what})`)
}

function withFinding(store: Store, damage: string): Store {
  const verify = store.verify.bind(store)
  const finding = `the log of the vault is damaged, and some of what it held is lost: ${damage}`
  store.verify = async () => [finding, ...(await verify())]
  return store
}
