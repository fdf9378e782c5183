// Who is recorded as the author of a change: processes that begin, run another program, and end;
// and the removal of their rows.

import t from 'tap'
import { setLog } from '../../src/base/log.ts'
import { processOf } from '../../src/base/processes.ts'
import { createFileSystem } from '../../src/fs/file-system.ts'
import { actor as actors, entryPast } from '../../src/store/collections.ts'
import { openStore } from '../../src/store/open.ts'
import { Overlay } from '../../src/store/overlay.ts'
import type { Store } from '../../src/store/store.ts'
import { sealAll } from '../../src/vault/content/seal.ts'
import { Actors, actorOf } from '../../src/vault/core/actors.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { historyOf } from '../../src/vault/history/changes.ts'
import { versionsOf } from '../../src/vault/history/versions.ts'
import { birthBatch, Vault } from '../../src/vault/vault.ts'
import { noChange } from '../support/no-change.ts'
import { caller } from './random-run.ts'

setLog('error')
const ALL = 1_000_000

/** Actors of threads that a table tells of. */
async function actorsOf(threads: Record<number, ReturnType<typeof processOf>>) {
  const overlay = new Overlay(await openStore('memory', { create: true, backend: 'memory' }))
  const find = (thread: number) => threads[thread]
  const known = new Actors(overlay, find)
  const who = (uid: number, thread: number) => {
    known.act(uid, thread)
    return actorOf({ overlay }, known.current)
  }
  return { known, who, overlay, count: () => overlay.scan(actors, { limit: ALL }).length }
}

t.test(
  'a process is one actor, whichever of its threads acts, and one for each user',
  async (t) => {
    const cp = { pid: 10, command: 'cp' }
    const { who, count } = await actorsOf({ 10: cp, 11: cp, 12: cp })
    for (let round = 0; round < 100; round++)
      for (const thread of [10, 11, 12]) t.same(who(1000, thread), { uid: 1000, ...cp })
    t.equal(count(), 1)
    t.same(who(0, 10), { uid: 0, ...cp })
    t.equal(count(), 2)
  },
)

t.test('nobody becomes a row who changes nothing', async (t) => {
  const { known, count } = await actorsOf({ 10: { pid: 10, command: 'ls' } })
  known.act(0, 10)
  known.actAs({ uid: 1, pid: 2, command: 'avfs' })
  known.act(0, 0)
  t.equal(count(), 0)
})

t.test('a process that becomes another program is told by what it is when it acts', async (t) => {
  const threads = { 10: { pid: 10, command: 'sh' } }
  const { who } = await actorsOf(threads)
  t.match(who(0, 10), { command: 'sh' })
  threads[10] = { pid: 10, command: 'sort' }
  t.match(who(0, 10), { command: 'sort' })
})

t.test('a number that is used again is another process soon after', async (t) => {
  const threads = { 10: { pid: 10, command: 'old' } }
  const { who, count } = await actorsOf(threads)
  for (let round = 0; round < 50; round++) who(0, 10)
  threads[10] = { pid: 10, command: 'new' }
  await new Promise((resolve) => setTimeout(resolve, 50))
  t.same(who(0, 10), { uid: 0, pid: 10, command: 'new' })
  t.match(who(5, 10), { uid: 5, command: 'new' })
  t.equal(count(), 3)
})

t.test('of a process that is gone is told what is known, and of the kernel nothing', async (t) => {
  const threads: Record<number, ReturnType<typeof processOf>> = {
    10: { pid: 10, command: 'short' },
    20: 'kernel',
  }
  const { who, known } = await actorsOf(threads)
  who(0, 10)
  threads[10] = undefined
  t.same(who(0, 10), { uid: 0, pid: 10, command: 'short' })
  t.same(who(7, 30), { uid: 7, pid: 30, command: '' })
  t.same(who(7, 0), { uid: 7, pid: 0, command: '' }, 'in another pid namespace')
  t.equal(who(0, 20), null)
  known.actAs(null)
  t.equal(known.current, 0)
})

t.test('more processes than are kept in mind are told apart all the same', async (t) => {
  const { who, known, count } = await actorsOf({})
  for (let thread = 1; thread <= 3000; thread++) who(0, thread)
  t.equal(count(), 3000)
  t.same(who(0, 1), { uid: 0, pid: 1, command: '' })
  t.notOk(known.isCrowded)
  for (let thread = 1; thread <= 20_000; thread++) who(0, thread)
  t.ok(known.isCrowded, 'worth a look for those that nothing refers to')
  known.swept(count())
  t.notOk(known.isCrowded)
})

t.test('a row that went is made anew when its process acts again', async (t) => {
  const { who, known, count } = await actorsOf({ 10: { pid: 10, command: 'cp' } })
  who(0, 10)
  known.drop(known.current)
  t.equal(count(), 0)
  t.same(who(0, 10), { uid: 0, pid: 10, command: 'cp' })
  t.equal(count(), 1)
})

t.test('this process is found by the number of any thread of it', (t) => {
  const its = processOf(process.pid)
  t.match(its, { pid: process.pid })
  t.ok(its !== undefined && its !== 'kernel' && its.command.length > 0)
  t.equal(processOf(4_194_305), undefined)
  t.end()
})

