// Where the pieces of one file lie in its newest text, and what becomes of them when a part of it
// changes: those that the change meets end with the version before, and new ones hold what they
// held and what came new, with the words around. So a line that is appended costs a line and its
// context, and a change within costs a piece. Knows bytes and words, no vault and no engine.
//
// What holds after each change: any CONTEXT_WORDS in a row of the text lie in one piece.

import {
  boundaryAfter,
  boundaryBefore,
  contextAfter,
  contextBefore,
  type Known,
  slice,
} from './boundaries.ts'
import { OPEN_ENDED, type Stretch } from './engine.ts'
import type { Piece } from './index-writer.ts'

/**
 * Bytes [start, oldEnd) of a text became [start, newEnd) of the next. What lies behind moves along.
 */
export interface Change {
  readonly start: number
  readonly oldEnd: number
  readonly newEnd: number
}

interface Range {
  from: number
  to: number
}

/** What is to be done for a version, before anything is done. */
interface Plan {
  readonly gone: ReadonlySet<Stretch>
  readonly fresh: readonly Range[]
  /** Pieces behind this place of the old text move by so much. */
  readonly movedFrom: number
  readonly moved: number
}

export interface LayoutOptions {
  nextId(): number
  /** A copy of bytes that may be sent away. */
  copy(bytes: Uint8Array): Uint8Array
}

/** About as long as a piece is. */
const PIECE_BYTES = 4096
/** Changes that are nearer to each other count as one. */
const APART_BYTES = 4096

export class Layout {
  readonly ino: number
  /** The size of the text. */
  #size: number
  /** By where they begin. */
  #live: Stretch[]
  /** No piece is longer. */
  #longest: number
  /** What the index does not know yet. */
  #dirty = new Map<number, Piece>()

  constructor(ino: number, size: number, live: readonly Stretch[]) {
    this.ino = ino
    this.#size = size
    this.#live = [...live].sort(byStart)
    this.#longest = live.reduce((most, { start, end }) => Math.max(most, end - start), 0)
  }

  get isEmpty(): boolean {
    return this.#live.length === 0
  }

  /**
   * Brings it to version `number`, the next after `before`; `changes` are in order, and only the
   * last may change the size. False when that is no better than to keep the new text whole: nothing
   * is done then. Throws OutOfWindow, and has done nothing.
   */
  advance(
    number: number,
    before: number,
    changes: readonly Change[],
    text: Known,
    options: LayoutOptions,
  ): boolean {
    const plan = this.isEmpty ? this.#whole(text) : this.#plan(joined(changes), text)
    if (plan === undefined) return false
    const bytes = plan.fresh.reduce((sum, { from, to }) => sum + to - from, 0)
    if (!this.isEmpty && bytes > Math.max(2 * PIECE_BYTES, text.size / 2)) return false
    for (const piece of plan.gone) this.#end(piece, before)
    // Of many pieces a change meets the last few as a rule: those before them stay as they are.
    const touched = this.#live.splice(this.#firstTouched(plan))
    const rest = touched.filter((piece) => !plan.gone.has(piece))
    const tail = rest.map((piece) => this.#move(piece, plan))
    for (const { from, to } of plan.fresh) {
      const stretch = {
        ...{ id: options.nextId(), ino: this.ino },
        ...{ first: number, last: OPEN_ENDED, start: from, end: to },
      }
      tail.push(stretch)
      this.#longest = Math.max(this.#longest, to - from)
      this.#note(stretch, options.copy(slice(text, from, to)))
    }
    this.#live.push(...tail.sort(byStart))
    this.#size = text.size
    return true
  }

  /** Where the pieces begin that go away or move, or lie behind a new one. */
  #firstTouched({ gone, fresh, movedFrom, moved }: Plan): number {
    const isBehind = fresh.reduce((least, { from }) => Math.min(least, from), movedFrom)
    // A new piece is at its place in the new text.
    const start = Math.min(isBehind, isBehind - moved)
    let left = gone.size
    let index = this.#live.length
    for (; index > 0; index--) {
      const piece = this.#live[index - 1] as Stretch
      if (left === 0 && piece.start < start) break
      if (gone.has(piece)) left--
    }
    return index
  }

