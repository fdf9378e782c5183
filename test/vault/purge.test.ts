// What purge does away with, and what it leaves alone. AVFS_SEED chooses the random histories, AVFS_PURGES how many.

import { createHash } from 'node:crypto'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { setLog } from '../../src/base/log.ts'
import { createFileSystem, type FileSystem } from '../../src/fs/file-system.ts'
import {
  block,
  collections,
  entryPast,
  extent,
  extentPast,
  inodePast,
  version,
} from '../../src/store/collections.ts'
import { openMemory } from '../../src/store/memory.ts'
import { answered } from '../../src/store/retry.ts'
import { addHold } from '../../src/vault/holds.ts'
import { findInode } from '../../src/vault/inodes.ts'
import { lastPath } from '../../src/vault/places.ts'
import type { PurgeOptions, PurgeReport } from '../../src/vault/purge.ts'
import { dropLabels } from '../../src/vault/purge-labels.ts'
import { everAt } from '../../src/vault/purge-path.ts'
import { slicesOf } from '../../src/vault/slices.ts'
import { createSnapshot } from '../../src/vault/snapshots.ts'
import { renameTag } from '../../src/vault/tags.ts'
import { entriesAt, inodeAt, readAt, xattrsAt } from '../../src/vault/timeline.ts'
import { birthBatch, openVault, ROOT_INO, Vault } from '../../src/vault/vault.ts'
import { versionsOfPath } from '../../src/vault/version-names.ts'
import { testClock } from '../support/clock.ts'
import { noChange } from '../support/no-change.ts'
import { randomFrom, seedOf } from '../support/random.ts'
import { makeRichVault } from './rich-vault.ts'

setLog('error')
const seed = seedOf('AVFS_SEED')
const runs = Number(process.env.AVFS_PURGES ?? 3)
t.comment(`AVFS_SEED=${seed}`)
const caller = { uid: 0, gid: 0, pid: 1 }
const ALL = 1_000_000
const CHUNK = 128 * 1024

// Names that live under a second leave no trace: a second passes at each save.
const clock = testClock()

class Bench {
  readonly vault: Vault
  readonly fs: FileSystem
  constructor(vault: Vault) {
    this.vault = vault
    this.fs = createFileSystem(vault, { readOnly: false })
  }
  /** Writes into a file of the root, and closes it. */
  save(name: string, bytes: string | Uint8Array, at = 0, parent = ROOT_INO): number {
    clock.pass(1500)
    const { fs } = this
    const found = fs.lookup(caller, parent, name)
    const { ino } = found ?? fs.create(caller, parent, name, 0o644, 0, 0)
    if (at === 0) fs.setattr(caller, ino, { ...noChange, size: 0 })
    fs.write(caller, ino, at, Buffer.from(bytes), false, false)
    fs.flush(caller, ino)
    // The kernel has no file in use.
    fs.forget(ino, 1)
    return ino
  }
  /** With what is done to its end behind it. */
  async purge(of: PurgeOptions['of'], more: Partial<PurgeOptions> = {}): Promise<PurgeReport> {
    const { vault } = this
    const rest = { onVersion: () => undefined, onProgress: () => undefined }
    const report = await vault.purge({
      ...{ of, force: false, current: false, dryRun: false, ...rest },
      ...more,
    })
    if (more.dryRun !== true) await dropLabels(vault.core, slicesOf(vault.core))
    return report
  }
  /** Everything that the vault holds, as one text. */
  async holds(text: string): Promise<boolean> {
    const { core } = this.vault
    await this.vault.sync()
    for (const collection of [extent, extentPast as unknown as typeof extent])
      for (const { hash, data } of core.overlay.store.scan(collection, { limit: ALL })) {
        const bytes = hash === '' ? data : core.blocks.load(hash)
        if (Buffer.from(bytes ?? []).includes(text)) return true
      }
    for (const { hash } of core.overlay.store.scan(block, { limit: ALL }))
      if (Buffer.from(core.blocks.load(hash)).includes(text)) return true
    return false
  }
  /** Time passes, and somebody has seen what is there. */
  seen(): void {
    clock.pass(1500)
    this.vault.core.moments.observe()
  }
  attribute(ino: number, name: string, value: string | undefined): void {
    this.seen()
    if (value === undefined) this.fs.removexattr(caller, ino, name)
    else this.fs.setxattr(caller, ino, name, Buffer.from(value), 0, false)
  }
  chmod(ino: number, mode: number): void {
    this.seen()
    this.fs.setattr(caller, ino, { ...noChange, mode })
  }
  /** The rows in which a text is, in any field. */
  async rowsWith(text: string): Promise<string[]> {
    await this.vault.sync()
    const { store } = this.vault.core.overlay
    return collections.flatMap((collection) =>
      store
        .scan(collection, { limit: ALL })
        .map((row) =>
          Object.values(row).map((value) =>
            value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : `${value}`,
          ),
        )
        .filter((values) => values.some((value) => value.includes(text)))
        .map((values) => `${collection.name}: ${values}`),
    )
  }
  async assertSound(t: Test): Promise<void> {
    await this.vault.sync()
    t.same((await this.vault.check({ deep: true })).problems, [])
    await this.vault.close()
  }
}

