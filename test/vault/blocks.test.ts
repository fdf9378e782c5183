// Blocks on their way to the store: written, overwritten, written again, while a commit is under
// way.

import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { createFileSystem } from '../../src/fs/file-system.ts'
import { openMemory } from '../../src/store/memory.ts'
import type { Batch, Store } from '../../src/store/store.ts'
import { Blocks, hashOf } from '../../src/vault/core/blocks.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { birthBatch, Vault } from '../../src/vault/vault.ts'
import { failing } from '../support/failing-store.ts'
import { randomFrom } from '../support/random.ts'

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

t.test('what compresses is found again behind what did not', async (t) => {
  const blocks = new Blocks(openMemory(), 1_000_000)
  const random = randomFrom(1)
  const pack = async (data: Uint8Array): Promise<boolean> => {
    const row = { hash: hashOf(data), size: data.length, codec: 0, data }
    const { codec, data: packed } = await blocks.pack(row)
    t.equal(codec === 0, packed === data)
    return codec !== 0
  }
  for (let at = 0; at < 40; at++) t.notOk(await pack(random.bytes(CHUNK)))
  let plain = 0
  while (plain < 10 && !(await pack(Buffer.alloc(CHUNK, plain)))) plain++
  t.ok(plain < 8, `${plain} blocks of one byte value were not tried`)
  t.ok(await pack(Buffer.alloc(CHUNK, 'z')))
})
