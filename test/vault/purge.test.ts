// What purge removes, and what it leaves alone. AVFS_SEED chooses the random histories, AVFS_PURGES
// their number.

import { createHash } from 'node:crypto'
import { join } from 'node:path'
import t from 'tap'
import { setLog } from '../../src/base/log.ts'
import { block, entryPast, version } from '../../src/store/collections.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import { hashOf } from '../../src/vault/core/blocks.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { slicesOf } from '../../src/vault/core/time-slices.ts'
import { createSnapshot } from '../../src/vault/history/snapshots.ts'
import { inodeAt, readAt } from '../../src/vault/history/timeline.ts'
import { versionsOfPath } from '../../src/vault/history/version-names.ts'
import { addHold } from '../../src/vault/prune/holds.ts'
import { notePurging } from '../../src/vault/prune/purge-labels.ts'
import { everAt } from '../../src/vault/prune/purge-path.ts'
import { findInode } from '../../src/vault/tree/inodes.ts'
import { lastPath } from '../../src/vault/tree/places.ts'
import { openVault, type Vault } from '../../src/vault/vault.ts'
import { randomFrom, seedOf } from '../support/random.ts'
import { Bench, bench, caller, clock } from './purge-bench.ts'
import { makeRichVault } from './rich-vault.ts'

setLog('error')
const seed = seedOf('AVFS_SEED')
const runs = Number(process.env.AVFS_PURGES ?? 3)
t.comment(`AVFS_SEED=${seed}`)
const ALL = 1_000_000
const CHUNK = 128 * 1024

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

t.test('what a purge that was cut off left of its blocks goes with the next', async (t) => {
  const its = await bench()
  const { core } = its.vault
  its.save('other', 'one')
  await its.vault.sync()
  const data = Buffer.from(`${noise(20_000)} SWORDFISH`)
  const row = { hash: hashOf(data), size: data.length, codec: 0, data }
  notePurging(core, [])
  await its.vault.sync()
  await core.overlay.store.commit([{ collection: block as never, puts: [row], deletes: [] }])
  t.ok(await its.holds('SWORDFISH'))
  t.match(await its.purge({ path: '/conf' }), { versions: 0, blocks: 1 })
  t.notOk(await its.holds('SWORDFISH'))
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

/** The numbers that the versions of each file that is there have under its path. */
async function numbersIn(vault: Vault, inos: readonly number[]): Promise<Map<string, number>> {
  const { core } = vault
  const found = new Map<string, number>()
  for (const ino of inos) {
    const path = (await retryUntilLoaded(() => findInode(core, ino))) && lastPath(core, ino)
    if (path === undefined) continue
    const versions = await retryUntilLoaded(() => versionsOfPath(core, path))
    for (const its of versions) found.set(`${path} ${its.ino} ${its.version}`, its.number)
  }
  return found
}

/** All versions that can be read, with what they hold. */
async function versionsIn(vault: Vault): Promise<Map<string, string>> {
  const { core } = vault
  const found = new Map<string, string>()
  for (const { ino, number, moment } of core.overlay.scan(version, { limit: ALL })) {
    const row = await retryUntilLoaded(() => inodeAt(core, ino, moment))
    const parts = row && (await retryUntilLoaded(() => readAt(core, row, moment, 0, row.size)))
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
        const present = await retryUntilLoaded(() => findInode(core, ino))
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
