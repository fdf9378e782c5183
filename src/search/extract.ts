// From the bytes of a file to its text, if it is text: the first step of indexing. Knows encodings,
// no words; the caller sees to it that the bytes are not too many.

import { isUtf8 } from 'node:buffer'

/**
 * Bytes that text may have beside its characters: backspace, tab, line feed, vertical tab, form
 * feed, carriage return, escape.
 */
const usualControls = new Set([0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x1b])
const isControl = Uint8Array.from({ length: 256 }, (_, byte) =>
  (byte < 0x20 && !usualControls.has(byte)) || byte === 0x7f ? 1 : 0,
)
/** More other control characters than one in this many bytes: no text. */
const BYTES_A_CONTROL = 32

const encodings = [
  { mark: [0xef, 0xbb, 0xbf], name: 'utf-8' },
  { mark: [0xff, 0xfe], name: 'utf-16le' },
  { mark: [0xfe, 0xff], name: 'utf-16be' },
] as const

/**
 * The text of a file, without its byte-order mark: UTF-8, or UTF-16 with a byte-order mark.
 * Undefined for what is neither, and for what has NUL or many other control characters.
 */
export function textOf(bytes: Uint8Array): string | undefined {
  const encoding = encodings.find(({ mark }) => mark.every((byte, index) => bytes[index] === byte))
  const name = encoding?.name ?? 'utf-8'
  if (name === 'utf-8' && (hasByte(bytes, 0) || hasManyControls(bytes))) return undefined
  const text = decode(bytes, name)
  // In UTF-16 only the text shows them.
  return name !== 'utf-8' && text !== undefined && isBinary(text) ? undefined : text
}

/** Whether a part of a text in UTF-8 is text by itself. */
export function isPlainText(bytes: Uint8Array): boolean {
  return isUtf8(bytes) && !hasByte(bytes, 0) && !hasManyControls(bytes)
}

function decode(bytes: Uint8Array, encoding: string): string | undefined {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}

function isBinary(text: string): boolean {
  return text.includes('\0') || hasManyControls(Buffer.from(text))
}

function hasManyControls(bytes: Uint8Array): boolean {
  const { length } = bytes
  // Four at a time, as far as they are aligned: most of them have none.
  const start = -bytes.byteOffset & 3
  if (length < 8) return countControls(bytes, 0, length) * BYTES_A_CONTROL > length
  const fours = new Int32Array(bytes.buffer, bytes.byteOffset + start, (length - start) >> 2)
  const end = start + 4 * fours.length
  let controls = countControls(bytes, 0, start) + countControls(bytes, end, length)
  for (let index = 0; index < fours.length; index++) {
    const four = fours[index] ?? 0
    // The highest bit of each byte below 0x20, and of each 0x7f; higher bytes may only seem so when
    // a lower one is.
    const low = (four - 0x20202020) & ~four
    const deleted = four ^ 0x7f7f7f7f
    if (((low | ((deleted - 0x01010101) & ~deleted)) & 0x80808080) === 0) continue
    const offset = start + 4 * index
    controls += countControls(bytes, offset, offset + 4)
  }
  return controls * BYTES_A_CONTROL > length
}

function countControls(bytes: Uint8Array, from: number, to: number): number {
  let controls = 0
  // An iterator takes five times as long.
  for (let offset = from; offset < to; offset++) controls += isControl[bytes[offset] ?? 0] ?? 0
  return controls
}

/** Buffers look for a byte many times as fast as other arrays. */
export function hasByte({ buffer, byteOffset, length }: Uint8Array, byte: number): boolean {
  return Buffer.from(buffer, byteOffset, length).includes(byte)
}
