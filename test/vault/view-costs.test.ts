// What views read of the store: as much for each entry of a large directory as for each of a small
// one. Rows are counted, not time.

import t, { type Test } from 'tap'
import { FsError } from '../../src/base/errno.ts'
import { setLog } from '../../src/base/log.ts'
import { createFileSystem, type FileSystem } from '../../src/fs/file-system.ts'
import type { Caller } from '../../src/fs/operations.ts'
import type { SearchedFile, SearchService } from '../../src/fs/search-service.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import { Fault, type Store } from '../../src/store/store.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { formatMoment } from '../../src/vault/core/when.ts'
import { findDeleted } from '../../src/vault/history/deleted.ts'
import { wholeBefore } from '../../src/vault/history/removal.ts'
import { versionsOf } from '../../src/vault/history/versions.ts'
import type { Vault } from '../../src/vault/vault.ts'
import { type FaultingStore, faulting } from '../support/faulting.ts'
import { list, openMemory, root, save, walk } from './view-bed.ts'

setLog('error')
const FEW = 40
const TIMES = 4
/** What four times as many entries may read: less than twice as much for each. */
const GROWTH_MAX = 2 * TIMES

interface Bed {
  readonly fs: FileSystem
  readonly vault: Vault
  /** Rows read so far, each question counted as one more. */
  reads(): number
  /** What is done next happens so many seconds later. */
  later(seconds: number): void
}

async function bed(t: Test): Promise<Bed> {
  let count = 0
  const vault = await openMemory(t, (inner) => counted(inner, (rows) => (count += 1 + rows)))
  const { moments } = vault.core
  let at = moments.last
  return {
    vault,
    fs: createFileSystem(vault, { readOnly: false }),
    reads: () => count,
    later(seconds) {
      at = Math.max(at, moments.last) + seconds * 1e6
      moments.pretend(at)
    },
  }
}

function counted(inner: Store, note: (rows: number) => void): Store {
  const noted = <R>(rows: R[]): R[] => {
    note(rows.length)
    return rows
  }
  return {
    ...inner,
    traits: inner.traits,
    get: (collection, key) => {
      note(1)
      return inner.get(collection, key)
    },
    scan: (collection, range) => noted(inner.scan(collection, range)),
    project: (collection, fields, range) => noted(inner.project(collection, fields, range)),
    commit: (batch) => inner.commit(batch),
    view: () => inner.view(),
    stats: () => inner.stats(),
    compact: () => inner.compact(),
    verify: () => inner.verify(),
    close: () => inner.close(),
  }
}

/** Makes a view of so many entries, and returns the path that leads there. */
type Scene = (bed: Bed, size: number) => string

function fill({ fs }: Bed, parent: number, size: number): string[] {
  const names = Array.from({ length: size }, (_, at) => `name-${at}.txt`)
  for (const name of names) save(fs, parent, name, name)
  return names
}

function mkdir({ fs }: Bed, parent: number, name: string): number {
  return fs.mkdir(root, parent, name, 0o755, 0).ino
}

function unlinkAll({ fs }: Pick<Bed, 'fs'>, parent: number): void {
  for (const name of list(fs, parent)) fs.unlink(root, parent, name)
}

