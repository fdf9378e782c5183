// Brings what changed in a vault into its index: told of names and contents, makes documents and batches of them. A text that
// the index has already is not analyzed again, whoever brings it. Runs where the engine is open; knows no vault.

import { hash as hashOf } from 'node:crypto'
import {
  type FileDocument,
  IN_PIECES,
  OPEN_ENDED,
  type PieceDocument,
  type SearchEngine,
  type Stretch,
  type TextDocument,
  type TextVersion,
  type Words,
} from './engine.ts'

/** What an inode is now, or was last. */
export interface Item {
  readonly ino: number
  /** A byte string from the root ('/a/b'); undefined: nothing is known of the inode any more. */
  readonly path: string | undefined
  /** All versions that there are: others that the index has are taken out. Undefined: none went away. */
  readonly remaining: readonly number[] | undefined
  /** Versions that the index has not, by number. */
  readonly versions: readonly Content[]
  /** What is to be known of its pieces with these versions; none unless told. */
  readonly pieces?: readonly Piece[]
  /** Whether `pieces` go on from those of the newest version that the index has; if not, those end: it may have been pruned. */
  readonly goesOn?: boolean
}

/** A version of a file. Without `bytes` it is too large to be searched, or no text; or it is kept in pieces. */
export interface Content {
  readonly number: number
  readonly bytes: Uint8Array | undefined
  readonly isInPieces?: boolean
}

/** A piece that is new, with its bytes, or one that ended or lies elsewhere. */
export interface Piece {
  readonly stretch: Stretch
  readonly bytes: Uint8Array | undefined
}

/** Of an inode: versions that may be missing in the index. */
export interface VersionNumbers {
  readonly ino: number
  readonly numbers: readonly number[]
}

/** An IndexWriter as the indexer sees it: here, or in another thread. */
export interface Taker {
  missing(asked: readonly VersionNumbers[]): Promise<number[][]>
  withOthers(asked: readonly VersionNumbers[]): Promise<number[]>
  /** The pieces that a version is kept in; undefined where it is no text, or not the newest that the index has. */
  piecesOf(ino: number, number: number): Promise<Stretch[] | undefined>
  /** Above every id of a piece that was given. */
  nextPiece(): Promise<number>
  /** Returns how long it worked, in milliseconds. The bytes are its own from here on. */
  take(items: readonly Item[]): Promise<number>
  settle(watermark: number): Promise<void>
  tidy(from: number, limit: number): Promise<number>
}

/** What is a text, and which words it has: body.ts. */
export interface Language {
  /** What cuts the content of a file into words; undefined where it is no text. */
  bodyOf(bytes: Uint8Array): (() => Words) | undefined
  /** Of bytes in UTF-8. */
  wordsOf(bytes: Uint8Array): Words
}

interface WriterOptions {
  /** A batch is applied when its texts have so many bytes. */
  readonly batchBytes: number
  /** So many batches may wait for the engine: more is cut into words only when one of them is applied. */
  readonly waitingMax: number
}

/** So many documents and versions are a batch, however small they are. */
const BATCH_ROWS = 2000

interface Batch {
  readonly texts: TextDocument[]
  readonly files: Map<number, FileDocument>
  readonly versions: Map<string, TextVersion>
  readonly pieces: Map<number, PieceDocument>
  readonly stretches: Map<number, Stretch>
  readonly removedPieces: Set<number>
  readonly removedFiles: Set<number>
  readonly removedVersions: Map<string, { ino: number; number: number }>
  bytes: number
}

export class IndexWriter {
  readonly #engine: SearchEngine
  readonly #language: Language
  readonly #options: WriterOptions
  #batch = emptyBatch()
  #watermark: number
  #nextText: number
  /** Texts by hash in hexadecimal that queries do not see yet. */
  readonly #coming = new Map<string, number>()
  /** Versions that queries do not see yet. */
  readonly #comingVersions = new Set<string>()
  /** Texts that are being removed. */
  readonly #going = new Set<number>()
  /** Texts that lost a version. */
  readonly #suspects = new Set<number>()
  /** Ends when the last batch that was handed over is applied. */
  #applied: Promise<void> = Promise.resolve()
  /** The ends of batches that wait for the engine, oldest first. */
  readonly #waiting: Promise<void>[] = []

  constructor(engine: SearchEngine, language: Language, options: WriterOptions) {
    this.#engine = engine
    this.#language = language
    this.#options = options
    const { watermark, nextText } = engine.status()
    this.#watermark = watermark
    this.#nextText = nextText
  }

  /** Which of these versions the index does not have; everything taken before counts. */
  async missing(asked: readonly VersionNumbers[]): Promise<number[][]> {
    return asked.map(({ ino, numbers }) =>
      numbers.filter(
        (number) =>
          !this.#comingVersions.has(keyOf(ino, number)) &&
          this.#engine.textOf(ino, number) === undefined,
      ),
    )
  }

  /** Those of which the index has versions that are not named. */
  async withOthers(asked: readonly VersionNumbers[]): Promise<number[]> {
    await this.#apply()
    await this.#applied
    return asked
      .filter(({ ino, numbers }) => {
        const named = new Set(numbers)
        return this.#engine.versionsOfFile(ino).some(({ number }) => !named.has(number))
      })
      .map(({ ino }) => ino)
  }