async function bench(): Promise<Bench> {
  const store = openMemory()
  await store.commit(birthBatch())
  return new Bench(new Vault(store, '/', { commitMs: 1e9 }))
}

function noise(length: number, filler = 'x'): Buffer {
  return Buffer.alloc(length, `${filler} ${length} `)
}

t.test('what a path held goes, what it holds now and all else stays', async (t) => {
  const its = await bench()
  its.save('conf', 'pass=SWORDFISH')
  its.save('conf', 'pass=')
  its.save('other', 'one')
  its.save('other', 'two')
  const dry = await its.purge({ path: '/conf' }, { dryRun: true })
  t.match(dry, { versions: 1, refused: false, shared: [] })
  t.ok(await its.holds('SWORDFISH'), 'a dry run changes nothing')
  t.match(await its.purge({ path: '/conf' }), { versions: 1, states: dry.states })
  t.notOk(await its.holds('SWORDFISH'))
  const { core } = its.vault
  t.equal(core.overlay.scan(version, { limit: ALL }).length, 3)
  t.match(await its.purge({ path: '/conf' }), { versions: 0, states: 0, names: 0, rows: 0 })
  await its.assertSound(t)
})

t.test('a file that is gone goes with its names, however it was saved', async (t) => {
  const its = await bench()
  its.save('conf.tmp', 'pass=SWORDFISH')
  its.fs.rename(caller, ROOT_INO, 'conf.tmp', ROOT_INO, 'conf', 0)
  its.save('conf.tmp', 'pass=HALIBUT')
  its.fs.rename(caller, ROOT_INO, 'conf.tmp', ROOT_INO, 'conf', 0)
  clock.pass(1500)
  its.fs.unlink(caller, ROOT_INO, 'conf')
  await its.purge({ path: '/conf' })
  t.notOk(await its.holds('SWORDFISH'))
  t.notOk(await its.holds('HALIBUT'))
  const names = its.vault.core.overlay.scan(entryPast, { limit: ALL }).map(({ name }) => name)
  t.same(names, [])
  await its.assertSound(t)
})

t.test(
  'below a directory all goes, but nothing that came to be there after it had moved',
  async (t) => {
    const its = await bench()
    const { fs } = its
    const { ino } = fs.mkdir(caller, ROOT_INO, 'a', 0o755, 0)
    its.save('old', 'SWORDFISH', 0, ino)
    its.save('old', 'changed', 0, ino)
    clock.pass(1500)
    fs.rename(caller, ROOT_INO, 'a', ROOT_INO, 'b', 0)
    its.save('new', 'HALIBUT', 0, ino)
    its.save('new', 'changed later', 0, ino)
    await its.purge({ path: '/a' })
    t.notOk(await its.holds('SWORDFISH'))
    t.ok(await its.holds('HALIBUT'))
    await its.purge({ path: '/b' })
    t.notOk(await its.holds('HALIBUT'))
    await its.assertSound(t)
  },
)

t.test('of a block that is used in part only what is shown stays', async (t) => {
  const its = await bench()
  const bytes = noise(CHUNK)
  bytes.write('SWORDFISH', 60_000)
  const ino = its.save('f', bytes)
  its.save('f', 'NOTHING!!', 60_000)
  bytes.write('NOTHING!!', 60_000)
  await its.purge({ path: '/f' })
  t.notOk(await its.holds('SWORDFISH'))
  t.ok(Buffer.concat(its.fs.read(caller, ino, 0, CHUNK)).equals(bytes))
  its.save('f', 'ABC', 10)
  bytes.write('ABC', 10)
  t.ok(Buffer.concat(its.fs.read(caller, ino, 0, CHUNK)).equals(bytes), 'it goes on from there')
  await its.assertSound(t)
})

