// search/QUERY/ without a mount and with a search that finds what the test says: when the search is
// run, how long its answers are kept, and what is shown of an answer that is out of date; on a
// store whose reads must wait.

import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { EIO, ENOENT, EOPNOTSUPP, FsError } from '../../src/base/errno.ts'
import { setLog } from '../../src/base/log.ts'
import { createFileSystem, type FileSystem } from '../../src/fs/file-system.ts'
import type { Caller } from '../../src/fs/operations.ts'
import type { SearchedFile, SearchService } from '../../src/fs/search-service.ts'
import { inode as inodes } from '../../src/store/collections.ts'
import { openStore } from '../../src/store/open.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import { StoreError } from '../../src/store/store.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { birthBatch, Vault } from '../../src/vault/vault.ts'
import { faulting } from '../support/faulting.ts'
import { type Waiting, waiting } from '../support/waiting.ts'

setLog('warn', () => undefined)
const O_EXCL = 0o200
const root: Caller = { uid: 0, gid: 0, pid: process.pid }
/** Longer than a listing is good for. */
const OVER_MS = 400

/** Finds these files, in this order, as far as they may be shown. */
class SaidSearch implements SearchService {
  generation = 0
  asked = 0
  files: SearchedFile[] = []
  error: Error | undefined
  readonly #vault: Vault

  constructor(vault: Vault) {
    this.#vault = vault
  }

  async search({ isVisible }: Parameters<SearchService['search']>[0]): Promise<SearchedFile[]> {
    this.asked++
    await sleep(1)
    if (this.error !== undefined) throw this.error
    const shown: SearchedFile[] = []
    for (const file of this.files) {
      const { core } = this.#vault
      const isSeen = await retryUntilLoaded(() => {
        const row = core.inodes.get(file.ino) ?? core.overlay.get(inodes, [file.ino])
        return row !== undefined && isVisible({ ...file, parent: row.parent })
      })
      if (isSeen) shown.push(file)
    }
    return shown
  }

  async refresh(): Promise<boolean> {
    return true
  }
}

interface Bed {
  readonly fs: Waiting<FileSystem>
  readonly search: SaidSearch
  save(name: string): Promise<number>
  /** Walks down from the root. */
  walk(path: string): Promise<number>
  list(path: string): Promise<string[]>
}

async function bed(t: Test): Promise<Bed> {
  const inner = await openStore('memory', { create: true, backend: 'memory' })
  await inner.commit(birthBatch())
  const store = faulting(inner, { gets: true })
  const vault = await retryUntilLoaded(
    () => new Vault(store, '/nowhere', { commitMs: 60_000, cacheBytes: 100_000 }),
  )
  t.teardown(() => vault.close())
  const search = new SaidSearch(vault)
  const fs = waiting(
    await retryUntilLoaded(() => createFileSystem(vault, { readOnly: false, search })),
  )
  const walk = async (path: string): Promise<number> => {
    let ino = ROOT_INO
    for (const name of path.split('/')) {
      const node = await fs.lookup(root, ino, name)
      if (node === undefined) throw new Error(`${name} of ${path} is missing`)
      ino = node.ino
    }
    return ino
  }
  return {
    fs,
    search,
    walk,
    async save(name) {
      const node = await fs.create(root, ROOT_INO, name, 0o100644, 0, O_EXCL)
      await fs.write(root, node.ino, 0, Buffer.from(name), false, false)
      await fs.flush(root, node.ino)
      return node.ino
    },
    async list(path) {
      const ino = await walk(path)
      const { handle } = await fs.opendir(root, ino)
      const names = new Map<string, number>()
      await fs.readdir(root, ino, handle, 0, false, (name, _ino, _type, next) => {
        names.set(name, next)
        return true
      })
      await fs.releasedir(handle)
      return [...names.keys()].filter((name) => name !== '.' && name !== '..')
    },
  }
}

function file(ino: number): SearchedFile {
  return { ino, path: '/', isThere: true, versions: [] }
}

async function errnoOf(work: Promise<unknown>): Promise<number | undefined> {
  try {
    await work
    return undefined
  } catch (error) {
    return error instanceof FsError ? error.errno : -1
  }
}

t.test('a search is made when it is listed, and again when something changed', async (t) => {
  const { search, save, walk, list } = await bed(t)
  const a = await save('a')
  const b = await save('b')
  search.files = [file(b), file(a)]
  await walk('.avfs/search/word')
  t.equal(search.asked, 0, 'the name alone asks nothing')
  t.same(await list('.avfs/search/word'), ['1-b', '2-a'])
  t.equal(await walk('.avfs/search/word/2-a'), a)
  t.same(await list('.avfs/search/word'), ['1-b', '2-a'])
  await sleep(OVER_MS)
  t.same(await list('.avfs/search/word'), ['1-b', '2-a'])
  t.equal(search.asked, 1, 'nothing changed')
  search.generation++
  search.files = [file(a)]
  t.equal(await walk('.avfs/search/word/2-a'), a, 'a name that was listed leads there')
  t.same(await list('.avfs/search/word'), ['1-a'])
  t.equal(search.asked, 2)
  await save('c')
  await sleep(OVER_MS)
  await list('.avfs/search/word')
  t.equal(search.asked, 3, 'the vault changed')
})

t.test('many who ask at once wait for one search', async (t) => {
  const { search, save, list } = await bed(t)
  search.files = [file(await save('a'))]
  const all = await Promise.all(Array.from({ length: 5 }, () => list('.avfs/search/word')))
  t.same(all, Array(5).fill(['1-a']))
  t.equal(search.asked, 1)
})

t.test('what went meanwhile is not shown, and its name leads nowhere', async (t) => {
  const { fs, search, save, walk, list } = await bed(t)
  search.files = [file(await save('a')), file(await save('b'))]
  t.same(await list('.avfs/search/word'), ['1-a', '2-b'])
  await fs.unlink(root, ROOT_INO, 'a')
  t.same(await list('.avfs/search/word'), ['2-b'], 'numbers stay for a moment')
  t.equal(await errnoOf(walk('.avfs/search/word/1-a')), ENOENT)
  await fs.rename(root, ROOT_INO, 'b', ROOT_INO, 'c', 0)
  await sleep(OVER_MS)
  t.same(await list('.avfs/search/word'), ['1-c'])
})

t.test('a search that is off or fails is told, and tried again', async (t) => {
  const { search, save, list } = await bed(t)
  search.files = [file(await save('a'))]
  search.error = new StoreError('unavailable', 'off')
  t.equal(await errnoOf(list('.avfs/search/word')), EOPNOTSUPP)
  search.error = new Error('broken')
  await sleep(OVER_MS)
  t.equal(await errnoOf(list('.avfs/search/word')), EIO)
  search.error = undefined
  await sleep(OVER_MS)
  t.same(await list('.avfs/search/word'), ['1-a'])
})

t.test('of many queries the last ones are kept', async (t) => {
  const { search, list } = await bed(t)
  for (let query = 0; query < 17; query++) await list(`.avfs/search/word${query}`)
  await list('.avfs/search/word16')
  t.equal(search.asked, 17)
  await list('.avfs/search/word0')
  t.equal(search.asked, 18)
})
