// From bytes to words, by way of their text or, where they are ASCII, without.

import { isAscii } from 'node:buffer'
import { wordsOf } from './analyze.ts'
import { asciiWordsOf } from './ascii-words.ts'
import type { Words } from './engine.ts'
import { hasByte, isPlainText, textOf } from './extract.ts'

const ESCAPE = 0x1b

/** What cuts the content of a file into words; undefined where it is no text. */
export function bodyOf(bytes: Uint8Array): (() => Words) | undefined {
  if (isPlainAscii(bytes)) return isPlainText(bytes) ? () => asciiWordsOf(bytes) : undefined
  const text = textOf(bytes)
  return text === undefined ? undefined : () => wordsOf(text)
}

/** The words of a name, a path, a part of a text: bytes in UTF-8. */
export function wordsOfBytes(bytes: Uint8Array): Words {
  if (isPlainAscii(bytes)) return asciiWordsOf(bytes)
  return wordsOf(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString())
}

/** Without sequences for the terminal, too. */
function isPlainAscii(bytes: Uint8Array): boolean {
  return isAscii(bytes) && !hasByte(bytes, ESCAPE)
}