t.test('prune leaves no part of a block that nothing shows', async (t) => {
  const its = await bench()
  const bytes = noise(CHUNK)
  bytes.write('SWORDFISH', 60_000)
  const ino = its.save('f', bytes)
  its.save('f', 'NOTHING!!', 60_000)
  bytes.write('NOTHING!!', 60_000)
  await its.vault.sync()
  await its.vault.prune({ rules: { versions: 1 }, tighten: true })
  t.notOk(await its.holds('SWORDFISH'))
  t.ok(Buffer.concat(its.fs.read(caller, ino, 0, CHUNK)).equals(bytes))
  await its.assertSound(t)
})

t.test('what snapshots and holds keep is named, and goes only by force', async (t) => {
  const its = await bench()
  its.save('conf', 'pass=SWORDFISH')
  createSnapshot(its.vault.core, 'before')
  its.save('conf', 'pass=')
  addHold(its.vault.core, '/conf')
  const refused = await its.purge({ path: '/conf' })
  t.match(refused, { refused: true, snapshots: ['before'], holds: ['/conf'] })
  t.ok(await its.holds('SWORDFISH'))
  t.match(await its.purge({ path: '/conf' }, { force: true }), { refused: false, versions: 1 })
  t.notOk(await its.holds('SWORDFISH'))
  await its.assertSound(t)
})

t.test('who has the same content is named, and keeps it', async (t) => {
  const its = await bench()
  const bytes = noise(20_000, 'SWORDFISH')
  its.save('conf', bytes)
  its.save('copy', bytes)
  its.save('conf', 'pass=')
  const { shared } = await its.purge({ path: '/conf' })
  t.same(shared, [{ path: '/copy', moment: null }])
  t.ok(await its.holds('SWORDFISH'))
  await its.assertSound(t)
})

t.test('a content goes wherever it was: in pieces, across chunks, by any name', async (t) => {
  const its = await bench()
  its.save('a', 'pass=SWO')
  its.save('a', 'RDFISH\n', 8)
  its.save('a', 'gone', 5)
  const large = noise(CHUNK + 5000)
  large.write('SWORDFISH\n', CHUNK - 4)
  its.save('b', large)
  its.save('b', noise(CHUNK + 5000, 'y'))
  its.save('c', 'nothing of it')
  its.save('c', 'nothing of it either')
  const versions = (): number => its.vault.core.overlay.scan(version, { limit: ALL }).length
  t.equal(versions(), 7)
  const content = Buffer.from('SWORDFISH\n')
  t.match(await its.purge({ content }), { versions: 2, refused: false })
  t.notOk(await its.holds('SWORDFISH'))
  t.equal(versions(), 5)
  t.ok(await its.holds('pass=SWO'), 'what never had all of it stays')
  its.save('d', 'now: SWORDFISH\n')
  t.match(await its.purge({ content }), { refused: true, living: ['/d'] })
  await its.assertSound(t)
})

t.test('a content of many chunks is known by each of them', async (t) => {
  const its = await bench()
  const content = Buffer.concat([noise(CHUNK, 'a'), noise(CHUNK, 'b'), Buffer.from('SWORDFISH')])
  its.save('f', content)
  its.save('f', Buffer.concat([noise(CHUNK, 'c'), content.subarray(CHUNK, 2 * CHUNK)]))
  its.save('f', 'empty now')
  t.match(await its.purge({ content }), { versions: 2 })
  t.notOk(await its.holds('SWORDFISH'))
  await its.assertSound(t)
})

