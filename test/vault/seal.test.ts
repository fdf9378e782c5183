// When a change becomes a version, and what the rows show of it before and after.

import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { createFileSystem } from '../../src/fs/file-system.ts'
import {
  extent,
  extentPast,
  inode,
  inodePast,
  PROVISIONAL,
  unsealed,
  version,
} from '../../src/store/collections.ts'
import { openMemory } from '../../src/store/memory.ts'
import { configure } from '../../src/vault/core/configuration.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { refreshHistory } from '../../src/vault/tree/history-recording.ts'
import { birthBatch, Vault } from '../../src/vault/vault.ts'

const caller = { uid: 0, gid: 0, pid: 1 }

async function freshVault(sealMs = 60_000) {
  const store = openMemory()
  await store.commit(birthBatch())
  const vault = new Vault(store, '/', { commitMs: 1_000_000, sealMs })
  const fs = createFileSystem(vault, { readOnly: false })
  const { ino } = fs.create(caller, ROOT_INO, 'f', 0o644, 0, 0)
  return {
    vault,
    store,
    fs,
    ino,
    write: (text: string, offset = 0) =>
      fs.write(caller, ino, offset, Buffer.from(text), false, false),
    versions: () => vault.core.overlay.scan(version, { gte: [ino], lt: [ino + 1], limit: 100 }),
  }
}

t.test('each close after a write is a version, with its size', async (t) => {
  const { vault, fs, ino, write, versions } = await freshVault()
  write('one')
  fs.flush(caller, ino)
  fs.flush(caller, ino)
  write('three', 3)
  t.equal(versions().length, 1, 'not before the close')
  fs.flush(caller, ino)
  t.strictSame(
    versions().map(({ number, size }) => [number, size]),
    [
      [1, 3],
      [2, 8],
    ],
  )
  const [first, second] = versions()
  t.ok(first !== undefined && second !== undefined && first.moment < second.moment)
  await vault.close()
})

t.test('until a change is sealed, history keeps the state before it', async (t) => {
  const { vault, store, fs, ino, write } = await freshVault()
  write('before')
  fs.flush(caller, ino)
  write('after!!')
  await vault.sync()
  t.equal(store.get(inode, [ino])?.since, PROVISIONAL)
  t.equal(store.get(extent, [ino, 0])?.since, PROVISIONAL)
  t.ok(store.get(unsealed, [ino]))
  const past = store.scan(inodePast, { gte: [ino], lt: [ino + 1], limit: 10 })
  t.match(past, [{ size: 6, until: PROVISIONAL }])
  t.match(store.scan(extentPast, { gte: [ino], lt: [ino + 1], limit: 10 }), [
    { length: 6, until: PROVISIONAL },
  ])
  fs.flush(caller, ino)
  await vault.sync()
  const moment = store.get(inode, [ino])?.since
  t.equal(store.get(extent, [ino, 0])?.since, moment)
  t.match(store.scan(inodePast, { gte: [ino], lt: [ino + 1], limit: 10 }), [{ until: moment }])
  t.match(store.scan(extentPast, { gte: [ino], lt: [ino + 1], limit: 10 }), [{ until: moment }])
  t.notOk(store.get(unsealed, [ino]))
  await vault.close()
})

t.test('fsync makes durable and seals no version', async (t) => {
  const { vault, store, fs, ino, write, versions } = await freshVault()
  for (let at = 0; at < 5; at++) {
    write(`transaction ${at}`)
    await fs.fsync(caller, ino)
  }
  t.equal(versions().length, 0)
  t.equal(store.get(inode, [ino])?.size, 13)
  await vault.close()
})

t.test('a file that is held open and changed is sealed after a while', async (t) => {
  const sealMs = 300
  const { vault, fs, ino, write, versions } = await freshVault(sealMs)
  const began = performance.now()
  for (let at = 0; at < 12; at++) {
    write(`${at}`)
    await sleep(100)
  }
  const { length } = versions()
  const tookMs = performance.now() - began
  t.ok(length >= 1 && length <= tookMs / sealMs, `${length} versions in ${tookMs} ms`)
  fs.flush(caller, ino)
  await vault.close()
})

