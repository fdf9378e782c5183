// Prune against a plain expectation: random changes by seed, each of whose states is also kept in
// full outside the vault; then some rules, and everything that they promise to keep must read
// exactly as it was, everything else exactly or not at all. On both stores. AVFS_SEED chooses the
// seed, AVFS_STEPS the length.

import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import t, { type Test } from 'tap'
import { setLog } from '../../src/base/log.ts'
import { createFileSystem, type FileSystem } from '../../src/fs/file-system.ts'
import type { Caller } from '../../src/fs/operations.ts'
import { block, extent, extentPast, inodePast } from '../../src/store/collections.ts'
import { openStore } from '../../src/store/open.ts'
import { type Batch, type Store, StoreError } from '../../src/store/store.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { createSnapshot } from '../../src/vault/history/snapshots.ts'
import { entriesAt, inodeAt, readAt } from '../../src/vault/history/timeline.ts'
import { prune } from '../../src/vault/prune/prune.ts'
import { birthBatch, Vault } from '../../src/vault/vault.ts'
import { testClock } from '../support/clock.ts'
import { randomFrom } from './plain-model.ts'

// Refused commits are what is tested.
setLog('error', () => {})
const steps = Number(process.env.AVFS_STEPS ?? 300)
const baseSeed = Number(process.env.AVFS_SEED ?? Date.now() % 1_000_000)
const caller: Caller = { uid: 0, gid: 0, pid: 1 }
const folder = mkdtempSync(join(tmpdir(), 'avfs-prune-'))
t.teardown(() => rmSync(folder, { recursive: true }))
const ALL = 1_000_000

// Names that live under a second leave no trace: a second and more passes between two steps.
const clock = testClock()

/** The tree as of a moment: path -> digest of the content, null for a directory. */
type Tree = Map<string, string | null>

interface Kept {
  readonly moment: number
  readonly tree: Tree
}

function treeAt(vault: Vault, moment: number, ino = ROOT_INO, path = '', tree: Tree = new Map()) {
  const { core } = vault
  for (const { name, ino: child } of entriesAt(core, ino, moment)) {
    const row = inodeAt(core, child, moment)
    if (row === undefined) throw new Error(`${path}/${name} is listed without a state`)
    if (row.mode >>> 12 === 4) {
      tree.set(`${path}/${name}`, null)
      treeAt(vault, moment, child, `${path}/${name}`, tree)
    } else tree.set(`${path}/${name}`, content(readAt(core, row, moment, 0, row.size)))
  }
  return tree
}

function content(parts: readonly Uint8Array[]): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest('hex').slice(0, 16)
}

/** What an `is` tree has that the `was` tree had not, or had otherwise. */
function strays(is: Tree, was: Tree): string[] {
  return [...is].filter(([path, bytes]) => was.get(path) !== bytes).map(([path]) => path)
}

/** Random changes on a vault, and the trees of some moments. */
class Life {
  readonly vault: Vault
  readonly fs: FileSystem
  readonly random: (below: number) => number
  readonly kept: Kept[] = []
  readonly #directories = [ROOT_INO]

  constructor(vault: Vault, seed: number) {
    this.vault = vault
    this.fs = createFileSystem(vault, { readOnly: false })
    this.random = randomFrom(seed)
  }