t.test('attributes that a file had go; its newest version is what it is now', async (t) => {
  const its = await bench()
  const { fs } = its
  const { core } = its.vault
  its.save('f', 'one')
  const ino = its.save('f', 'two')
  its.chmod(ino, 0o600)
  its.attribute(ino, 'user.a', 'SWORDFISH')
  its.attribute(ino, 'user.b', 'now')
  its.attribute(ino, 'user.xdg.tags', 'HALIBUT,kept')
  its.seen()
  fs.link(caller, ino, ROOT_INO, 'g')
  its.attribute(ino, 'user.a', undefined)
  its.attribute(ino, 'user.xdg.tags', 'kept')
  its.chmod(ino, 0o640)
  const dry = await its.purge({ path: '/f' }, { dryRun: true })
  t.match(await its.purge({ path: '/f' }), { versions: 1, states: dry.states, rows: dry.rows })
  t.same(await its.rowsWith('SWORDFISH'), [])
  t.same(
    (await its.rowsWith('HALIBUT')).filter((row) => !row.startsWith('tag:')),
    [],
  )
  t.same(core.overlay.scan(inodePast, { gte: [ino], lt: [ino + 1], limit: ALL }), [])
  for (const path of ['/f', '/g']) {
    const [its, ...others] = versionsOfPath(core, path)
    t.same(others, [])
    t.match(its, { number: 2, size: 3, mode: 0o100640 }, path)
    const moment = its?.moment ?? 0
    const row = inodeAt(core, ino, moment)
    t.equal(row && Buffer.concat(readAt(core, row, moment, 0, 3)).toString(), 'two')
    const attributes = xattrsAt(core, ino, moment)
    t.same([...attributes.keys()].sort(), ['user.b', 'user.xdg.tags'])
  }
  t.match(await its.purge({ path: '/f' }), { versions: 0, states: 0, names: 0, rows: 0 })
  its.save('f', 'three')
  t.same(
    versionsOfPath(core, '/f').map(({ number }) => number),
    [2, 3],
    'it goes on from there',
  )
  await its.assertSound(t)
})

t.test('a mode, a link and a special file have a past, too', async (t) => {
  const its = await bench()
  const { fs } = its
  const ino = its.save('f', 'one')
  const link = fs.symlink(caller, ROOT_INO, 'link', 'target').ino
  const fifo = fs.mknod(caller, ROOT_INO, 'fifo', 0o10644, 0, 0).ino
  for (const it of [ino, fifo]) its.chmod(it, 0o600)
  its.seen()
  fs.setattr(caller, link, { ...noChange, uid: 7, gid: 7 })
  for (const path of ['/f', '/link', '/fifo']) {
    const { states } = await its.purge({ path })
    t.ok(states > 0, path)
    t.match(await its.purge({ path }), { states: 0, rows: 0 }, path)
  }
  t.equal(fs.readlink(caller, link), 'target')
  await its.assertSound(t)
})

t.test('a label that was renamed everywhere goes with the past of a file', async (t) => {
  const its = await bench()
  const ino = its.save('f', 'one')
  its.attribute(ino, 'user.xdg.tags', 'SWORDFISH')
  its.seen()
  await its.vault.sync()
  renameTag(its.vault.core, 'SWORDFISH', 'other')
  its.seen()
  t.ok((await its.rowsWith('SWORDFISH')).length > 0)
  await its.purge({ path: '/f' })
  t.same(await its.rowsWith('SWORDFISH'), [])
  const [newest] = versionsOfPath(its.vault.core, '/f')
  t.ok(xattrsAt(its.vault.core, ino, newest?.moment ?? 0).has('user.xdg.tags'))
  await its.assertSound(t)
})

t.test(
  'of a directory the attributes go that it had; what is in it stays in the past',
  async (t) => {
    const its = await bench()
    const { core } = its.vault
    const { ino } = its.fs.mkdir(caller, ROOT_INO, 'd', 0o755, 0)
    its.attribute(ino, 'user.a', 'SWORDFISH')
    its.attribute(ino, 'user.a', undefined)
    its.chmod(ino, 0o700)
    its.chmod(ino, 0o755)
    its.save('f', 'one', 0, ino)
    its.seen()
    const before = core.moments.last
    its.save('g', 'two', 0, ino)
    const below = await its.purge({ path: '/d/g' })
    t.match(below, { states: 0 }, 'what is below is purged without it')
    await its.purge({ path: '/d' })
    t.same(await its.rowsWith('SWORDFISH'), [])
    const modes = core.overlay.scan(inodePast, { gte: [ino], lt: [ino + 1], limit: ALL })
    t.same(
      modes.filter(({ mode }) => mode !== 0o40755),
      [],
    )
    const names = await answered(() => entriesAt(core, ino, before).map(({ name }) => name))
    t.same(names, ['f'], 'it shows what was in it and is still there')
    t.match(await its.purge({ path: '/d' }), { states: 0, rows: 0 })
    await its.assertSound(t)
  },
)

