// Repacks blocks of which only a part is still used: a write into the middle of a file leaves the
// whole old block to the pieces before and after it. Once no state needs the bytes between, the
// pieces get content of their own, and gc-blocks.ts frees the block. Done where dropped bytes must
// disappear (prune, compact, purge), at the cost of one more walk.

import { crc32 } from 'node:zlib'
import { FsError } from '../../base/errno.ts'
import { CHUNK_BYTES } from '../../base/limits.ts'
import {
  block,
  type Collection,
  type ExtentPastRow,
  type ExtentRow,
  extent,
  extentPast,
  type Key,
} from '../../store/collections.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import { toContent } from '../content/content.ts'
import type { Core } from '../core/core.ts'
import { walkRows } from '../core/rows.ts'
import { copyBytes } from '../core/small-copies.ts'
import { BLOCK_WEIGHT, type Slices } from '../core/time-slices.ts'
import { suspectBlock } from '../tree/history-recording.ts'

/** Blocks held in memory at a time. */
const PORTION_BLOCKS = 250_000

/** Which bytes of a block an extent uses. */
interface Use {
  readonly isPast: boolean
  readonly key: Key
  readonly from: number
  readonly to: number
}

interface Used {
  readonly size: number
  readonly uses: Use[]
}

/**
 * Gives the extents of partly used blocks content of their own; returns how many blocks that frees.
 */
export async function repackBlocks(core: Core, slices: Slices): Promise<number> {
  await slices.settle()
  let freed = 0
  let portion = new Map<string, Used>()
  const { store } = core.overlay
  for await (const { hash, size } of walkRows(store, block, ['hash', 'size'], {}, slices)) {
    portion.set(hash, { size, uses: [] })
    if (portion.size < PORTION_BLOCKS) continue
    freed += await tightenPortion(core, slices, portion)
    portion = new Map()
  }
  freed += await tightenPortion(core, slices, portion)
  await slices.settle()
  return freed
}

async function tightenPortion(
  core: Core,
  slices: Slices,
  portion: Map<string, Used>,
): Promise<number> {
  if (portion.size === 0) return 0
  await noteUses(core, slices, extent, false, portion)
  await noteUses(core, slices, extentPast as unknown as Collection<ExtentRow>, true, portion)
  let freed = 0
  for (const [hash, { size, uses }] of portion) {
    // An unused block is collected anyway.
    if (uses.length === 0 || covered(uses) >= size) continue
    let isFreed = true
    for (const use of uses) {
      if (!(await retryUntilLoaded(() => giveOwn(core, hash, use)))) isFreed = false
      slices.changed(BLOCK_WEIGHT)
      await slices.turn()
    }
    if (!isFreed) continue
    freed++
    suspectBlock(core, hash)
  }
  return freed
}

/**
 * Removes from `portion` blocks that one extent uses whole, and notes the uses of the others. An
 * extent added meanwhile uses no more of a block than existing ones do.
 */
async function noteUses(
  core: Core,
  slices: Slices,
  collection: Collection<ExtentRow>,
  isPast: boolean,
  portion: Map<string, Used>,
): Promise<void> {
  const key = collection.fields.slice(0, collection.keyLength)
  const fields = [...key, 'hash', 'blockOffset', 'length'] as (keyof ExtentRow)[]
  for await (const row of walkRows(core.overlay.store, collection, fields, {}, slices)) {
    const used = portion.get(row.hash)
    if (used === undefined) continue
    if (row.length === used.size) portion.delete(row.hash)
    else
      used.uses.push({
        isPast,
        key: key.map((field) => row[field] as number),
        from: row.blockOffset,
        to: row.blockOffset + row.length,
      })
  }
}

function covered(uses: Use[]): number {
  uses.sort((a, b) => a.from - b.from)
  let bytes = 0
  let end = 0
  for (const { from, to } of uses) {
    bytes += Math.max(0, to - Math.max(from, end))
    end = Math.max(end, to)
  }
  return bytes
}

/** False when the extent must keep the block, because its bytes are damaged. */
function giveOwn(core: Core, hash: string, { isPast, key }: Use): boolean {
  const collection = isPast ? (extentPast as unknown as Collection<ExtentRow>) : extent
  const row = core.overlay.get(collection, key)
  if (row === undefined || row.hash !== hash) return true
  let bytes: Uint8Array
  try {
    bytes = core.blocks.load(hash).subarray(row.blockOffset, row.blockOffset + row.length)
  } catch (error) {
    if (!(error instanceof FsError)) throw error
    return false
  }
  const content = toContent(core, copyBytes(bytes))
  const crc = content.data === null ? 0 : crc32(content.data)
  const own: ExtentRow | ExtentPastRow = { ...row, ...content, crc }
  core.overlay.put(collection, own)
  core.pasts.delete(row.ino)
  if (!isPast) replaceInMemory(core, row, own)
  return true
}

/** Updates the extents of an inode in memory. */
function replaceInMemory(core: Core, row: ExtentRow, own: ExtentRow): void {
  const inode = core.inodes.get(row.ino) ?? core.open.get(row.ino) ?? core.orphans.get(row.ino)
  const list = inode?.chunks.get(Math.floor(row.offset / CHUNK_BYTES))
  const at = list?.findIndex(({ offset }) => offset === row.offset) ?? -1
  if (list !== undefined && at >= 0) list[at] = own
}