  async step(): Promise<void> {
    clock.pass(1000 + this.random(3000))
    const kind = this.random(20)
    const directory = this.#directories[this.random(this.#directories.length)] ?? ROOT_INO
    const name = `n${this.random(8)}`
    const found = this.fs.lookup(caller, directory, name)
    if (found !== undefined) this.fs.forget(found.ino, 1)
    if (kind < 12) this.write(directory, name)
    else if (kind < 14 && found?.mode !== undefined && found.mode >>> 12 !== 4)
      this.fs.unlink(caller, directory, name)
    else if (kind < 16 && found !== undefined && found.mode >>> 12 !== 4) {
      const to = `n${this.random(8)}`
      const other = this.fs.lookup(caller, directory, to)
      if (other !== undefined) this.fs.forget(other.ino, 1)
      if (other === undefined || other.mode >>> 12 !== 4)
        this.fs.rename(caller, directory, name, directory, to, 0)
    } else if (kind === 16 && found === undefined && this.#directories.length < 5) {
      const made = this.fs.mkdir(caller, directory, name, 0o755, 0)
      this.#directories.push(made.ino)
      this.fs.forget(made.ino, 1)
    } else if (kind < 19) await this.vault.sync()
    else this.remember()
  }

  write(directory: number, name: string): void {
    const old = this.fs.lookup(caller, directory, name)
    if (old !== undefined && old.mode >>> 12 === 4) {
      this.fs.forget(old.ino, 1)
      return
    }
    const { ino } = old ?? this.fs.create(caller, directory, name, 0o644, 0, 0)
    const bytes = Buffer.alloc([10, 3000, 9000, 150_000][this.random(4)] ?? 1)
    bytes.fill(String(this.random(1e9)))
    const offset = this.random(3) === 0 ? 0 : this.random(140_000)
    this.fs.write(caller, ino, offset, bytes, false, false)
    this.fs.flush(caller, ino)
    this.fs.forget(ino, 1)
  }

  /** From here on this moment's tree is known. */
  remember(): void {
    this.vault.core.moments.observe()
    const moment = this.vault.core.moments.last
    this.kept.push({ moment, tree: treeAt(this.vault, moment) })
  }
}

/** How often the tests go round: commits of SQLite take longer. */
const engines = [
  { backend: 'memory', rounds: 6, cuts: 12 },
  { backend: 'sqlite', rounds: 2, cuts: 4 },
] as const

type Backend = (typeof engines)[number]['backend']

let vaults = 0

/** A new store with an empty root directory; closed after the test. */
async function newStore(t: Test, backend: Backend): Promise<{ store: Store; path: string }> {
  const path = join(folder, `${++vaults}.avfs`)
  const store = await openStore(path, { create: true, backend })
  t.teardown(() => store.close())
  await store.commit(birthBatch())
  return { store, path }
}

async function newVault(t: Test, backend: Backend): Promise<{ store: Store; vault: Vault }> {
  const { store, path } = await newStore(t, backend)
  return { store, vault: new Vault(immortal(store), path, { commitMs: 5 }) }
}

/** A store that a vault leaves open, so that its rows can be looked at. */
function immortal(store: Store): Store {
  return mortal(store).store
}

async function lived(vault: Vault, seed: number): Promise<Life> {
  const life = new Life(vault, seed)
  for (let step = 0; step < steps; step++) await life.step()
  life.remember()
  await vault.sync()
  return life
}

async function assertSound(t: Test, vault: Vault): Promise<void> {
  const { problems } = await vault.check({ deep: true })
  t.same(problems, [], 'the vault is sound')
}

/** Every block is used by some extent, and every extent belongs to somebody. */
function assertNoGarbage(t: Test, store: Store): void {
  const rows = [...store.scan(extent, { limit: ALL }), ...store.scan(extentPast, { limit: ALL })]
  const used = new Set(rows.map(({ hash }) => hash))
  const unused = store.scan(block, { limit: ALL }).filter(({ hash }) => !used.has(hash))
  t.equal(unused.length, 0, 'no block is left that nothing uses')
}

