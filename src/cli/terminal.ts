// What names and other people's text look like on a terminal: nothing in them steers it, or passes
// for a line of avfs. Names are quoted as GNU ls does it (--quoting-style=shell-escape), so that a
// shell takes them back. Into files and pipes all goes as it is.

import type { WriteStream } from 'node:tty'
import { toBytes, toText } from '../control/wire/byte-strings.ts'

type Output = Pick<WriteStream, 'isTTY'>

/**
 * What a shell would not take as it is: blanks, its own signs, what it expands at the beginning of
 * a word.
 */
const special = /[\s!"$&'()*;<=>?[\\^`|]|^[#~]|^[{}]$|^$/
/** A character of UTF-8 after the other, or a byte that is of none. */
const character =
  /[\0-\x7f]|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}|[\x80-\xff]/g
/** A control character, or a byte that is none. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const unseen = /^(?:[\0-\x1f\x7f]|\xc2[\x80-\x9f]|[\x80-\xff])$/
/** What is put in double quotes when there is a single one in it. */
const plainBesideQuote = /^[#~]?[\w '%+,./:@\]\u0080-\u{10ffff}-]*$/u
const letters: Readonly<Record<string, string>> = {
  '\x07': '\\a',
  '\b': '\\b',
  '\t': '\\t',
  '\n': '\\n',
  '\v': '\\v',
  '\f': '\\f',
  '\r': '\\r',
}

/** A name for people, a byte string: quoted where it is written to a terminal and needs it. */
export function shownName(bytes: string, output: Output = process.stdout): string {
  return output.isTTY ? quotedName(bytes) : toText(bytes)
}

/**
 * The same as bytes for standard output, with what follows it: as it is where that is no terminal,
 * UTF-8 or not.
 */
export function bytesShown(bytes: string, end: string): Buffer {
  const name = process.stdout.isTTY ? toBytes(quotedName(bytes)) : bytes
  return Buffer.from(`${name}${end}`, 'latin1')
}

/** The same of a name that is text already. */
export function shownText(name: string, output: Output = process.stdout): string {
  return output.isTTY ? quotedName(toBytes(name)) : name
}

/** A byte string as GNU ls quotes it on a terminal. */
export function quotedName(bytes: string): string {
  const text = toText(bytes)
  const chars = bytes.match(character) ?? []
  if (!chars.some((char) => unseen.test(char))) {
    if (!special.test(text)) return text
    if (!text.includes("'")) return `'${text}'`
    if (plainBesideQuote.test(text)) return `"${text}"`
  }
  let quoted = ''
  let isEscaped = false
  for (const char of chars) {
    const isUnseen = unseen.test(char)
    if (isUnseen && !isEscaped) quoted += "'$'"
    // A quote ends what was escaped by itself.
    else if (isEscaped && !isUnseen && char !== "'") quoted += "''"
    isEscaped = isUnseen
    quoted += isUnseen ? escaped(char) : char === "'" ? "'\\''" : char
  }
  return `'${toText(quoted)}'`
}

function escaped(char: string): string {
  const octal = (byte: string): string => `\\${byte.charCodeAt(0).toString(8).padStart(3, '0')}`
  return letters[char] ?? [...char].map(octal).join('')
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const steering = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g

/**
 * Text for a terminal in which no control character but tabs and ends of lines is left: they are
 * shown as \uXXXX.
 */
export function visible(text: string, output: Output): string {
  if (!output.isTTY) return text
  return text.replace(steering, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
