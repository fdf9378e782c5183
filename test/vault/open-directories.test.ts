// Open directories: the names that they hold are shared and bounded, and no reader misses a name
// because of that.

import t from 'tap'
import { EMFILE, FsError } from '../../src/base/errno.ts'
import { DirectoryListings, LISTED_NAMES_MAX } from '../../src/fs/directory-listings.ts'
import { createFileSystem, type FileSystem } from '../../src/fs/file-system.ts'
import { HANDLES_MAX, HANDLES_MAX_EACH, Handles } from '../../src/fs/handles.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { randomFrom, seedOf } from '../support/random.ts'
import { openMemory, root, save } from './view-bed.ts'

const O_EXCL = 0o200
/** More than are read at once. */
const MANY = 5000

function make(fs: FileSystem, parent: number, name: string): void {
  const { ino } = fs.create(root, parent, name, 0o100644, 0, O_EXCL)
  fs.forget(ino, 1)
}

t.test('all who open a large directory share one listing until a name changes', async (t) => {
  const vault = await openMemory(t, (store) => store)
  const fs = createFileSystem(vault, { readOnly: false })
  for (let at = 0; at < MANY; at++) make(fs, ROOT_INO, `name-${at}`)
  const listings = new DirectoryListings(vault.core)
  const held = Array.from({ length: 900 }, () => listings.begin(ROOT_INO))
  t.equal(held[0]?.names.length, MANY)
  t.equal(listings.names, MANY)
  make(fs, ROOT_INO, 'one more')
  const next = listings.begin(ROOT_INO)
  t.equal(next.names.length, MANY + 1)
  t.equal(held[0]?.names.length, MANY, 'who began before sees what was there then')
  t.equal(listings.names, 2 * MANY + 1)
  for (const listing of [...held, next]) listings.end(listing)
  t.equal(listings.names, 0)
})

t.test('names that open directories hold are bounded', async (t) => {
  const vault = await openMemory(t, (store) => store)
  const fs = createFileSystem(vault, { readOnly: false })
  for (let at = 0; at < MANY; at++) make(fs, ROOT_INO, `name-${at}`)
  const listings = new DirectoryListings(vault.core)
  const first = listings.begin(ROOT_INO)
  for (let at = 0; at <= LISTED_NAMES_MAX / MANY; at++) {
    make(fs, ROOT_INO, `more-${at}`)
    const { names } = listings.begin(ROOT_INO)
    t.equal(names.length, MANY + 1 + at)
    t.ok(listings.names <= LISTED_NAMES_MAX)
  }
  t.notOk(listings.use(first), 'the one that was used longest ago is gone')
})

t.test('one user cannot have all handles', async (t) => {
  const handles = new Handles()
  for (let at = 0; at < HANDLES_MAX_EACH; at++) handles.open(1000)
  t.throws(() => handles.open(1000), new FsError(EMFILE))
  const other = handles.open(1001)
  t.ok(other > HANDLES_MAX_EACH)
  handles.close(5)
  handles.close(5)
  handles.open(1000)
  t.throws(() => handles.open(1000), new FsError(EMFILE))
  t.ok(HANDLES_MAX >= 2 * HANDLES_MAX_EACH)
})

t.test('a closed directory of the vault and one of a view free their handles', async (t) => {
  const vault = await openMemory(t, (store) => store)
  const fs = createFileSystem(vault, { readOnly: false })
  const views = fs.lookup(root, ROOT_INO, '.avfs')?.ino ?? 0
  for (let at = 0; at <= HANDLES_MAX_EACH; at++)
    for (const ino of [ROOT_INO, views]) fs.releasedir(fs.opendir(root, ino).handle)
  t.pass()
})

interface Reader {
  readonly handle: number
  cookie: number
  /** What was there when it began, less what was changed since. */
  readonly same: Set<string>
  readonly found: string[]
  isRested: boolean
  readonly atStart: readonly string[]
}

