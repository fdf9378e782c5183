// Cuts text into words, the same for what is indexed, for queries and for snippets: the only place
// that knows what a word is.
//
//   fooBar, foo_bar, HTTPServer2, utf8Decode   parts: foo bar, foo bar, http server2, utf8 decode
//                                              whole: foobar, foobar, httpserver2, utf8decode
//   3D, sha256sum, caf\u00e9, Stra\u00dfe          parts: 3d, sha256sum, cafe, strasse
//   c1c2c3 (a script without spaces)           parts: c1c2 c2c3 c3, so that each character begins
//   one word
//
//   foo ESC[31m bar                            parts: foo bar, whole: foobar, as if a sequence for
//   the terminal were a '_'
//   U+337F, one character of four              parts: as of the four
//
// A run is what lies between separators: letters, digits, '_' and '$'. A run of a script without
// spaces ends where another script begins. Runs of ASCII, nearly all of source code, take a path of
// their own that makes no strings.

import type { Words } from './engine.ts'
import { endOfEscape, endOfInvisible, mayBeEscape } from './escapes.ts'
import {
  asciiClasses,
  CONNECTOR,
  classOf,
  DIGIT,
  expanded,
  foldSingle,
  foldString,
  LETTER,
  MARK,
  MIXED,
  SEPARATOR,
  UNSPACED,
  UPPER,
} from './fold.ts'
import { IDENTIFIER_LENGTH_MAX, IDENTIFIERS_MAX, WordBuffer } from './word-buffer.ts'

/** More marks than this on one character are not writing. */
const MARKS_MAX = 16

/** Who is told of words one by one. `start` and `end` are offsets in the text, in UTF-16 units. */
interface WordVisitor {
  word(word: string, start: number, end: number): void
  /**
   * The words since the last call are one run; `whole` is its joined form when it has several
   * parts.
   */
  run(whole: string | undefined, isUnspaced: boolean, start: number, end: number): void
}

/** A run of a query. */
export interface Run {
  readonly words: readonly string[]
  readonly whole: string | undefined
  readonly isUnspaced: boolean
}

/** The words of a text, for the index. Each identifier is in `whole` once. */
export function wordsOf(text: string): Words {
  const cutter = new Cutter(text, undefined)
  cutter.cut()
  return cutter.words()
}

/** Tells of each word in its order, and where it is. */
export function visitWords(text: string, visitor: WordVisitor): void {
  new Cutter(text, visitor).cut()
}

/** How many words a text has. */
export function countWords(text: string): number {
  let count = 0
  visitWords(text, {
    word: () => {
      count++
    },
    run: () => {},
  })
  return count
}

/** The runs of a text that is short. */
export function runsOf(text: string): Run[] {
  const runs: Run[] = []
  let words: string[] = []
  visitWords(text, {
    word: (word) => {
      words.push(word)
    },
    run: (whole, isUnspaced) => {
      runs.push({ words, whole, isUnspaced })
      words = []
    },
  })
  return runs
}

class Cutter {
  readonly #text: string
  readonly #visitor: WordVisitor | undefined
  readonly #wholes = new WordBuffer()
  readonly #identifiers = new Set<string>()
  readonly #out: WordBuffer

  constructor(text: string, visitor: WordVisitor | undefined) {
    this.#text = text
    this.#visitor = visitor
    this.#out = new WordBuffer(visitor === undefined ? text.length : 0)
  }

  cut(): void {
    const text = this.#text
    const { length } = text
    let index = 0
    while (index < length) {
      const code = text.charCodeAt(index)
      if (code < 128) {
        if (asciiClasses[code] === SEPARATOR) index = this.#behindSeparator(index, code)
        else index = this.#asciiRun(index)
      } else {
        const codePoint = text.codePointAt(index) ?? 0
        const found = classOf(codePoint)
        // A mark without a letter is none.
        if (found === SEPARATOR) index = this.#behindSeparator(index, codePoint)
        else if (found === MARK) index += codePoint > 0xffff ? 2 : 1
        else if (found === MIXED) index = this.#mixed(index)
        else if (found === UNSPACED) index = this.#unspacedRun(index)
        else index = this.#foldedRun(index)
      }
    }
  }

