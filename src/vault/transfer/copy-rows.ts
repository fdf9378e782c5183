// Copies every row of a vault from one store to another and verifies that both hold the same: for
// each collection a count and an order-independent digest, and the hash of every block over its
// plain bytes. Blocks are copied as stored, compressed by the vault's codec, even if the target
// compresses by itself. Knows stores and rows, nothing of files and names.

import { crc32 } from 'node:zlib'
import {
  type BlockRow,
  type Collection,
  collections,
  type ExtentRow,
} from '../../store/collections.ts'
import { keyOf } from '../../store/keys.ts'
import { type Changes, type Store, StoreError } from '../../store/store.ts'
import { type Damage, everyPage } from '../check/read-all.ts'
import { unpackBlock } from '../core/blocks.ts'
import { RowDigest } from './row-digest.ts'

/** Bytes in canonical form, and rows, in one commit of the target. */
export const COMMIT_BYTES = 8 * 1024 * 1024
export const COMMIT_ROWS = 5000

/** What a collection holds; `bytes` in canonical form, blocks as stored. */
export interface CollectionTally {
  readonly name: string
  readonly rows: number
  readonly bytes: number
  readonly digest: string
}

export type Survey = readonly CollectionTally[]

interface SurveyOptions {
  /** Called for each damaged row. */
  readonly damaged: (damage: Damage) => void
  /** Rows and bytes so far. */
  readonly onProgress?: ((rows: number, bytes: number) => void) | undefined
}

/**
 * Reads all rows and verifies each by itself. Rows that cannot be read or are invalid are not
 * counted.
 */
export function surveyStore(store: Store, options: SurveyOptions): Promise<Survey> {
  return eachRow(store, options, () => undefined)
}

/**
 * Copies all valid rows to an empty store; resolves when they are durable. Rejects with StoreError.
 */
export async function copyStore(from: Store, to: Store, options: SurveyOptions): Promise<Survey> {
  let puts: object[] = []
  let bytes = 0
  let of: Collection<object> | undefined
  let running: Promise<void> = Promise.resolve()
  const commit = async (): Promise<void> => {
    if (of === undefined || puts.length === 0) return
    const batch: Changes[] = [{ collection: of, puts, deletes: [] }]
    puts = []
    bytes = 0
    // One batch is written while the next is read.
    await running
    running = to.commit(batch)
    running.catch(() => undefined)
  }
  const survey = await eachRow(from, options, (collection, row, length) => {
    if (of === collection && bytes < COMMIT_BYTES && puts.length < COMMIT_ROWS) {
      puts.push(row)
      bytes += length
      return undefined
    }
    const before = commit()
    of = collection
    puts = [row]
    bytes = length
    return before
  })
  await commit()
  await running
  return survey
}

/** The differences of two surveys, a line for each collection; [] when they are equal. */
export function differences(wanted: Survey, found: Survey): string[] {
  return wanted.flatMap((its, index) => {
    const other = found[index]
    if (other?.name === its.name && other.rows === its.rows && other.digest === its.digest)
      return []
    return [
      `${its.name}: ${its.rows} rows with digest ${its.digest}, not ${other?.rows ?? 0} with ${other?.digest ?? 'none'}`,
    ]
  })
}

async function eachRow(
  store: Store,
  { damaged, onProgress }: SurveyOptions,
  take: (collection: Collection<object>, row: object, bytes: number) => Promise<void> | undefined,
): Promise<Survey> {
  const survey: CollectionTally[] = []
  let rows = 0
  let bytes = 0
  for (const collection of collections) {
    const digest = new RowDigest(collection)
    for await (const page of everyPage(store, collection, damaged)) {
      for (const row of page) {
        const before = digest.bytes
        if (!isSound(collection, row, digest, damaged)) continue
        const taken = take(collection, row, digest.bytes - before)
        if (taken !== undefined) await taken
      }
      onProgress?.(rows + digest.rows, bytes + digest.bytes)
    }
    rows += digest.rows
    bytes += digest.bytes
    survey.push({
      name: collection.name,
      rows: digest.rows,
      bytes: digest.bytes,
      digest: digest.digest,
    })
  }
  return survey
}

/** Counts a row. Returns false for a damaged one, which is left out. */
function isSound(
  collection: Collection<object>,
  row: object,
  digest: RowDigest,
  damaged: (damage: Damage) => void,
): boolean {
  const report = (message: string): void =>
    damaged({ collection: collection.name, key: keyOf(collection, row), message })
  try {
    if (collection.name === 'block') unpackBlock(row as BlockRow)
    digest.add(row)
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    report(error.message)
    return false
  }
  // Copied nevertheless: without the row its bytes would read as zeros, with it as EIO as before.
  if ('crc' in row && !isExtentSound(row as ExtentRow))
    report('inline content does not match its checksum; it is copied as it is')
  return true
}

function isExtentSound({ hash, data, length, crc }: ExtentRow): boolean {
  return hash !== '' || (data !== null && data.length === length && crc32(data) === crc)
}
