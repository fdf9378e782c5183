// From the bytes of a file to its text, if it is text: the first step of indexing. Knows encodings, no words; the caller sees to
// it that the bytes are not too many.

import { isUtf8 } from 'node:buffer'

/** Bytes that text may have beside its characters: backspace, tab, line feed, vertical tab, form feed, carriage return, escape. */
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
 * The text of a file, without its byte-order mark: UTF-8, or UTF-16 with a byte-order mark. Undefined for what is neither, and
 * for what has NUL or many other control characters.
 */
export function textOf(bytes: Uint8Array): string | undefined {
  const encoding = encodings.find(({ mark }) => mark.every((byte, index) => bytes[index] === byte))
  const name = encoding?.name ?? 'utf-8'
  if (name === 'utf-8' && (bytes.includes(0) || hasManyControls(bytes))) return undefined
  const text = decode(bytes, name)
  // In UTF-16 only the text shows them.
  return name !== 'utf-8' && text !== undefined && isBinary(text) ? undefined : text
}

/** Whether a part of a text in UTF-8 is text by itself. */
export function isPlainText(bytes: Uint8Array): boolean {
  return isUtf8(bytes) && !bytes.includes(0) && !hasManyControls(bytes)
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
  let controls = 0
  // An iterator takes five times as long.
  for (let at = 0; at < bytes.length; at++) controls += isControl[bytes[at] ?? 0] ?? 0
  return controls * BYTES_A_CONTROL > bytes.length
}
