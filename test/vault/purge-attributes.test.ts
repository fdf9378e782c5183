// Purge of everything in files and directories except content: modes, owners, attributes and labels
// of the past.

import t from 'tap'
import { setLog } from '../../src/base/log.ts'
import { inodePast } from '../../src/store/collections.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { entriesAt, inodeAt, readAt, xattrsAt } from '../../src/vault/history/timeline.ts'
import { versionsOfPath } from '../../src/vault/history/version-names.ts'
import { renameTag } from '../../src/vault/tree/tags.ts'
import { noChange } from '../support/no-change.ts'
import { bench, caller } from './purge-bench.ts'

setLog('error')
const ALL = 1_000_000

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
    const names = await retryUntilLoaded(() => entriesAt(core, ino, before).map(({ name }) => name))
    t.same(names, ['f'], 'it shows what was in it and is still there')
    t.match(await its.purge({ path: '/d' }), { states: 0, rows: 0 })
    await its.assertSound(t)
  },
)

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
