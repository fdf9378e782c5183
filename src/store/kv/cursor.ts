// Reads what writer.ts wrote; the format is described there. Whatever the bytes are, a read ends
// with a value of its type or with StoreError 'corrupt': lengths and numbers are checked before
// they are used.

import { corrupt } from '../store.ts'
import type { Encoding } from './writer.ts'

/** The most bytes that an integer takes in a key. */
const NUMBER_BYTES_MAX = 7

/** A read position in a buffer, which each read advances, up to `end`. */
export class Cursor {
  bytes: Buffer = Buffer.alloc(0)
  at = 0
  end = 0

  /** Moves to bytes [from, to) of a buffer. */
  over(bytes: Buffer, from: number, to: number): this {
    this.bytes = bytes
    this.at = from
    this.end = to
    return this
  }

  /** Checks that the whole key or value has been read. */
  finish(): void {
    if (this.at !== this.end) throw corrupt('a row is too long')
  }

  u8(): number {
    if (this.at >= this.end) throw corrupt('a row is too short')
    return this.bytes[this.at++] as number
  }

  keyUint(): number {
    const value = this.keyInt()
    if (value < 0) throw corrupt('a negative number in a key')
    return value
  }

  keyInt(): number {
    const mark = this.u8() - 8
    const count = Math.abs(mark)
    if (count > NUMBER_BYTES_MAX) throw corrupt('no number in a key')
    this.#need(count)
    const { bytes } = this
    const inversion = mark < 0 ? 0xff : 0
    let magnitude = 0
    for (let i = 0; i < count; i++)
      magnitude = magnitude * 256 + ((bytes[this.at++] as number) ^ inversion)
    // Each number must have its shortest form, so that each row has one key only.
    const shortest = count === 0 || magnitude >= 256 ** (count - 1)
    if (!shortest || magnitude > Number.MAX_SAFE_INTEGER) throw corrupt('a wrong number in a key')
    return mark < 0 ? -magnitude : magnitude
  }

  keyLast(encoding: Encoding): string {
    const text = this.bytes.toString(encoding, this.at, this.end)
    this.at = this.end
    return text
  }

  keyString(encoding: Encoding): string {
    const start = this.at
    const stop = this.#keyStringEnd()
    const plain = this.bytes.toString(encoding, start, stop)
    // NUL is escaped as 0 255. It is so rare that unescaping afterwards is cheapest.
    if (!plain.includes('\0')) return plain
    const bytes: number[] = []
    for (let i = start; i < stop; i++) {
      bytes.push(this.bytes[i] as number)
      if (this.bytes[i] === 0) i++
    }
    return Buffer.from(bytes).toString(encoding)
  }

  /** Advances past a string and its end mark; returns where that mark begins. */
  #keyStringEnd(): number {
    const { bytes, end } = this
    for (let at = this.at; at + 1 < end; at++) {
      if (bytes[at] !== 0) continue
      if (bytes[at + 1] === 0) {
        this.at = at + 2
        return at
      }
      if (bytes[at + 1] !== 0xff) break
      at++
    }
    throw corrupt('a string without an end in a key')
  }

  uint(): number {
    const value = this.#varint(1)
    if (value > Number.MAX_SAFE_INTEGER) throw corrupt('a number that is too large')
    return value
  }

  int(): number {
    const first = this.u8()
    const low = (first >>> 1) & 63
    const magnitude = first < 128 ? low : low + this.#varint(64)
    if (magnitude > Number.MAX_SAFE_INTEGER) throw corrupt('a number that is too large')
    return (first & 1) === 0 || magnitude === 0 ? magnitude : -magnitude
  }

  #varint(scale: number): number {
    let value = 0
    for (let weight = scale; weight <= Number.MAX_SAFE_INTEGER; weight *= 128) {
      const byte = this.u8()
      value += (byte & 0x7f) * weight
      if (byte < 128) return value
    }
    throw corrupt('a number without an end')
  }

  string(encoding: Encoding): string {
    const start = this.#take(this.uint())
    return this.bytes.toString(encoding, start, this.at)
  }

  /** A copy. */
  blob(): Buffer | null {
    const mark = this.uint()
    if (mark === 0) return null
    const start = this.#take(mark - 1)
    return Buffer.from(this.bytes.subarray(start, this.at))
  }

  blobFlag(): boolean {
    const flag = this.u8()
    if (flag > 1) throw corrupt('a flag that is none')
    return flag === 1
  }

  /** A u32 of a packed entry (engine.ts). */
  u32(): number {
    this.#need(4)
    const value = this.bytes.readUInt32LE(this.at)
    this.at += 4
    return value
  }

  skipUint(): void {
    while (this.u8() >= 128);
  }

  skipInt(): void {
    while (this.u8() >= 128);
  }

  skipString(): void {
    this.#take(this.uint())
  }

  skipBlob(): void {
    const mark = this.uint()
    if (mark > 0) this.#take(mark - 1)
  }

  /** Advances past `count` bytes and returns where they begin. */
  #take(count: number): number {
    this.#need(count)
    const start = this.at
    this.at += count
    return start
  }

  #need(count: number): void {
    if (count > this.end - this.at) throw corrupt('a row is too short')
  }
}
