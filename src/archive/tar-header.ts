// Encodes and decodes tar headers and pax records as in POSIX.1-2017 (pax, "ustar Interchange
// Format") and GNU tar. Text is byte strings. Knows single headers, nothing of trees.
//
//   0 name 100   100 mode 8   108 uid 8   116 gid 8   124 size 12   136 mtime 12   148 checksum 8
//   156 type 1   157 linkname 100
//   257 magic 8   265 uname 32   297 gname 32   329 devmajor 8   337 devminor 8   345 prefix 155

import { ArchiveError } from './errors.ts'

export const BLOCK_BYTES = 512

export interface TarHeader {
  readonly name: string
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly size: number
  /** Whole seconds. */
  readonly mtime: number
  /**
   * One char: '0' file, '1' hard link, '2' symlink, '3' and '4' devices, '5' directory, '6' FIFO,
   * 'x' 'g' pax, 'L' 'K' GNU.
   */
  readonly type: string
  readonly linkname: string
  readonly major: number
  readonly minor: number
}

/** The largest values that fit the octal digits of a field. */
const UID_MAX = 0o7777777
export const SIZE_MAX = 0o77777777777

/** Number of padding bytes up to the next block. */
export function paddingOf(size: number): number {
  return (BLOCK_BYTES - (size % BLOCK_BYTES)) % BLOCK_BYTES
}

