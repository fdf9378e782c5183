// Bytes written to one chunk of a file that are not extents yet: non-overlapping pieces, sorted by
// start. Pure functions over an array; offsets are those of the file.

import { takeBytes } from './buffer-pool.ts'

/** Written bytes, beginning at offset `start` of the file. */
export interface BufferedWrite {
  readonly start: number
  readonly bytes: Uint8Array
}

/** Adds newer bytes, which replace what they cover of older pieces. */
export function bufferWrite(pieces: BufferedWrite[], piece: BufferedWrite): void {
  const last = pieces[pieces.length - 1]
  if (last === undefined || last.start + last.bytes.length <= piece.start) {
    pieces.push(piece)
    return
  }
  cutWrites(pieces, piece.start, piece.start + piece.bytes.length)
  let at = pieces.length
  while (at > 0 && (pieces[at - 1] as BufferedWrite).start > piece.start) at--
  pieces.splice(at, 0, piece)
}

/** Drops the bytes of [from, to). */
export function cutWrites(pieces: BufferedWrite[], from: number, to: number): void {
  for (let at = pieces.length - 1; at >= 0; at--) {
    const { start, bytes } = pieces[at] as BufferedWrite
    const end = start + bytes.length
    if (end <= from) return
    if (start >= to) continue
    const kept: BufferedWrite[] = []
    if (start < from) kept.push({ start, bytes: bytes.subarray(0, from - start) })
    if (end > to) kept.push({ start: to, bytes: bytes.subarray(to - start) })
    pieces.splice(at, 1, ...kept)
  }
}

/** Merges adjacent pieces into runs. */
export function mergedRuns(pieces: readonly BufferedWrite[]): BufferedWrite[] {
  const runs: BufferedWrite[] = []
  for (let at = 0; at < pieces.length; ) {
    const { start } = pieces[at] as BufferedWrite
    let end = start
    let next = at
    while (next < pieces.length && (pieces[next] as BufferedWrite).start === end)
      end += (pieces[next++] as BufferedWrite).bytes.length
    if (next === at + 1) runs.push(pieces[at] as BufferedWrite)
    else {
      const bytes = takeBytes(end - start)
      for (; at < next; at++) {
        const piece = pieces[at] as BufferedWrite
        bytes.set(piece.bytes, piece.start - start)
      }
      runs.push({ start, bytes })
    }
    at = next
  }
  return runs
}