  words(): Words {
    return { parts: this.#out.toString(), whole: this.#wholes.toString() }
  }

  #behindSeparator(index: number, codePoint: number): number {
    const end = mayBeEscape(codePoint) ? endOfEscape(this.#text, index) : index
    return end > index ? end : index + (codePoint > 0xffff ? 2 : 1)
  }

  /**
   * Where the next character is behind sequences for the terminal, if they stand within a run; else
   * `index`.
   */
  #behindInvisible(index: number, isInRun: (kind: number) => boolean): number {
    if (!mayBeEscape(this.#text.charCodeAt(index))) return index
    const end = endOfInvisible(this.#text, index)
    return end < this.#text.length && isInRun(this.#classAt(end)) ? end : index
  }

  /** A character that stands for several of different kinds; returns where it ends. */
  #mixed(start: number): number {
    const end = this.#endOfCharacter(start)
    for (const { words, whole, isUnspaced } of runsOf(expanded(this.#text.slice(start, end)))) {
      for (const word of words) {
        this.#out.begin()
        for (const character of word) this.#out.addCharacter(character.codePointAt(0) ?? 0)
        this.#endWord(start, end)
      }
      this.#tell(whole, isUnspaced, start, end)
    }
    return end
  }

  /** A run that begins with ASCII; returns where it ends. */
  #asciiRun(start: number): number {
    const text = this.#text
    const { length } = text
    let kinds = 0
    let end = start
    for (; end < length; end++) {
      const code = text.charCodeAt(end)
      const kind = code < 128 ? (asciiClasses[code] ?? SEPARATOR) : this.#classAt(end)
      if (!isSpaced(kind)) {
        if (this.#behindInvisible(end, isSpaced) > end) return this.#foldedRun(start)
        break
      }
      if (code >= 128) return this.#foldedRun(start)
      kinds |= kind
    }
    if ((kinds & (UPPER | CONNECTOR)) !== 0) this.#asciiParts(start, end)
    else {
      this.#out.begin()
      this.#out.addLowerCase(text, start, end)
      this.#endWord(start, end)
      this.#tell(undefined, false, start, end)
    }
    return end
  }

  #asciiParts(start: number, end: number): void {
    const text = this.#text
    const run = new RunState(start, this.#out.length)
    let kind = asciiClasses[text.charCodeAt(start)] ?? SEPARATOR
    for (let index = start; index < end; index++) {
      const next = index + 1 < end ? (asciiClasses[text.charCodeAt(index + 1)] ?? 0) : SEPARATOR
      if (run.endsBefore(kind, next)) this.#asciiPart(run, index)
      if (kind !== CONNECTOR) run.take(kind, index)
      kind = next
    }
    this.#asciiPart(run, end)
    this.#endRun(run, end)
  }

  #asciiPart(run: RunState, end: number): void {
    if (run.partStart < 0) return
    this.#out.begin()
    this.#out.addLowerCase(this.#text, run.partStart, end)
    this.#endPart(run, end)
  }

  /** A run with characters beyond ASCII; returns where it ends. */
  #foldedRun(start: number): number {
    const { length } = this.#text
    const run = new RunState(start, this.#out.length)
    let index = start
    let kind = this.#classAt(index)
    while (isSpaced(kind)) {
      const behind = kind === CONNECTOR ? this.#behindInvisible(index, isSpaced) : index
      const end = behind > index ? behind : this.#endOfCharacter(index)
      let next = end < length ? this.#classAt(end) : SEPARATOR
      if (next === SEPARATOR && this.#behindInvisible(end, isSpaced) > end) next = CONNECTOR
      if (run.partStart >= 0 && run.endsBefore(kind, next)) this.#endPart(run, run.partEnd)
      if (kind !== CONNECTOR && kind !== MARK) {
        if (run.partStart < 0) this.#out.begin()
        run.take(kind, index)
        run.partEnd = end
        this.#addFolded(index, end)
      }
      index = end
      kind = next
    }
    if (run.partStart >= 0) this.#endPart(run, run.partEnd)
    this.#endRun(run, index)
    return index
  }

  /** A run of a script without spaces, in overlapping pairs; returns where it ends. */
  #unspacedRun(start: number): number {
    const { length } = this.#text
    let end = start
    let before = 0
    let beforeStart = start
    for (let index = start; index < length && this.#classAt(index) === UNSPACED; ) {
      const from = index
      end = this.#endOfCharacter(index)
      const single = end - from === 1 ? foldSingle(this.#text.charCodeAt(from)) : 0
      const folded = single !== 0 ? [single] : codePointsOf(foldString(this.#text.slice(from, end)))
      for (const next of folded) {
        if (before !== 0) {
          this.#out.begin()
          this.#out.addCharacter(before)
          this.#out.addCharacter(next)
          this.#endWord(beforeStart, end)
        }
        before = next
        beforeStart = from
      }
      index = this.#behindInvisible(end, (kind) => kind === UNSPACED)
    }
    this.#out.begin()
    this.#out.addCharacter(before)
    this.#endWord(beforeStart, end)
    this.#tell(undefined, true, start, end)
    return end
  }

  #classAt(index: number): number {
    return classOf(this.#text.codePointAt(index) ?? 0)
  }

  /** Where the character at `index` ends, with its marks. */
  #endOfCharacter(index: number): number {
    const text = this.#text
    let end = index
    for (let marks = 0; marks <= MARKS_MAX; marks++) {
      end += (text.codePointAt(end) ?? 0) > 0xffff ? 2 : 1
      if (end >= text.length || this.#classAt(end) !== MARK) break
    }
    return end
  }

  /** Adds the character between these offsets to the word. */
  #addFolded(start: number, end: number): void {
    const text = this.#text
    const single = end - start === 1 ? foldSingle(text.charCodeAt(start)) : 0
    if (single !== 0) this.#out.addCharacter(single)
    else
      for (const character of foldString(text.slice(start, end)))
        this.#out.addCharacter(character.codePointAt(0) ?? 0)
  }

  #endPart(run: RunState, end: number): void {
    this.#endWord(run.partStart, end)
    run.endPart()
  }

  #endWord(start: number, end: number): void {
    const out = this.#out
    this.#visitor?.word(out.word(), start, end)
    out.end()
  }

  /** Tells of the run and, when it has several parts, keeps its joined form. */
  #endRun(run: RunState, end: number): void {
    if (this.#visitor !== undefined) {
      const whole = run.parts > 1 ? this.#out.joined(run.outStart) : undefined
      if (run.parts > 0) this.#tell(whole, false, run.start, end)
    } else if (run.parts > 1 && this.#isNew(run.start, end)) {
      this.#wholes.begin()
      this.#wholes.addJoined(this.#out, run.outStart)
      this.#wholes.end()
    }
  }

  /** A visitor has no use for the words before. */
  #tell(whole: string | undefined, isUnspaced: boolean, start: number, end: number): void {
    if (this.#visitor === undefined) return
    this.#visitor.run(whole, isUnspaced, start, end)
    this.#out.clear()
  }

  /** Whether an identifier was not met before, as far as is remembered. */
  #isNew(start: number, end: number): boolean {
    if (end - start > IDENTIFIER_LENGTH_MAX) return true
    if (this.#identifiers.size >= IDENTIFIERS_MAX) this.#identifiers.clear()
    const before = this.#identifiers.size
    return this.#identifiers.add(this.#text.slice(start, end)).size > before
  }
}

/** Whether a run of a script with spaces goes on with a character of this kind. */
function isSpaced(kind: number): boolean {
  return kind !== SEPARATOR && kind !== UNSPACED && kind !== MIXED
}

function codePointsOf(text: string): number[] {
  return Array.from(text, (character) => character.codePointAt(0) ?? 0)
}

/** How far the parts of a run are found. */
class RunState {
  readonly start: number
  /** Where its first word is in the output. */
  readonly outStart: number
  parts = 0
  /** -1: between parts. */
  partStart = -1
  partEnd = -1
  #last = SEPARATOR
  #hasLetter = false

  constructor(start: number, outStart: number) {
    this.start = start
    this.outStart = outStart
  }

  /**
   * Whether a part ends before a character of this kind that is followed by `next`: foo|Bar,
   * utf8|Decode, HTTP|Server, but 3D.
   */
  endsBefore(kind: number, next: number): boolean {
    if (kind === CONNECTOR) return true
    if (kind !== UPPER) return false
    if (this.#last === DIGIT) return this.#hasLetter
    return this.#last === LETTER || (this.#last === UPPER && next === LETTER)
  }

  take(kind: number, index: number): void {
    if (this.partStart < 0) this.partStart = index
    this.#last = kind
    if (kind !== DIGIT) this.#hasLetter = true
  }

  endPart(): void {
    this.parts++
    this.partStart = -1
    this.#last = SEPARATOR
    this.#hasLetter = false
  }
}
