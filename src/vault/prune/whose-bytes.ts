// Finds which of some samples occur in the vault's present and past files, and in which one. For
// bytes that were found in an engine's files, where they may belong to something that stays.

import { FsError } from '../../base/errno.ts'
import {
  block,
  type ExtentRow,
  entry,
  entryPast,
  extent,
  extentPast,
  xattr,
  xattrPast,
} from '../../store/collections.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import type { Core } from '../core/core.ts'
import { walkRows } from '../core/rows.ts'
import type { Slices } from '../core/time-slices.ts'
import { lastPath } from '../tree/places.ts'

/**
 * For each sample that a present or past file contains (plain or compressed), or that is in an
 * attribute or name: the path of the file, a byte string.
 */
export async function whoseBytes(
  core: Core,
  samples: readonly Uint8Array[],
  slices: Slices,
): Promise<Map<Uint8Array, string>> {
  const found = new Map<Uint8Array, string>()
  const known = new Map<string, readonly Uint8Array[]>()
  const within = (bytes: Uint8Array): Uint8Array[] => {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    return samples.filter((sample) => buffer.indexOf(sample) >= 0)
  }
  const ofBlock = (hash: string): readonly Uint8Array[] => {
    const before = known.get(hash)
    if (before !== undefined) return before
    const packed = core.overlay.store.get(block, [hash])?.data
    const its = [...within(plainBlock(core, hash)), ...(packed ? within(packed) : [])]
    known.set(hash, its)
    return its
  }
  const take = async (ino: number, its: readonly Uint8Array[]): Promise<void> => {
    if (its.length === 0) return
    const path =
      (await retryUntilLoaded(() => lastPath(core, ino))) ?? '(a file whose name is gone)'
    for (const sample of its) found.set(sample, path)
  }
  const { store } = core.overlay
  for (const collection of [extent, extentPast as unknown as typeof extent])
    for await (const row of walkRows<ExtentRow, keyof ExtentRow>(
      store,
      collection,
      collection.fields,
      {},
      slices,
    )) {
      const { ino, hash, data } = row
      await take(
        ino,
        hash === '' ? within(data ?? NOTHING) : await retryUntilLoaded(() => ofBlock(hash)),
      )
      await slices.turn()
    }
  for (const collection of [xattr, xattrPast as unknown as typeof xattr])
    for await (const { ino, value } of walkRows(store, collection, collection.fields, {}, slices))
      await take(ino, within(value ?? NOTHING))
  for (const collection of [entry, entryPast as unknown as typeof entry])
    for await (const { ino, name } of walkRows(store, collection, collection.fields, {}, slices))
      await take(ino, within(Buffer.from(name, 'latin1')))
  return found
}

const NOTHING = new Uint8Array()

/** Empty when the block is damaged. */
function plainBlock(core: Core, hash: string): Uint8Array {
  try {
    return core.blocks.load(hash)
  } catch (error) {
    if (!(error instanceof FsError)) throw error
    return NOTHING
  }
}