  /** Ends all pieces: the next version is not kept in any. */
  end(before: number): void {
    for (const piece of this.#live) this.#end(piece, before)
    this.#live = []
  }

  /** What the index is to be told. */
  takePieces(): Piece[] {
    const pieces = [...this.#dirty.values()]
    this.#dirty = new Map()
    return pieces
  }

  #whole(text: Known): Plan | undefined {
    const fresh = cut({ from: 0, to: text.size }, text)
    return fresh && { gone: new Set(), fresh, movedFrom: 0, moved: 0 }
  }

  #plan(changes: readonly Change[], text: Known): Plan | undefined {
    const gone = new Set<Stretch>()
    const ranges: Range[] = []
    const moved = text.size - this.#size
    let movedFrom = this.#size
    for (const change of changes) {
      const start = boundaryBefore(text, change.start)
      const end = boundaryAfter(text, change.newEnd)
      const from = start === undefined ? undefined : contextBefore(text, start)
      const to = end === undefined ? undefined : contextAfter(text, end)
      if (start === undefined || end === undefined) return undefined
      if (from === undefined || to === undefined) return undefined
      const oldEnd = change.oldEnd + end - change.newEnd
      if (change === changes.at(-1)) movedFrom = oldEnd
      for (const piece of this.#meeting(start, oldEnd)) gone.add(piece)
      ranges.push({ from, to })
    }
    // A place that went away is where what lay behind it is now, at most.
    const toNew = (place: number): number =>
      place >= movedFrom ? place + moved : Math.min(place, movedFrom + moved)
    for (const { start, end } of gone) ranges.push({ from: toNew(start), to: toNew(end) })
    const fresh: Range[] = []
    for (const range of merged(ranges)) {
      const parts = cut(this.#absorbing(range, gone, toNew), text)
      if (parts === undefined) return undefined
      fresh.push(...parts)
    }
    return { gone, fresh, movedFrom, moved }
  }

  /** The pieces that have some of [start, end), the last first. */
  *#meeting(start: number, end: number): Generator<Stretch> {
    for (let index = this.#live.length - 1; index >= 0; index--) {
      const piece = this.#live[index] as Stretch
      if (piece.start + this.#longest <= start) return
      if (piece.start < end && piece.end > start) yield piece
    }
  }

  /** A range with the small pieces before it, once they are many, and with all that lie in it. */
  #absorbing(range: Range, gone: Set<Stretch>, toNew: (place: number) => number): Range {
    const small: Stretch[] = []
    let { from } = range
    for (let index = this.#live.length - 1; index >= 0; index--) {
      const piece = this.#live[index] as Stretch
      const [start, end] = [toNew(piece.start), toNew(piece.end)]
      if (gone.has(piece) || start > range.to) continue
      if (start >= range.from && end <= range.to) gone.add(piece)
      else if (start < from) {
        if (end < from || end - start >= PIECE_BYTES / 2) break
        small.push(piece)
        from = start
        if (range.to - from >= PIECE_BYTES) break
      }
    }
    if (range.to - from < PIECE_BYTES) return range
    for (const piece of small) gone.add(piece)
    return { from, to: range.to }
  }

  #end(piece: Stretch, before: number): void {
    this.#note({ ...piece, last: before })
  }

  #move(piece: Stretch, { movedFrom, moved }: Plan): Stretch {
    if (moved === 0 || piece.start < movedFrom) return piece
    const { start, end } = piece
    const stretch = { ...piece, start: start + moved, end: end + moved }
    this.#note(stretch)
    return stretch
  }

  #note(stretch: Stretch, bytes = this.#dirty.get(stretch.id)?.bytes): void {
    this.#dirty.set(stretch.id, { stretch, bytes })
  }
}

function byStart(a: Stretch, b: Stretch): number {
  return a.start - b.start || a.id - b.id
}

function joined(changes: readonly Change[]): Change[] {
  const apart: Change[] = []
  for (const change of changes) {
    const last = apart.at(-1)
    if (last === undefined || change.start - last.newEnd > 2 * APART_BYTES) apart.push(change)
    else apart[apart.length - 1] = { ...change, start: last.start }
  }
  return apart
}

function merged(ranges: readonly Range[]): Range[] {
  const all: Range[] = []
  for (const { from, to } of [...ranges].sort((a, b) => a.from - b.from)) {
    const last = all.at(-1)
    if (last === undefined || from > last.to) all.push({ from, to })
    else last.to = Math.max(last.to, to)
  }
  return all
}

/** Parts of a range, each with the words before it; undefined where it cannot be parted. */
function cut({ from, to }: Range, text: Known): Range[] | undefined {
  const parts: Range[] = []
  let [start, offset] = [from, from]
  while (to - offset > 1.5 * PIECE_BYTES) {
    const far = boundaryAfter(text, offset + PIECE_BYTES)
    // So many words that what begins before a part and goes on in it ends in it.
    const many = contextAfter(text, offset)
    if (far === undefined || many === undefined) return undefined
    const next = Math.max(far, many)
    const before = contextBefore(text, next)
    if (next >= to) break
    if (before === undefined) return undefined
    parts.push({ from: start, to: next })
    start = Math.max(from, before)
    offset = next
  }
  parts.push({ from: start, to })
  return parts
}
