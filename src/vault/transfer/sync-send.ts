// Sends what a copy of a vault lacks, as pieces for sync-take.ts: the rows of each stretch that
// differs, missing blocks, and the hashes of blocks that are no longer needed. Reads every row,
// except the bytes of known blocks, and counts them all in the resulting survey.

import { serialize } from 'node:v8'
import { type BlockRow, block, collections, type Key } from '../../store/collections.ts'
import { HASH_BYTES } from '../../store/domains.ts'
import { compareKeys, keyOf } from '../../store/keys.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import type { Store } from '../../store/store.ts'
import type { Survey } from './copy-rows.ts'
import { RowDigest } from './row-digest.ts'
import { type Digests, type Have, isBlock, rowsOf, type Stretches, surveyOf } from './sync-have.ts'

const SENT_ROWS = 1000
const SENT_BYTES = 4 * 1024 * 1024

/** The rows of a collection with gte <= key < lt: exactly these. */
export interface SentRows {
  readonly collection: string
  readonly gte: Key | undefined
  readonly lt: Key | undefined
  readonly rows: readonly object[]
}

/**
 * Blocks come before the rows that need them; `vain` blocks are to be deleted once all rows are
 * there.
 */
export type Sent =
  | SentRows
  | { readonly blocks: readonly BlockRow[] }
  | { readonly vain: Uint8Array }

type SendPiece = (piece: Uint8Array) => Promise<void> | void

/**
 * Sends what makes a copy that has `have` equal to `view`. Throws StoreError 'corrupt' where the
 * vault is damaged.
 */
export async function sendChanges(
  view: Store,
  have: Have,
  send: SendPiece,
  progress: (bytes: number) => void,
): Promise<Survey> {
  const digests = new Map<string, RowDigest>()
  const run: Run = { view, send: (sent) => send(serialize(sent)), progress, digests, bytes: 0 }
  const vain = await sendBlocks(run, have.blocks)
  for (const collection of collections)
    if (!isBlock(collection))
      await sendRows(run, collection, have.stretches[collection.name] ?? NOTHING)
  await run.send({ vain })
  return surveyOf(digests)
}

const NOTHING: Stretches = { starts: [], digests: [] }

interface Run {
  readonly view: Store
  readonly send: (sent: Sent) => Promise<void> | void
  readonly progress: (bytes: number) => void
  readonly digests: Map<string, RowDigest> & Digests
  bytes: number
}

/** Returns the hashes of blocks that are no longer needed. Both sides are sorted by hash. */
async function sendBlocks(run: Run, known: Uint8Array): Promise<Uint8Array> {
  const digest = new RowDigest(block as never)
  run.digests.set(block.name, digest)
  const hashes = Buffer.from(known.buffer, known.byteOffset, known.length)
  const vain: Buffer[] = []
  let at = 0
  let rows: BlockRow[] = []
  let bytes = 0
  const flush = async (): Promise<void> => {
    if (rows.length > 0) await run.send({ blocks: rows })
    rows = []
    bytes = 0
  }
  for await (const row of rowsOf(run.view, block as never, false)) {
    const { hash } = row as BlockRow
    digest.add(row)
    const wanted = Buffer.from(hash, 'latin1')
    let order = -1
    for (; at < hashes.length; at += HASH_BYTES) {
      const own = hashes.subarray(at, at + HASH_BYTES)
      order = own.compare(wanted)
      if (order >= 0) break
      vain.push(own)
    }
    if (at < hashes.length && order === 0) {
      at += HASH_BYTES
      continue
    }
    const whole = await retryUntilLoaded(() => run.view.get(block, [hash]))
    if (whole === undefined) continue
    rows.push(whole)
    bytes += whole.data?.length ?? 0
    run.bytes += whole.data?.length ?? 0
    run.progress(run.bytes)
    if (bytes >= SENT_BYTES) await flush()
  }
  await flush()
  return Buffer.concat([...vain, hashes.subarray(at)])
}

async function sendRows(
  run: Run,
  collection: (typeof collections)[number],
  { starts, digests }: Stretches,
): Promise<void> {
  const total = new RowDigest(collection)
  run.digests.set(collection.name, total)
  let stretch = new RowDigest(collection)
  let index = 0
  // Parts of a long stretch may be sent already.
  let gte: Key | undefined
  let isCut = false
  let rows: object[] = []
  let sentBytes = 0
  const flush = async (lt: Key | undefined): Promise<void> => {
    await run.send({ collection: collection.name, gte, lt, rows })
    gte = lt
    sentBytes = stretch.bytes
    rows = []
  }
  const end = async (): Promise<void> => {
    const next = starts[index + 1]
    const isSame = !isCut && stretch.rows > 0 && stretch.digest === digests[index]
    const isEmpty = stretch.rows === 0 && starts.length === 0
    if (!isSame && !isEmpty) await flush(next)
    gte = next
    total.addAll(stretch)
    run.bytes += stretch.bytes
    run.progress(run.bytes)
    stretch = new RowDigest(collection)
    sentBytes = 0
    isCut = false
    rows = []
    index++
  }
  for await (const row of rowsOf(run.view, collection)) {
    const key = keyOf(collection, row)
    for (let next = starts[index + 1]; next !== undefined; next = starts[index + 1]) {
      if (compareKeys(key, next) < 0) break
      await end()
    }
    if (rows.length >= SENT_ROWS || stretch.bytes - sentBytes >= SENT_BYTES) {
      isCut = true
      await flush(key)
    }
    stretch.add(row)
    rows.push(row)
  }
  while (index < Math.max(1, starts.length)) await end()
}
