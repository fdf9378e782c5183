// Commits to a vault and applies batches to the index in it, side by side, until it is killed.
// Number i of either is a setting or a text of its own. Prints 'commit i' and 'apply i' when they
// have resolved.

import { writeSync } from 'node:fs'
import { openFts5 } from '../../src/search/fts5.ts'
import { setting } from '../../src/store/collections.ts'
import { openStore } from '../../src/store/open.ts'
import { changes } from '../store/rows.ts'
import { killBatch } from './kill-batch.ts'

const path = process.argv[2] as string
const store = await openStore(path)
if (store.auxiliary === undefined) throw new Error('the store takes no other tables')
const engine = openFts5(path, store.auxiliary.run)

async function commitForEver(): Promise<void> {
  for (let i = Number(store.get(setting, ['last'])?.value ?? 0) + 1; ; i++) {
    const rows = [
      { name: 'last', value: `${i}` },
      { name: `n${i}`, value: 'x'.repeat(5000) },
    ]
    await store.commit([changes(setting, rows)])
    writeSync(1, `commit ${i}\n`)
  }
}

async function applyForEver(): Promise<void> {
  for (let i = engine.status().watermark + 1; ; i++) {
    await engine.apply(killBatch(i))
    writeSync(1, `apply ${i}\n`)
    if (i % 20 === 0) engine.optimize()
  }
}

commitForEver()
applyForEver()
