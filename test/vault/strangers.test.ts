// Vaults from strangers: each kind of row that no vault of ours has, and all code that reads rows
// run on it. Every reader ends, with a result or a known error, and within bounds; nothing is
// written outside of the destination; and a check finds what is wrong, or the vault is not opened,
// and a repaired one is sound.

import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { hostSink } from '../../src/archive/host-sink.ts'
import { recordsIn } from '../../src/archive/records.ts'
import { sqlarSink } from '../../src/archive/sqlar-sink.ts'
import { tarSink } from '../../src/archive/tar-sink.ts'
import { FsError } from '../../src/base/errno.ts'
import { setLog } from '../../src/base/log.ts'
import type { MethodName } from '../../src/control/methods/method-types.ts'
import { ControlError } from '../../src/control/wire/errors.ts'
import { createFileSystem, type FileSystem } from '../../src/fs/file-system.ts'
import { backendOf, openStore } from '../../src/store/open.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import { StoreError } from '../../src/store/store.ts'
import { checkStore } from '../../src/vault/check/check.ts'
import { repairStore } from '../../src/vault/check/repair.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { copyStore } from '../../src/vault/transfer/copy-rows.ts'
import { openVault, type Vault } from '../../src/vault/vault.ts'
import { testedBackends } from '../support/engines.ts'
import { methodCall } from '../support/method-calls.ts'
import { temporaryFolder } from '../support/mount.ts'
import { seedOf } from '../support/random.ts'
import { callOn, copyTo, makeBase } from '../support/stranger-base.ts'
import { type Stranger, spoil, strangersFor } from '../support/strangers.ts'
import { list, root } from './view-bed.ts'

setLog('error', () => undefined)
t.setTimeout(280_000)

/** No walk over the base, of some 50 names, has as many pieces or names. */
const SHOWN_MAX = 5000
const DEPTH_MAX = 12
/**
 * One of so many is tried in a run, others with another seed: what a row may be is the same for all
 * engines.
 */
const EVERY: Readonly<Record<string, number>> = { sqlite: 4, leveldb: 10 }
const SOME = 20
const seed = seedOf('AVFS_SEED')

/** In a folder `box`, of which `out` is the place for what is written. */
type Reader = (vault: Vault, out: string) => Promise<void>

function called(name: MethodName, parameters?: object): Reader {
  return async (vault) => {
    const call = methodCall(name, 1)
    const its = { ...call, parameters: { ...call.parameters, ...parameters } }
    const { sent } = await callOn(vault, its, () => bounded(vault))
    if (sent > SHOWN_MAX) throw new Error(`${name} sent ${sent} pieces`)
  }
}

const counts = new WeakMap<Vault, number>()

function bounded(vault: Vault): void {
  const count = (counts.get(vault) ?? 0) + 1
  counts.set(vault, count)
  if (count > SHOWN_MAX * 4) throw new Error('what is sent does not end')
}

/** What an export sends, into a sink. */
async function exported(vault: Vault, take: (record: Buffer) => unknown): Promise<void> {
  for (const state of [{}, { snapshot: 'before' }]) {
    let rest = Buffer.alloc(0)
    await callOn(
      vault,
      { method: 'export', parameters: { path: '/', recursive: true, state } },
      async (piece) => {
        if (!(piece instanceof Uint8Array)) return
        bounded(vault)
        const records = recordsIn(Buffer.concat([rest, piece]))
        for (let next = records.next(); ; next = records.next()) {
          if (next.done === true) {
            rest = Buffer.from(next.value)
            return
          }
          await take(Buffer.from(next.value))
        }
      },
    )
  }
}

const readers: Readonly<Record<string, Reader>> = {
  find: called('find'),
  'find as it was': called('find', { state: { snapshot: 'before' } }),
  contents: called('contents'),
  'contents as they were': called('contents', { state: { snapshot: 'before' } }),
  log: called('log', { path: '/' }),
  'log of a file': called('log', { path: '/d/f1' }),
  cat: called('cat'),
  'cat of a small one': called('cat', { path: '/d/f1', state: { snapshot: 'before' } }),
  compare: called('compare'),
  snapshotList: called('snapshotList'),
  tagList: called('tagList'),
  tagFind: called('tagFind'),
  metaList: called('metaList'),
  metaFind: called('metaFind'),
  configShow: called('configShow'),
  holdList: called('holdList'),
  info: called('info'),
  'a dry restore': called('restore', { dryRun: true }),
  'a dry prune': called('prune', { dryRun: true }),
  backup: called('backup'),
  async 'export to files'(vault, out) {
    const sink = hostSink(out, { basename: 'x', problem: () => undefined })
    try {
      await exported(vault, (record) => sink.take(record))
    } finally {
      sink.end()
    }
  },
  async 'export to tar'(vault) {
    const sink = tarSink(
      '.',
      async () => bounded(vault),
      () => undefined,
    )
    await exported(vault, (record) => sink.take(record))
    await sink.finish()
  },
  async 'export to sqlar'(vault, out) {
    const sink = sqlarSink(`${out}.sqlar`, '', () => undefined)
    try {
      await exported(vault, (record) => sink.take(record))
      sink.finish()
    } finally {
      sink.end()
    }
  },
  views: async (vault) => await looked(createFileSystem(vault, { readOnly: true })),
}

