// Vaults in memory whose changes an indexer follows, for its tests.

import { openStore } from '../../src/store/open.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import type { Store } from '../../src/store/store.ts'
import { birthBatch, Vault } from '../../src/vault/vault.ts'
import { Run } from '../vault/random-run.ts'

const small = { cacheBytes: 1_000_000, commitMs: 20 }

/** Writes words as a rule, so that files are texts, and some of them the same ones. */
export class Writing extends Run {
  override bytes(length: number): Uint8Array {
    if (this.random(4) === 0) return super.bytes(length)
    const words = ['red', 'green', 'blue', 'Gold', 'white']
    let text = ''
    while (text.length < length) text += `${words[this.random(3)]} ${this.random(3)}\n`
    return Buffer.from(text.slice(0, length))
  }
}

export async function openMemory(wrap: (store: Store) => Store = (store) => store): Promise<Vault> {
  const inner = await openStore('memory', { create: true, backend: 'memory' })
  await inner.commit(birthBatch())
  const store = wrap(inner)
  return retryUntilLoaded(() => new Vault(store, '/tmp/none', small))
}
