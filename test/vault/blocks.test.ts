// Blocks on their way to the store: written, overwritten, written again, while a commit is under way.

import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { createFileSystem } from '../../src/fs/file-system.ts'
import { failing } from '../../src/store/failing.ts'
import { openMemory } from '../../src/store/memory.ts'
import type { Batch, Store } from '../../src/store/store.ts'
import { birthBatch, ROOT_INO, Vault } from '../../src/vault/vault.ts'

const caller = { uid: 0, gid: 0, pid: 1 }
const CHUNK = 131_072

/** A vault whose commits wait for the gate. */
async function gatedVault() {
  const memory = openMemory()
  await memory.commit(birthBatch())
  const state = { gate: Promise.resolve() }
  const store: Store = {
    ...failing(memory, Number.POSITIVE_INFINITY),
    commit: async (batch: Batch) => {
      await state.gate
      return memory.commit(batch)
    },
  }
  const vault = new Vault(store, '/', { commitMs: 1_000_000 })
  return { vault, state, fs: createFileSystem(vault, { readOnly: false }) }
}

t.test(
  'a block that a commit left out and that is written again meanwhile is stored by the next',
  async (t) => {
    const { vault, state, fs } = await gatedVault()
    const { ino } = fs.create(caller, ROOT_INO, 'f', 0o644, 0, 0)
    const x = Buffer.alloc(CHUNK, 'x')
    const y = Buffer.alloc(CHUNK, 'y')
    const write = (bytes: Buffer, offset: number) =>
      fs.write(caller, ino, offset, bytes, false, false)
    write(x, 0)
    write(y, 0)
    const { promise, resolve } = Promise.withResolvers<void>()
    state.gate = promise
    const first = vault.sync()
    await turn()
    write(x, 0)
    resolve()
    await first
    // The buffer of x must not have been given to these.
    for (let at = 1; at < 9; at++) write(Buffer.alloc(CHUNK, at), at * CHUNK)
    t.ok(Buffer.concat(fs.read(caller, ino, 0, CHUNK)).equals(x), 'before the next commit')
    await vault.sync()
    t.ok(Buffer.concat(fs.read(caller, ino, 0, CHUNK)).equals(x), 'after it')
    t.same((await vault.check({ deep: true })).problems, [])
    await vault.close()
  },
)

t.test(
  'content that two files share is stored once, and stays when one of them goes',
  async (t) => {
    const { vault, fs } = await gatedVault()
    const a = fs.create(caller, ROOT_INO, 'a', 0o644, 0, 0)
    const b = fs.create(caller, ROOT_INO, 'b', 0o644, 0, 0)
    const bytes = Buffer.alloc(CHUNK, 'shared')
    fs.write(caller, a.ino, 0, bytes, false, false)
    fs.write(caller, b.ino, 0, bytes, false, false)
    fs.unlink(caller, ROOT_INO, 'a')
    fs.forget(a.ino, 1)
    await vault.sync()
    const report = await vault.check({ deep: true })
    t.same(report.problems, [])
    t.equal(report.blocks, 1)
    t.ok(Buffer.concat(fs.read(caller, b.ino, 0, CHUNK)).equals(bytes))
    await vault.close()
  },
)