/** Those that change it, one after the other on one vault. */
const writers: Readonly<Record<string, Reader>> = {
  restore: called('restore'),
  'restore from the top': called('restore', { path: '/', to: undefined, removeNewer: true }),
  undelete: called('undelete'),
  tagAdd: called('tagAdd'),
  metaSet: called('metaSet'),
  prune: called('prune', { dryRun: false }),
  purge: called('purge', { dryRun: false }),
}

/** Lists what a mount would show, as deep as the kernel would be asked for it. */
async function looked(fs: FileSystem): Promise<void> {
  const left: [ino: number, depth: number][] = [[ROOT_INO, 0]]
  let count = 0
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const [ino, depth] = next
    await known(async () => {
      for (const name of await retryUntilLoaded(() => list(fs, ino)))
        await known(async () => {
          const node = await retryUntilLoaded(() => fs.lookup(root, ino, name))
          if (node === undefined) return
          count++
          if (node.mode >>> 12 === 10) await retryUntilLoaded(() => fs.readlink(root, node.ino))
          if (node.mode >>> 12 === 4 && depth < DEPTH_MAX && count < SHOWN_MAX)
            left.push([node.ino, depth + 1])
        })
    })
  }
}

/** Ends well, or with an error that says what is wrong ('locked': that nothing can be changed). */
async function known(work: () => unknown): Promise<void> {
  try {
    await work()
  } catch (error) {
    const isKnown =
      error instanceof FsError ||
      error instanceof ControlError ||
      (error instanceof StoreError && /^(corrupt|format|locked)$/.test(error.kind))
    if (!isKnown) throw error
  }
}

async function walked(t: Test, box: string, path: string, stranger: Stranger): Promise<void> {
  const { what } = stranger
  const outside = readFileSync(join(box, 'outside/x'))
  for (const [readOnly, its] of [
    [true, readers],
    [false, writers],
  ] as const) {
    let vault: Vault
    try {
      vault = await openVault(path, { readOnly, commitMs: 1e9 })
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      t.match(error, { kind: /^(corrupt|format)$/ }, `${what}: not opened`)
      continue
    }
    t.notOk(stranger.isRefused, `${what}: opened`)
    for (const [name, read] of Object.entries(its)) {
      const out = join(box, 'out')
      try {
        await known(() => read(vault, out))
      } catch (error) {
        t.fail(`${what}: ${name}: ${error instanceof Error ? error.stack : error}`)
      }
      for (const made of ['out', 'out.sqlar'])
        rmSync(join(box, made), { recursive: true, force: true })
      t.same(readdirSync(box).sort(), ['outside'], `${what}: ${name}: nothing beside`)
    }
    await known(() => vault.close())
  }
  t.same(readdirSync(join(box, 'outside')), ['x'])
  t.ok(readFileSync(join(box, 'outside/x')).equals(outside))
}

const folder = temporaryFolder(t)
const base = join(folder, 'base.avfs')
await makeBase(base)

for (const { name: backend } of testedBackends) {
  const { suffix } = backendOf('', backend)
  const sound = join(folder, `sound${suffix}`)
  await copyTo(base, sound, backend)
  const all = strangersFor(backend)
  // All of them, where somebody has the time.
  const every = process.env.AVFS_STRANGERS === 'all' ? 1 : (EVERY[backend] ?? SOME)
  const some = all.filter((_, at) => (at + seed) % every === 0)
  t.test(`who reads the rows of strangers ends, and harms nothing, on ${backend}`, async (t) => {
    t.comment(`AVFS_SEED=${seed}`)
    const box = join(folder, 'box')
    mkdirSync(join(box, 'outside'), { recursive: true })
    writeFileSync(join(box, 'outside/x'), 'outside')
    for (const stranger of some) {
      const path = join(folder, `stranger${suffix}`)
      cpSync(sound, path, { recursive: true })
      await spoil(path, stranger)
      await found(t, path, stranger)
      await walked(t, box, path, stranger)
      for (const name of readdirSync(folder))
        if (name.startsWith('stranger')) rmSync(join(folder, name), { recursive: true })
    }
  })
}

/** A check finds it, and what can be read of it, as a repair copies that, becomes sound. */
async function found(t: Test, path: string, stranger: Stranger): Promise<void> {
  const { what, isRefused, isSound, deep = false } = stranger
  if (isRefused || isSound) return
  const store = await openStore(path, { readOnly: true })
  const copy = await openStore('', { create: true, backend: 'memory' })
  try {
    const problems = await checkStore(store, { deep }).then(
      (report) => report.problems.length,
      (error) => (error instanceof StoreError ? 1 : Promise.reject(error)),
    )
    t.ok(problems > 0, `${what}: found`)
    await copyStore(store, copy, { damaged: () => undefined })
    const { left } = await repairStore(copy, { onStep: () => undefined })
    t.same(left.problems, [], `${what}: repaired`)
  } finally {
    await store.close()
    await copy.close()
  }
}
