// How deep `vault check` looks: without --deep the bytes of blocks are not read, and everything
// that it promises is found all the same.

import t from 'tap'
import { setLog } from '../../src/base/log.ts'
import { createFileSystem } from '../../src/fs/file-system.ts'
import { type BlockRow, block, type Collection } from '../../src/store/collections.ts'
import { openStore } from '../../src/store/open.ts'
import type { Store } from '../../src/store/store.ts'
import { checkStore } from '../../src/vault/check/check.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { birthBatch, Vault } from '../../src/vault/vault.ts'
import { caller } from './random-run.ts'

setLog('error')
const BLOCKS = 5
const BLOCK_BYTES = 131_072
const blocks = block as unknown as Collection<object>

/** A store with one file of some blocks. */
async function blockStore(): Promise<Store> {
  const store = await openStore('memory', { create: true, backend: 'memory' })
  await store.commit(birthBatch())
  const vault = new Vault(store, '/tmp/none', { commitMs: 1e9 })
  const fs = createFileSystem(vault, { readOnly: false })
  const { ino } = fs.create(caller, ROOT_INO, 'f', 0o644, 0, 0)
  for (let at = 0; at < BLOCKS; at++)
    fs.write(caller, ino, at * BLOCK_BYTES, Buffer.alloc(BLOCK_BYTES, at + 1), false, false)
  fs.flush(caller, ino)
  await vault.sync()
  return store
}

/** The same store, and how many blocks were read with their bytes. */
function counted(inner: Store): { store: Store; read(): number } {
  let count = 0
  const store: Store = {
    traits: inner.traits,
    get: (collection, key) => {
      if (collection.name === block.name) count++
      return inner.get(collection, key)
    },
    scan: (collection, range) => {
      const rows = inner.scan(collection, range)
      if (collection.name === block.name) count += rows.length
      return rows
    },
    project: (collection, fields, range) => {
      const rows = inner.project(collection, fields, range)
      const isData = (fields as readonly string[]).includes('data')
      if (collection.name === block.name && isData) count += rows.length
      return rows
    },
    commit: (batch) => inner.commit(batch),
    view: async () => counted(await inner.view()).store,
    stats: () => inner.stats(),
    compact: (options) => inner.compact(options),
    verify: () => inner.verify(),
    close: () => inner.close(),
  }
  return { store, read: () => count }
}

async function replaceBlock(store: Store, change: Partial<BlockRow> | 'delete'): Promise<void> {
  const [first] = store.scan(block, { limit: 1 })
  if (first === undefined) throw new Error('there is no block')
  await store.commit([{ collection: blocks, puts: [], deletes: [[first.hash]] }])
  if (change === 'delete') return
  await store.commit([{ collection: blocks, puts: [{ ...first, ...change }], deletes: [] }])
}

t.test('a check that is not deep leaves the bytes of blocks unread', async (t) => {
  const { store, read } = counted(await blockStore())
  const shallow = await checkStore(store, { deep: false })
  t.same(shallow, { problems: [], inodes: 2, blocks: BLOCKS, bytes: BLOCKS * BLOCK_BYTES })
  t.equal(read(), 0)
  t.same(await checkStore(store, { deep: true }), shallow)
  t.equal(read(), BLOCKS)
})

t.test(
  'a block that is missing or too short is found by either, damaged bytes by the deep one',
  async (t) => {
    const found = async (change: Partial<BlockRow> | 'delete', deep: boolean) => {
      const store = await blockStore()
      await replaceBlock(store, change)
      return (await checkStore(store, { deep })).problems.map(({ kind, path }) => [kind, path])
    }
    t.same(await found('delete', false), [['block', '/f']])
    t.same(await found({ size: 1000 }, false), [['block', '/f']])
    t.same(await found({ codec: 7 }, false), [['block', '/f']])
    t.same(await found({ data: new Uint8Array(100) }, false), [])
    t.same(await found({ data: new Uint8Array(100) }, true), [['block', '/f']])
  },
)
