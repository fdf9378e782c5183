// Where a text may be parted so that its words are the same on both sides, and how much of it holds
// so many words: for texts that are kept in pieces. Knows bytes of UTF-8 and words, no files.

import { countWords } from './analyze.ts'
import { CONTEXT_WORDS } from './engine.ts'
import { asciiClasses, CONNECTOR, classOf, MARK, SEPARATOR, UNSPACED } from './fold.ts'

/** The bytes of a text from `start` on, to its end at `size`. */
export interface Known {
  readonly start: number
  readonly bytes: Uint8Array
  readonly size: number
}

/** More of the text must be known. */
export class OutOfWindow extends Error {}

/** How far a space is looked for, and then another end of a word. */
const NEAR_BYTES = 256
const FAR_BYTES = 4096
/** Bytes that hold the words as a rule. */
const CONTEXT_BYTES = 192
const ESCAPE = 0x1b

/**
 * The nearest offset at or before `offset` where no word goes on; undefined where there is none
 * near.
 */
export function boundaryBefore(text: Known, offset: number): number | undefined {
  return nearest(text, offset, -1)
}

/** The same at or behind `offset`. */
export function boundaryAfter(text: Known, offset: number): number | undefined {
  return nearest(text, offset, 1)
}

/** A boundary before `offset`, so that CONTEXT_WORDS lie between, or the text's beginning. */
export function contextBefore(text: Known, offset: number): number | undefined {
  for (let distance = CONTEXT_BYTES; ; distance *= 2) {
    const from = boundaryBefore(text, Math.max(0, offset - distance))
    if (from === undefined || from === 0 || hasContext(text, from, offset)) return from
  }
}

/** A boundary behind `offset`, so that CONTEXT_WORDS lie between, or the text's end. */
export function contextAfter(text: Known, offset: number): number | undefined {
  for (let distance = CONTEXT_BYTES; ; distance *= 2) {
    const to = boundaryAfter(text, Math.min(text.size, offset + distance))
    if (to === undefined || to === text.size || hasContext(text, offset, to)) return to
  }
}

/** The bytes of [from, to), as they are in memory. */
export function slice({ start, bytes }: Known, from: number, to: number): Buffer {
  if (from < start) throw new OutOfWindow()
  return Buffer.from(bytes.buffer, bytes.byteOffset + from - start, to - from)
}

function hasContext(text: Known, from: number, to: number): boolean {
  const bytes = slice(text, from, to)
  return hasRuns(bytes, CONTEXT_WORDS) || countWords(bytes.toString()) >= CONTEXT_WORDS
}

/**
 * Whether so many runs of ASCII end in it that hold a letter or a digit: each is a word or more.
 * False where that is not sure.
 */
function hasRuns(bytes: Uint8Array, count: number): boolean {
  let runs = 0
  let isWord = false
  for (const byte of bytes) {
    if (byte >= 0x80 || byte === ESCAPE) return false
    const found = asciiClasses[byte]
    if (found === SEPARATOR && isWord) runs++
    isWord = found !== SEPARATOR && (isWord || found !== CONNECTOR)
  }
  return runs >= count
}

function nearest(text: Known, offset: number, step: 1 | -1): number | undefined {
  return (
    search(text, offset, step, NEAR_BYTES, isAtSpace) ??
    search(text, offset, step, FAR_BYTES, isBetweenWords) ??
    search(text, offset, step, FAR_BYTES, isBetweenUnspaced)
  )
}

function search(
  text: Known,
  offset: number,
  step: 1 | -1,
  distanceMax: number,
  isFound: (text: Known, offset: number, step: 1 | -1) => boolean,
): number | undefined {
  for (let position = offset, left = distanceMax; left >= 0; position += step, left--) {
    // Where another text ends that has the same before, or begins that has the same behind, a word
    // of it may go on.
    if (position === (step < 0 ? 0 : text.size)) return position
    if (position <= text.start) throw new OutOfWindow()
    if (isFound(text, position, step)) return position
  }
  return undefined
}

/**
 * A space before what comes next, or behind what came before: both texts that share that side have
 * it.
 */
function isAtSpace({ start, bytes }: Known, offset: number, step: 1 | -1): boolean {
  const byte = bytes[(step < 0 ? offset - 1 : offset) - start] ?? 0
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d)
}

function isBetweenWords(text: Known, offset: number, step: 1 | -1): boolean {
  const [before, after] = around(text, offset)
  if (before === undefined || after === undefined || classOf(after) === MARK) return false
  const shared = step < 0 ? before : after
  return shared !== ESCAPE && classOf(shared) === SEPARATOR && !isInEscape(text, offset)
}

function isBetweenUnspaced(text: Known, offset: number): boolean {
  const [before, after] = around(text, offset)
  const isUnspaced = (codePoint = 0): boolean => classOf(codePoint) === UNSPACED
  return isUnspaced(before) && isUnspaced(after)
}

/** Whether a sequence that steers a terminal may go on here. */
function isInEscape({ start, bytes }: Known, offset: number): boolean {
  return bytes.subarray(Math.max(0, offset - start - 64), offset - start).includes(ESCAPE)
}

/** The characters before and behind an offset; undefined within one. */
function around({ start, bytes }: Known, offset: number): [number | undefined, number | undefined] {
  const position = offset - start
  if (isContinuation(bytes[position])) return [undefined, undefined]
  let from = position - 1
  while (from > 0 && position - from < 4 && isContinuation(bytes[from])) from--
  return [characterAt(bytes, from), characterAt(bytes, position)]
}

function isContinuation(byte = 0): boolean {
  return (byte & 0xc0) === 0x80
}

function characterAt(bytes: Uint8Array, offset: number): number | undefined {
  const first = bytes[offset] ?? 0
  if (first < 0x80) return first
  const length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
  const text = Buffer.from(
    bytes.buffer,
    bytes.byteOffset + offset,
    Math.min(length, bytes.length - offset),
  )
  return text.toString().codePointAt(0)
}
