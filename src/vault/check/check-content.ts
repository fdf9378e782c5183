// The part of check.ts that checks content: extents, past extents and the blocks they refer to.

import { crc32 } from 'node:zlib'
import { CHUNK_BYTES } from '../../base/limits.ts'
import { isDirectory } from '../../base/mode.ts'
import {
  type BlockRow,
  block,
  type Collection,
  type ExtentPastRow,
  type ExtentRow,
  extent,
  extentPast,
} from '../../store/collections.ts'
import { type Store, StoreError } from '../../store/store.ts'
import { hexOf, isKnownCodec, unpackBlock } from '../core/blocks.ts'
import { everyProjection, everyRow } from '../core/rows.ts'
import type { Report, RowAt } from './findings.ts'
import type { Known } from './known.ts'

/** Rows with content are large, so pages are small. */
const PAGE_ROWS = 64

/** How each block is used: how many bytes of it are needed, and one inode that needs them. */
type Uses = Map<string, { bytes: number; ino: number }>

/**
 * Checks all extents, and the blocks (with `deep`, their bytes, too). Returns the number of blocks
 * and their plain bytes.
 */
export async function checkContent(
  store: Store,
  known: ReadonlyMap<number, Known>,
  deep: boolean,
  report: Report,
  tick: () => void,
): Promise<{ blocks: number; bytes: number }> {
  const uses: Uses = new Map()
  const allocated = new Map<number, number>()
  let before: ExtentRow | undefined
  for await (const row of everyRow(store, extent, PAGE_ROWS)) {
    const at = { collection: extent.name, key: [row.ino, row.offset] }
    checkExtent(row, uses, report, at)
    const its = known.get(row.ino)
    allocated.set(row.ino, (allocated.get(row.ino) ?? 0) + row.length)
    if (before?.ino === row.ino && before.offset + before.length > row.offset)
      report('extent-overlap', `inode ${row.ino}: extents overlap at ${row.offset}`, row.ino, at)
    if (its !== undefined && row.offset + row.length > its.size)
      report(
        'extent-end',
        `inode ${row.ino}: an extent at ${row.offset} is beyond the end`,
        row.ino,
        at,
      )
    before = row
    tick()
  }
  for (const [ino, its] of known)
    if (!isDirectory(its.mode) && its.allocated !== (allocated.get(ino) ?? 0))
      report(
        'extent-allocated',
        `inode ${ino}: extents cover ${allocated.get(ino) ?? 0} bytes, not ${its.allocated}`,
        ino,
      )
  const past = extentPast as unknown as Collection<ExtentPastRow>
  for await (const row of everyRow(store, past, PAGE_ROWS)) {
    const at = { collection: extentPast.name, key: [row.ino, row.offset, row.since] }
    checkExtent(row, uses, report, at)
    if (row.since >= row.until)
      report('history-extent', `inode ${row.ino}: a past extent ends before it begins`, row.ino, at)
    tick()
  }
  return checkBlocks(store, uses, deep, report, tick)
}

function checkExtent(row: ExtentRow, uses: Uses, report: Report, at: RowAt): void {
  const where = `inode ${row.ino}: the extent at ${row.offset}`
  const chunk = Math.floor(row.offset / CHUNK_BYTES)
  if (row.length < 1 || row.offset + row.length > (chunk + 1) * CHUNK_BYTES)
    report('extent-chunk', `${where} crosses a chunk`, row.ino, at)
  if (row.hash === '') {
    if (row.data === null || row.data.length !== row.length || crc32(row.data) !== row.crc)
      report('extent-checksum', `${where} does not match its checksum`, row.ino, at)
    return
  }
  const bytes = row.blockOffset + row.length
  const use = uses.get(row.hash)
  if (use === undefined) uses.set(row.hash, { bytes, ino: row.ino })
  else if (use.bytes < bytes) use.bytes = bytes
}

async function checkBlocks(
  store: Store,
  uses: Uses,
  deep: boolean,
  report: Report,
  tick: () => void,
): Promise<{ blocks: number; bytes: number }> {
  const total = { blocks: 0, bytes: 0 }
  const rows = deep
    ? everyRow(store, block, PAGE_ROWS)
    : everyProjection(store, block, ['hash', 'size', 'codec'])
  for await (const row of rows) {
    const at = { collection: block.name, key: [row.hash] }
    const use = uses.get(row.hash)
    uses.delete(row.hash)
    total.blocks++
    total.bytes += row.size
    if (use !== undefined && use.bytes > row.size)
      report('block-short', `block ${hexOf(row.hash)} is shorter than what uses it`, use.ino, at)
    if (!isKnownCodec(row.codec))
      report(
        'block-codec',
        `block ${hexOf(row.hash)} is packed in a way that is not known`,
        use?.ino,
        at,
      )
    else if ('data' in row) checkHash(row as BlockRow, use?.ino, report, at)
    tick()
  }
  for (const [hash, use] of uses)
    report('block-missing', `block ${hexOf(hash)} is missing (used by inode ${use.ino})`, use.ino, {
      collection: block.name,
      key: [hash],
    })
  return total
}

function checkHash(row: BlockRow, ino: number | undefined, report: Report, at: RowAt): void {
  try {
    unpackBlock(row)
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    report('block-content', error.message, ino, at)
  }
}
