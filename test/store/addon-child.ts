// Leaves an engine in the middle of its work: opens the vault at the first argument with the engine
// named by the second, begins batches, a view, a check and a compaction, and ends as the third
// says. Prints 'begun' before that.

import { writeSync } from 'node:fs'
import { isMainThread, Worker, workerData } from 'node:worker_threads'
import { BLOCKS, type KvEngine, ROWS } from '../../src/store/kv/engine.ts'
import { openRocksdb } from '../../src/store/rocksdb.ts'
import { openSled } from '../../src/store/sled.ts'
import { type Change, put } from './engine-suite.ts'

type End = 'exit' | 'throw' | 'terminate' | 'leave'

const [path, engine, end] = (isMainThread ? process.argv.slice(2) : workerData) as [
  string,
  'rocksdb' | 'sled',
  End,
]

async function begin(): Promise<KvEngine> {
  const open = engine === 'rocksdb' ? openRocksdb : openSled
  const store = await open(path, { create: true, readOnly: false, cacheBytes: 8_000_000 })
  for (let i = 0; i < 10; i++) await put(store, ...blocks(i))
  await put(store, [ROWS, 'acknowledged', Buffer.from('yes')])
  await store.view()
  const ignored = () => {}
  for (let i = 0; i < 3; i++) put(store, ...blocks(i + 100)).catch(ignored)
  store.compact().catch(ignored)
  store.verify().catch(ignored)
  return store
}

function blocks(seed: number): Change[] {
  return Array.from({ length: 20 }, (_, i) => [BLOCKS, `${seed}-${i}`, Buffer.alloc(60_000, seed)])
}

if (isMainThread && end === 'terminate') {
  const worker = new Worker(new URL(import.meta.url), { workerData: [path, engine, end] })
  await new Promise((resolve) => worker.once('message', resolve))
  writeSync(1, 'begun\n')
  await worker.terminate()
  writeSync(1, 'ended\n')
} else {
  const store = await begin()
  if (!isMainThread) {
    const { parentPort } = await import('node:worker_threads')
    parentPort?.postMessage(store.traits.backend)
    setInterval(() => store.stats(), 1)
  } else {
    writeSync(1, 'begun\n')
    if (end === 'exit') process.exit(0)
    if (end === 'throw') throw new Error('on purpose')
  }
}
