// Data and holes of files with many extents: what lseek(2) returns, how much is read for it, and
// copies that are made in parts.

import t from 'tap'
import { ENXIO, FsError } from '../../src/base/errno.ts'
import { createFileSystem } from '../../src/fs/file-system.ts'
import { extent } from '../../src/store/collections.ts'
import type { Store } from '../../src/store/store.ts'
import { seekContent } from '../../src/vault/content/seek.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { findInode } from '../../src/vault/tree/inodes.ts'
import type { Vault } from '../../src/vault/vault.ts'
import { noChange } from '../support/no-change.ts'
import { randomFrom, seedOf } from '../support/random.ts'
import { openMemory, root } from './view-bed.ts'

const O_EXCL = 0o200
const PAGE = 4096
const ALL = Number.MAX_SAFE_INTEGER

/** A store that counts the extents that are read, and those of which bytes are. */
function counted(inner: Store, count: { spans: number; rows: number }): Store {
  const isExtent = (collection: unknown): boolean => collection === extent
  return {
    ...inner,
    traits: inner.traits,
    get: (collection, key) => inner.get(collection, key),
    scan(collection, range) {
      const rows = inner.scan(collection, range)
      if (isExtent(collection)) count.rows += rows.length
      return rows
    },
    project(collection, fields, range) {
      const rows = inner.project(collection, fields, range)
      if (isExtent(collection)) count.spans += rows.length
      return rows
    },
    commit: (batch) => inner.commit(batch),
    view: () => inner.view(),
    stats: () => inner.stats(),
    compact: () => inner.compact(),
    verify: () => inner.verify(),
    close: () => inner.close(),
  }
}

/** What the extents say, all of them looked at. */
function plainSeek({ core }: Vault, ino: number, size: number, offset: number, data: boolean) {
  if (offset >= size) return undefined
  let at = offset
  for (const row of core.overlay.scan(extent, { gte: [ino], lt: [ino + 1], limit: ALL })) {
    const end = row.offset + row.length
    if (end <= at) continue
    if (data) return Math.max(row.offset, at)
    if (row.offset > at) return at
    at = end
  }
  return data ? undefined : Math.min(at, size)
}

t.test('data and holes are where the extents say', async (t) => {
  const seed = seedOf('SEEK_SEED')
  t.comment(`seed ${seed}`)
  const random = randomFrom(seed)
  const vault = await openMemory(t, (store) => store)
  const fs = createFileSystem(vault, { readOnly: false })
  const { ino } = fs.create(root, ROOT_INO, 'f', 0o100644, 0, O_EXCL)
  const inode = findInode(vault.core, ino)
  if (inode === undefined) throw new Error('it is not there')
  let wrong = 0
  for (let turn = 0; turn < 300; turn++) {
    const offset = random.below(200) * PAGE
    if (random.below(8) > 0) fs.write(root, ino, offset, random.bytes(PAGE), false, false)
    else fs.fallocate(root, ino, offset, (1 + random.below(20)) * PAGE, 3)
    if (random.below(10) === 0) fs.flush(root, ino)
    if (random.below(20) === 0) await vault.sync()
    if (turn % 3 > 0) continue
    for (const data of [true, false]) {
      const from = random.below(210 * PAGE)
      let found: number | undefined
      try {
        found = seekContent(vault.core, inode, from, data)
      } catch (error) {
        if (!(error instanceof FsError) || error.errno !== ENXIO) throw error
      }
      if (found !== plainSeek(vault, ino, inode.size, from, data)) wrong++
    }
  }
  t.equal(wrong, 0)
})

t.test('data is found by a few extents, and a hole without reading any bytes', async (t) => {
  const count = { spans: 0, rows: 0 }
  const vault = await openMemory(t, (store) => counted(store, count))
  const fs = createFileSystem(vault, { readOnly: false })
  const { ino } = fs.create(root, ROOT_INO, 'f', 0o100644, 0, O_EXCL)
  const extents = 3000
  for (let at = 0; at < extents; at++) {
    fs.write(root, ino, at * PAGE, Buffer.alloc(PAGE, `${at}`), false, false)
    fs.flush(root, ino)
  }
  await vault.sync()
  vault.core.inodes.clear()
  count.spans = count.rows = 0
  t.equal(fs.lseek(root, ino, 5 * PAGE, 3), 5 * PAGE)
  t.ok(count.spans <= 16, `${count.spans} extents were looked at`)
  t.equal(fs.lseek(root, ino, 0, 4), extents * PAGE)
  t.ok(count.spans <= extents + 100, `${count.spans} extents were looked at`)
  t.equal(count.rows, 0, 'and no bytes were read')
})

t.test('many extents are copied in parts', async (t) => {
  const vault = await openMemory(t, (store) => store)
  const fs = createFileSystem(vault, { readOnly: false })
  const [from, to] = ['from', 'to'].map(
    (name) => fs.create(root, ROOT_INO, name, 0o100644, 0, O_EXCL).ino,
  ) as [number, number]
  const random = randomFrom(7)
  const size = 3000 * PAGE
  // Every third page is a hole.
  for (let at = 0; at < 3000; at++) {
    if (at % 3 > 0) fs.write(root, from, at * PAGE, random.bytes(PAGE - 1), false, false)
    if (at % 3 > 0) fs.flush(root, from)
  }
  fs.setattr(root, from, { ...noChange, size })
  let parts = 0
  for (let at = 0; at < size; parts++) {
    const copied = fs.copyFileRange(root, from, at, to, at, size - at)
    t.ok(copied > 0)
    at += copied
  }
  t.ok(parts >= 2, `${parts} parts`)
  const bytesOf = (ino: number) => Buffer.concat(fs.read(root, ino, 0, size))
  t.ok(bytesOf(from).equals(bytesOf(to)))
})