t.test('a truncation is no version when a write follows, and one when none does', async (t) => {
  const { vault, fs, ino, write, versions } = await freshVault()
  const truncate = { ...fs.getattr(caller, ino), size: 0, killPrivileges: false }
  write('old')
  fs.flush(caller, ino)
  fs.setattr(caller, ino, truncate)
  fs.flush(caller, ino)
  write('new one')
  fs.flush(caller, ino)
  t.strictSame(
    versions().map(({ size }) => size),
    [3, 7],
  )
  fs.setattr(caller, ino, truncate)
  fs.flush(caller, ino)
  await sleep(1600)
  t.strictSame(
    versions().map(({ size }) => size),
    [3, 7, 0],
  )
  await vault.close()
})

t.test('a file that was closed and deleted between two commits is kept', async (t) => {
  const { vault, store, fs, ino, write } = await freshVault()
  write('temporary')
  fs.flush(caller, ino)
  fs.unlink(caller, ROOT_INO, 'f')
  fs.forget(ino, 1)
  await vault.sync()
  t.match(store.scan(inodePast, { gte: [ino], lt: [ino + 1], limit: 10 }), [{ size: 9 }])
  t.match(store.scan(version, { gte: [ino], lt: [ino + 1], limit: 10 }), [{ number: 1 }])
  t.equal(Buffer.from(store.get(extent, [ino, 0])?.data ?? []).toString(), 'temporary')
  await vault.close()
})

t.test(
  'a file that came and went between two commits leaves no row where a setting says so',
  async (t) => {
    const { vault, store, fs, ino, write } = await freshVault()
    configure(vault.core, { 'history.passing': 'off' })
    refreshHistory(vault.core)
    write('temporary')
    fs.flush(caller, ino)
    fs.unlink(caller, ROOT_INO, 'f')
    fs.forget(ino, 1)
    await vault.sync()
    for (const collection of [inode, inodePast, extent, extentPast, version])
      t.same(store.scan(collection as typeof inode, { gte: [ino], lt: [ino + 1], limit: 10 }), [])
    await vault.close()
  },
)

t.test('a file that was replaced by rename stays in history, however young', async (t) => {
  const { vault, store, fs, ino, write } = await freshVault()
  write('first')
  fs.flush(caller, ino)
  const next = fs.create(caller, ROOT_INO, 'tmp', 0o644, 0, 0)
  fs.write(caller, next.ino, 0, Buffer.from('second'), false, false)
  fs.flush(caller, next.ino)
  fs.rename(caller, ROOT_INO, 'tmp', ROOT_INO, 'f', 0)
  fs.forget(ino, 1)
  await vault.sync()
  t.match(store.scan(inodePast, { gte: [ino], lt: [ino + 1], limit: 10 }), [{ size: 5 }])
  t.equal(Buffer.from(store.get(extent, [ino, 0])?.data ?? []).toString(), 'first')
  await vault.close()
})

t.test('a file that cannot be sealed in the background keeps no other from it', async (t) => {
  const { vault, fs, write, versions } = await freshVault(1)
  const { open } = vault.core
  write('one')
  const others = [...open]
  const { ino } = fs.create(caller, ROOT_INO, 'damaged', 0o644, 0, 0)
  fs.write(caller, ino, 0, Buffer.from('x'), false, false)
  // The first of those that are open.
  const damaged = { ...open.get(ino), chunks: undefined }
  open.clear()
  open.set(ino, damaged as never)
  for (const [other, inode] of others) open.set(other, inode)
  for (let wait = 0; wait < 100 && versions().length === 0; wait++) await sleep(50)
  t.equal(versions().length, 1)
  open.delete(ino)
  await vault.close()
})