  async piecesOf(ino: number, number: number): Promise<Stretch[] | undefined> {
    const key = keyOf(ino, number)
    await this.#applied
    const known = [...this.#batch.versions.values(), ...this.#engine.versionsOfFile(ino)]
    if (known.some((version) => version.ino === ino && version.number > number)) return undefined
    const text = this.#batch.versions.get(key)?.text ?? this.#engine.textOf(ino, number)
    if (text === undefined || text === 0) return undefined
    if (text !== IN_PIECES) return []
    await this.#apply()
    await this.#applied
    return this.#engine.stretchesOfFile(ino).filter(({ last }) => last === OPEN_ENDED)
  }

  async nextPiece(): Promise<number> {
    return this.#engine.status().nextPiece
  }

  /** Takes items in; they are in the index after `settle`, or earlier. */
  async take(items: readonly Item[]): Promise<void> {
    for (const item of items) {
      // The engine must have all earlier items before it is asked.
      if (item.path === undefined || item.remaining !== undefined || endsPieces(item))
        await this.#applied
      this.#takeItem(item)
      const { bytes, files, versions, stretches } = this.#batch
      const rows = files.size + versions.size + stretches.size
      if (bytes >= this.#options.batchBytes || rows >= BATCH_ROWS) await this.#apply()
    }
  }

  /** All that was taken is in the index when this resolves, and with it everything up to `watermark`. */
  async settle(watermark: number): Promise<void> {
    this.#watermark = watermark
    await this.#apply(true)
    await this.#applied
  }

  /** Removes texts that are of no version any more, a batch at a time from `from` on; where to go on, 0 at the end. */
  async tidy(from: number, limit: number): Promise<number> {
    await this.#apply()
    await this.#applied
    const unused = this.#engine.unusedTexts(from, limit)
    for (const text of unused) this.#suspects.add(text)
    await this.#apply()
    await this.#applied
    const last = unused[unused.length - 1]
    return last === undefined || unused.length < limit ? 0 : last + 1
  }

  #takeItem(item: Item): void {
    const { ino, path, remaining, versions, pieces = [] } = item
    if (path === undefined) {
      this.#batch.files.delete(ino)
      this.#batch.removedFiles.add(ino)
    } else this.#putFile(ino, path)
    if (endsPieces(item)) this.#endPieces(ino, (versions[0]?.number ?? 1) - 1)
    for (const { number, bytes, isInPieces = false } of versions) {
      const text = isInPieces ? IN_PIECES : bytes === undefined ? 0 : this.#textFor(bytes)
      this.#batch.versions.set(keyOf(ino, number), { ino, number, text })
      this.#comingVersions.add(keyOf(ino, number))
    }
    for (const { stretch, bytes } of pieces) this.#putPiece(stretch, bytes)
    if (path === undefined || remaining !== undefined) this.#removeOthers(ino, remaining ?? [])
  }

  #putPiece(stretch: Stretch, bytes: Uint8Array | undefined): void {
    const { id } = stretch
    this.#batch.stretches.set(id, stretch)
    if (bytes === undefined) return
    this.#batch.pieces.set(id, { id, body: this.#language.wordsOf(bytes) })
    this.#batch.bytes += bytes.length
  }

