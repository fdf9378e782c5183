// What is kept and what is not: the newest versions of each name, what is held, vaults and paths
// without history, and how much all of it costs.

import { statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { globRule } from '../../src/base/glob.ts'
import { setLog } from '../../src/base/log.ts'
import { createFileSystem, type FileSystem } from '../../src/fs/file-system.ts'
import type { Caller } from '../../src/fs/operations.ts'
import {
  block,
  type Collection,
  entryPast,
  extent,
  extentPast,
  inodePast,
  orphan,
  taggingPast,
  version,
  xattrPast,
} from '../../src/store/collections.ts'
import { openStore } from '../../src/store/open.ts'
import { configure } from '../../src/vault/core/configuration.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { walkRows } from '../../src/vault/core/rows.ts'
import { inodeAt, readAt } from '../../src/vault/history/timeline.ts'
import { versionsOf } from '../../src/vault/history/versions.ts'
import { addHold, releaseHold } from '../../src/vault/prune/holds.ts'
import { prune } from '../../src/vault/prune/prune.ts'
import { keeps, keptBy } from '../../src/vault/prune/retention.ts'
import { refreshHistory } from '../../src/vault/tree/history-recording.ts'
import { getInode } from '../../src/vault/tree/inodes.ts'
import { renameTag, setTags, tagsAt } from '../../src/vault/tree/tags.ts'
import { birthBatch, createVault, openVault, Vault } from '../../src/vault/vault.ts'
import { testClock } from '../support/clock.ts'

setLog('error')
const caller: Caller = { uid: 0, gid: 0, pid: 1 }
const ALL = 1_000_000

// Names that live under a second leave no trace: time passes when a test says so.
const clock = testClock()

interface Used {
  readonly vault: Vault
  readonly fs: FileSystem
  /** Rows of a collection that are durable. */
  count(collection: unknown): number
}

async function memoryVault(t: Test): Promise<Used> {
  const store = await openStore('memory', { create: true, backend: 'memory' })
  await store.commit(birthBatch())
  const vault = new Vault(store, '/tmp/none', { commitMs: 5 })
  t.teardown(() => vault.close())
  const fs = createFileSystem(vault, { readOnly: false })
  const count = (collection: unknown) =>
    store.scan(collection as Collection<object>, { limit: ALL }).length
  return { vault, fs, count }
}

/** Writes a file from its start and closes it; a second passes. */
function save(fs: FileSystem, name: string, data: string | Buffer, parent = ROOT_INO): number {
  clock.pass(1500)
  const found = fs.lookup(caller, parent, name)
  const { ino } = found ?? fs.create(caller, parent, name, 0o644, 0, 0)
  fs.write(caller, ino, 0, Buffer.from(data), false, false)
  fs.flush(caller, ino)
  fs.forget(ino, 1)
  return ino
}

/** Saves as editors do: under another name, then by rename. */
function saveByRename(fs: FileSystem, name: string, data: string): void {
  save(fs, `${name}.new`, data)
  fs.rename(caller, ROOT_INO, `${name}.new`, ROOT_INO, name, 0)
}

function unlink(fs: FileSystem, name: string, parent = ROOT_INO): void {
  clock.pass(1500)
  fs.unlink(caller, parent, name)
}

/** The contents of all versions of a name, oldest first. */
function contents({ vault }: Used, name: string, parent = ROOT_INO): string[] {
  const { core } = vault
  return versionsOf(core, parent, name).map(({ ino, moment }) => {
    const row = inodeAt(core, ino, moment)
    if (row === undefined) return 'nothing'
    return Buffer.concat(readAt(core, row, moment, 0, row.size)).toString()
  })
}

async function configureVault({ vault }: Used, changes: Record<string, string>): Promise<void> {
  configure(vault.core, changes)
  refreshHistory(vault.core)
  await vault.sync()
}

t.test(
  'keep.versions keeps the newest of each name, through edits, renames and deletion',
  async (t) => {
    const used = await memoryVault(t)
    const { vault, fs } = used
    for (let at = 1; at <= 6; at++) {
      save(fs, 'edited', `edited ${at}`)
      saveByRename(fs, 'replaced', `replaced ${at}`)
      save(fs, 'deleted', `deleted ${at}`)
      await vault.sync()
    }
    unlink(fs, 'deleted')
    await vault.sync()
    await vault.prune({ rules: { versions: 3 } })
    for (const name of ['edited', 'replaced', 'deleted'])
      t.same(
        contents(used, name),
        [4, 5, 6].map((at) => `${name} ${at}`),
      )
    t.same((await vault.check({ deep: true })).problems, [])

    clock.pass(86_400_000)
    save(fs, 'later', 'x')
    await vault.prune({ rules: { versions: 3, deletedMs: 3_600_000 } })
    t.same(contents(used, 'deleted'), [], 'keep.deleted lets go of what was deleted long ago')
    t.equal(contents(used, 'edited').length, 3)
  },
)

t.test('what lies in a directory that is gone is kept with it', async (t) => {
  const used = await memoryVault(t)
  const { vault, fs } = used
  const directory = fs.mkdir(caller, ROOT_INO, 'directory', 0o755, 0)
  save(fs, 'inner', 'inner 1', directory.ino)
  save(fs, 'inner', 'inner 2', directory.ino)
  await vault.sync()
  unlink(fs, 'inner', directory.ino)
  clock.pass(1500)
  fs.rmdir(caller, ROOT_INO, 'directory')
  fs.forget(directory.ino, 1)
  await vault.sync()
  await vault.prune({ rules: { versions: 1 } })
  t.same(contents(used, 'inner', directory.ino), ['inner 2'])
  t.ok(
    inodeAt(
      vault.core,
      directory.ino,
      versionsOf(vault.core, directory.ino, 'inner')[0]?.moment ?? 0,
    ) || used.count(inodePast) > 0,
  )
  await vault.prune({ rules: { youngerMs: 0 } })
  t.same(contents(used, 'inner', directory.ino), [])
  await vault.sync()
  for (const rows of [extent, extentPast, entryPast, version, block])
    t.equal(used.count(rows), 0, 'nothing is left of it')
})

t.test('a hold keeps all of a path, and what is below it, until it is released', async (t) => {
  const used = await memoryVault(t)
  const { vault, fs } = used
  const directory = fs.mkdir(caller, ROOT_INO, 'thesis', 0o755, 0)
  for (let at = 1; at <= 4; at++) {
    save(fs, 'text', `text ${at}`, directory.ino)
    saveByRename(fs, 'notes', `notes ${at}`)
    save(fs, 'other', `other ${at}`)
    await vault.sync()
  }
  t.equal(addHold(vault.core, 'nosuch'), undefined, 'a snapshot that is not there')
  t.throws(
    () => addHold(vault.core, `/${'x'.repeat(1900)}`),
    { name: 'FsError', errno: 36 },
    'no key is so long',
  )
  addHold(vault.core, '/thesis')
  addHold(vault.core, '/notes')
  await vault.prune({ rules: { youngerMs: 0 } })
  t.equal(contents(used, 'text', directory.ino).length, 4)
  t.equal(contents(used, 'notes').length, 4)
  t.same(contents(used, 'other'), ['other 4'])
  releaseHold(vault.core, '/thesis')
  await vault.prune({ rules: { youngerMs: 0 } })
  t.same(contents(used, 'text', directory.ino), ['text 4'])
  t.equal(contents(used, 'notes').length, 4)
})

t.test(
  'what was read before it was pruned is gone, and reads as what is there later',
  async (t) => {
    const { vault, fs } = await memoryVault(t)
    const { core } = vault
    const ino = save(fs, 'a', 'one')
    await vault.sync()
    const moment = core.moments.last
    const large = Buffer.alloc(300_000, 'two')
    for (const data of [large, 'three', 'four']) {
      save(fs, 'a', data)
      await vault.sync()
    }
    const row = inodeAt(core, ino, moment)
    t.equal(row && Buffer.concat(readAt(core, row, moment, 0, row.size)).toString(), 'one')
    const [, second] = versionsOf(core, ROOT_INO, 'a')
    const state = second && inodeAt(core, ino, second.moment)
    t.ok(state && Buffer.concat(readAt(core, state, second.moment, 0, state.size)).equals(large))
    await vault.prune({ rules: { youngerMs: 0 } })
    t.equal(inodeAt(core, ino, moment), undefined)
    t.equal(second && inodeAt(core, ino, second.moment), undefined)
  },
)

t.test('prune of some paths leaves the others alone', async (t) => {
  const used = await memoryVault(t)
  const { vault, fs } = used
  for (let at = 1; at <= 3; at++) {
    save(fs, 'a.log', `log ${at}`)
    save(fs, 'a.txt', `text ${at}`)
    await vault.sync()
  }
  await vault.prune({ rules: { youngerMs: 0 }, paths: globRule(['*.log']) })
  t.same(contents(used, 'a.log'), ['log 3'])
  t.equal(contents(used, 'a.txt').length, 3)
})

t.test('rules by time keep the state at the start of hours, days, weeks and months', async (t) => {
  const { vault } = await memoryVault(t)
  const now = new Date(2026, 10, 23, 12, 30).getTime() * 1000
  const at = (...time: [number, number, number, number?]) => new Date(...time).getTime() * 1000
  const kept = (rules: object) => keptBy(vault.core, rules, now).moments
  t.same(kept({ hourly: 2 }), [at(2026, 10, 23, 11), at(2026, 10, 23, 12)])
  t.same(kept({ daily: 2 }), [at(2026, 10, 22), at(2026, 10, 23)])
  t.same(kept({ weekly: 2 }), [at(2026, 10, 16), at(2026, 10, 23)], 'the 23rd is a Monday')
  t.same(kept({ monthly: 3 }), [at(2026, 8, 1), at(2026, 9, 1), at(2026, 10, 1)])
  const both = keptBy(vault.core, { youngerMs: 3_600_000, daily: 1 }, now)
  t.ok(keeps(both, 0, now - 1), 'still there within the last hour')
  t.notOk(keeps(both, at(2026, 10, 23, 1), at(2026, 10, 23, 2)))
  t.ok(keeps(both, at(2026, 10, 22, 23), at(2026, 10, 23, 2)), 'covers midnight')
})

t.test('ages count from today, also where nothing has changed for long', async (t) => {
  const used = await memoryVault(t)
  const { vault, fs } = used
  save(fs, 'f', 'first')
  save(fs, 'f', 'second')
  const older = { rules: { youngerMs: 3_600_000 } }
  await vault.prune(older)
  t.same(contents(used, 'f'), ['first', 'second'])
  clock.pass(3_700_000)
  await vault.prune(older)
  t.same(contents(used, 'f'), ['second'])
})

t.test('without history changes leave no past rows, and what is deleted is freed', async (t) => {
  const used = await memoryVault(t)
  const { vault, fs, count } = used
  await configureVault(used, { history: 'off' })
  const large = (fill: string) => Buffer.alloc(300_000, fill)
  for (let at = 1; at <= 4; at++) {
    save(fs, 'small', `small ${at}`)
    save(fs, 'large', large(String(at)))
    fs.setxattr(caller, save(fs, 'other', `${at}`), 'user.a', Buffer.from(`${at}`), 0, false)
    saveByRename(fs, 'small', `renamed ${at}`)
    setTags(vault.core, getInode(vault.core, ROOT_INO), [`tag ${at}`])
    await vault.sync()
  }
  renameTag(vault.core, 'tag 4', 'tag 5')
  await vault.sync()
  for (const rows of [inodePast, entryPast, extentPast, xattrPast, taggingPast])
    t.equal(count(rows), 0)
  await until(() => count(version) === 3, 'each file has one version')
  t.same(contents(used, 'small'), ['renamed 4'])
  unlink(fs, 'large')
  await vault.sync()
  await until(() => count(extent) === 2, 'the extents of the deleted file are freed')
  await vault.prune({ rules: {} })
  t.equal(count(block), 0)
  t.same((await vault.check({ deep: true })).problems, [])
})

t.test('turning history off leaves what was recorded exact', async (t) => {
  const used = await memoryVault(t)
  const { vault, fs } = used
  const tag = (ino: number, name: string) => setTags(vault.core, getInode(vault.core, ino), [name])
  const parts = (first: string, second: string) =>
    Buffer.concat([Buffer.alloc(131_072, first), Buffer.alloc(131_072, second)])
  const ino = save(fs, 'a', parts('1', '2'))
  tag(ino, 'red')
  await vault.sync()
  const first = vault.core.moments.last
  clock.pass(1500)
  fs.write(caller, ino, 0, Buffer.alloc(131_072, '3'), false, false)
  fs.flush(caller, ino)
  await vault.sync()
  await configureVault(used, { history: 'off' })
  for (const name of ['green', 'blue', 'black']) tag(ino, name)
  fs.write(caller, ino, 131_072, Buffer.alloc(131_072, '4'), false, false)
  fs.flush(caller, ino)
  await vault.prune({ rules: {} })
  const before = () => {
    const row = inodeAt(vault.core, ino, first)
    const isSame = tagsAt(vault.core, ino, first).join() === 'red'
    const bytes = row && Buffer.concat(readAt(vault.core, row, first, 0, row.size))
    return isSame && bytes?.equals(parts('1', '2'))
  }
  t.equal(used.count(taggingPast), 1)
  t.equal(before(), true)
  unlink(fs, 'a')
  await sleep(600)
  await vault.prune({ rules: {} })
  t.equal(before(), true)
  t.same((await vault.check({ deep: true })).problems, [])
})

t.test('history.exclude names paths that leave no trace, and no others', async (t) => {
  const used = await memoryVault(t)
  const { vault, fs, count } = used
  await configureVault(used, { 'history.exclude': 'node_modules/**, *.tmp' })
  const app = fs.mkdir(caller, ROOT_INO, 'app', 0o755, 0)
  const modules = fs.mkdir(caller, app.ino, 'node_modules', 0o755, 0)
  for (let at = 1; at <= 3; at++) {
    save(fs, 'index.js', `module ${at}`, modules.ino)
    save(fs, 'x.tmp', `temporary ${at}`, app.ino)
    save(fs, 'main.js', `main ${at}`, app.ino)
    await vault.sync()
  }
  t.equal(contents(used, 'main.js', app.ino).length, 3)
  t.same(contents(used, 'index.js', modules.ino), ['module 3'])
  t.same(contents(used, 'x.tmp', app.ino), ['temporary 3'])
  unlink(fs, 'index.js', modules.ino)
  unlink(fs, 'main.js', app.ino)
  await vault.sync()
  t.equal(contents(used, 'main.js', app.ino).length, 3, 'what is not excluded stays')
  t.equal(count(entryPast), 1)
  await until(() => count(extent) === 2, 'the deleted module is freed')
  clock.pass(1500)
  fs.rename(caller, app.ino, 'node_modules', app.ino, 'kept', 0)
  save(fs, 'now', '1', modules.ino)
  await vault.sync()
  save(fs, 'now', '2', modules.ino)
  t.same(contents(used, 'now', modules.ino), ['1', '2'], 'a moved directory has a history')
})

t.test(
  'history.exclude counts from then on, and prune drops what was recorded before',
  async (t) => {
    const used = await memoryVault(t)
    const { vault, fs, count } = used
    const modules = fs.mkdir(caller, ROOT_INO, 'node_modules', 0o755, 0)
    const saveAll = async (from: number, to: number) => {
      for (let at = from; at <= to; at++) {
        save(fs, 'index.js', `module ${at}`, modules.ino)
        save(fs, 'main.js', `main ${at}`)
        await vault.sync()
      }
    }
    await saveAll(1, 3)
    await configureVault(used, { 'history.exclude': 'node_modules/**' })
    await saveAll(4, 6)
    const expected = (name: string, numbers: readonly number[]) =>
      numbers.map((at) => `${name} ${at}`)
    const modulesNow = () => contents(used, 'index.js', modules.ino)
    t.same(modulesNow(), expected('module', [1, 2, 6]), 'what was past already stays')
    t.same(contents(used, 'main.js'), expected('main', [1, 2, 3, 4, 5, 6]))
    await vault.prune({
      rules: { versions: 1 },
      paths: globRule(['node_modules/**']),
    })
    t.same(modulesNow(), expected('module', [6]))
    t.same(contents(used, 'main.js'), expected('main', [1, 2, 3, 4, 5, 6]))
    const past = count(inodePast)
    await saveAll(7, 8)
    t.same(modulesNow(), expected('module', [8]))
    t.ok(count(inodePast) > past, 'other files go on having a history')
    t.same((await vault.check({ deep: true })).problems, [])
  },
)

t.test(
  'a version that is replaced while prune is at work stays, whatever of that is durable',
  async (t) => {
    for (let turn = 1; turn <= 10; turn++) {
      const used = await memoryVault(t)
      const { vault, fs } = used
      const { commits } = vault.core
      for (const text of ['1', '2']) {
        save(fs, 'a', text)
        save(fs, 'b', text)
        await vault.sync()
      }
      let turns = 0
      const slices = {
        turn: async () => {
          if (++turns === turn) save(fs, 'a', '3')
        },
        changed() {},
        settle: () => commits.commit(),
      }
      await prune(vault.core, { rules: { youngerMs: 0 } }, slices)
      t.ok(turns >= turn)
      t.same(contents(used, 'a').slice(-2), ['2', '3'], `replaced in turn ${turn}`)
      t.same((await vault.check({ deep: true })).problems, [])
    }
  },
)

t.test('a file that is made and deleted while prune is at work leaves its history', async (t) => {
  let deleted = 0
  for (let gone = 1; gone <= 10; gone++) {
    const used = await memoryVault(t)
    const { vault, fs } = used
    const { commits } = vault.core
    for (const name of ['a', 'b']) save(fs, name, '1')
    await vault.sync()
    let [settled, turns] = [0, 0]
    const slices = {
      turn: async () => {
        // Not durable yet when prune goes on.
        if (++turns !== gone) return
        unlink(fs, 'c')
        deleted++
      },
      changed() {},
      settle: async () => {
        if (settled++ === 0) save(fs, 'c', '1')
        await commits.commit()
      },
    }
    await prune(vault.core, { rules: {} }, slices)
    if (turns < gone) continue
    t.same(contents(used, 'c'), ['1'], `deleted in turn ${gone}`)
    t.same((await vault.check({ deep: true })).problems, [])
  }
  t.ok(deleted > 3)
})

t.test('a walk misses no row when those before it are deleted meanwhile', async (t) => {
  const { vault } = await memoryVault(t)
  const { store } = vault.core.overlay
  const numbers = Array.from({ length: 2000 }, (_, at) => at + 10)
  const any = orphan as unknown as Collection<object>
  await store.commit([{ collection: any, puts: numbers.map((ino) => ({ ino })), deletes: [] }])
  let last = 0
  const slices = {
    turn: () => store.commit([{ collection: any, puts: [], deletes: [[last]] }]),
    changed() {},
    settle: async () => {},
  }
  const seen: number[] = []
  for await (const { ino } of walkRows(store, orphan, ['ino'], {}, slices)) {
    last = ino
    seen.push(ino)
  }
  t.same(seen, numbers)
  t.ok(store.scan(orphan, { limit: ALL }).length < numbers.length)
  await store.commit([{ collection: any, puts: [], deletes: numbers.map((ino) => [ino]) }])
})

t.test('settings are refused whole when one of them is wrong', async (t) => {
  const used = await memoryVault(t)
  const { core } = used.vault
  const refused = (changes: Record<string, string>) => t.throws(() => configure(core, changes))
  refused({ 'keep.days': '30', 'keep.nothing': '1' })
  refused({ 'keep.days': '-1' })
  refused({ history: 'maybe' })
  refused({ 'history.exclude': '**' })
  refused({ seal: '5' })
  t.equal(used.count(version), 0)
})

t.test(
  '100 rewrites of 4 KiB in a file of 1 MiB, closed each time, cost less than 1.5 MiB',
  async (t) => {
    const path = join(t.testdir(), 'vault.avfs')
    await createVault(path, 'sqlite')
    const make = async (work: (fs: FileSystem, ino: number, vault: Vault) => Promise<void>) => {
      const vault = await openVault(path)
      const fs = createFileSystem(vault, { readOnly: false })
      const found = fs.lookup(caller, ROOT_INO, 'data')
      const { ino } = found ?? fs.create(caller, ROOT_INO, 'data', 0o644, 0, 0)
      await work(fs, ino, vault)
      await vault.close()
      return statSync(path).size
    }
    const random = (length: number) =>
      Buffer.from(Array.from({ length }, () => Math.random() * 256))
    const before = await make(async (fs, ino) => {
      fs.write(caller, ino, 0, random(1024 * 1024), false, false)
      fs.flush(caller, ino)
    })
    const after = await make(async (fs, ino, vault) => {
      for (let at = 0; at < 100; at++) {
        fs.write(caller, ino, Math.floor(Math.random() * 255) * 4096, random(4096), false, false)
        fs.flush(caller, ino)
        if (at % 10 === 9) await vault.sync()
      }
      // Fragmented chunks are rewritten when it is quiet.
      await sleep(600)
    })
    t.comment(`${((after - before) / 1024 / 1024).toFixed(2)} MiB`)
    t.ok(after - before < 1.5 * 1024 * 1024)
  },
)

async function until(condition: () => boolean, what: string): Promise<void> {
  for (const end = performance.now() + 10_000; !condition(); ) {
    if (performance.now() > end) throw new Error(`waited in vain until ${what}`)
    await sleep(20)
  }
}
