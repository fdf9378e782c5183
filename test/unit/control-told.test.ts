// A dry run sends its results to a slow reader as they are found: never more than the results of
// one step wait in memory.

import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import { methods } from '../../src/control/methods/methods.ts'
import { createFileSystem } from '../../src/fs/file-system.ts'
import { openMemory } from '../../src/store/memory.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { birthBatch, Vault } from '../../src/vault/vault.ts'
import { caller } from '../vault/random-run.ts'

const FILES = 300

t.test('a dry run of undelete waits for who reads what it tells', async (t) => {
  const store = openMemory()
  await store.commit(birthBatch())
  const vault = new Vault(store, '/tmp/none', { commitMs: 1e6, sealMs: 1e9 })
  const fs = createFileSystem(vault, { readOnly: false })
  const top = fs.mkdir(caller, ROOT_INO, 'd', 0o755, 0)
  const names = Array.from({ length: FILES }, (_, at) => `f${at}`)
  for (const name of names) {
    const { ino } = fs.create(caller, top.ino, name, 0o644, 0, 0)
    fs.write(caller, ino, 0, Buffer.from(name), false, false)
    fs.flush(caller, ino)
    fs.forget(ino, 1)
  }
  await vault.sync()
  vault.core.moments.last += 5_000_000
  for (const name of names) fs.unlink(caller, top.ino, name)
  fs.rmdir(caller, ROOT_INO, 'd')
  vault.core.moments.last += 5_000_000
  await vault.sync()
  let heard = 0
  let sent = 0
  let most = 0
  const result = await methods.undelete.run(
    vault,
    { path: '/d', dryRun: true },
    {
      report: (done) => {
        heard = done
      },
      send: async () => {
        await setImmediate()
        sent++
        most = Math.max(most, heard - sent)
      },
      kernel: undefined,
      searcher: () => {
        throw new Error('there is no search')
      },
      isGone: () => false,
      body: undefined,
    },
  )
  t.match(result, { dryRun: true, created: FILES + 1 })
  t.equal(sent, FILES + 1)
  t.ok(most < 5, `${most} were waiting`)
  await vault.close()
})
