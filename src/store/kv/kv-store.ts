// A Store over a key-value engine: encodes rows, keeps commits in order, and checks that what it
// opens is a vault. The engine underneath knows only bytes.
//
// The engine gets one batch at a time. Later commits wait here, encoded; when a batch fails, those
// waiting behind it are refused too, since they may build on it.

import { type Collection, collections, type Key } from '../collections.ts'
import { retryUntilLoaded } from '../retry.ts'
import {
  type Batch,
  type CompactOptions,
  type Range,
  type Store,
  StoreError,
  type StoreStats,
} from '../store.ts'
import type { KvEngine, KvOpenOptions, KvView } from './engine.ts'
import { ROWS } from './engine.ts'
import { FORMAT, MAGIC, META_KEY } from './layout.ts'
import { packBatch, packEntry } from './pack.ts'
import { RowStore } from './row-store.ts'
import { verifyEntries } from './verify.ts'
import { Writer, WriterPool } from './writer.ts'

export type OpenEngine = (path: string, options: KvOpenOptions) => Promise<KvEngine>

const FORMAT_BYTES = 1

/**
 * Opens the vault at a path. Rejects with StoreError: 'format' for what is not a vault or one of a
 * newer avfs, 'io' where there is none, or with `create` where there is one that has rows.
 */
export async function openKvStore(
  open: OpenEngine,
  path: string,
  options: KvOpenOptions,
): Promise<Store> {
  const engine = await open(path, options)
  try {
    const store = new KvStore(engine, options.readOnly)
    const isNew = await retryUntilLoaded(() => checkFormat(engine, path, options.create))
    if (isNew) await writeFormat(engine)
    else if (options.create && (await retryUntilLoaded(() => hasRows(store))))
      throw new StoreError('io', `there is a vault at ${path} already`)
    return store
  } catch (error) {
    await engine.close()
    throw error
  }
}

/** True if nothing says yet that this is a vault, as after a creation that was killed. */
function checkFormat(engine: KvEngine, path: string, create: boolean): boolean {
  const found = engine.get(ROWS, META_KEY)
  if (found === undefined && create && isEmpty(engine)) return true
  const magic = Buffer.from(found ?? []).toString('latin1', 0, MAGIC.length)
  if (magic !== MAGIC || found?.byteLength !== MAGIC.length + FORMAT_BYTES)
    throw new StoreError('format', `${path} is not an avfs vault`)
  const format = found[MAGIC.length] as number
  if (format > FORMAT)
    throw new StoreError(
      'format',
      `${path} was written by a newer avfs: it has format ${format}, this one reads up to ${FORMAT}`,
    )
  return false
}

function isEmpty(engine: KvEngine): boolean {
  const all = {
    group: ROWS,
    gte: META_KEY,
    lt: undefined,
    reverse: false,
    limit: 1,
    bytes: 1,
  } as const
  return engine.range(all).byteLength === 0
}

function hasRows(store: Store): boolean {
  return collections.some((collection) => store.project(collection, [], { limit: 1 }).length > 0)
}

async function writeFormat(engine: KvEngine): Promise<void> {
  const writer = new Writer()
  packEntry(writer, ROWS, META_KEY, Buffer.from(`${MAGIC}${String.fromCharCode(FORMAT)}`, 'latin1'))
  await engine.write(writer.bytes, writer.length)
}

interface Waiting {
  readonly changes: Writer
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

class KvStore implements Store {
  readonly traits: KvEngine['traits']
  readonly #engine: KvEngine
  readonly #rows: RowStore
  readonly #readOnly: boolean
  readonly #writers = new WriterPool()
  #waiting: Waiting[] = []
  /** Resolves when the engine is idle; undefined while it is. */
  #running: Promise<void> | undefined
  #compacting: Promise<void> = Promise.resolve()
  #lastCommit: Promise<void> = Promise.resolve()
  #closing: Promise<void> | undefined

  constructor(engine: KvEngine, readOnly: boolean) {
    this.#engine = engine
    this.traits = engine.traits
    this.#rows = new RowStore(engine)
    this.#readOnly = readOnly
  }

  get<R extends object>(collection: Collection<R>, key: Key): R | undefined {
    this.#assertOpen()
    return this.#rows.get(collection, key)
  }

  scan<R extends object>(collection: Collection<R>, range: Range): R[] {
    this.#assertOpen()
    return this.#rows.scan(collection, range)
  }

  project<R extends object, F extends keyof R & string>(
    collection: Collection<R>,
    fields: readonly F[],
    range: Range,
  ): Pick<R, F>[] {
    this.#assertOpen()
    return this.#rows.project(collection, fields, range)
  }

