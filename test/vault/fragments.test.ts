// Small writes into a large file: what they cost, and how fragments are joined again when the vault
// is quiet.

import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { EIO, FsError } from '../../src/base/errno.ts'
import { setLog } from '../../src/base/log.ts'
import { createFileSystem } from '../../src/fs/file-system.ts'
import { extent, extentPast, version } from '../../src/store/collections.ts'
import { openMemory } from '../../src/store/memory.ts'
import { defragmentNext } from '../../src/vault/content/defragment.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { inodeAt, readAt } from '../../src/vault/history/timeline.ts'
import { birthBatch, Vault } from '../../src/vault/vault.ts'

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

t.test('joining fragments keeps what older states need of them, and nothing twice', async (t) => {
  const store = openMemory()
  await store.commit(birthBatch())
  const vault = new Vault(store, '/', { commitMs: 1e9 })
  const fs = createFileSystem(vault, { readOnly: false })
  const { core } = vault
  const { ino } = fs.create(caller, ROOT_INO, 'f', 0o644, 0, 0)
  const save = async (writes: readonly [number, string][]) => {
    for (const [at, fill] of writes)
      fs.write(caller, ino, at * PAGE, Buffer.alloc(1000, fill), false, false)
    fs.flush(caller, ino)
    await vault.sync()
    return core.moments.last
  }
  const everyPage = (fill: string) =>
    Array.from({ length: CHUNK / PAGE }, (_, at): [number, string] => [at, fill])
  const rowsOf = (collection: typeof extent) =>
    core.overlay.scan(collection, { gte: [ino], lt: [ino + 1], limit: 1000 })
  const digestAt = (moment: number) => {
    const row = inodeAt(core, ino, moment)
    return row && Buffer.concat(readAt(core, row, moment, 0, row.size)).toString('latin1')
  }
  fs.write(caller, ino, 0, Buffer.alloc(CHUNK, '0'), false, false)
  const moments = [await save([]), await save(everyPage('1')), await save([[3, '2']])]
  const contents = moments.map(digestAt)
  t.equal(rowsOf(extent).length, 64)
  const isPast = extentPast as unknown as typeof extent
  const before = rowsOf(isPast).length
  core.fragmented.add(ino)
  while (core.fragmented.size > 0) defragmentNext(core)
  t.equal(rowsOf(extent).length, 1)
  // Of 64 extents that were replaced one was the newest, and no state needs it any more.
  t.equal(rowsOf(isPast).length, before + 63)
  t.same(moments.map(digestAt), contents)
  await save(everyPage('3'))
  const last = await save(everyPage('4'))
  const [rows, content] = [rowsOf(isPast).length, digestAt(last)]
  core.fragmented.add(ino)
  while (core.fragmented.size > 0) defragmentNext(core)
  t.equal(rowsOf(extent).length, 1)
  t.ok(rowsOf(isPast).length <= rows + 32, 'all pieces of the last save are gone')
  t.same(moments.map(digestAt), contents)
  t.equal(digestAt(last), content)
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