for (const { backend, rounds, cuts } of engines) {
  t.test(`without a rule prune keeps every moment, in ${backend}`, async (t) => {
    t.comment(`seed ${baseSeed}`)
    const { store, vault } = await newVault(t, backend)
    const life = await lived(vault, baseSeed)
    const report = await vault.prune({ rules: {} })
    t.match(report, { versions: 0, states: 0, names: 0 })
    const changed = life.kept.filter(
      ({ moment, tree }) => !isDeepStrictEqual(treeAt(vault, moment), tree),
    )
    t.same(changed, [])
    await vault.sync()
    assertNoGarbage(t, store)
    await assertSound(t, vault)
    await vault.close()
  })

  t.test(
    `snapshots and the time that a rule keeps stay exact, and nothing is ever wrong, in ${backend}`,
    async (t) => {
      for (let round = 0; round < rounds; round++) {
        const seed = baseSeed + round
        t.comment(`seed ${seed}`)
        const { store, vault } = await newVault(t, backend)
        const life = await lived(vault, seed)
        const snapshot = createSnapshot(vault.core, 'one')
        const atSnapshot = treeAt(vault, snapshot)
        for (let step = 0; step < steps; step++) await life.step()
        life.remember()
        const now = treeAt(vault, vault.core.moments.last)
        await vault.sync()
        const before = store.scan(inodePast, { limit: ALL }).length
        const counted = await vault.prune({ rules: { youngerMs: 0 }, dryRun: true })
        t.equal(store.scan(inodePast, { limit: ALL }).length, before, 'a dry run changes nothing')
        const report = await vault.prune({ rules: { youngerMs: 0 } })
        t.same({ ...report, blocks: 0 }, { ...counted, blocks: 0 }, 'a dry run counts what goes')
        t.ok(report.states > 0)
        for (const cold of [false, true]) {
          if (cold) forget(vault)
          t.same(treeAt(vault, snapshot), atSnapshot, 'the snapshot is exact')
          t.same(treeAt(vault, vault.core.moments.last), now, 'the present is as it was')
          const wrong = life.kept.filter(
            ({ moment, tree }) => strays(treeAt(vault, moment), tree).length > 0,
          )
          t.same(wrong, [], 'what still shows of other moments was there')
        }
        await vault.sync()
        assertNoGarbage(t, store)
        await assertSound(t, vault)
        const again = await vault.prune({ rules: { youngerMs: 0 } })
        t.same(
          again,
          { versions: 0, states: 0, names: 0, rows: 0, blocks: 0 },
          'a second run finds nothing',
        )
        await vault.close()
      }
    },
  )

  t.test(`what is changed while prune is at work stays exact, in ${backend}`, async (t) => {
    t.comment(`seed ${baseSeed}`)
    const { store, vault } = await newVault(t, backend)
    const life = await lived(vault, baseSeed)
    const from = vault.core.moments.last
    // Only part of what goes on is durable at any time, as in a vault that is used.
    const beside = async (): Promise<void> => {
      if (life.random(4) === 0) await life.step()
      if (life.random(30) === 0) life.remember()
    }
    const slices = { turn: beside, changed() {}, settle: () => vault.core.commits.commit() }
    await prune(vault.core, { rules: { youngerMs: 0 } }, slices)
    const changed = life.kept
      .filter(({ moment }) => moment >= from)
      .filter(({ moment, tree }) => !isDeepStrictEqual(treeAt(vault, moment), tree))
    t.same(changed, [], 'every moment from its beginning on')
    await assertSound(t, vault)
    await vault.prune({ rules: { youngerMs: 0 } })
    assertNoGarbage(t, store)
    await vault.close()
  })

  t.test(
    `a prune that is cut off anywhere leaves a sound vault, and is finished by the next, in ${backend}`,
    async (t) => {
      t.comment(`seed ${baseSeed}`)
      const random = randomFrom(baseSeed)
      const whole = await cutOff(t, backend, baseSeed, Number.MAX_SAFE_INTEGER)
      t.ok(whole > 50, `a whole run is ${whole} commits`)
      for (const commits of [0, 1, 3]) await cutOff(t, backend, baseSeed, commits)
      for (let round = 0; round < cuts; round++) await cutOff(t, backend, baseSeed, random(whole))
    },
  )
}

