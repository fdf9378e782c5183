// Bytes and texts that are nearly valid: valid ones, changed in a few places. Pure; random by seed.

import type { Random } from '../support/random.ts'

const odd32 = [0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff]
const oddNumbers = [
  '0',
  '-1',
  '1e308',
  '9007199254740993',
  '18446744073709551616',
  'NaN',
  '-0',
  '0.5',
  '',
  '00',
  '+7',
]
const oddChars = [
  '\0',
  '\n',
  '\r',
  '\t',
  '\x1b',
  '\x7f',
  '"',
  "'",
  '\\',
  '/',
  '..',
  '.',
  '~',
  '%',
  ' ',
  '\ud800',
  '\u202e',
  '\u0130',
  '\ufffd',
  '\ufeff',
  '\ud83d\ude00',
  'e\u0301',
  '{',
  '}',
  '[',
  ']',
  '(',
  ')',
  '*',
  ':',
  '-',
  ',',
]

/**
 * A copy with up to `most` changes: bytes, numbers, stretches that go, come twice or swap places.
 */
export function mutated(bytes: Buffer, random: Random, most = 4): Buffer {
  let now: Buffer = Buffer.from(bytes)
  for (let changes = 1 + random.below(most); changes > 0; changes--) now = changed(now, random)
  return now
}

function changed(bytes: Buffer, random: Random): Buffer {
  if (bytes.length === 0) return random.bytes(1 + random.below(20))
  const at = random.below(bytes.length)
  const length = 1 + random.below(Math.min(bytes.length - at, random.pick([1, 8, 100, 5000])))
  switch (random.below(9)) {
    case 0:
      bytes[at] = random.below(256)
      return bytes
    case 1:
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8))
      return bytes
    case 2:
      if (bytes.length >= 4) bytes.writeUInt32LE(random.pick(odd32), random.below(bytes.length - 3))
      return bytes
    case 3:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)])
    case 4:
      return Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at)])
    case 5:
      return Buffer.concat([bytes.subarray(0, at), random.bytes(length), bytes.subarray(at)])
    case 6:
      bytes.copyWithin(random.below(bytes.length), at, at + length)
      return bytes
    case 7:
      return withNumber(bytes, at, random)
    default:
      return random.below(3) === 0
        ? Buffer.from(bytes.subarray(0, at))
        : withNumber(bytes, at, random)
  }
}

/** The next run of digits behind a place becomes another number. */
function withNumber(bytes: Buffer, from: number, random: Random): Buffer {
  const isDigit = (byte: number | undefined): boolean =>
    byte !== undefined && byte >= 48 && byte <= 57
  let start = from
  while (start < bytes.length && !isDigit(bytes[start])) start++
  let end = start
  while (isDigit(bytes[end])) end++
  const number = Buffer.from(random.pick(oddNumbers))
  return Buffer.concat([bytes.subarray(0, start), number, bytes.subarray(end)])
}

/** A text of pieces, most of which mean something to who reads it. */
export function textOf(pieces: readonly string[], random: Random, most = 12): string {
  let text = ''
  for (let count = random.below(most + 1); count > 0; count--)
    text += random.below(6) === 0 ? random.pick(oddChars) : random.pick(pieces)
  // Long ones meet the limits.
  if (random.below(50) === 0) text = text.repeat(1 + random.below(2000))
  return text
}

/** A value of JSON, with some of `values` within it. */
export function randomJson(values: readonly unknown[], random: Random, depth = 0): unknown {
  const kind = random.below(depth > 3 ? 6 : 9)
  if (kind < 3) return random.pick(values)
  if (kind === 3) return random.pick([null, true, false, 0, -1, 1.5, 2 ** 53, 1e300, -0])
  if (kind === 4) return random.pick(oddChars).repeat(random.below(4))
  if (kind === 5) return random.pick(oddNumbers)
  const parts = Array.from({ length: random.below(4) }, () => randomJson(values, random, depth + 1))
  if (kind < 8) return parts
  const keys = [
    'ago',
    'wall',
    'nth',
    'snapshot',
    'version',
    'before',
    '__proto__',
    'constructor',
    'path',
    '',
  ]
  return Object.fromEntries(parts.map((part) => [random.pick(keys), part]))
}
