// A vault with an index that remembers everything it was given, for tests of what keeps the two
// together: describes in the same form the index as it grew, one that is built anew, and the vault
// itself.

import { isUtf8 } from 'node:buffer'
import { createHash } from 'node:crypto'
import {
  IN_PIECES,
  type IndexBatch,
  type SearchEngine,
  type Stretch,
  type Words,
} from '../../src/search/engine.ts'
import { IndexWriter, type Item, type Language, type Taker } from '../../src/search/index-writer.ts'
import { Indexer } from '../../src/search/indexer.ts'
import { inode as inodes, type VersionRow, version } from '../../src/store/collections.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import type { Core } from '../../src/vault/core/core.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { inodeAt, readAt } from '../../src/vault/history/timeline.ts'
import { lastPath } from '../../src/vault/tree/places.ts'
import { openMemoryEngine } from './memory-engine.ts'

const ALL = Number.MAX_SAFE_INTEGER
/** Longer files are no texts here, so that both kinds come up. */
export const TEXT_BYTES_MAX = 100_000

/** Plain words: what a word is is not the matter here. */
export const plainLanguage: Language = {
  bodyOf: (bytes) => (isUtf8(bytes) && !bytes.includes(0) ? () => plainWords(bytes) : undefined),
  wordsOf: plainWords,
}

function plainWords(bytes: Uint8Array): Words {
  const text = Buffer.from(bytes).toString()
  return { parts: text.toLowerCase().match(/\w+/g)?.join(' ') ?? '', whole: '' }
}

/**
 * What an index holds: the paths of inodes, and the SHA-256 of versions in hexadecimal, 'none' for
 * those that are no text, 'pieces' for those that are kept so: growth.test.ts says whether the
 * pieces are right.
 */
export interface Documents {
  readonly files: Readonly<Record<number, string>>
  readonly versions: Readonly<Record<string, string>>
  readonly texts: readonly string[]
  /** Pieces of no version. */
  readonly stray: readonly Stretch[]
}

/**
 * Documents of two indexes as far as they must agree: which texts are kept in pieces depends on how
 * an index came to them.
 */
export function alike(documents: Documents, other: Documents): Documents {
  const versions = Object.entries(documents.versions).map(([key, its]): [string, string] => {
    const isPieced = its === 'pieces' || (other.versions[key] === 'pieces' && its !== 'none')
    return [key, isPieced ? 'pieces' : its]
  })
  const used = new Set(versions.map(([, its]) => its))
  const unused = new Set(Object.values(documents.versions))
  const texts = documents.texts.filter((text) => used.has(text) || !unused.has(text))
  return { ...documents, versions: sorted(versions), texts }
}

export interface Recorder extends SearchEngine {
  documents(): Documents
  /** Texts that were brought, also those that went again. */
  readonly analyzed: number
}

/** An engine that can be asked for all it was given. */
export function recorder(inner: SearchEngine = openMemoryEngine()): Recorder {
  const files = new Map<number, string>()
  const versions = new Map<string, number>()
  const texts = new Map<number, string>()
  const stretches = new Map<number, Stretch>()
  let analyzed = 0
  const note = (batch: IndexBatch): void => {
    for (const id of batch.removedTexts) {
      texts.delete(id)
      stretches.delete(id)
    }
    for (const ino of batch.removedFiles) files.delete(ino)
    for (const { ino, number } of batch.removedVersions) versions.delete(`${ino}.${number}`)
    for (const { id, hash } of batch.texts) {
      if (texts.has(id)) throw new Error(`text ${id} is brought twice`)
      texts.set(id, Buffer.from(hash).toString('hex'))
      analyzed++
    }
    for (const stretch of batch.stretches) stretches.set(stretch.id, stretch)
    for (const { ino, name, path } of batch.files) files.set(ino, `${name.parts}: ${path.parts}`)
    for (const { ino, number, text } of batch.versions) {
      if (text !== 0 && text !== IN_PIECES && !texts.has(text))
        throw new Error(`there is no text ${text}`)
      versions.set(`${ino}.${number}`, text)
    }
  }
  const nameOf = (text: number): string =>
    text === IN_PIECES ? 'pieces' : (texts.get(text) ?? 'none')
  const isStray = ({ ino, first, last }: Stretch): boolean =>
    ![...versions].some(([key, text]) => {
      const [file, number = 0] = key.split('.').map(Number)
      return text === IN_PIECES && file === ino && number >= first && number <= last
    })
  const own = {
    async apply(batch: IndexBatch): Promise<void> {
      // Queries see a batch some time after it was handed over.
      await new Promise((resolve) => setImmediate(resolve))
      await inner.apply(batch)
      note(batch)
    },
    async clear(): Promise<void> {
      await inner.clear()
      for (const its of [files, versions, texts, stretches]) its.clear()
    },
    documents: (): Documents => ({
      files: sorted([...files]),
      versions: sorted([...versions].map(([key, text]) => [key, nameOf(text)])),
      texts: [...texts.values()].sort(),
      stray: [...stretches.values()].filter(isStray),
    }),
    get analyzed() {
      return analyzed
    },
  }
  return new Proxy(own as Recorder, {
    get(target, name) {
      if (name in target) return Reflect.get(target, name)
      const value: unknown = Reflect.get(inner, name)
      return typeof value === 'function' ? value.bind(inner) : value
    },
  })
}

