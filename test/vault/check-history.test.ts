// What `vault check` finds when a row of the past is wrong: each case damages one row, which must
// be named for it.

import t from 'tap'
import { setLog } from '../../src/base/log.ts'
import { createFileSystem } from '../../src/fs/file-system.ts'
import {
  actor,
  type Collection,
  entry,
  entryPast,
  extentPast,
  hardlink,
  inode,
  inodePast,
  type Key,
  tag,
  tagging,
  version,
} from '../../src/store/collections.ts'
import { keyOf } from '../../src/store/keys.ts'
import { openStore } from '../../src/store/open.ts'
import type { Store } from '../../src/store/store.ts'
import { checkStore } from '../../src/vault/check/check.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { getInode } from '../../src/vault/tree/inodes.ts'
import { tagFile } from '../../src/vault/tree/tags.ts'
import { birthBatch, Vault } from '../../src/vault/vault.ts'
import { caller } from './random-run.ts'

setLog('error')

/**
 * A store with a file of two versions and two names, that was renamed and tagged, and one that was
 * deleted.
 */
async function historyStore(): Promise<Store> {
  const store = await openStore('memory', { create: true, backend: 'memory' })
  await store.commit(birthBatch())
  const vault = new Vault(store, '/tmp/none', { commitMs: 1e9 })
  const fs = createFileSystem(vault, { readOnly: false })
  const { core } = vault
  const pass = async () => {
    await vault.sync()
    core.moments.last += 5e6
  }
  const { ino } = fs.create(caller, ROOT_INO, 'a', 0o644, 0, 0)
  fs.write(caller, ino, 0, Buffer.alloc(9000, 1), false, false)
  fs.flush(caller, ino)
  tagFile(core, getInode(core, ino), 'red')
  await pass()
  fs.write(caller, ino, 100, Buffer.alloc(100, 2), false, false)
  fs.flush(caller, ino)
  fs.link(caller, ino, ROOT_INO, 'b')
  await pass()
  fs.rename(caller, ROOT_INO, 'a', ROOT_INO, 'c', 0)
  await pass()
  const other = fs.create(caller, ROOT_INO, 'a', 0o644, 0, 0).ino
  fs.write(caller, other, 0, Buffer.from('gone'), false, false)
  fs.flush(caller, other)
  await pass()
  fs.unlink(caller, ROOT_INO, 'a')
  fs.forget(other, 1)
  await pass()
  return store
}

/** Changes the first row of a collection that fits, or deletes it. */
async function damage<R extends object>(
  store: Store,
  collection: Collection<R>,
  change: ((row: R) => Partial<R> | undefined) | 'delete',
): Promise<void> {
  for (const row of store.scan(collection, { limit: 1000 })) {
    const changed = change === 'delete' ? undefined : change(row)
    if (changed === undefined && change !== 'delete') continue
    const key: Key = keyOf(collection, row)
    const puts = changed === undefined ? [] : [{ ...row, ...changed }]
    const any = collection as unknown as Collection<object>
    await store.commit([{ collection: any, puts: [], deletes: [key] }])
    await store.commit([{ collection: any, puts, deletes: [] }])
    return
  }
  throw new Error(`no row of ${collection.name} fits`)
}

const cases: Readonly<Record<string, [(store: Store) => Promise<void>, RegExp]>> = {
  'a past state that ends late': [
    (store) => damage(store, inodePast, (row) => ({ until: row.until + 60e6 })),
    /overlap/,
  ],
  'a past state that never ends': [
    (store) => damage(store, inodePast, () => ({ until: Number.MAX_SAFE_INTEGER })),
    /overlap|does not end/,
  ],
  'a past state that begins when no moment is left': [
    (store) => damage(store, inodePast, () => ({ since: Number.MAX_SAFE_INTEGER })),
    /ends before it begins/,
  ],
  'a version of another size': [
    (store) => damage(store, version, (row) => ({ size: row.size + 1 })),
    /version 1 of 9001 bytes/,
  ],
  'a version of a moment without a state': [
    (store) => damage(store, version, (row) => ({ moment: row.moment - 60e6 })),
    /version 1 has no state/,
  ],
  'content of the past that is missing': [
    (store) => damage(store, extentPast, 'delete'),
    /its extents cover/,
  ],
  'content of the past that lives on': [
    (store) => damage(store, extentPast, (row) => ({ until: row.until + 60e6 })),
    /overlap/,
  ],
  'a past name that ends late': [
    (store) =>
      damage(store, entryPast, (row) =>
        row.name === 'a' ? { until: row.until + 60e6 } : undefined,
      ),
    /two past entries overlap/,
  ],
  'a deleted name of a file that never was': [
    (store) => damage(store, entryPast, (row) => (row.fate === 0 ? { ino: 999 } : undefined)),
    /inode 999, which it led to, never was/,
  ],
  'a past name in no directory': [
    (store) => damage(store, entryPast, () => ({ parent: 999 })),
    /the directory never was/,
  ],
  'an author who is missing': [
    (store) => damage(store, actor, 'delete'),
    /actor 1, who changed it, is not known/,
  ],
  'a state by nobody that is known': [
    (store) => damage(store, inodePast, (row) => (row.ino > 1 ? { actor: 99 } : undefined)),
    /inode 2: actor 99/,
  ],
  'a version by nobody that is known': [
    (store) => damage(store, version, () => ({ actor: 98 })),
    /inode 2: actor 98/,
  ],
  'a name by nobody that is known': [
    (store) => damage(store, entry, () => ({ actor: 97 })),
    /"b" in directory 1: actor 97/,
  ],
  'a deletion by nobody that is known': [
    (store) => damage(store, entryPast, () => ({ endedBy: 96 })),
    /"a" in directory 1: actor 96/,
  ],
  'a hard link that the file does not know': [
    (store) => damage(store, hardlink, 'delete'),
    /does not know all of its 2 names/,
  ],
  'a file that has forgotten its name': [
    (store) => damage(store, inode, (row) => (row.name === 'c' ? { name: 'z' } : undefined)),
    /does not know all of its 2 names/,
  ],
  'a file with more tags than it knows': [
    (store) => damage(store, inode, (row) => (row.tags === 1 ? { tags: 0 } : undefined)),
    /it has 1 tags, its row says 0/,
  ],
  'a tag that does not exist': [
    (store) => damage(store, tag, 'delete'),
    /tag "red" does not exist/,
  ],
  'a tagging that is missing': [
    (store) => damage(store, tagging, 'delete'),
    /it has 0 tags, its row says 1/,
  ],
}

t.test('a vault with a past is sound', async (t) => {
  const report = await checkStore(await historyStore(), { deep: true })
  t.same(report.problems, [])
})

for (const [title, [harm, wanted]] of Object.entries(cases))
  t.test(`check finds ${title}`, async (t) => {
    const store = await historyStore()
    await harm(store)
    const { problems } = await checkStore(store, { deep: true })
    t.match(problems.map(({ message }) => message).join('\n'), wanted)
  })
