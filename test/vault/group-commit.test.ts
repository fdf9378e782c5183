// Commits in groups: which callers share one, what happens when the engine refuses, and what stop()
// promises.

import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import { setLog } from '../../src/base/log.ts'
import { setting } from '../../src/store/collections.ts'
import { GroupCommit } from '../../src/store/group-commit.ts'
import { openMemory } from '../../src/store/memory.ts'
import { Overlay } from '../../src/store/overlay.ts'
import { type Batch, type Store, StoreError } from '../../src/store/store.ts'

setLog('error', () => {})
const full = new StoreError('full', 'no room')

/** A store whose commits can be held up and refused. */
function controlled() {
  const memory = openMemory()
  const state = { refuse: false, commits: 0, gate: Promise.resolve() }
  const store: Store = Object.assign(Object.create(memory), {
    commit: async (batch: Batch) => {
      await state.gate
      if (state.refuse) throw full
      state.commits++
      await memory.commit(batch)
    },
  })
  const overlay = new Overlay(store)
  const commits = new GroupCommit(overlay, {
    intervalMs: 1_000_000,
    collect: () => {},
    prepare: async (layer) => layer.batch(),
    settled: () => {},
  })
  const put = (name: string) => overlay.put(setting, { name, value: name })
  return { memory, state, overlay, commits, put }
}

t.test('each commit makes what came before it durable, again and again', async (t) => {
  const { memory, commits, put } = controlled()
  for (const name of ['a', 'b', 'c']) {
    put(name)
    await commits.commit()
    t.equal(memory.get(setting, [name])?.value, name)
  }
})

t.test('those who wait while two batches are under way share the next one', async (t) => {
  const { memory, state, commits, put } = controlled()
  const { promise, resolve } = Promise.withResolvers<void>()
  state.gate = promise
  const waits: Promise<void>[] = []
  for (const name of ['a', 'b', 'c', 'd', 'e']) {
    put(name)
    waits.push(commits.commit())
  }
  t.ok(commits.behind)
  t.ok(commits.pressure)
  resolve()
  await Promise.all(waits)
  t.equal(state.commits, 3)
  t.equal(memory.scan(setting, { limit: 10 }).length, 5)
  t.equal(commits.pressure, undefined)
})

t.test('who waits for the batch behind one that is refused is told', async (t) => {
  const { memory, state, commits, put } = controlled()
  const gate = Promise.withResolvers<void>()
  state.gate = gate.promise
  put('a')
  const first = commits.commit()
  put('b')
  const second = commits.commit()
  state.refuse = true
  gate.resolve()
  await t.rejects(first, full)
  await t.rejects(second, full)
  state.refuse = false
  await commits.stop().catch(() => {})
  t.equal(memory.scan(setting, { limit: 10 }).length, 2, 'nothing is lost')
})

t.test(
  'who has nothing new waits for the newest batch, when an older one is done too',
  async (t) => {
    const { memory, state, commits, put } = controlled()
    const older = Promise.withResolvers<void>()
    const newer = Promise.withResolvers<void>()
    state.gate = older.promise
    put('a')
    const first = commits.commit()
    put('b')
    commits.nudge()
    // The first has been called when timers run; the second is called as soon as that is done.
    await setImmediate()
    state.gate = newer.promise
    older.resolve()
    await first
    let isDurable = false
    const asked = commits.commit().then(() => {
      isDurable = true
    })
    await setImmediate()
    t.equal(isDurable, false)
    newer.resolve()
    await asked
    t.equal(memory.get(setting, ['b'])?.value, 'b')
  },
)

t.test(
  'a refused commit is told to who waits, kept, written later, and forgotten then',
  async (t) => {
    const { memory, state, overlay, commits, put } = controlled()
    state.refuse = true
    put('a')
    await t.rejects(commits.commit(), full)
    t.equal(commits.failure, full)
    put('b')
    await t.rejects(commits.commit(), full, 'nothing passes it')
    await t.rejects(commits.commit(), full)
    t.equal(overlay.get(setting, ['a'])?.value, 'a', 'reads see it all the same')
    state.refuse = false
    while (commits.failure !== undefined) await new Promise((go) => setTimeout(go, 50))
    await commits.commit()
    await commits.commit()
    t.equal(memory.get(setting, ['a'])?.value, 'a')
    t.equal(memory.get(setting, ['b'])?.value, 'b')
    put('c')
    await commits.commit()
    t.equal(memory.get(setting, ['c'])?.value, 'c')
  },
)

t.test('stop writes what was refused before and what came after it', async (t) => {
  const { memory, state, commits, put } = controlled()
  state.refuse = true
  put('a')
  await t.rejects(commits.commit())
  put('b')
  state.refuse = false
  await commits.stop()
  t.equal(memory.scan(setting, { limit: 10 }).length, 2)
})

t.test('stop says so when the engine goes on refusing', async (t) => {
  const { state, commits, put } = controlled()
  state.refuse = true
  put('a')
  await t.rejects(commits.commit())
  await t.rejects(commits.stop(), full)
})
