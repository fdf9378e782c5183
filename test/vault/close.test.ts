// Closing a vault in which something is damaged: what fails is told, and all else is done.

import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { setLog } from '../../src/base/log.ts'
import { createFileSystem } from '../../src/fs/file-system.ts'
import { entry } from '../../src/store/collections.ts'
import { openMemory } from '../../src/store/memory.ts'
import { corrupt } from '../../src/store/store.ts'
import { type Inode, ROOT_INO } from '../../src/vault/core/inode.ts'
import { birthBatch, Vault } from '../../src/vault/vault.ts'
import { save } from './view-bed.ts'

setLog('error')

const COMMIT_MS = 10

t.test('a file that cannot be ended keeps nothing else from being closed', async (t) => {
  const store = openMemory()
  await store.commit(birthBatch())
  const vault = new Vault(store, '/', { commitMs: COMMIT_MS })
  const fs = createFileSystem(vault, { readOnly: false })
  save(fs, ROOT_INO, 'last', 'saved')
  const { commit, close } = store
  let commits = 0
  let names: unknown[] = []
  store.commit = (batch) => {
    commits++
    return commit.call(store, batch)
  }
  store.close = async () => {
    names = store.scan(entry, { limit: 10 })
    await close.call(store)
  }
  const inode = vault.core.inodes.get(ROOT_INO) as Inode
  const damaged = Object.create(inode, {
    ino: {
      get: () => {
        throw corrupt('an inode')
      },
    },
  })
  vault.core.orphans.set(99, damaged)
  await t.rejects(vault.close(), { message: /an inode/ })
  t.match(names, [{ name: 'last' }], 'what was done is in the engine, which is closed')
  const before = commits
  await sleep(COMMIT_MS * 5)
  t.equal(commits, before, 'and the timer has ended')
})
