// Where a text may be parted so that its words are the same on both sides, and how much of it holds so many words: for texts
// that are kept in pieces. Knows bytes of UTF-8 and words, no files.

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

/** The nearest place at or before `at` where no word goes on; undefined where there is none near. */
export function boundaryBefore(text: Known, at: number): number | undefined {
  return nearest(text, at, -1)
}

/** The same at or behind `at`. */
export function boundaryAfter(text: Known, at: number): number | undefined {
  return nearest(text, at, 1)
}

/** A boundary before `at`, so that CONTEXT_WORDS lie between, or the text's beginning. */
export function contextBefore(text: Known, at: number): number | undefined {
  for (let distance = CONTEXT_BYTES; ; distance *= 2) {
    const from = boundaryBefore(text, Math.max(0, at - distance))
    if (from === undefined || from === 0 || hasContext(text, from, at)) return from
  }
}

/** A boundary behind `at`, so that CONTEXT_WORDS lie between, or the text's end. */
export function contextAfter(text: Known, at: number): number | undefined {
  for (let distance = CONTEXT_BYTES; ; distance *= 2) {
    const to = boundaryAfter(text, Math.min(text.size, at + distance))
    if (to === undefined || to === text.size || hasContext(text, at, to)) return to
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

/** Whether so many runs of ASCII end in it that hold a letter or a digit: each is a word or more. False where that is not sure. */
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

function nearest(text: Known, at: number, step: 1 | -1): number | undefined {
  return (
    search(text, at, step, NEAR_BYTES, isAtSpace) ??
    search(text, at, step, FAR_BYTES, isBetweenWords) ??
    search(text, at, step, FAR_BYTES, isBetweenUnspaced)
  )
}

function search(
  text: Known,
  at: number,
  step: 1 | -1,
  reach: number,
  isFound: (text: Known, at: number, step: 1 | -1) => boolean,
): number | undefined {
  for (let place = at, left = reach; left >= 0; place += step, left--) {
    // Where another text ends that has the same before, or begins that has the same behind, a word of it may go on.
    if (place === (step < 0 ? 0 : text.size)) return place
    if (place <= text.start) throw new OutOfWindow()
    if (isFound(text, place, step)) return place
  }
  return undefined
}

/** A space before what comes next, or behind what came before: both texts that share that side have it. */
function isAtSpace({ start, bytes }: Known, at: number, step: 1 | -1): boolean {
  const byte = bytes[(step < 0 ? at - 1 : at) - start] ?? 0
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d)
}

function isBetweenWords(text: Known, at: number, step: 1 | -1): boolean {
  const [before, after] = around(text, at)
  if (before === undefined || after === undefined || classOf(after) === MARK) return false
  const shared = step < 0 ? before : after
  return shared !== ESCAPE && classOf(shared) === SEPARATOR && !isInEscape(text, at)
}

function isBetweenUnspaced(text: Known, at: number): boolean {
  const [before, after] = around(text, at)
  const isUnspaced = (codePoint = 0): boolean => classOf(codePoint) === UNSPACED
  return isUnspaced(before) && isUnspaced(after)
}

/** Whether a sequence that steers a terminal may go on here. */
function isInEscape({ start, bytes }: Known, at: number): boolean {
  return bytes.subarray(Math.max(0, at - start - 64), at - start).includes(ESCAPE)
}

/** The characters before and behind a place; undefined within one. */
function around({ start, bytes }: Known, at: number): [number | undefined, number | undefined] {
  const place = at - start
  if (isContinuation(bytes[place])) return [undefined, undefined]
  let from = place - 1
  while (from > 0 && place - from < 4 && isContinuation(bytes[from])) from--
  return [characterAt(bytes, from), characterAt(bytes, place)]
}

function isContinuation(byte = 0): boolean {
  return (byte & 0xc0) === 0x80
}

function characterAt(bytes: Uint8Array, at: number): number | undefined {
  const first = bytes[at] ?? 0
  if (first < 0x80) return first
  const length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + at, Math.min(length, bytes.length - at))
  return text.toString().codePointAt(0)
}
