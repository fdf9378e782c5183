// Applies the pieces of sync-send.ts to a copy of a vault. A new copy takes rows as they come. One
// that is already a valid backup first takes blocks, which change nothing by themselves, and then
// all rows in one commit.

import { deserialize } from 'node:v8'
import {
  type BlockRow,
  block,
  type Collection,
  collections,
  type Key,
  type SettingRow,
  setting,
} from '../../store/collections.ts'
import { HASH_BYTES } from '../../store/domains.ts'
import { keyOf } from '../../store/keys.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import { ALL, type Changes, type Range, type Store } from '../../store/store.ts'
import { unpackBlock } from '../core/blocks.ts'
import { COMMIT_BYTES, COMMIT_ROWS } from './copy-rows.ts'
import { RowDigest } from './row-digest.ts'
import { BACKUP_SETTING, type Digests } from './sync-have.ts'
import type { Sent, SentRows } from './sync-send.ts'

/** Limits of that one commit. */
const ONCE_BYTES_MAX = 64 * 1024 * 1024
export const ONCE_ROWS_MAX = 200_000

/** The changes exceed what one commit may hold. */
export class TooMuchError extends Error {}

/** Takes the pieces for one copy: `take` each, then `expected` and `finish`. */
export class SyncTaker {
  readonly #store: Store
  readonly #onceRowsMax: number
  readonly #digests = new Map<string, RowDigest>()
  readonly #changes = new Map<string, { puts: object[]; deletes: Key[] }>()
  readonly #newBlocks: string[] = []
  #vain: Uint8Array = new Uint8Array()
  #bytes = 0
  #rows = 0
  /** Rows that were put or deleted, and the bytes of those and of blocks. */
  written = { rows: 0, bytes: 0 }

  /**
   * `digests` are those of the store. It takes up to `onceRowsMax` rows in one commit; with 0, rows
   * are committed as they come.
   */
  constructor(store: Store, digests: Digests, onceRowsMax: number) {
    this.#store = store
    this.#onceRowsMax = onceRowsMax
    for (const collection of collections) {
      const digest = new RowDigest(collection)
      const own = digests.get(collection.name)
      if (own !== undefined) digest.addAll(own)
      this.#digests.set(collection.name, digest)
    }
  }

  /**
   * Takes one piece. Throws StoreError 'corrupt' for a block that does not match its hash,
   * TooMuchError.
   */
  async take(piece: Uint8Array): Promise<void> {
    const sent = deserialize(Buffer.from(piece)) as Sent
    if ('blocks' in sent) await this.#takeBlocks(sent.blocks)
    else if ('vain' in sent) this.#vain = sent.vain
    else await this.#takeRows(sent)
  }

