// Sparse files in tar archives, in the four ways in which GNU tar has written them: its own old format (type S), and pax 0.0, 0.1
// and 1.0. Where the data lies comes before the data, in a header or (1.0) in the first blocks of the content.

import type { ByteReader } from './byte-reader.ts'
import { BLOCK_BYTES, number } from './tar-header.ts'

export interface SparseFile {
  readonly size: number
  /** [offset, length] of the data; undefined: the content begins with it (`readMap`). */
  readonly map: readonly (readonly [number, number])[] | undefined
}

const RUNS_MAX = 1_000_000

/**
 * What a header says of holes; undefined when it is no sparse file. `pairs` are the GNU.sparse.offset and .numbytes records in their
 * order. Reads on where the old format goes on in further blocks.
 */
export async function sparseOf(
  reader: ByteReader,
  type: string,
  block: Buffer,
  pax: ReadonlyMap<string, string>,
  pairs: readonly (readonly [string, string])[],
): Promise<SparseFile | undefined> {
  if (type === 'S') return await oldSparse(reader, block)
  if (pax.get('GNU.sparse.major') === '1')
    return { size: Number(pax.get('GNU.sparse.realsize')), map: undefined }
  const size = pax.get('GNU.sparse.size')
  if (size === undefined) return undefined
  const list = pax.get('GNU.sparse.map')?.split(',') ?? pairs.map(([, value]) => value)
  return { size: Number(size), map: inPairs(list.map(Number)) }
}

function inPairs(numbers: readonly number[]): [number, number][] {
  const map: [number, number][] = []
  for (let at = 0; at + 1 < numbers.length; at += 2)
    map.push([numbers[at] as number, numbers[at + 1] as number])
  if (!map.flat().every((each) => Number.isSafeInteger(each) && each >= 0))
    throw new Error('the map of a sparse file is damaged')
  return map
}

async function oldSparse(reader: ByteReader, block: Buffer): Promise<SparseFile> {
  const numbers = fieldsOf(block, 386, 4)
  const size = number(block, 483, 12)
  let goesOn = block[482] !== 0
  while (goesOn) {
    const next = await reader.exactly(BLOCK_BYTES)
    if (next === undefined || numbers.length > 2 * RUNS_MAX)
      throw new Error('the map of a sparse file is damaged')
    numbers.push(...fieldsOf(next, 0, 21))
    goesOn = next[504] !== 0
  }
  return { size, map: inPairs(numbers) }
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

/** The map at the beginning of a file of format 1.0: a count, then offsets and lengths, a line each. `bytes`: what it took. */
export async function readMap(
  reader: ByteReader,
): Promise<{ map: [number, number][]; bytes: number }> {
  let text = ''
  let wanted = 1
  let lines: string[] = []
  let bytes = 0
  while (lines.length <= wanted) {
    const block = await reader.exactly(BLOCK_BYTES)
    if (block === undefined) throw new Error('the archive ends too early')
    bytes += BLOCK_BYTES
    text += block.toString('latin1')
    // The last part may be half a number.
    lines = text.split('\n')
    if (lines.length > 1) wanted = 1 + 2 * Number(lines[0])
    if (!(wanted <= 2 * RUNS_MAX)) throw new Error('the map of a sparse file is damaged')
  }
  return { map: inPairs(lines.slice(1, wanted).map(Number)), bytes }
}