  async commit(batch: Batch): Promise<void> {
    this.#assertWritable()
    const changes = this.#writers.take()
    try {
      packBatch(changes, batch, this.traits.keyBytesMax)
    } catch (error) {
      this.#writers.give(changes)
      throw error
    }
    // An empty batch writes nothing, but resolves only when all before it is durable.
    if (changes.length > 0) this.#lastCommit = this.#enqueue(changes)
    else this.#writers.give(changes)
    return this.#lastCommit
  }

  #enqueue(changes: Writer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ changes, resolve, reject })
      this.#running ??= this.#drain()
    })
  }

  /** Passes one batch after another to the engine until none waits. */
  async #drain(before?: Promise<void>): Promise<void> {
    await before
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      const { changes, resolve, reject } = next
      try {
        await this.#engine.write(changes.bytes, changes.length)
        resolve()
      } catch (error) {
        reject(error)
        this.#refuseWaiting(error)
      }
      this.#writers.give(changes)
    }
    this.#running = undefined
  }

  #refuseWaiting(cause: unknown): void {
    const refused = this.#waiting
    this.#waiting = []
    const { kind, message } = cause as StoreError
    for (const { changes, reject } of refused) {
      this.#writers.give(changes)
      reject(
        new StoreError(kind ?? 'io', `not tried, because a commit before it failed: ${message}`),
      )
    }
  }

  async view(): Promise<Store> {
    this.#assertOpen()
    return new KvViewStore(this.#engine, await this.#engine.view())
  }

  stats(): StoreStats {
    this.#assertOpen()
    return withFormat(this.#engine.stats())
  }

  async compact(options: CompactOptions = {}): Promise<void> {
    this.#assertWritable()
    const before = this.#compacting
    const run = async (): Promise<void> => {
      await before
      if (this.traits.compactsOnline) return this.#engine.compact(options)
      // Commits wait until it has ended, as they would behind a batch.
      while (this.#running !== undefined) await this.#running
      const compaction = this.#engine.compact(options)
      this.#running = this.#drain(compaction.catch(() => {}))
      return compaction
    }
    const compaction = run()
    this.#compacting = compaction.catch(() => {})
    return compaction
  }

  async verify(): Promise<string[]> {
    this.#assertOpen()
    const findings = await this.#engine.verify()
    const view = await this.#engine.view()
    try {
      return [...findings, ...(await verifyEntries(view))]
    } finally {
      await view.close()
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.#compacting
    while (this.#running !== undefined) await this.#running
    await this.#engine.close()
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new StoreError('closed', 'the vault is closed')
  }

  #assertWritable(): void {
    this.#assertOpen()
    if (this.#readOnly) throw readOnlyError()
  }
}

/** A view as a Store of its own. */
class KvViewStore implements Store {
  readonly traits: KvEngine['traits']
  readonly #engine: KvEngine
  readonly #view: KvView
  readonly #rows: RowStore
  #closing: Promise<void> | undefined

  constructor(engine: KvEngine, view: KvView) {
    this.#engine = engine
    this.traits = engine.traits
    this.#view = view
    this.#rows = new RowStore(view)
  }

  get<R extends object>(collection: Collection<R>, key: Key): R | undefined {
    this.#assertOpen()
    return this.#rows.get(collection, key)
  }

  scan<R extends object>(collection: Collection<R>, range: Range): R[] {
    this.#assertOpen()
    return this.#rows.scan(collection, range)
  }

  project<R extends object, F extends keyof R & string>(
    collection: Collection<R>,
    fields: readonly F[],
    range: Range,
  ): Pick<R, F>[] {
    this.#assertOpen()
    return this.#rows.project(collection, fields, range)
  }

  async commit(): Promise<void> {
    this.#assertOpen()
    throw readOnlyError()
  }

  async view(): Promise<Store> {
    this.#assertOpen()
    return new KvViewStore(this.#engine, await this.#engine.view())
  }

  stats(): StoreStats {
    this.#assertOpen()
    return withFormat(this.#engine.stats())
  }

  async compact(): Promise<void> {
    this.#assertOpen()
    throw readOnlyError()
  }

  async verify(): Promise<string[]> {
    this.#assertOpen()
    return verifyEntries(this.#view)
  }

  close(): Promise<void> {
    this.#closing ??= this.#view.close()
    return this.#closing
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new StoreError('closed', 'the view is closed')
  }
}

function readOnlyError(): StoreError {
  return new StoreError('locked', 'the vault is open for reading only')
}

function withFormat(stats: StoreStats): StoreStats {
  return { ...stats, engine: { format: FORMAT, ...stats.engine } }
}
