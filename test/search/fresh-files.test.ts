// An index beside an import: files that are made whole are indexed from memory, while the import
// goes on; changes to them before that are in the index too. AVFS_SEED repeats a run.

import t, { type Test } from 'tap'
import { type EntryHead, entryRecord, leaveRecord, WHOLE } from '../../src/archive/records.ts'
import { type InodeRow, inode as inodes } from '../../src/store/collections.ts'
import { openStore } from '../../src/store/open.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import type { Store } from '../../src/store/store.ts'
import { FreshFiles } from '../../src/vault/core/fresh-files.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { nobody } from '../../src/vault/core/observer.ts'
import { type Importer, importer } from '../../src/vault/transfer/import.ts'
import type { ImportOptions } from '../../src/vault/transfer/import-run.ts'
import { birthBatch, Vault } from '../../src/vault/vault.ts'
import { faulting } from '../support/faulting.ts'
import { type Random, randomFrom, seedOf } from '../support/random.ts'
import { caller, Run } from '../vault/random-run.ts'
import { alike, indexerOf, present, type Recorder, rebuilt, recorder } from './indexed-vault.ts'

const seed = seedOf('AVFS_SEED')
t.comment(`AVFS_SEED=${seed}`)
const WAIT_MS = 30_000
/** Nothing is committed but when a test says so. */
const options = { cacheBytes: 1_000_000, commitMs: 3_600_000 }

const toRoot: ImportOptions = {
  ...nobody,
  parent: ROOT_INO,
  name: '',
  path: '',
  basename: 'file',
  isShared: true,
  problem: (path, message) => {
    throw new Error(`${path}: ${message}`)
  },
  progress: () => undefined,
}

const head: EntryHead = {
  ...{ flags: 0, parent: 0, id: 1, mode: 0o040755, uid: 0, gid: 0, nlink: 1, rdev: 0, size: 0 },
  ...{ mtime: 1_700_000_000, mtimeNs: 1, atime: 1_700_000_000, atimeNs: 2, key: 'k' },
}

function textFile(name: string, content: string): Buffer {
  const bytes = Buffer.from(content)
  const file = { ...head, flags: WHOLE, mode: 0o100644, parent: 1, id: 0, size: bytes.length }
  return entryRecord(file, name, [], [bytes])
}

interface Bed {
  readonly vault: Vault
  readonly engine: Recorder
  readonly import: Importer
  /** How often content was read from the engine of the vault. */
  reads(): number
  caughtUp(): Promise<void>
}

async function bed(t: Test, wrap: (store: Store) => Store = (store) => store): Promise<Bed> {
  const inner = await openStore('memory', { create: true, backend: 'memory' })
  await inner.commit(birthBatch())
  let reads = 0
  const counting = new Proxy(wrap(inner), {
    get(target, name) {
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      return (...args: readonly unknown[]) => {
        if ((args[0] as { name?: string } | undefined)?.name === 'extent') reads++
        return value.apply(target, args)
      }
    },
  })
  const vault = await retryUntilLoaded(() => new Vault(counting, '/tmp/none', options))
  const engine = recorder()
  const indexer = indexerOf(vault.core, engine)
  t.teardown(async () => {
    await indexer.close()
    await vault.close()
  })
  return {
    vault,
    engine,
    import: importer(vault, toRoot),
    reads: () => reads,
    async caughtUp() {
      await vault.sync()
      t.ok(await indexer.caughtUp(WAIT_MS), 'caught up')
    },
  }
}

async function agree(t: Test, { vault, engine }: Bed): Promise<void> {
  const { files, versions } = await present(vault.core)
  const documents = engine.documents()
  for (const [ino, path] of Object.entries(files)) t.equal(documents.files[Number(ino)], path)
  const expected = alike({ files, versions, texts: [], stray: [] }, documents).versions
  for (const [key, text] of Object.entries(expected)) t.equal(documents.versions[key], text, key)
  const anew = await rebuilt(vault.core)
  t.strictSame(alike(documents, anew).versions, alike(anew, documents).versions, 'as built anew')
}

