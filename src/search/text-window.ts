// The end of a text in memory, from some place on, as it goes from version to version: takes in
// what was written of each, and says which bytes became which. Knows bytes alone.

import type { Known } from './boundaries.ts'
import type { Change } from './layout.ts'

/** Bytes that were written at a place of a file. */
export interface Written {
  readonly offset: number
  readonly bytes: Uint8Array
}

/** Bytes compared at a time. */
const BLOCK = 1024

export class TextWindow implements Known {
  start: number
  size: number
  #memory: Buffer

  /** `bytes` are those of a text of `size` from `start` on; they are its own from here on. */
  constructor(start: number, bytes: Buffer, size: number) {
    this.start = start
    this.size = size
    this.#memory = bytes
  }

  get bytes(): Uint8Array {
    return this.#memory.subarray(0, this.size - this.start)
  }

  /** Puts what is before it, from the beginning of the text on. */
  extend(before: Uint8Array): void {
    this.#memory = Buffer.concat([before, this.bytes])
    this.start = 0
  }

  /**
   * Goes on to the next version of that size, for which this was written: in order, and none beyond
   * its size. Returns what that changed; undefined for what leaves holes, or lies before the
   * window.
   */
  advance(written: readonly Written[], size: number): Change[] | undefined {
    const runs = runsOf(written)
    const last = runs.at(-1)
    const end = last === undefined ? 0 : last.offset + last.bytes.length
    if (!isInOrder(runs, this.start, this.size)) return undefined
    if (size < this.start || (size > this.size && end !== size)) return undefined
    const changes: Change[] = []
    for (const run of runs) {
      const isMoving = run === last && end === size
      const change = this.#compare(run, isMoving ? this.size : run.offset + run.bytes.length)
      if (change !== undefined) changes.push(change)
    }
    if (size < this.size && end !== size)
      changes.push({ start: size, oldEnd: this.size, newEnd: size })
    this.#put(runs, size)
    return changes
  }

  /** What differs between a run and what is there up to `oldEnd`; undefined when nothing does. */
  #compare({ offset, bytes }: Written, oldEnd: number): Change | undefined {
    const old = this.#memory.subarray(offset - this.start, oldEnd - this.start)
    const before = commonStart(old, bytes)
    if (before === old.length && before === bytes.length) return undefined
    const behind = commonEnd(old.subarray(before), bytes.subarray(before))
    const newEnd = offset + bytes.length - behind
    return { start: offset + before, oldEnd: oldEnd - behind, newEnd }
  }

  #put(runs: readonly Written[], size: number): void {
    if (size - this.start > this.#memory.length) {
      const memory = Buffer.allocUnsafe(2 * (size - this.start))
      this.#memory.copy(memory, 0, 0, this.size - this.start)
      this.#memory = memory
    }
    this.size = size
    for (const { offset, bytes } of runs) this.#memory.set(bytes, offset - this.start)
  }
}

/** Whether all begin within the text, one behind the other. */
function isInOrder(runs: readonly Written[], start: number, size: number): boolean {
  let next = start
  for (const { offset, bytes } of runs) {
    if (offset < next || offset > size) return false
    next = offset + bytes.length
  }
  return true
}

function commonStart(a: Uint8Array, b: Uint8Array): number {
  const most = Math.min(a.length, b.length)
  let index = 0
  while (index + BLOCK <= most && isSame(a, b, index, index, BLOCK)) index += BLOCK
  while (index < most && a[index] === b[index]) index++
  return index
}

function commonEnd(a: Uint8Array, b: Uint8Array): number {
  const most = Math.min(a.length, b.length)
  let count = 0
  while (
    count + BLOCK <= most &&
    isSame(a, b, a.length - count - BLOCK, b.length - count - BLOCK, BLOCK)
  )
    count += BLOCK
  while (count < most && a[a.length - 1 - count] === b[b.length - 1 - count]) count++
  return count
}

function isSame(a: Uint8Array, b: Uint8Array, fromA: number, fromB: number, size: number): boolean {
  return Buffer.compare(a.subarray(fromA, fromA + size), b.subarray(fromB, fromB + size)) === 0
}

/** Neighbours as one run of bytes each. */
function runsOf(written: readonly Written[]): Written[] {
  const runs: { offset: number; parts: Uint8Array[]; end: number }[] = []
  for (const { offset, bytes } of written) {
    const last = runs.at(-1)
    if (last?.end === offset) {
      last.parts.push(bytes)
      last.end += bytes.length
    } else runs.push({ offset, parts: [bytes], end: offset + bytes.length })
  }
  return runs.map(({ offset, parts }) => {
    const [first, second] = parts
    return {
      offset,
      bytes: second === undefined && first !== undefined ? first : Buffer.concat(parts),
    }
  })
}
