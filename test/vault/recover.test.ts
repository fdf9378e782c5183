// How the next opening recovers content that was not sealed, however many extents it has.

import t from 'tap'
import { createFileSystem } from '../../src/fs/file-system.ts'
import {
  type Collection,
  collections,
  extent,
  extentPast,
  orphan,
  PROVISIONAL,
  unsealed,
  version,
} from '../../src/store/collections.ts'
import { openMemory } from '../../src/store/memory.ts'
import type { Store } from '../../src/store/store.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { recover } from '../../src/vault/recover.ts'
import { birthBatch, Vault } from '../../src/vault/vault.ts'

const caller = { uid: 0, gid: 0, pid: 1 }
const CHUNK = 131_072
const CHUNKS = 7
const PAGE_ROWS = 2

/** A vault as a crash leaves it, opened without its recovery: a file that was being rewritten. */
async function crashed(isUnlinked: boolean) {
  const store = openMemory()
  await store.commit(birthBatch())
  const before = new Vault(store, '/', { commitMs: 1e9 })
  const fs = createFileSystem(before, { readOnly: false })
  const { ino } = fs.create(caller, ROOT_INO, 'f', 0o644, 0, 0)
  const rewrite = (text: string): void => {
    for (let at = 0; at < CHUNKS; at++)
      fs.write(caller, ino, at * CHUNK, Buffer.from(`${text} ${at}`), false, false)
  }
  rewrite('old')
  fs.flush(caller, ino)
  rewrite('new')
  await before.sync()
  if (isUnlinked) fs.unlink(caller, ROOT_INO, 'f')
  await before.sync()
  const left = await store.view()
  await before.close()
  const copy = openMemory()
  const rowsOf = (collection: Collection<object>) => left.scan(collection, { limit: 1000 })
  await copy.commit(
    collections.map((collection) => ({ collection, puts: rowsOf(collection), deletes: [] })),
  )
  const isLeft = ({ name }: { name: string }) => name === unsealed.name || name === orphan.name
  let isHidden = true
  const scanned: string[] = []
  const opened: Store = {
    traits: copy.traits,
    get: (collection, key) => copy.get(collection, key),
    scan: (collection, range) => {
      if (isHidden && isLeft(collection)) return []
      scanned.push(collection.name)
      return copy.scan(collection, range)
    },
    project: (collection, fields, range) =>
      isHidden && isLeft(collection) ? [] : copy.project(collection, fields, range),
    commit: (batch) => copy.commit(batch),
    view: () => copy.view(),
    stats: () => copy.stats(),
    compact: () => copy.compact(),
    verify: () => copy.verify(),
    close: () => copy.close(),
  }
  const vault = new Vault(opened, '/', { commitMs: 1e9 })
  isHidden = false
  scanned.length = 0
  return { vault, ino, scanned }
}

t.test('all that a crash left provisional is sealed, page by page and without bytes', async (t) => {
  const { vault, ino, scanned } = await crashed(false)
  t.same(recover(vault.core, PAGE_ROWS), { swept: 0, sealed: 1 })
  t.notOk(scanned.includes(extentPast.name), 'what was replaced is looked at without its bytes')
  const range = { gte: [ino], lt: [ino + 1], limit: 1000 }
  const { overlay } = vault.core
  t.equal(overlay.scan(extent, range).filter((row) => row.since !== PROVISIONAL).length, CHUNKS)
  const past = overlay.scan(extentPast, range)
  t.equal(past.length, CHUNKS)
  t.same(
    past.filter((row) => row.until === PROVISIONAL),
    [],
  )
  t.equal(overlay.scan(version, range).length, 2)
  await vault.close()
})

t.test('all that an unlinked file had provisional is swept', async (t) => {
  const { vault, ino, scanned } = await crashed(true)
  t.same(recover(vault.core, PAGE_ROWS), { swept: 1, sealed: 0 })
  t.notOk(scanned.includes(extentPast.name))
  const range = { gte: [ino], lt: [ino + 1], limit: 1000 }
  const { overlay } = vault.core
  t.same(
    overlay.scan(extentPast, range).filter((row) => row.until === PROVISIONAL),
    [],
  )
  t.same(overlay.scan(orphan, { limit: 10 }), [])
  await vault.close()
})
