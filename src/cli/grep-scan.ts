// One file as `avfs grep` reads it: bytes in as they come, cut into lines; out come those that are
// to be shown, with context. Memory is bounded by the longest line. Knows neither patterns nor
// output.

import { isUtf8 } from 'node:buffer'

/** A longer line is taken for several, so that memory has a bound. */
const LINE_BYTES_MAX = 16 * 1024 * 1024
const NEWLINE = 0x0a

export interface ScanOptions {
  /** Tells whether a line fits; what of it is no UTF-8 is U+FFFD. */
  readonly test: (text: string) => boolean
  /** Lines that do not match are wanted (-v). */
  readonly invert: boolean
  /** Lines of context. */
  readonly before: number
  readonly after: number
  /** Wanted lines after which the file is done. */
  readonly countMax: number
  /** A file that holds a NUL is text all the same. */
  readonly asText: boolean
}

export interface ScannedLine {
  /** From 1 on. */
  readonly number: number
  readonly text: string
  /** Without the newline; undefined when they are those of `text`. */
  readonly bytes: Uint8Array | undefined
}

/**
 * What is to be shown, in order; `isMatch` is false for context. `gap`: it does not follow the line
 * before.
 */
export interface ScanEvents {
  line(line: ScannedLine, isMatch: boolean, gap: boolean): void
  /** A wanted line is in a binary file: nothing more follows. */
  binary(): void
}

export class FileScan {
  readonly #options: ScanOptions
  readonly #events: ScanEvents
  /** The beginning of a line whose end has not come. */
  #rest: Buffer[] = []
  #restBytes = 0
  #number = 0
  #isBinary = false
  #past: ScannedLine[] = []
  #following = 0
  #lastShown = -1
  /** Wanted lines so far. */
  count = 0
  /** True when no further bytes are needed. */
  isDone = false

  constructor(options: ScanOptions, events: ScanEvents) {
    this.#options = options
    this.#events = events
    this.isDone = options.countMax === 0
  }

  /** Takes the next bytes, which may be used again after. */
  take(piece: Buffer): void {
    if (this.isDone) return
    if (!this.#isBinary && !this.#options.asText) this.#isBinary = piece.includes(0)
    const end = piece.lastIndexOf(NEWLINE) + 1
    if (end > 0) {
      this.#rest.push(piece.subarray(0, end - 1))
      this.#lines()
    }
    if (end < piece.length) this.#rest.push(Buffer.from(piece.subarray(end)))
    this.#restBytes += piece.length - end
    if (this.#restBytes >= LINE_BYTES_MAX) this.#lines()
  }

  /** The file is over. */
  end(): void {
    if (!this.isDone && this.#restBytes > 0) this.#lines()
  }

  /** Lines, the newline of the last one left out. */
  #lines(): void {
    const bytes = this.#rest.length === 1 ? (this.#rest[0] as Buffer) : Buffer.concat(this.#rest)
    this.#rest = []
    this.#restBytes = 0
    const isText = isUtf8(bytes)
    const all = bytes.toString(isText ? 'utf8' : 'latin1')
    for (let from = 0; from <= all.length && !this.isDone; ) {
      const newline = all.indexOf('\n', from)
      const end = newline < 0 ? all.length : newline
      const line = all.slice(from, end)
      if (isText) this.#line(line, undefined)
      else this.#lineOfBytes(Buffer.from(line, 'latin1'))
      from = end + 1
    }
  }

  #lineOfBytes(bytes: Buffer): void {
    const isText = isUtf8(bytes)
    this.#line(bytes.toString('utf8'), isText ? undefined : bytes)
  }

  #line(text: string, bytes: Uint8Array | undefined): void {
    const { test, invert, before, countMax } = this.#options
    const line = { number: ++this.#number, text, bytes }
    if (this.count < countMax && test(text) !== invert) this.#wanted(line)
    else if (this.#following > 0) {
      this.#following--
      this.#show(line, false)
    } else if (before > 0) {
      this.#past.push(line)
      if (this.#past.length > before) this.#past.shift()
    }
    if (this.count >= countMax && this.#following === 0) this.isDone = true
  }

  #wanted(line: ScannedLine): void {
    this.count++
    if (this.#isBinary) {
      this.isDone = true
      this.#events.binary()
      return
    }
    for (const line of this.#past) this.#show(line, false)
    this.#past = []
    this.#show(line, true)
    this.#following = this.#options.after
  }

  #show(line: ScannedLine, isMatch: boolean): void {
    const gap = line.number !== this.#lastShown + 1
    this.#lastShown = line.number
    this.#events.line(line, isMatch, gap)
  }
}