t.test('an index takes files in while more of them come, and reads none again', async (t) => {
  const its = await bed(t)
  await its.import.take(entryRecord(head, '', []))
  for (let at = 0; at < 300; at++) {
    await its.import.take(textFile(`f${at}`, `text number${at} of many`))
    if (at === 99 || at === 199) {
      await its.caughtUp()
      const { versions } = its.engine.documents()
      t.equal(
        Object.keys(versions).length,
        at + 1,
        'those that came are in, and the import goes on',
      )
    }
  }
  await its.import.take(leaveRecord(1))
  await its.import.finish()
  its.import.end()
  await its.caughtUp()
  t.equal(its.engine.analyzed, 300)
  t.equal(its.reads(), 0, 'no content was read')
  await agree(t, its)
})

t.test('without an index nothing of an import is kept', async (t) => {
  const its = await bed(t)
  const { fresh } = its.vault.core.changed
  its.vault.core.changed.follow(undefined)
  await its.import.take(entryRecord(head, '', []))
  await its.import.take(textFile('f', 'some text'))
  await its.vault.sync()
  const rows = await retryUntilLoaded(() => its.vault.core.overlay.scan(inodes, { limit: 10 }))
  for (const { ino } of rows) t.equal(fresh.peek(ino), undefined)
  its.import.end()
})

t.test(
  'files are kept as far as they fit in memory, while they are as they were made',
  async (t) => {
    const files = new FreshFiles()
    const content = Buffer.alloc(1024 * 1024, 'x')
    const offer = (ino: number): InodeRow => {
      const row = { ino } as InodeRow
      files.offer(row, content)
      files.note(ino, row)
      return row
    }
    offer(1)
    t.equal(files.peek(1), undefined, 'nobody wants them')
    files.want(true)
    const rows = Array.from({ length: 100 }, (_, at) => offer(at))
    const kept = rows.filter(({ ino }) => files.peek(ino) !== undefined).length
    t.ok(kept > 0 && kept < 100, 'some, and not all')
    files.note(0, { ...rows[0] })
    t.equal(files.peek(0), undefined, 'it has changed')
    files.note(1, undefined)
    t.equal(files.peek(1), undefined, 'it is gone')
    offer(200)
    t.same(files.peek(200)?.bytes, content, 'there is room again')
    files.offer({ ino: 201 } as InodeRow, content)
    t.equal(files.peek(201), undefined, 'it is not durable')
    files.want(false)
    t.equal(files.peek(200), undefined)
  },
)

/** What somebody does to files that an import has just made. */
async function meddle(run: Run, random: Random, count: number): Promise<void> {
  for (let left = count; left > 0; left--) {
    const name = `f${random.below(60)}`
    const kind = random.below(5)
    try {
      if (kind === 0) await run.fs.unlink(caller, ROOT_INO, name)
      else if (kind === 1)
        await run.fs.rename(caller, ROOT_INO, name, ROOT_INO, `g${random.below(60)}`, 0)
      else {
        const found = await run.fs.lookup(caller, ROOT_INO, name)
        if (found === undefined) continue
        if (kind === 2) await run.fs.link(caller, found.ino, ROOT_INO, `h${random.below(10_000)}`)
        else await rewrite(run, found.ino, `other words ${random.below(1000)}`, kind === 3)
      }
    } catch (error) {
      if (!/ENOENT|EEXIST/.test(String(error))) throw error
    }
  }
}

async function rewrite(run: Run, ino: number, text: string, isOpen: boolean): Promise<void> {
  await run.fs.write(caller, ino, 0, Buffer.from(text), false, false)
  if (!isOpen) await run.fs.flush(caller, ino)
}

for (const [what, wrap] of [
  ['', undefined],
  [' of a store that answers late', (store: Store) => faulting(store, { gets: true })],
] as const)
  t.test(`what is done to files that were just imported is in the index${what}`, async (t) => {
    const random = randomFrom(seed)
    const its = await bed(t, wrap)
    const run = await retryUntilLoaded(() => new Run(its.vault, seed))
    await its.import.take(entryRecord(head, '', []))
    for (let round = 0; round < 40; round++) {
      for (let at = random.below(8); at >= 0; at--)
        await its.import.take(textFile(`f${random.below(60)}`, `words of round ${round} ${at}`))
      await meddle(run, random, random.below(5))
      // A commit that the index hears of, and does not come to before the next change.
      if (random.below(3) === 0) await its.vault.sync()
      if (random.below(6) === 0) await its.caughtUp()
    }
    its.import.end()
    await its.caughtUp()
    await agree(t, its)
  })