  async #takeBlocks(rows: readonly BlockRow[]): Promise<void> {
    const digest = this.#digests.get(block.name)
    for (const row of rows) {
      unpackBlock(row)
      digest?.add(row)
      this.#newBlocks.push(row.hash)
      this.#count(row.data?.length ?? 0)
    }
    await this.#store.commit([{ collection: block as never, puts: rows, deletes: [] }])
  }

  async #takeRows({ collection: name, gte, lt, rows }: SentRows): Promise<void> {
    const collection = collections.find((its) => its.name === name)
    const digest = this.#digests.get(name)
    if (collection === undefined || digest === undefined) return
    const range: Range = { ...(gte && { gte }), ...(lt && { lt }), limit: ALL }
    const own = new Map<string, object>()
    for (const row of await retryUntilLoaded(() => this.#store.scan(collection, range)))
      own.set(keyText(collection, row), row)
    if (name === setting.name) own.delete(keyText(collection, { name: BACKUP_SETTING, value: '' }))
    for (const row of rows) {
      const key = keyText(collection, row)
      const before = own.get(key)
      own.delete(key)
      if (before !== undefined && isSame(collection, before, row)) continue
      if (before !== undefined) digest.remove(before)
      const bytes = digest.bytes
      digest.add(row)
      this.#of(name).puts.push(row)
      await this.#changed(digest.bytes - bytes)
    }
    for (const row of own.values()) {
      digest.remove(row)
      this.#of(name).deletes.push(keyOf(collection, row))
      await this.#changed(0)
    }
  }

  #of(name: string): { puts: object[]; deletes: Key[] } {
    const known = this.#changes.get(name)
    if (known !== undefined) return known
    const fresh = { puts: [], deletes: [] }
    this.#changes.set(name, fresh)
    return fresh
  }

  async #changed(bytes: number): Promise<void> {
    this.#count(bytes)
    this.#bytes += bytes
    this.#rows++
    if (this.#onceRowsMax > 0) {
      if (this.#bytes > ONCE_BYTES_MAX || this.#rows > this.#onceRowsMax) throw new TooMuchError()
    } else if (this.#bytes >= COMMIT_BYTES || this.#rows >= COMMIT_ROWS) await this.#commit()
  }

  #count(bytes: number): void {
    this.written = { rows: this.written.rows + 1, bytes: this.written.bytes + bytes }
  }

  async #commit(mark?: SettingRow): Promise<void> {
    const batch: Changes[] = [...this.#changes].map(([name, { puts, deletes }]) => ({
      collection: collections.find((its) => its.name === name) as Collection<object>,
      puts: mark !== undefined && name === setting.name ? [...puts, mark] : puts,
      deletes,
    }))
    if (mark !== undefined && !this.#changes.has(setting.name))
      batch.push({ collection: setting as never, puts: [mark], deletes: [] })
    this.#changes.clear()
    this.#bytes = 0
    this.#rows = 0
    if (batch.length > 0) await this.#store.commit(batch)
  }

  /** The digests of the copy after `finish` has deleted unneeded blocks. */
  async expected(): Promise<Digests> {
    const digest = this.#digests.get(block.name)
    for (const hash of this.#vainHashes()) {
      const head = await retryUntilLoaded(() => this.#store.get(block, [hash]))
      if (head !== undefined) digest?.remove(head)
    }
    return this.#digests
  }

  /**
   * Commits what is left, together with the row `mark`; blocks that are no longer needed are
   * deleted last.
   */
  async finish(mark?: SettingRow): Promise<void> {
    await this.#commit(mark)
    const deletes = this.#vainHashes().map((hash): Key => [hash])
    for (let at = 0; at < deletes.length; at += COMMIT_ROWS)
      await this.#store.commit([
        { collection: block as never, puts: [], deletes: deletes.slice(at, at + COMMIT_ROWS) },
      ])
  }

  /** Reads the new blocks back and verifies them. Throws StoreError 'corrupt'. */
  async proveBlocks(): Promise<void> {
    for (const hash of this.#newBlocks) {
      const row = await retryUntilLoaded(() => this.#store.get(block, [hash]))
      unpackBlock(row ?? { hash, size: -1, codec: 0, data: null })
    }
  }

  #vainHashes(): string[] {
    const bytes = Buffer.from(this.#vain.buffer, this.#vain.byteOffset, this.#vain.length)
    const hashes: string[] = []
    for (let at = 0; at < bytes.length; at += HASH_BYTES)
      hashes.push(bytes.toString('latin1', at, at + HASH_BYTES))
    return hashes
  }
}

function keyText(collection: Collection<object>, row: object): string {
  return keyOf(collection, row).join('\0')
}

function isSame({ fields }: Collection<object>, a: object, b: object): boolean {
  return (fields as readonly string[]).every((field) => {
    const one = (a as Record<string, unknown>)[field]
    const other = (b as Record<string, unknown>)[field]
    if (one instanceof Uint8Array && other instanceof Uint8Array)
      return Buffer.compare(one, other) === 0
    return one === other
  })
}