  #putFile(ino: number, path: string): void {
    const bytes = Buffer.from(path, 'latin1')
    const { wordsOf } = this.#language
    const name = bytes.subarray(bytes.lastIndexOf('/') + 1)
    this.#batch.removedFiles.delete(ino)
    this.#batch.files.set(ino, { ino, name: wordsOf(name), path: wordsOf(bytes) })
  }

  #removeOthers(ino: number, remaining: readonly number[]): void {
    const stays = new Set(remaining)
    const { versions, removedVersions } = this.#batch
    let newest = 0
    for (const [key, version] of versions)
      if (version.ino === ino && !stays.has(version.number)) {
        versions.delete(key)
        this.#comingVersions.delete(key)
        this.#suspect(version.text)
        newest = Math.max(newest, version.number)
      }
    for (const { number, text } of this.#engine.versionsOfFile(ino)) {
      if (stays.has(number)) continue
      removedVersions.set(keyOf(ino, number), { ino, number })
      this.#suspect(text)
      newest = Math.max(newest, number)
    }
    this.#removePieces(ino, remaining, newest)
  }

  /** Takes out pieces of no version that remains. `newest` of those that went away. */
  #removePieces(ino: number, remaining: readonly number[], newest: number): void {
    const { pieces, stretches, removedPieces } = this.#batch
    const numbers = [...remaining].sort((a, b) => a - b)
    const isNewest = newest > (numbers.at(-1) ?? 0)
    for (const stretch of this.#stretchesOf(ino)) {
      const { id } = stretch
      if (hasWithin(numbers, stretch)) {
        // The versions that follow do not know what this one was.
        if (isNewest && stretch.last === OPEN_ENDED) stretches.set(id, { ...stretch, last: newest })
        continue
      }
      pieces.delete(id)
      stretches.delete(id)
      removedPieces.add(id)
    }
  }

  #endPieces(ino: number, last: number): void {
    for (const stretch of this.#stretchesOf(ino))
      if (stretch.last === OPEN_ENDED) this.#batch.stretches.set(stretch.id, { ...stretch, last })
  }

  /** Those of the engine and of this batch. */
  #stretchesOf(ino: number): Iterable<Stretch> {
    const known = [...this.#engine.stretchesOfFile(ino), ...this.#batch.stretches.values()]
    return new Map(
      known.filter((stretch) => stretch.ino === ino).map((stretch) => [stretch.id, stretch]),
    ).values()
  }

  #suspect(text: number): void {
    if (text !== 0 && text !== IN_PIECES) this.#suspects.add(text)
  }

  /** The text with these bytes, which is made where there is none; 0 when they are no text. */
  #textFor(bytes: Uint8Array): number {
    const wordsOf = this.#language.bodyOf(bytes)
    if (wordsOf === undefined) return 0
    const hash = hashOf('sha256', bytes, 'buffer')
    const key = hash.toString('hex')
    const known = this.#coming.get(key) ?? this.#kept(this.#engine.textsWith([hash])[0])
    if (known !== undefined) return known
    const id = this.#nextText++
    this.#coming.set(key, id)
    this.#batch.texts.push({ id, hash, body: wordsOf() })
    this.#batch.bytes += bytes.length
    return id
  }

  #kept(text: number | undefined): number | undefined {
    return text === undefined || this.#going.has(text) ? undefined : text
  }

  /** Hands the batch over; waits when too many are in memory. */
  async #apply(always = false): Promise<void> {
    if (this.#suspects.size > 0) await this.#applied
    const removedTexts = this.#unused()
    const batch = this.#batch
    const { texts, files, versions, stretches, removedPieces, removedFiles, removedVersions } =
      batch
    const maps = [files, versions, stretches, removedPieces, removedFiles, removedVersions]
    const size = maps.reduce((sum, map) => sum + map.size, texts.length + removedTexts.length)
    if (size === 0 && !(always && this.#engine.status().watermark !== this.#watermark)) return
    this.#batch = emptyBatch()
    const applied = this.#engine.apply({
      texts,
      files: [...files.values()],
      versions: [...versions.values()],
      pieces: [...batch.pieces.values()],
      stretches: [...stretches.values()],
      removedTexts: [...removedTexts, ...removedPieces],
      removedFiles: [...removedFiles],
      removedVersions: [...removedVersions.values()],
      watermark: this.#watermark,
    })
    this.#applied = applied.then(() => {
      for (const { hash } of texts) this.#coming.delete(Buffer.from(hash).toString('hex'))
      for (const key of versions.keys()) this.#comingVersions.delete(key)
      for (const text of removedTexts) this.#going.delete(text)
    })
    // A failure is reported to whoever waits for this batch or the next.
    this.#applied.catch(() => undefined)
    this.#waiting.push(this.#applied)
    while (this.#waiting.length > this.#options.waitingMax) await this.#waiting.shift()
  }

  /** Suspects that have no version, in the index or on their way to it; the engine has all but this batch. */
  #unused(): number[] {
    const { texts, versions, removedVersions } = this.#batch
    const used = new Set([...versions.values()].map(({ text }) => text))
    const fresh = new Set(texts.map(({ id }) => id))
    const unused: number[] = []
    for (const text of this.#suspects) {
      // Not in the batch that adds it: what one batch removes and adds stays.
      if (fresh.has(text)) continue
      this.#suspects.delete(text)
      const others = this.#engine
        .versionsOf(text)
        .filter(({ ino, number }) => !isReplaced(ino, number, versions, removedVersions))
      if (others.length === 0 && !used.has(text)) unused.push(text)
    }
    for (const text of unused) this.#going.add(text)
    return unused
  }
}

/** Whether the index may have pieces that these versions do not know of. */
function endsPieces({ versions, goesOn = false }: Item): boolean {
  return !goesOn && (versions[0]?.number ?? 1) > 1
}

function keyOf(ino: number, number: number): string {
  return `${ino}.${number}`
}

/** Whether some number, of those in order, is within a stretch. */
function hasWithin(numbers: readonly number[], { first, last }: Stretch): boolean {
  let [low, high] = [0, numbers.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((numbers[middle] ?? 0) < first) low = middle + 1
    else high = middle
  }
  return (numbers[low] ?? Number.POSITIVE_INFINITY) <= last
}

function isReplaced(
  ino: number,
  number: number,
  versions: ReadonlyMap<string, TextVersion>,
  removed: ReadonlyMap<string, unknown>,
): boolean {
  const key = keyOf(ino, number)
  return versions.has(key) || removed.has(key)
}

function emptyBatch(): Batch {
  return {
    texts: [],
    files: new Map(),
    versions: new Map(),
    pieces: new Map(),
    stretches: new Map(),
    removedPieces: new Set(),
    removedFiles: new Set(),
    removedVersions: new Map(),
    bytes: 0,
  }
}
