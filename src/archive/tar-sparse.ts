// Sparse files in tar archives, in the four formats of GNU tar: its own old one (type S), and pax
// 0.0, 0.1 and 1.0. The map of the data comes before the data, in a header or (1.0) in the first
// blocks of the content.

import type { ByteReader } from './byte-reader.ts'
import { BLOCK_BYTES, number, parsePaxCount } from './tar-header.ts'

export interface SparseFile {
  readonly size: number
  /** Undefined: the content begins with the map (`readMap`). */
  readonly map: SparseMap | undefined
}

/** Ranges in ascending order. */
export type SparseMap = readonly (readonly [offset: number, length: number])[]

const RUNS_MAX = 1_000_000
const NUMBERS_MAX = 2 * RUNS_MAX

/**
 * The sparse file that a header describes; undefined if it is not sparse. `pairs` are the
 * GNU.sparse.offset and .numbytes records in order. Reads further blocks if the old format has
 * some.
 */
export async function sparseOf(
  reader: ByteReader,
  type: string,
  block: Buffer,
  pax: ReadonlyMap<string, string>,
  pairs: readonly (readonly [string, string])[],
): Promise<SparseFile | 'damaged' | undefined> {
  if (type === 'S') return await oldSparse(reader, block)
  if (pax.get('GNU.sparse.major') === '1') {
    const size = parsePaxCount(pax.get('GNU.sparse.realsize') ?? '')
    return isCount(size) ? { size, map: undefined } : 'damaged'
  }
  const size = pax.get('GNU.sparse.size')
  if (size === undefined) return undefined
  const list =
    pax.get('GNU.sparse.map')?.split(',', NUMBERS_MAX + 1) ?? pairs.map(([, value]) => value)
  if (list.length > NUMBERS_MAX) return 'damaged'
  return withMap(parsePaxCount(size), list.map(parsePaxCount))
}

/** True for a valid number of bytes. */
export function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}

function withMap(size: number, numbers: readonly number[]): SparseFile | 'damaged' {
  const map = mapOf(size, numbers)
  return map === undefined ? 'damaged' : { size, map }
}

/** Undefined if these numbers are not a valid map of a file of that size. */
function mapOf(size: number, numbers: readonly number[]): SparseMap | undefined {
  const map: [number, number][] = []
  let end = 0
  for (let at = 0; at + 1 < numbers.length; at += 2) {
    const [offset, length] = [numbers[at] as number, numbers[at + 1] as number]
    if (!isCount(offset) || !isCount(length) || offset < end) return undefined
    map.push([offset, length])
    end = offset + length
  }
  return isCount(size) && end <= size && numbers.length % 2 === 0 ? map : undefined
}

async function oldSparse(reader: ByteReader, block: Buffer): Promise<SparseFile | 'damaged'> {
  const numbers = fieldsOf(block, 386, 4)
  const size = number(block, 483, 12)
  let goesOn = block[482] !== 0
  while (goesOn) {
    const next = await reader.exactly(BLOCK_BYTES)
    if (numbers.length <= NUMBERS_MAX) numbers.push(...fieldsOf(next, 0, 21))
    goesOn = next[504] !== 0
  }
  return numbers.length > NUMBERS_MAX ? 'damaged' : withMap(size, numbers)
}

/** Offsets and lengths of 12 bytes each; an empty one ends them. */
function fieldsOf(block: Buffer, from: number, count: number): number[] {
  const numbers: number[] = []
  for (let at = from; at < from + count * 24; at += 24) {
    if (block[at + 12] === 0) break
    numbers.push(number(block, at, 12), number(block, at + 12, 12))
  }
  return numbers
}

/**
 * Reads the map at the beginning of a file of format 1.0, of which `stored` bytes are in the
 * archive: a count, then offsets and lengths, a line each. `bytes` is what was read, even if the
 * map is invalid.
 */
export async function readMap(
  reader: ByteReader,
  size: number,
  stored: number,
): Promise<{ map: SparseMap | undefined; bytes: number }> {
  let text = ''
  let wanted = 1
  let lines: string[] = []
  let bytes = 0
  while (lines.length <= wanted) {
    if (!(wanted <= NUMBERS_MAX) || bytes + BLOCK_BYTES > stored) return { map: undefined, bytes }
    text += (await reader.exactly(BLOCK_BYTES)).toString('latin1')
    bytes += BLOCK_BYTES
    // The last line may be incomplete.
    lines = text.split('\n')
    if (lines.length > 1) wanted = 1 + 2 * parsePaxCount(lines[0] ?? '')
  }
  return { map: mapOf(size, lines.slice(1, wanted).map(parsePaxCount)), bytes }
}