/** Names longer than 100 bytes are cut; the full name belongs in a pax record before the header. */
export function encodeHeader(header: TarHeader): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES)
  block.write(header.name.slice(0, 100), 0, 'latin1')
  octal(block, 100, 8, header.mode & 0o7777)
  octal(block, 108, 8, header.uid > UID_MAX ? 0 : header.uid)
  octal(block, 116, 8, header.gid > UID_MAX ? 0 : header.gid)
  octal(block, 124, 12, header.size > SIZE_MAX ? 0 : header.size)
  octal(block, 136, 12, header.mtime < 0 || header.mtime > SIZE_MAX ? 0 : header.mtime)
  block.write(header.type, 156, 'latin1')
  block.write(header.linkname.slice(0, 100), 157, 'latin1')
  block.write('ustar\x0000', 257, 'latin1')
  octal(block, 329, 8, header.major & UID_MAX)
  octal(block, 337, 8, header.minor & UID_MAX)
  block.fill(' ', 148, 156)
  block.write(`${checksumOf(block).toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return block
}

function octal(block: Buffer, at: number, length: number, value: number): void {
  block.write(value.toString(8).padStart(length - 1, '0'), at, 'latin1')
}

function checksumOf(block: Buffer): number {
  let sum = 0
  for (let at = 0; at < BLOCK_BYTES; at++) sum += at >= 148 && at < 156 ? 32 : (block[at] as number)
  return sum
}

/**
 * Decodes a block; undefined for a block of zeros, which ends an archive. Throws ArchiveError if it
 * is not a header.
 */
export function decodeHeader(block: Buffer): TarHeader | undefined {
  const sum = checksumOf(block)
  if (sum === 8 * 32 && block[0] === 0) return undefined
  if (number(block, 148, 8) !== sum)
    throw new ArchiveError('this is no tar archive, or it is damaged')
  const isUstar = block.toString('latin1', 257, 262) === 'ustar'
  // GNU tar's own format uses the bytes of the prefix for other fields.
  const isGnu = block.toString('latin1', 257, 265) === 'ustar  \0'
  const prefix = isUstar && !isGnu ? text(block, 345, 155) : ''
  const name = text(block, 0, 100)
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    mode: bitsOf(number(block, 100, 8)),
    uid: number(block, 108, 8),
    gid: number(block, 116, 8),
    size: number(block, 124, 12),
    mtime: number(block, 136, 12),
    type: block[156] === 0 ? '0' : block.toString('latin1', 156, 157),
    linkname: text(block, 157, 100),
    major: number(block, 329, 8),
    minor: number(block, 337, 8),
  }
}

/** NaN stays NaN. */
function bitsOf(mode: number): number {
  return Number.isNaN(mode) ? mode : mode & 0o7777
}

function text(block: Buffer, at: number, length: number): string {
  const bytes = block.toString('latin1', at, at + length)
  const end = bytes.indexOf('\0')
  return end < 0 ? bytes : bytes.slice(0, end)
}

/**
 * Octal digits, or a number in base 256 if the first bit is set; blanks are 0, anything else NaN.
 */
export function number(block: Buffer, at: number, length: number): number {
  const first = block[at] as number
  if (first < 0x80) {
    const field = block.toString('latin1', at, at + length)
    const digits = /^[ \0]*([0-7]*)(?:[ \0]|$)/.exec(field)?.[1]
    if (digits === undefined) return Number.NaN
    return digits === '' ? 0 : Number.parseInt(digits, 8)
  }
  let value = first === 0xff ? -1 : first & 0x7f
  for (let next = at + 1; next < at + length; next++) value = value * 256 + (block[next] as number)
  return value
}

/** Encodes records of a pax header, each 'LENGTH KEY=VALUE\n', where LENGTH includes itself. */
export function encodePax(records: Iterable<readonly [key: string, value: string]>): Buffer {
  let bytes = ''
  for (const [key, value] of records) {
    const rest = ` ${key}=${value}\n`
    let length = rest.length + 1
    while (String(length).length + rest.length !== length)
      length = String(length).length + rest.length
    bytes += length + rest
  }
  return Buffer.from(bytes, 'latin1')
}

/**
 * The records of a pax header, in order; a key may occur more than once. Throws ArchiveError for
 * invalid ones.
 */
export function decodePax(bytes: Buffer): [key: string, value: string][] {
  const found: [string, string][] = []
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at)
    const length = space < 0 ? 0 : Number(bytes.toString('latin1', at, space))
    const end = at + length
    const equals = bytes.indexOf(0x3d, space)
    const isWhole = length > 0 && end <= bytes.length && equals > 0 && equals < end
    if (!isWhole || bytes[end - 1] !== 0x0a) throw new ArchiveError('its pax header is damaged')
    const key = bytes.toString('latin1', space + 1, equals)
    found.push([key, bytes.toString('latin1', equals + 1, end - 1)])
    at = end
  }
  return found
}

/** Seconds and nanoseconds in pax notation: '-1.500000000'. */
export function paxTime(sec: number, ns: number): string {
  if (ns === 0) return String(sec)
  const [whole, part] = sec < 0 ? [sec + 1, 1_000_000_000 - ns] : [sec, ns]
  const sign = sec < 0 && whole === 0 ? '-' : ''
  return `${sign}${whole}.${String(part).padStart(9, '0')}`
}

export interface PaxTime {
  readonly sec: number
  readonly ns: number
}

/** Parses a whole number of a pax record; NaN for anything else. */
export function parsePaxCount(value: string): number {
  return /^\d+$/.test(value) ? Number(value) : Number.NaN
}

/** Parses a time in pax notation, of any program; its seconds are NaN if it is invalid. */
export function parsePaxTime(value: string): PaxTime {
  const [, sign, whole, part = ''] = /^(-?)(\d+)(?:\.(\d*))?$/.exec(value) ?? []
  if (whole === undefined) return { sec: Number.NaN, ns: 0 }
  const ns = Number(part.slice(0, 9).padEnd(9, '0'))
  if (sign !== '-') return { sec: Number(whole), ns }
  return ns === 0
    ? { sec: 0 - Number(whole), ns: 0 }
    : { sec: -Number(whole) - 1, ns: 1_000_000_000 - ns }
}

/** True if values do not fit the header's own fields. */
export function needsPax(header: TarHeader): boolean {
  return header.uid > UID_MAX || header.gid > UID_MAX || header.size > SIZE_MAX
}
