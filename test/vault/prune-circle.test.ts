// Prune ends on a vault whose rows say that removed directories contain each other.

import t from 'tap'
import { setLog } from '../../src/base/log.ts'
import { createFileSystem } from '../../src/fs/file-system.ts'
import { inodePast } from '../../src/store/collections.ts'
import { openMemory } from '../../src/store/memory.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { birthBatch, Vault } from '../../src/vault/vault.ts'
import { putBatch } from '../store/rows.ts'
import { caller } from './random-run.ts'

setLog('error')

t.test('prune ends where removed directories are in each other', async (t) => {
  const store = openMemory()
  await store.commit(birthBatch())
  const first = new Vault(store, '/', {})
  const fs = createFileSystem(first, { readOnly: false })
  const a = fs.mkdir(caller, ROOT_INO, 'a', 0o755, 0).ino
  const b = fs.mkdir(caller, a, 'b', 0o755, 0).ino
  const file = fs.create(caller, b, 'f', 0o644, 0, 0).ino
  fs.write(caller, file, 0, Buffer.from('text'), false, false)
  fs.flush(caller, file)
  await first.sync()
  first.core.moments.last += 5e6
  fs.unlink(caller, b, 'f')
  fs.rmdir(caller, a, 'b')
  fs.rmdir(caller, ROOT_INO, 'a')
  for (const ino of [a, b, file]) fs.forget(ino, 1)
  await first.sync()
  const rows = store.scan(inodePast, { limit: 100 }).filter(({ ino }) => ino === a)
  t.ok(rows.length > 0)
  await store.commit(putBatch(inodePast, ...rows.map((row) => ({ ...row, parent: b }))))
  const vault = new Vault(store, '/', {})
  await vault.prune({ rules: { versions: 1 } })
  await vault.close()
})
