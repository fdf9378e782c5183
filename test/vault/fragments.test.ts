// Small writes into a large file: what they cost, and how fragments are joined again when the vault is quiet.

import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { EIO, FsError } from '../../src/base/errno.ts'
import { setLog } from '../../src/base/log.ts'
import { createFileSystem } from '../../src/fs/file-system.ts'
import { extent, version } from '../../src/store/collections.ts'
import { openMemory } from '../../src/store/memory.ts'
import { birthBatch, ROOT_INO, Vault } from '../../src/vault/vault.ts'

const caller = { uid: 0, gid: 0, pid: 1 }
const CHUNK = 131_072
const PAGE = 4096

t.test('fragments of a chunk are joined into one block, without a version', async (t) => {
  const store = openMemory()
  await store.commit(birthBatch())
  const vault = new Vault(store, '/', { commitMs: 20 })
  const fs = createFileSystem(vault, { readOnly: false })
  const { ino } = fs.create(caller, ROOT_INO, 'f', 0o644, 0, 0)
  const bytes = Buffer.alloc(CHUNK, 'a')
  fs.write(caller, ino, 0, bytes, false, false)
  fs.flush(caller, ino)
  for (let at = 0; at < CHUNK; at += PAGE) {
    const piece = Buffer.alloc(1000, at / PAGE)
    piece.copy(bytes, at)
    fs.write(caller, ino, at, piece, false, false)
    fs.flush(caller, ino)
  }
  const extents = () =>
    vault.core.overlay.scan(extent, { gte: [ino], lt: [ino + 1], limit: 1000 }).length
  const versions = () =>
    vault.core.overlay.scan(version, { gte: [ino], lt: [ino + 1], limit: 1000 }).length
  t.equal(versions(), 33)
  for (let wait = 0; wait < 40 && extents() > 1; wait++) await sleep(50)
  t.equal(extents(), 1)
  t.equal(versions(), 33)
  t.ok(Buffer.concat(fs.read(caller, ino, 0, CHUNK)).equals(bytes))
  await vault.sync()
  t.same((await vault.check({ deep: true })).problems, [])
  await vault.close()
})

t.test('inline bytes that do not match their checksum are refused, alone', async (t) => {
  setLog('error', () => {})
  const store = openMemory()
  await store.commit(birthBatch())
  const vault = new Vault(store, '/', {})
  const fs = createFileSystem(vault, { readOnly: false })
  const { ino } = fs.create(caller, ROOT_INO, 'f', 0o644, 0, 0)
  fs.write(caller, ino, 0, Buffer.alloc(PAGE, 'a'), false, false)
  fs.flush(caller, ino)
  fs.write(caller, ino, PAGE, Buffer.alloc(PAGE, 'b'), false, false)
  fs.flush(caller, ino)
  await vault.sync()
  const row = store.get(extent, [ino, 0])
  if (row?.data == null) throw new Error('the first page is inline')
  row.data[17] = 0
  const collection = extent as unknown as Parameters<typeof store.get>[0]
  await store.commit([{ collection, puts: [row], deletes: [] }])
  const again = new Vault(store, '/', {})
  const damaged = createFileSystem(again, { readOnly: false })
  t.throws(() => damaged.read(caller, ino, 0, PAGE), new FsError(EIO))
  t.equal(Buffer.concat(damaged.read(caller, ino, PAGE, PAGE)).toString(), 'b'.repeat(PAGE))
  const { problems } = await again.check({ deep: false })
  t.match(problems, [{ kind: 'extent', path: '/f' }])
  await vault.close()
})
