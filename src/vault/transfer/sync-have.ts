// Summarizes what a copy of a vault holds, short enough to be sent to where the vault is: digests
// of stretches of rows for each collection, and the hashes of blocks. sync-send.ts answers with the
// differences, sync-take.ts applies them to the copy.

import {
  type BlockRow,
  block,
  type Collection,
  collections,
  type Key,
  type SettingRow,
  setting,
} from '../../store/collections.ts'
import { HASH_BYTES } from '../../store/domains.ts'
import { keyOf } from '../../store/keys.ts'
import { type Store, StoreError } from '../../store/store.ts'
import { unpackBlock } from '../core/blocks.ts'
import { everyProjection, everyRow } from '../core/rows.ts'
import type { CollectionTally, Survey } from './copy-rows.ts'
import { RowDigest } from './row-digest.ts'

/** What a backup notes about itself: a setting that is not part of what is backed up. */
export const BACKUP_SETTING = 'backup'

/** Rows of a stretch: the fewer, the less is sent again with a row that has changed. */
const STRETCH_ROWS = 64
const PAGE_BLOCKS = 64

/**
 * Stretch i begins at `starts[i]` (the first one before all keys), and ends where the next begins.
 */
export interface Stretches {
  readonly starts: readonly Key[]
  readonly digests: readonly string[]
}

/** What a copy holds: stretches by collection, and blocks. */
export interface Have {
  readonly stretches: Readonly<Record<string, Stretches>>
  /** All hashes in order, concatenated. */
  readonly blocks: Uint8Array
}

export type Digests = ReadonlyMap<string, RowDigest>

/** The digests of all collections, in the form that copy-rows.ts compares. */
export function surveyOf(digests: Digests): Survey {
  return collections.map(({ name }): CollectionTally => {
    const { rows = 0, bytes = 0, digest = '' } = digests.get(name) ?? {}
    return { name, rows, bytes, digest }
  })
}

/**
 * Reads all of a store; with `deep`, verifies the bytes of blocks, too. Throws StoreError 'corrupt'
 * where something is damaged.
 */
export async function readHave(
  store: Store,
  deep: boolean,
  progress: (bytes: number) => void,
): Promise<{ have: Have; digests: Digests }> {
  const stretches: Record<string, Stretches> = {}
  const digests = new Map<string, RowDigest>()
  const hashes: Buffer[] = []
  let bytes = 0
  for (const collection of collections) {
    const total = new RowDigest(collection)
    digests.set(collection.name, total)
    const starts: Key[] = []
    const found: string[] = []
    let stretch = new RowDigest(collection)
    const end = (): void => {
      found.push(stretch.digest)
      total.addAll(stretch)
      stretch = new RowDigest(collection)
    }
    for await (const row of rowsOf(store, collection, deep)) {
      if (isBlock(collection)) {
        if (deep) unpackBlock(row as BlockRow)
        hashes.push(Buffer.from((row as BlockRow).hash, 'latin1'))
        total.add(row)
        continue
      }
      if (stretch.rows === 0) starts.push(keyOf(collection, row))
      stretch.add(row)
      if (stretch.rows >= STRETCH_ROWS) end()
      progress(bytes + total.bytes)
    }
    if (stretch.rows > 0) end()
    bytes += total.bytes
    progress(bytes)
    stretches[collection.name] = { starts, digests: found }
  }
  return { have: { stretches, blocks: Buffer.concat(hashes) }, digests }
}

export function isBlock(collection: Collection<object>): boolean {
  return collection.name === block.name
}

/**
 * All rows of a collection except the backup's note about itself; blocks without their bytes unless
 * `deep`.
 */
export async function* rowsOf(
  store: Store,
  collection: Collection<object>,
  deep = true,
): AsyncGenerator<object> {
  const isShort = isBlock(collection) && !deep
  const rows: AsyncIterable<object> = isShort
    ? everyProjection(store, collection, BLOCK_HEAD as never)
    : everyRow(store, collection, isBlock(collection) ? PAGE_BLOCKS : undefined)
  for await (const row of rows) if (!isMark(collection, row)) yield row
}

const BLOCK_HEAD = ['hash', 'size', 'codec']

function isMark(collection: Collection<object>, row: object): boolean {
  return collection.name === setting.name && (row as SettingRow).name === BACKUP_SETTING
}

/** Checks a Have from outside. Throws StoreError 'corrupt'. */
export function checkHave(value: unknown): Have {
  const { stretches, blocks } = Object(value) as Partial<Have>
  const isSound =
    blocks instanceof Uint8Array &&
    blocks.length % HASH_BYTES === 0 &&
    typeof stretches === 'object' &&
    stretches !== null &&
    collections.every((its) => isStretches(its, stretches[its.name]))
  if (!isSound) throw new StoreError('corrupt', 'this says nothing of what a copy has')
  return { stretches, blocks }
}

/** A copy of an older avfs may have fewer collections. */
function isStretches(collection: Collection<object>, value: unknown): boolean {
  if (value === undefined) return true
  const { starts, digests } = Object(value) as Partial<Stretches>
  if (!Array.isArray(starts) || !Array.isArray(digests) || starts.length !== digests.length)
    return false
  return (
    starts.every((key) => isKey(collection, key)) &&
    digests.every((digest) => typeof digest === 'string')
  )
}

function isKey({ keyLength, types }: Collection<object>, key: unknown): boolean {
  if (!Array.isArray(key) || key.length !== keyLength) return false
  return key.every((part, index) =>
    types[index] === 'uint' ? Number.isSafeInteger(part) && part >= 0 : typeof part === 'string',
  )
}
