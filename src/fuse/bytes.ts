// Bytes under an ArrayBuffer, with the two methods of Buffer that make and take byte strings
// fastest: they are Node's own beneath toString('latin1') and write(..., 'latin1'), without the
// look at the encoding's name.

export interface Bytes extends Buffer {
  latin1Slice(start: number, end: number): string
  /** Returns the number of bytes written: fewer than the string's where the buffer ends. */
  latin1Write(value: string, offset: number): number
}

/** The buffer itself, not a copy. */
export function bytesOf(buffer: ArrayBuffer): Bytes {
  return Buffer.from(buffer) as Buffer as Bytes
}
