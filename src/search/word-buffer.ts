// Words as bytes of UTF-8 while a text is cut: strings are made of them only at the end, which is
// what makes cutting fast. Knows how long a word may be, not what it is.

/** Longer words are cut: keys of an index must be bounded, and nobody types them. */
export const WORD_BYTES_MAX = 64
/**
 * Identifiers of one text that are remembered, so that each is in `whole` once; beyond, some may be
 * there again.
 */
export const IDENTIFIERS_MAX = 50_000
/** Longer ones are not remembered. */
export const IDENTIFIER_LENGTH_MAX = 256
const SPACE = 0x20

/**
 * Words with a space after each. `begin`, what is added, and `end` make a word; one that is full
 * takes no more characters.
 */
export class WordBuffer {
  #bytes: Buffer
  #wordStart = 0
  #isFull = false
  /** Of all bytes, with the space after the last word. */
  length = 0

  constructor(capacity = 0) {
    this.#bytes = Buffer.allocUnsafe(capacity + 2 * WORD_BYTES_MAX)
  }

  begin(): void {
    // A word with its space; what follows needs no more checks.
    if (this.length + WORD_BYTES_MAX + 1 > this.#bytes.length) this.#grow()
    this.#wordStart = this.length
    this.#isFull = false
  }

  end(): void {
    this.#bytes[this.length++] = SPACE
  }

  /** Adds ASCII letters and digits. */
  addLowerCase(text: string, start: number, end: number): void {
    const bytes = this.#bytes
    const last = Math.min(end, start + WORD_BYTES_MAX)
    let position = this.length
    for (let index = start; index < last; index++) {
      const code = text.charCodeAt(index)
      bytes[position++] = code >= 0x41 && code <= 0x5a ? code | 0x20 : code
    }
    this.length = position
  }

  addCharacter(codePoint: number): void {
    const size = codePoint < 0x80 ? 1 : codePoint < 0x800 ? 2 : codePoint < 0x10000 ? 3 : 4
    this.#isFull ||= this.length - this.#wordStart + size > WORD_BYTES_MAX
    if (this.#isFull) return
    const bytes = this.#bytes
    if (size === 1) bytes[this.length++] = codePoint
    else {
      bytes[this.length++] = ((0xf00 >> size) & 0xff) | (codePoint >> (6 * (size - 1)))
      for (let shift = 6 * (size - 2); shift >= 0; shift -= 6)
        bytes[this.length++] = 0x80 | ((codePoint >> shift) & 0x3f)
    }
  }

  /** Adds the words of another output from `start` on as one word. */
  addJoined(from: WordBuffer, start: number): void {
    let size = 0
    for (let index = start; index < from.length; index++) {
      const byte = from.#bytes[index] ?? 0
      if (byte === SPACE) continue
      if (size === WORD_BYTES_MAX) {
        // Not within a character.
        if ((byte & 0xc0) === 0x80) this.#cutLast()
        break
      }
      this.#bytes[this.length++] = byte
      size++
    }
  }

  word(): string {
    return this.#bytes.toString('utf8', this.#wordStart, this.length)
  }

  joined(start: number): string {
    const whole = new WordBuffer()
    whole.begin()
    whole.addJoined(this, start)
    return whole.word()
  }

  clear(): void {
    this.length = 0
  }

  toString(): string {
    return this.#bytes.toString('utf8', 0, Math.max(0, this.length - 1))
  }

  /** Takes back the bytes of a character that is not complete. */
  #cutLast(): void {
    while (((this.#bytes[--this.length] ?? 0) & 0xc0) === 0x80);
  }

  #grow(): void {
    const bytes = Buffer.allocUnsafe(2 * this.#bytes.length)
    this.#bytes.copy(bytes, 0, 0, this.length)
    this.#bytes = bytes
  }
}
