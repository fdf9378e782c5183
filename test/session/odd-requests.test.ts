// Requests that no kernel has sent so far and that a file system must handle all the same, byte by
// byte against a vault in memory.

import t from 'tap'
import { setLog } from '../../src/base/log.ts'
import { createFileSystem } from '../../src/fs/file-system.ts'
import { type InodeRow, inode } from '../../src/store/collections.ts'
import { openMemory } from '../../src/store/memory.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { birthBatch, Vault } from '../../src/vault/vault.ts'
import { changes } from '../store/rows.ts'
import { faulting } from '../support/faulting.ts'
import { fakeMount, name, reply, request, u32, u64 } from '../support/fuse-wire.ts'
import { waiting } from '../support/waiting.ts'
import { root } from '../vault/view-bed.ts'

const bugs: string[] = []
setLog('error', (line) => bugs.push(line))
t.beforeEach(() => {
  bugs.length = 0
})

t.test('a umask of all bits takes permissions away and no type', async (t) => {
  const store = openMemory()
  await store.commit(birthBatch())
  const vault = new Vault(store, '/', {})
  const { ask } = fakeMount(createFileSystem(vault, { readOnly: false }))
  ask(request(9, 1, u32(0o755), u32(0xffffffff), name('d')))
  ask(request(8, 1, u32(0o010644), u32(0), u32(0xffffffff), u32(0), name('p')))
  await vault.sync()
  t.same((await vault.check({ deep: true })).problems, [])
  const { mode } = vault.core.inodes.get(2) ?? { mode: 0 }
  t.equal(mode, 0o040000)
  await vault.close()
})

t.test('fsync of a file whose row must be read first is answered', async (t) => {
  const store = openMemory()
  await store.commit(birthBatch())
  // The last row is read when a vault is opened, and with it that there is none behind it.
  const top = store.get(inode, [ROOT_INO]) as InodeRow
  await store.commit([changes(inode, [{ ...top, ino: 9000 }])])
  const faults = faulting(store, { gets: true })
  const vault = await retryUntilLoaded(() => new Vault(faults, '/', {}))
  const fs = await retryUntilLoaded(() => createFileSystem(vault, { readOnly: false }))
  const { ask, channel } = fakeMount(fs)
  const nothing = request(20, 4711, '00'.repeat(16))
  t.equal(ask(nothing), undefined)
  for (let turns = 0; channel.replies.length < 2 && turns < 1000; turns++)
    await new Promise((go) => setImmediate(go))
  t.equal(channel.replies[1], reply(2))
  t.same(bugs, [])
  await vault.close()
})

t.test('what can be no name is given to nothing', async (t) => {
  const store = openMemory()
  await store.commit(birthBatch())
  const vault = new Vault(store, '/', {})
  const { ask } = fakeMount(createFileSystem(vault, { readOnly: false }))
  ask(request(9, 1, u32(0o755), u32(0), name('d')))
  const { inodeCount } = vault.core
  for (const wrong of ['.', '..', 'a/b']) {
    t.equal(ask(request(9, 1, u32(0o755), u32(0), name(wrong))), reply(22), `mkdir '${wrong}'`)
    t.equal(ask(request(12, 1, u64(1), name('d'), name(wrong))), reply(22), `rename to '${wrong}'`)
  }
  t.equal(vault.core.inodeCount, inodeCount)
  await vault.close()
})

t.test('a file that has lost its last name gets no other one', async (t) => {
  const store = openMemory()
  await store.commit(birthBatch())
  const vault = new Vault(store, '/', {})
  const fs = createFileSystem(vault, { readOnly: false })
  const { ask } = fakeMount(fs)
  ask(request(35, 1, u32(1), u32(0o100644), u32(0), u32(0), name('f')))
  fs.write(root, 2, 0, Buffer.from('text'), false, false)
  fs.flush(root, 2)
  vault.core.moments.observe()
  ask(request(10, 1, name('f')))
  t.equal(ask(request(13, 1, u64(2), name('g'))), reply(2))
  await vault.sync()
  t.same((await vault.check({ deep: true })).problems, [])
  await vault.close()
})

t.test('a snapshot is made below a directory that is gone, where reads must wait', async (t) => {
  const inner = openMemory()
  await inner.commit(birthBatch())
  const store = faulting(inner, { gets: false })
  const vault = await retryUntilLoaded(() => new Vault(store, '/', {}))
  const fs = waiting(await retryUntilLoaded(() => createFileSystem(vault, { readOnly: false })))
  const directory = await fs.mkdir(root, 1, 'd', 0o755, 0)
  const views = await fs.lookup(root, directory.ino, '.avfs')
  const snapshots = await fs.lookup(root, views?.ino ?? 0, 'snapshots')
  vault.core.moments.observe()
  await fs.rmdir(root, 1, 'd')
  await vault.sync()
  await fs.mkdir(root, snapshots?.ino ?? 0, 's', 0o755, 0)
  t.same(bugs, [])
  t.same((await vault.check({ deep: true })).problems, [])
  await vault.close()
})
