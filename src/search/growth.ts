// How a file comes into the index that changes little from version to version: by what was written
// of each, and not by reading all of it again. The vault's side of pieces; which there are is the
// matter of layout.ts.

import type { Core } from '../vault/core/core.ts'
import { boundaryAfter, boundaryBefore, OutOfWindow, slice } from './boundaries.ts'
import { isPlainText } from './extract.ts'
import type { Taker } from './index-writer.ts'
import { type Change, Layout, type LayoutOptions } from './layout.ts'
import { RowsAhead } from './rows-ahead.ts'
import { bytesBetween, ifSound, type SealedVersion } from './source.ts'
import { TextWindow } from './text-window.ts'
import type { Throttle } from './throttle.ts'
import { bytesOfWrites, type Writes, writesAfter } from './writes.ts'

/** Smaller texts are always kept whole. */
const PIECED_BYTES_MIN = 4096
/** What is read before the first change: as a rule the words and pieces around it lie there. */
const MARGIN_BYTES = 16 * 1024
/** Of a byte-order mark. */
const MARK_BYTES = 3
/** Files whose pieces are remembered. */
const KNOWN_MAX = 64

interface Known {
  readonly layout: Layout
  /** The version that it is of. */
  readonly number: number
}

/** What the files that changed of late are kept in. */
export class Growths {
  readonly #core: Core
  readonly #taker: Taker
  readonly #pace: Throttle
  readonly #textBytesMax: number
  readonly #known = new Map<number, Known>()
  #nextId: number | undefined

  constructor(core: Core, taker: Taker, pace: Throttle, textBytesMax: number) {
    this.#core = core
    this.#taker = taker
    this.#pace = pace
    this.#textBytesMax = textBytesMax
  }