t.test('a file that is being written is left as it is', async (t) => {
  const its = await bench()
  const { fs } = its
  const ino = its.save('f', 'one')
  its.chmod(ino, 0o600)
  its.seen()
  fs.lookup(caller, ROOT_INO, 'f')
  fs.write(caller, ino, 0, Buffer.from('TWO'), false, false)
  await its.purge({ path: '/f' })
  t.same((await its.vault.check({ deep: true })).problems, [])
  fs.flush(caller, ino)
  t.same(
    versionsOfPath(its.vault.core, '/f').map(({ number }) => number),
    [1, 2],
  )
  await its.assertSound(t)
})

t.test('a file that was saved by rename and chmod keeps its number', async (t) => {
  const its = await bench()
  const { core } = its.vault
  for (const text of ['one', 'two', 'three']) {
    const ino = its.save('conf.tmp', text)
    its.seen()
    its.fs.rename(caller, ROOT_INO, 'conf.tmp', ROOT_INO, 'conf', 0)
    its.chmod(ino, 0o600)
  }
  const [newest] = versionsOfPath(core, '/conf').slice(-1)
  t.equal(newest?.number, 3)
  await its.purge({ path: '/conf' })
  t.same(
    versionsOfPath(core, '/conf').map(({ number }) => number),
    [3],
  )
  its.save('conf', 'four')
  t.same(
    versionsOfPath(core, '/conf').map(({ number }) => number),
    [3, 4],
  )
  await its.assertSound(t)
})

/** The numbers that the versions of each file that is there have under its path. */
async function numbersIn(vault: Vault, inos: readonly number[]): Promise<Map<string, number>> {
  const { core } = vault
  const found = new Map<string, number>()
  for (const ino of inos) {
    const path = (await answered(() => findInode(core, ino))) && lastPath(core, ino)
    if (path === undefined) continue
    const versions = await answered(() => versionsOfPath(core, path))
    for (const its of versions) found.set(`${path} ${its.ino} ${its.version}`, its.number)
  }
  return found
}

/** All versions that can be read, with what they hold. */
async function versionsIn(vault: Vault): Promise<Map<string, string>> {
  const { core } = vault
  const found = new Map<string, string>()
  for (const { ino, number, moment } of core.overlay.scan(version, { limit: ALL })) {
    const row = await answered(() => inodeAt(core, ino, moment))
    const parts = row && (await answered(() => readAt(core, row, moment, 0, row.size)))
    const hash = createHash('sha256')
    for (const part of parts ?? []) hash.update(part)
    found.set(`${ino} ${number}`, row === undefined ? 'none' : hash.digest('hex'))
  }
  return found
}

for (let run = 0; run < runs; run++)
  t.test(`random history ${run}: what was never at the path is as it was`, async (t) => {
    const path = join(t.testdir(), 'vault.avfs')
    await makeRichVault(path, 'sqlite', seed + run, 300)
    const random = randomFrom(seed + run)
    const its = new Bench(await openVault(path))
    const { core } = its.vault
    for (let round = 0; round < 4; round++) {
      await its.vault.sync()
      const before = await versionsIn(its.vault)
      const inos = [...before.keys()].map((key) => Number(key.split(' ')[0]))
      if (inos.length === 0) break
      const target = lastPath(core, random.pick(inos))
      if (target === undefined || target === '/') continue
      const { until } = await everAt(core, target, slicesOf(core))
      const numbers = await numbersIn(its.vault, inos)
      t.comment(`${target}: ${until.size} inodes`)
      await its.purge({ path: target }, { force: true })
      await its.vault.sync()
      const after = await versionsIn(its.vault)
      for (const [key, digest] of before) {
        const ino = Number(key.split(' ')[0])
        if (!until.has(ino)) t.equal(after.get(key), digest, `version ${key} is as it was`)
        else if (after.has(key)) t.equal(after.get(key), digest, `what is left of ${key}, too`)
        const present = await answered(() => findInode(core, ino))
        if (present !== undefined && key === `${ino} ${present.versions}`)
          t.ok(after.has(key), `${key} is the newest of what is there`)
      }
      for (const [name, number] of await numbersIn(its.vault, inos))
        t.equal(number, numbers.get(name), `${name} keeps its number`)
      const pasts = await its.purge({ path: target }, { force: true, dryRun: true })
      t.match(pasts, { versions: 0, states: 0, names: 0, rows: 0 }, 'nothing is left to do')
      t.same((await its.vault.check({ deep: true })).problems, [])
    }
    await its.vault.close()
  })