function sorted(entries: [number | string, string][]): Record<string, string> {
  return Object.fromEntries(entries.sort(([a], [b]) => (`${a}` < `${b}` ? -1 : 1)))
}

/** The indexer's other end, in the same thread. */
export function takerOf(
  engine: SearchEngine,
  language = plainLanguage,
  batchBytes = 20_000,
): Taker {
  const writer = new IndexWriter(engine, language, { batchBytes, waitingMax: 1 })
  // One call at a time, as in a thread of its own.
  let last: Promise<unknown> = Promise.resolve()
  const queued = <T>(work: () => Promise<T>): Promise<T> => {
    const done = last.then(work)
    last = done.catch(() => undefined)
    return done
  }
  /**
   * The newest version of each inode: what is older must have come before, or a crash would leave a
   * gap.
   */
  const newest = new Map<number, number>()
  const assertInOrder = ({ ino, versions }: Item): void => {
    for (const { number } of versions) {
      if (number < (newest.get(ino) ?? 0)) throw new Error(`version ${number} of ${ino} comes late`)
      newest.set(ino, number)
    }
  }
  return {
    missing: (asked) => queued(() => writer.missing(asked)),
    withOthers: (asked) => queued(() => writer.withOthers(asked)),
    piecesOf: (ino, number) => queued(() => writer.piecesOf(ino, number)),
    nextPiece: () => queued(() => writer.nextPiece()),
    take: (items) => {
      items.forEach(assertInOrder)
      return queued(() => writer.take(items.map(copyOf)).then(() => 0))
    },
    settle: (watermark) => queued(() => writer.settle(watermark)),
    tidy: (from, limit) => queued(() => writer.tidy(from, limit)),
  }
}

/** As a thread gets it. */
function copyOf(item: Item): Item {
  const copied = <T extends { readonly bytes: Uint8Array | undefined }>(its: T): T => ({
    ...its,
    bytes: its.bytes?.slice(),
  })
  const { versions, pieces = [] } = item
  return { ...item, versions: versions.map(copied), pieces: pieces.map(copied) }
}

/** An indexer that began. Whatever ends it is thrown by `indexed`. */
export function indexerOf(core: Core, engine: SearchEngine): Indexer {
  return new Indexer(core, takerOf(engine), {
    textBytesMax: TEXT_BYTES_MAX,
    watermark: engine.status().watermark,
    failed: (error) =>
      process.nextTick(() => {
        throw error
      }),
  })
}

/** What an index that is built anew from nothing would hold. */
export async function rebuilt(core: Core): Promise<Documents> {
  const engine = recorder()
  core.changed.follow(undefined)
  const indexer = indexerOf(core, engine)
  try {
    if (!(await indexer.caughtUp(60_000))) throw new Error('it takes too long')
    return engine.documents()
  } finally {
    await indexer.close()
    await engine.close()
  }
}

/** What the index must hold of what has a name now, read from the vault without the indexer. */
export async function present(core: Core): Promise<Pick<Documents, 'files' | 'versions'>> {
  const files: [number, string][] = []
  const versions: [string, string][] = []
  const rows = await retryUntilLoaded(() => core.overlay.scan(inodes, { limit: ALL }))
  for (const { ino } of rows.filter((row) => row.ino !== ROOT_INO)) {
    const path = await retryUntilLoaded(() => lastPath(core, ino))
    if (path === undefined) continue
    const words = plainLanguage.wordsOf(Buffer.from(path, 'latin1')).parts
    const name = Buffer.from(path.slice(path.lastIndexOf('/') + 1), 'latin1')
    files.push([ino, `${plainLanguage.wordsOf(name).parts}: ${words}`])
    const range = { gte: [ino], lt: [ino + 1], limit: ALL }
    for (const row of await retryUntilLoaded(() => core.overlay.scan(version, range)))
      versions.push([`${ino}.${row.number}`, await hashOf(core, row)])
  }
  return { files: sorted(files), versions: sorted(versions) }
}

async function hashOf(core: Core, { ino, moment, size }: VersionRow): Promise<string> {
  const bytes = await retryUntilLoaded(() => {
    const row = inodeAt(core, ino, moment)
    return row === undefined ? undefined : Buffer.concat(readAt(core, row, moment, 0, size))
  })
  const isText = bytes !== undefined && plainLanguage.bodyOf(bytes) !== undefined
  if (!isText || size > TEXT_BYTES_MAX) return 'none'
  return createHash('sha256').update(bytes).digest('hex')
}