/** A vault in memory on a store that is kept. */
function open(store: Store): { vault: Vault; fs: ReturnType<typeof createFileSystem> } {
  const vault = new Vault(store, '/tmp/none', { commitMs: 1e9, sealMs: 1e9 })
  return { vault, fs: createFileSystem(vault, { readOnly: false }) }
}

async function emptyStore(): Promise<Store> {
  const store = await openStore('memory', { create: true, backend: 'memory' })
  await store.commit(birthBatch())
  return store
}

const one = { ...caller, uid: 1, pid: 0 }
const two = { ...caller, uid: 2, pid: 0 }
const kernel = { ...caller, uid: 0, pid: 0 }

t.test('who closes a file is the author of what the kernel wrote back', async (t) => {
  const { vault, fs } = open(await emptyStore())
  const { core } = vault
  const { ino } = fs.create(one, ROOT_INO, 'f', 0o644, 0, 0)
  fs.write(kernel, ino, 0, Buffer.from('one'), false, true)
  fs.flush(one, ino)
  core.moments.observe()
  fs.write(kernel, ino, 0, Buffer.from('two'), false, true)
  fs.flush(two, ino)
  core.moments.observe()
  // The same again is no version, and leaves the one before its author's.
  fs.write(kernel, ino, 0, Buffer.from('two'), false, true)
  fs.flush(one, ino)
  t.same(
    versionsOf(core, ROOT_INO, 'f').map(({ who }) => who?.uid),
    [1, 2],
  )
  core.moments.observe()
  fs.setattr(one, ino, { ...noChange, mode: 0o600 })
  t.match(historyOf(core, ROOT_INO, 1), [{ what: 'attributes', who: { uid: 1 } }])
  core.moments.last += 5e6
  fs.unlink(two, ROOT_INO, 'f')
  t.match(historyOf(core, ROOT_INO, 1), [{ what: 'deleted', who: { uid: 2 } }])
  t.same((await vault.check({ deep: true })).problems, [])
})

t.test('fsync tells whose a file is that is never closed', async (t) => {
  const { vault, fs } = open(await emptyStore())
  const { ino } = fs.create(one, ROOT_INO, 'f', 0o644, 0, 0)
  fs.write(kernel, ino, 0, Buffer.from('one'), false, true)
  fs.flush(one, ino)
  vault.core.moments.observe()
  fs.write(kernel, ino, 0, Buffer.from('two'), false, true)
  await fs.fsync(two, ino)
  sealAll(vault.core)
  t.same(
    versionsOf(vault.core, ROOT_INO, 'f').map(({ who }) => who?.uid),
    [1, 2],
  )
})

t.test('prune drops actors that nothing refers to, and no other', async (t) => {
  const store = await emptyStore()
  const { vault, fs } = open(store)
  for (let uid = 1; uid <= 50; uid++) {
    const by = { ...caller, uid, pid: 0 }
    const { ino } = fs.create(by, ROOT_INO, `f${uid}`, 0o644, 0, 0)
    fs.write(kernel, ino, 0, Buffer.from('one'), false, true)
    fs.flush(by, ino)
    vault.core.moments.observe()
    vault.core.moments.last += 2e6
    if (uid > 10) fs.unlink({ ...by, uid: 1000 + uid }, ROOT_INO, `f${uid}`)
    fs.forget(ino, 1)
  }
  await vault.sync()
  t.equal(store.scan(actors, { limit: ALL }).length, 90)
  await vault.prune({ rules: {} })
  t.equal(store.scan(actors, { limit: ALL }).length, 90, 'all is kept')
  const pruned = vault.prune({ rules: { versions: 1, deletedMs: 0 } })
  // Beside it somebody acts whose row is looked at.
  await vault.sync()
  fs.mkdir({ ...caller, uid: 40, pid: 0 }, ROOT_INO, 'd', 0o755, 0)
  await pruned
  await vault.sync()
  t.same((await vault.check({ deep: true })).problems, [])
  t.equal(store.scan(entryPast, { limit: ALL }).length, 0)
  const uids = store.scan(actors, { limit: ALL }).map(({ uid }) => uid)
  t.same(
    uids.sort((a, b) => a - b),
    // Of the directory's states the last two are there still.
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 40, 1050],
  )
  await vault.close()
})

t.test(
  'an actor that only memory knows of stays until it is written, or is made anew',
  async (t) => {
    const { vault, fs } = open(await emptyStore())
    const emptied = fs.create(one, ROOT_INO, 'f', 0o644, 0, 0).ino
    fs.write(kernel, emptied, 0, Buffer.from('one'), false, true)
    fs.flush(one, emptied)
    await vault.sync()
    fs.setattr(one, emptied, { ...noChange, size: 0 })
    const unnamed = fs.tmpfile({ ...caller, uid: 3, pid: 0 }, ROOT_INO, 0o644, 0).ino
    await vault.sync()
    fs.flush(two, emptied)
    await vault.prune({ rules: {} })
    fs.link({ ...caller, uid: 4, pid: 0 }, unnamed, ROOT_INO, 'g')
    sealAll(vault.core)
    t.same(
      ['f', 'g'].map((name) => versionsOf(vault.core, ROOT_INO, name).at(-1)?.who?.uid),
      [2, 4],
    )
    t.same((await vault.check({ deep: true })).problems, [])
  },
)