const scenes: Readonly<Record<string, Scene>> = {
  'deleted/'(bed, size) {
    fill(bed, ROOT_INO, size)
    bed.later(2)
    unlinkAll(bed, ROOT_INO)
    return '.avfs/deleted'
  },
  'deleted/DIR'(bed, size) {
    const dir = mkdir(bed, ROOT_INO, 'dir')
    fill(bed, dir, size)
    bed.later(2)
    unlinkAll(bed, dir)
    bed.fs.rmdir(root, ROOT_INO, 'dir')
    return '.avfs/deleted/dir'
  },
  'deleted/ of a name that was deleted often'(bed, size) {
    for (let at = 0; at < size; at++) {
      save(bed.fs, ROOT_INO, 'name', `${at}`)
      bed.later(2)
      bed.fs.unlink(root, ROOT_INO, 'name')
    }
    return '.avfs/deleted'
  },
  'versions/NAME'(bed, size) {
    for (let at = 0; at < size; at++) {
      bed.later(2)
      save(bed.fs, ROOT_INO, 'name', `${at}`)
    }
    return '.avfs/versions/name'
  },
  'versions/'(bed, size) {
    fill(bed, ROOT_INO, size)
    bed.later(2)
    unlinkAll(bed, ROOT_INO)
    return '.avfs/versions'
  },
  'at/'(bed, size) {
    for (const name of fill(bed, ROOT_INO, size)) {
      bed.later(2)
      save(bed.fs, ROOT_INO, name, 'again')
    }
    return '.avfs/at'
  },
  'at/ by shortened names'(bed, size) {
    scenes['at/']?.(bed, size)
    return '.avfs/at'
  },
  'at/WHEN'(bed, size) {
    fill(bed, ROOT_INO, size)
    bed.later(2)
    const moment = bed.vault.core.moments.next()
    bed.later(2)
    unlinkAll(bed, ROOT_INO)
    return `.avfs/at/${formatMoment(moment)}`
  },
  'at/WHEN of brief names, beside snapshots'(bed, size) {
    const snapshots = walk(bed.fs, '.avfs/snapshots').ino
    for (let at = 0; at < size; at++) mkdir(bed, snapshots, `s${at}`)
    fill(bed, ROOT_INO, size)
    const moment = bed.vault.core.moments.next()
    bed.vault.core.moments.observe()
    unlinkAll(bed, ROOT_INO)
    return `.avfs/at/${formatMoment(moment)}`
  },
  'snapshots/'(bed, size) {
    const snapshots = walk(bed.fs, '.avfs/snapshots').ino
    for (let at = 0; at < size; at++) mkdir(bed, snapshots, `s${at}`)
    return '.avfs/snapshots'
  },
  'tags/'(bed, size) {
    const tags = walk(bed.fs, '.avfs/tags').ino
    for (const name of fill(bed, ROOT_INO, size))
      bed.fs.link(root, walk(bed.fs, name).ino, mkdir(bed, tags, name), name)
    return '.avfs/tags'
  },
  'tags/TAG'(bed, size) {
    const tag = mkdir(bed, walk(bed.fs, '.avfs/tags').ino, 'tag')
    for (const name of fill(bed, ROOT_INO, size))
      bed.fs.link(root, walk(bed.fs, name).ino, tag, name)
    return '.avfs/tags/tag'
  },
}

/** Rows read for a listing and for each name in it, while other things happen in the vault. */
async function readsFor(t: Test, what: string, scene: Scene, size: number): Promise<number> {
  const its = await bed(t)
  const { fs, vault, reads, later } = its
  const path = scene(its, size)
  const busy = mkdir(its, ROOT_INO, 'busy')
  await vault.sync()
  later(2)
  const before = reads()
  const names = list(fs, walk(fs, path).ino, 100, true)
  if (names.length < size && !path.includes('at/')) t.fail(`${path} lists ${names.length}`)
  for (const name of names) {
    const asked = what.includes('shortened') ? name.slice(0, 19) : name
    try {
      fs.getattr(root, walk(fs, `${path}/${asked}`).ino)
    } catch (error) {
      if (!(error instanceof FsError)) throw error
    }
    save(fs, busy, 'file', name)
  }
  return reads() - before
}

for (const [what, scene] of Object.entries(scenes))
  t.test(`each entry of ${what} costs what it costs in a small one`, async (t) => {
    const few = await readsFor(t, what, scene, FEW)
    const many = await readsFor(t, what, scene, TIMES * FEW)
    t.ok(many < GROWTH_MAX * few, `${many} rows instead of ${few}`)
  })

/** The same on a store whose reads wait, but for what is done in `calm`. */
async function waitingBed(t: Test, search?: SearchService) {
  let count = 0
  const stores: FaultingStore[] = []
  const vault = await openMemory(t, (inner) => {
    const store = faulting(
      counted(inner, (rows) => (count += 1 + rows)),
      { gets: true },
    )
    stores.push(store)
    return store
  })
  const options = { readOnly: false, ...(search === undefined ? {} : { search }) }
  const fs = await retryUntilLoaded(() => createFileSystem(vault, options))
  const { moments } = vault.core
  const later = (seconds: number) => moments.pretend(moments.last + seconds * 1e6)
  const calm = <R>(work: () => R): R => (stores[0] as FaultingStore).calm(work)
  return { fs, vault, later, calm, count: () => count }
}

/** Rows read for one listing there. */
async function waitingReads(t: Test, scene: Scene, size: number): Promise<number> {
  const { fs, vault, later, calm, count } = await waitingBed(t)
  const path = calm(() => scene({ fs, vault, reads: count, later }, size))
  await vault.sync()
  const { ino } = calm(() => walk(fs, path))
  for (const cache of [vault.core.inodes, vault.core.pasts, vault.core.directories]) cache.clear()
  const before = count()
  const { handle } = await retryUntilLoaded(() => fs.opendir(root, ino))
  let names = 0
  let cookie = 0
  for (let goesOn = true; goesOn; ) {
    const before = names
    goesOn = false
    try {
      fs.readdir(root, ino, handle, cookie, true, (_name, _ino, _type, next) => {
        names++
        cookie = next
        return true
      })
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      goesOn = true
      // As the session does: what was taken is answered first.
      if (names === before) await error.load()
    }
  }
  t.ok(names > size)
  return count() - before
}