t.test('who reads a directory misses no name, whatever happens and is let go of', async (t) => {
  const seed = seedOf('LISTING_SEED')
  t.comment(`seed ${seed}`)
  const random = randomFrom(seed)
  const vault = await openMemory(t, (store) => store)
  const fs = createFileSystem(vault, { readOnly: false })
  for (const size of [40, MANY]) {
    const dir = fs.mkdir(root, ROOT_INO, `dir-${size}`, 0o755, 0).ino
    const there = new Set<string>()
    for (let at = 0; at < size; at++) {
      make(fs, dir, `name-${at}`)
      there.add(`name-${at}`)
    }
    const readers = new Set<Reader>()
    let done = 0
    const changed = (name: string): void => {
      for (const reader of readers) reader.same.delete(name)
    }
    const begin = (): void => {
      const { handle } = fs.opendir(root, dir)
      const reader: Reader = {
        ...{ handle, cookie: 0, found: [], isRested: false },
        same: new Set(there),
        atStart: [...there],
      }
      readers.add(reader)
      // A listing is of when it is first read.
      read(reader, 1 + random.below(5))
    }
    const read = (reader: Reader, room: number): void => {
      let taken = 0
      fs.readdir(root, dir, reader.handle, reader.cookie, false, (name, _ino, _type, next) => {
        if (taken === room) return false
        taken++
        reader.cookie = next
        if (name !== '.' && name !== '..') reader.found.push(name)
        return true
      })
      if (taken > 0) return
      done++
      readers.delete(reader)
      fs.releasedir(reader.handle)
      const times = new Map<string, number>()
      for (const name of reader.found) times.set(name, (times.get(name) ?? 0) + 1)
      const missed = [...reader.same].filter((name) => times.get(name) !== 1)
      if (missed.length > 0) t.fail(`${missed.length} names, such as ${missed[0]}, not listed once`)
      if (reader.isRested) return
      const sorted = [...reader.found].sort()
      if (sorted.join('/') !== [...reader.atStart].sort().join('/'))
        t.fail('a listing that was kept is not what was there')
    }
    while (done < 30) {
      if (readers.size < 4) begin()
      for (const reader of [...readers]) read(reader, 1 + random.below(size / 4))
      const name = `name-${random.below(size)}`
      if (there.has(name)) {
        if (random.below(2) === 0) fs.unlink(root, dir, name)
        else {
          const other = `name-${random.below(size)}`
          if (other === name) continue
          fs.rename(root, dir, name, dir, other, 0)
          there.add(other)
          changed(other)
        }
        there.delete(name)
      } else {
        save(fs, dir, name, '')
        there.add(name)
      }
      changed(name)
      if (random.below(10) > 0) continue
      fs.dropCaches()
      for (const reader of readers) reader.isRested = true
    }
    for (const reader of readers) fs.releasedir(reader.handle)
    t.ok(done >= 30)
  }
})

t.test('listings of views go on when they were let go of', async (t) => {
  const vault = await openMemory(t, (store) => store)
  const fs = createFileSystem(vault, { readOnly: false })
  const names = Array.from({ length: 1500 }, (_, at) => `name-${`${at}`.padStart(4, '0')}`)
  for (const name of names) save(fs, ROOT_INO, name, name)
  const views = fs.lookup(root, ROOT_INO, '.avfs')?.ino ?? 0
  const versions = fs.lookup(root, views, 'versions')?.ino ?? 0
  const handles = Array.from({ length: 300 }, () => fs.opendir(root, versions).handle)
  const found = new Map(handles.map((handle) => [handle, [] as string[]]))
  for (let cookie = 0, more = true; more; ) {
    let last = cookie
    for (const handle of handles) {
      let taken = 0
      fs.readdir(root, versions, handle, cookie, false, (name, _ino, _type, next) => {
        if (taken++ === 700) return false
        found.get(handle)?.push(name)
        last = next
        return true
      })
    }
    more = last > cookie
    cookie = last
  }
  for (const its of found.values()) t.strictSame(its, ['.', '..', ...names])
})