  /**
   * Begins with versions that follow each other and come behind `before`; all that came before was
   * handed over.
   */
  async begin(
    ino: number,
    before: SealedVersion | undefined,
    versions: readonly SealedVersion[],
  ): Promise<Growth> {
    const known = this.#known.get(ino)
    this.#known.delete(ino)
    const growth = new Growth(this.#core, this.#pace, ino, versions, this.#textBytesMax)
    const sizes = [...(before === undefined ? [] : [before]), ...versions]
    if (sizes.length < 2 || !sizes.some(({ size }) => this.#isPieced(size))) return growth
    this.#nextId ??= await this.#pace.waitFor(this.#taker.nextPiece())
    if (before === undefined || !this.#isPieced(before.size)) return growth
    if (known?.number === before.number) growth.startFrom(before, known.layout)
    else {
      const live = await this.#pace.waitFor(this.#taker.piecesOf(ino, before.number))
      if (live !== undefined) growth.startFrom(before, new Layout(ino, before.size, live))
    }
    return growth
  }

  /** An id for a piece. */
  nextId(): number {
    if (this.#nextId === undefined) throw new TypeError('no id of a piece is known')
    return this.#nextId++
  }

  /** Remembers what a file is kept in now; all of it was handed over. */
  end(growth: Growth): void {
    const { layout, version, ino } = growth
    if (layout.isEmpty || version === undefined) return
    if (this.#known.size >= KNOWN_MAX)
      for (const oldest of this.#known.keys()) {
        this.#known.delete(oldest)
        break
      }
    this.#known.set(ino, { layout, number: version.number })
  }

  #isPieced(size: number): boolean {
    return size > PIECED_BYTES_MIN && size <= this.#textBytesMax
  }
}

/** One file on its way from version to version. */
export class Growth {
  readonly ino: number
  layout: Layout
  /** Whether it began with the newest version that the index has. */
  goesOn = false
  /** The one that `layout` is of. */
  version: SealedVersion | undefined
  readonly #core: Core
  readonly #pace: Throttle
  readonly #versions: readonly SealedVersion[]
  readonly #textBytesMax: number
  readonly #rows: RowsAhead
  #index = 0
  #window: TextWindow | undefined
  #writes: Writes | undefined
  /** The version that `#writes` begins with, by its place. */
  #first = 0
  /** All that comes is read whole. */
  #isOver = false

  constructor(
    core: Core,
    pace: Throttle,
    ino: number,
    versions: readonly SealedVersion[],
    textBytesMax: number,
  ) {
    this.#core = core
    this.#pace = pace
    this.ino = ino
    this.#versions = versions
    this.#textBytesMax = textBytesMax
    this.layout = new Layout(ino, 0, [])
    this.#rows = new RowsAhead(core, ino)
  }

  startFrom(version: SealedVersion, layout: Layout): void {
    this.version = version
    this.layout = layout
    this.goesOn = true
  }

  /** Goes on to the next version; false when that is to be read, and kept, whole. */
  async next(options: LayoutOptions): Promise<boolean> {
    const before = this.version
    const version = this.#versions[this.#index++] as SealedVersion
    this.version = version
    const isKept = before !== undefined && (await this.#follow(before, version, options))
    if (!isKept && before !== undefined) this.layout.end(before.number)
    return isKept
  }

  /** The last version was read whole, and is no text. */
  isNoText(): void {
    this.version = undefined
  }

  async #follow(
    before: SealedVersion,
    version: SealedVersion,
    options: LayoutOptions,
  ): Promise<boolean> {
    if (this.#isOver) return false
    if (!this.#isPieced(before) || !this.#isPieced(version)) {
      this.#window = undefined
      return false
    }
    this.#window ??= await this.#windowOf(before)
    const changes = await this.#advance(version)
    if (changes !== undefined && this.#window !== undefined) {
      const window = this.#window
      const keep = (): boolean => this.#keep(before, version, changes, window, options)
      try {
        return keep()
      } catch (error) {
        if (!(error instanceof OutOfWindow)) throw error
      }
      // Before the window nothing has changed.
      const start = await this.#read(before, 0, window.start)
      if (start !== undefined) {
        window.extend(start)
        return keep()
      }
    }
    this.#isOver = this.#window === undefined
    // The writes do not explain all that changed, or are gone: the next version may begin anew.
    this.#window = undefined
    return false
  }

  /** The text of a version, or the end of it, for those behind it. */
  async #windowOf(before: SealedVersion): Promise<TextWindow | undefined> {
    this.#first = this.#index - 1
    const { store } = this.#core.overlay
    const rest = this.#versions.slice(this.#first)
    this.#writes = await this.#pace.step(() => writesAfter(store, this.ino, before, rest))
    const start = this.layout.isEmpty ? 0 : Math.max(0, this.#writes.from - MARGIN_BYTES)
    const bytes = await this.#read(before, start, before.size)
    return bytes && new TextWindow(start, bytes, before.size)
  }

  async #advance(version: SealedVersion): Promise<Change[] | undefined> {
    const window = this.#window
    const writes = this.#writes?.ofVersions[this.#index - 1 - this.#first]
    if (window === undefined || writes === undefined) return undefined
    return await ifSound(() =>
      this.#pace.step(() => {
        // A hole is no text, and nothing was written where it is.
        if (this.#rows.allocatedAt(version.moment) !== version.size) return undefined
        const written = bytesOfWrites(this.#core, this.#rows, writes, version.size)
        return written && window.advance(written, version.size)
      }),
    )
  }

  #keep(
    before: SealedVersion,
    version: SealedVersion,
    changes: readonly Change[],
    window: TextWindow,
    options: LayoutOptions,
  ): boolean {
    if (this.layout.isEmpty) {
      if (window.start > 0) throw new OutOfWindow()
      const changed = changes.reduce((sum, { start, newEnd }) => sum + newEnd - start, 0)
      if (changed > window.size / 2 || !isPlainText(window.bytes)) return false
    } else if (!changes.every((change) => isTextIn(change, window))) return false
    return this.layout.advance(version.number, before.number, changes, window, options)
  }

  async #read(version: SealedVersion, from: number, to: number): Promise<Buffer | undefined> {
    return await bytesBetween(this.#core, this.ino, version, from, to, (work) =>
      this.#pace.step(work),
    )
  }

  #isPieced({ size }: SealedVersion): boolean {
    return size > PIECED_BYTES_MIN && size <= this.#textBytesMax
  }
}

/** Whether a text is one still where it changed. The mark of its encoding is at its beginning. */
function isTextIn({ start, newEnd }: Change, window: TextWindow): boolean {
  const from = boundaryBefore(window, start)
  const to = boundaryAfter(window, newEnd)
  if (from === undefined || to === undefined || start < MARK_BYTES) return false
  return isPlainText(slice(window, from, to))
}
