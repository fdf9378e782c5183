// Decompresses Snappy's raw format, in which LevelDB stores the index blocks of its tables.
// https://github.com/google/snappy/blob/main/format_description.txt

/** The decompressed bytes. Throws RangeError for invalid input. */
export function unsnappy(packed: Buffer): Buffer {
  let at = 0
  let size = 0
  for (let weight = 1; ; weight *= 128) {
    const byte = packed.readUInt8(at++)
    size += (byte & 0x7f) * weight
    if (byte < 128) break
  }
  // No valid input has a higher compression ratio.
  if (size > packed.length * 64) throw new RangeError('a packed block is damaged')
  const plain = Buffer.allocUnsafe(size)
  let end = 0
  while (at < packed.length) {
    const tag = packed.readUInt8(at++)
    const kind = tag & 3
    let length: number
    if (kind === 0) {
      length = (tag >>> 2) + 1
      if (length > 60) {
        const bytes = length - 60
        length = packed.readUIntLE(at, bytes) + 1
        at += bytes
      }
      if (at + length > packed.length || end + length > size)
        throw new RangeError('a packed block is damaged')
      packed.copy(plain, end, at, at + length)
      at += length
      end += length
      continue
    }
    let back: number
    if (kind === 1) {
      length = ((tag >>> 2) & 7) + 4
      back = ((tag >>> 5) << 8) | packed.readUInt8(at++)
    } else {
      length = (tag >>> 2) + 1
      const bytes = kind === 2 ? 2 : 4
      back = packed.readUIntLE(at, bytes)
      at += bytes
    }
    if (back === 0 || back > end || end + length > size)
      throw new RangeError('a packed block is damaged')
    // Byte by byte: a copy may overlap with what it writes.
    for (const stop = end + length; end < stop; end++) plain[end] = plain[end - back] as number
  }
  if (end !== size) throw new RangeError('a packed block is cut short')
  return plain
}
