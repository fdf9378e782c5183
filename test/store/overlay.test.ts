// The overlay against all of its rows in one map: scans of any shape over layers that hide each
// other and the engine. AVFS_SEED repeats a run.

import t from 'tap'
import { type EntryPastRow, entryPast, type Key } from '../../src/store/collections.ts'
import { compareKeys, inRange, keyOf } from '../../src/store/keys.ts'
import { openMemory } from '../../src/store/memory.ts'
import { Overlay } from '../../src/store/overlay.ts'
import type { Range } from '../../src/store/store.ts'
import { randomFrom, seedOf } from '../support/random.ts'

t.test('scans see every change, in order, whatever lies in which layer', async (t) => {
  const seed = seedOf('AVFS_SEED')
  t.comment(`AVFS_SEED=${seed}`)
  const { below } = randomFrom(seed)
  const store = openMemory()
  const overlay = new Overlay(store)
  const model = new Map<string, EntryPastRow>()
  const waiting: ReturnType<Overlay['handOver']>[] = []

  const row = (): EntryPastRow => {
    const since = below(4)
    const name = `n${below(6)}`
    return {
      ...{ parent: below(3), name, since, until: below(100), ino: below(100), type: 8 },
      ...{ origin: 0 as const, actor: 0, fromParent: 0, fromName: '', fate: 0, endedBy: 0 },
    }
  }
  const part = (): Key => {
    const { parent, name, since } = row()
    return [parent, name, since].slice(0, 1 + below(3))
  }
  const range = (): Range => ({
    ...(below(5) === 0 ? {} : { gte: part() }),
    ...(below(5) === 0 ? {} : { lt: part() }),
    reverse: below(2) === 0,
    limit: below(4) === 0 ? 1000 : below(5),
  })

  for (let step = 0; step < 3000; step++) {
    const its = row()
    const key = keyOf(entryPast, its)
    const kind = below(40)
    if (kind < 24) {
      overlay.put(entryPast, its)
      model.set(key.join('/'), its)
    } else if (kind < 36) {
      overlay.delete(entryPast, key)
      model.delete(key.join('/'))
    } else if (kind < 38) waiting.push(overlay.handOver())
    else if (waiting.length > 0) {
      await store.commit(waiting.shift()?.batch() ?? [])
      overlay.settle()
    }
    const asked = range()
    const wanted = [...model.values()]
      .filter((found) => inRange(keyOf(entryPast, found), asked))
      .sort((a, b) => compareKeys(keyOf(entryPast, a), keyOf(entryPast, b)))
    if (asked.reverse === true) wanted.reverse()
    const found = overlay.scan(entryPast, asked)
    if (JSON.stringify(found) === JSON.stringify(wanted.slice(0, asked.limit))) continue
    t.same(found, wanted.slice(0, asked.limit), `step ${step}: ${JSON.stringify(asked)}`)
    return
  }
  t.ok(model.size > 0)
})