function forget(vault: Vault): void {
  vault.core.inodes.clear()
  vault.core.directories.clear()
}

/**
 * Prunes until so many commits are made, and looks at what is left; returns the number of commits.
 */
async function cutOff(t: Test, backend: Backend, seed: number, commits: number): Promise<number> {
  const { store, path } = await newStore(t, backend)
  const vault = new Vault(immortal(store), path, { commitMs: 5 })
  const life = await lived(vault, seed)
  const snapshot = createSnapshot(vault.core, 'one')
  const tree = treeAt(vault, snapshot)
  for (let step = 0; step < 60; step++) await life.step()
  await vault.close()

  const mortality = mortal(store)
  const first = new Vault(mortality.store, path, { commitMs: 60_000 })
  await first.sync()
  mortality.left = commits
  const { core } = first
  const everyStep = {
    turn: () => core.commits.commit(),
    changed() {},
    settle: () => core.commits.commit(),
  }
  const before = mortality.commits
  await prune(core, { rules: { youngerMs: 0 } }, everyStep).catch(() => {})
  const done = mortality.commits - before
  // Whatever that process still wants to write never arrives.
  mortality.left = 0
  first.close().catch(() => {})

  const second = new Vault(immortal(store), path, { commitMs: 5 })
  await assertSound(t, second)
  t.same(treeAt(second, snapshot), tree, `the snapshot is exact after ${done} commits`)
  const wrong = life.kept.filter((its) => strays(treeAt(second, its.moment), its.tree).length > 0)
  t.same(wrong, [], 'what still shows of other moments was there')
  await second.prune({ rules: { youngerMs: 0 } })
  t.same(treeAt(second, snapshot), tree)
  const again = await second.prune({ rules: { youngerMs: 0 } })
  t.match(again, { versions: 0, states: 0, names: 0, rows: 0, blocks: 0 }, 'nothing is left over')
  assertNoGarbage(t, store)
  await second.close()
  return done
}

interface Mortal {
  readonly store: Store
  /** So many commits more are taken. */
  left: number
  commits: number
}

/**
 * A store whose commits fail from some point on, as if the process were killed, and that stays when
 * it is closed.
 */
function mortal(inner: Store): Mortal {
  const its: Mortal = {
    left: Number.MAX_SAFE_INTEGER,
    commits: 0,
    store: {
      traits: inner.traits,
      get: (collection, key) => inner.get(collection, key),
      scan: (collection, range) => inner.scan(collection, range),
      project: (collection, fields, range) => inner.project(collection, fields, range),
      async commit(batch: Batch): Promise<void> {
        if (its.left-- <= 0) throw new StoreError('io', 'killed')
        await inner.commit(batch)
        its.commits++
      },
      view: () => inner.view(),
      stats: () => inner.stats(),
      compact: (options) => inner.compact(options),
      verify: () => inner.verify(),
      close: async () => {},
    },
  }
  return its
}

t.test(
  'what was in a directory that is gone, and somebody works in still, stays with it',
  async (t) => {
    const { vault } = await newVault(t, 'memory')
    const fs = createFileSystem(vault, { readOnly: false })
    const directory = fs.mkdir(caller, ROOT_INO, 'd', 0o755, 0)
    const file = fs.create(caller, directory.ino, 'f', 0o644, 0, 0)
    fs.write(caller, file.ino, 0, Buffer.from('kept'), false, false)
    fs.flush(caller, file.ino)
    await vault.sync()
    clock.pass(5000)
    fs.unlink(caller, directory.ino, 'f')
    fs.rmdir(caller, ROOT_INO, 'd')
    await vault.sync()
    await vault.prune({ rules: { versions: 1 } })
    fs.forget(file.ino, 1)
    fs.forget(directory.ino, 1)
    await vault.prune({ rules: { versions: 1 } })
    await assertSound(t, vault)
    await vault.close()
  },
)