for (const what of [
  'deleted/',
  'deleted/DIR',
  'at/WHEN',
  'snapshots/',
  'tags/TAG',
  'at/',
  'versions/',
  'versions/NAME',
  'tags/',
  'deleted/ of a name that was deleted often',
])
  t.test(`a listing of ${what} goes on where it had to wait`, async (t) => {
    const scene = scenes[what] as Scene
    const few = await waitingReads(t, scene, FEW)
    const many = await waitingReads(t, scene, TIMES * FEW)
    t.ok(many < GROWTH_MAX * few, `${many} rows instead of ${few}`)
  })

t.test('finding when a tree was removed goes on where it had to wait', async (t) => {
  const reads = async (size: number): Promise<number> => {
    const { fs, vault, calm, later, count } = await waitingBed(t)
    const { core } = vault
    calm(() => {
      const tree = fs.mkdir(root, ROOT_INO, 'tree', 0o755, 0).ino
      for (let at = 0; at < size; at++)
        save(fs, fs.mkdir(root, tree, `${at}`, 0o755, 0).ino, 'file', 'text')
      later(2)
      for (const name of list(fs, tree)) {
        unlinkAll({ fs }, walk(fs, `tree/${name}`).ino)
        fs.rmdir(root, tree, name)
      }
      fs.rmdir(root, ROOT_INO, 'tree')
    })
    await vault.sync()
    const row = calm(() => findDeleted(core, ROOT_INO, 'tree')?.row)
    const before = count()
    t.ok(row !== undefined && (await retryUntilLoaded(() => wholeBefore(core, row))) < row.until)
    return count() - before
  }
  const few = await reads(FEW)
  const many = await reads(TIMES * FEW)
  t.ok(many < GROWTH_MAX * few, `${many} rows instead of ${few}`)
})

t.test('versions of two files in turn cost what those of one cost', async (t) => {
  const reads = async (size: number): Promise<number> => {
    const its = await bed(t)
    const { fs } = its
    for (let at = 0; at < size; at++) {
      its.later(2)
      for (const name of ['a', 'b']) save(fs, ROOT_INO, name, `${at}`)
    }
    await its.vault.sync()
    const before = its.reads()
    for (let at = 1; at <= size; at++)
      for (const name of ['a', 'b']) walk(fs, `.avfs/versions/${name}/${at}`)
    return its.reads() - before
  }
  const few = await reads(FEW)
  const many = await reads(TIMES * FEW)
  t.ok(many < GROWTH_MAX * few, `${many} rows instead of ${few}`)
})

t.test('a file costs as much to label, and to let go of, as the first', async (t) => {
  const reads = async (size: number): Promise<number> => {
    const its = await bed(t)
    const { fs } = its
    const tag = mkdir(its, walk(fs, '.avfs/tags').ino, 'tag')
    const names = fill(its, ROOT_INO, size)
    await its.vault.sync()
    const before = its.reads()
    for (const name of names) {
      t.throws(() => fs.lookup(root, tag, name))
      fs.link(root, walk(fs, name).ino, tag, name)
      await its.vault.sync()
    }
    for (const name of names) fs.unlink(root, tag, name)
    return its.reads() - before
  }
  const few = await reads(FEW)
  const many = await reads(TIMES * FEW)
  t.ok(many < GROWTH_MAX * few, `${many} rows instead of ${few}`)
})

t.test('versions that a search found cost somebody else what they cost in a few', async (t) => {
  const reads = async (size: number): Promise<number> => {
    const files: SearchedFile[] = []
    const search: SearchService = {
      generation: 0,
      search: async () => files,
      refresh: async () => true,
    }
    const { fs, vault, later, calm, count } = await waitingBed(t, search)
    calm(() => {
      for (let at = 0; at < size; at++) {
        later(2)
        save(fs, ROOT_INO, 'name', `${at}`)
      }
    })
    await vault.sync()
    const found = calm(() => versionsOf(vault.core, ROOT_INO, 'name'))
    const versions = found.map((its) => ({ ...its, parent: ROOT_INO }))
    files.push({ ino: versions.at(-1)?.ino ?? 0, path: '/name', isThere: true, versions })
    const somebody: Caller = { uid: 1000, gid: 1000, pid: process.pid }
    const { ino } = await retryUntilLoaded(() => walk(fs, '.avfs/search/text/.all', somebody))
    for (const cache of [vault.core.inodes, vault.core.pasts]) cache.clear()
    const before = count()
    t.equal((await retryUntilLoaded(() => list(fs, ino, 1000, false, somebody))).length, size)
    return count() - before
  }
  const few = await reads(FEW)
  const many = await reads(TIMES * FEW)
  t.ok(many < GROWTH_MAX * few, `${many} rows instead of ${few}`)
})
