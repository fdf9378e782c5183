// The indexer and the vault: single changes, their effect on the index, and how often something is
// read for that.

import t, { type Test } from 'tap'
import { inodePast } from '../../src/store/collections.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import { Fault } from '../../src/store/store.ts'
import { configure } from '../../src/vault/core/configuration.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { refreshHistory } from '../../src/vault/tree/history-recording.ts'
import { noChange } from '../support/no-change.ts'
import { caller } from '../vault/random-run.ts'
import { openMemory, Writing } from './indexed-run.ts'
import { indexerOf, present, rebuilt, recorder, takerOf } from './indexed-vault.ts'

const WAIT_MS = 30_000

/** A vault with an index, and ways to change it. */
async function withIndex(t: Test) {
  const vault = await openMemory()
  const engine = recorder()
  const indexer = indexerOf(vault.core, engine)
  const run = new Writing(vault, 1)
  t.teardown(async () => {
    await indexer.close()
    await vault.close()
  })
  const write = async (parent: number, name: string, content: string | Uint8Array) => {
    const { ino } = await run.fs.create(caller, parent, name, 0o644, 0o22, 0o200)
    await rewrite(ino, content)
    return ino
  }
  const rewrite = async (ino: number, content: string | Uint8Array) => {
    await run.fs.setattr(caller, ino, { ...noChange, size: 0 })
    await run.fs.write(caller, ino, 0, Buffer.from(content), false, false)
    await run.fs.flush(caller, ino)
  }
  const mkdir = async (parent: number, name: string) =>
    (await run.fs.mkdir(caller, parent, name, 0o755, 0)).ino
  const caughtUp = async () => {
    await vault.sync()
    t.ok(await indexer.caughtUp(WAIT_MS), 'caught up')
    return engine.documents()
  }
  return { vault, engine, indexer, fs: run.fs, write, rewrite, mkdir, caughtUp }
}

t.test('copies and versions with one content share a text, which is read once', async (t) => {
  const { write, rewrite, caughtUp, engine } = await withIndex(t)
  const a = await write(ROOT_INO, 'a', 'same words')
  const b = await write(ROOT_INO, 'b', 'same words')
  await caughtUp()
  await rewrite(b, 'other words')
  await caughtUp()
  await rewrite(b, 'same words')
  const { texts, versions } = await caughtUp()
  t.equal(texts.length, 2)
  t.equal(engine.analyzed, 2)
  t.same(Object.keys(versions), [`${a}.1`, `${b}.1`, `${b}.2`, `${b}.3`])
  t.equal(versions[`${a}.1`], versions[`${b}.3`])
})

t.test('a directory that moves takes the paths of all below it along', async (t) => {
  const { write, mkdir, fs, caughtUp, vault } = await withIndex(t)
  const top = await mkdir(ROOT_INO, 'top')
  const inner = await mkdir(top, 'inner')
  const gone = await write(inner, 'gone', 'x')
  const stays = await write(inner, 'stays', 'y')
  await caughtUp()
  await fs.unlink(caller, inner, 'gone')
  await fs.forget(gone, 1000)
  await caughtUp()
  await fs.rename(caller, ROOT_INO, 'top', ROOT_INO, 'moved', 0)
  const { files } = await caughtUp()
  t.equal(files[stays], 'stays: moved inner stays')
  t.equal(files[inner], 'inner: moved inner')
  t.equal(files[gone], 'gone: top inner gone', 'a deleted file stays where it was')
  t.strictSame((await rebuilt(vault.core)).files, files)
})

t.test('a file that loses its first name is found by another', async (t) => {
  const { write, fs, caughtUp } = await withIndex(t)
  const ino = await write(ROOT_INO, 'first', 'x')
  await fs.link(caller, ino, ROOT_INO, 'second')
  t.equal((await caughtUp()).files[ino], 'first: first')
  await fs.unlink(caller, ROOT_INO, 'first')
  t.equal((await caughtUp()).files[ino], 'second: second')
})

t.test('a directory that goes without a trace is gone from the index', async (t) => {
  const { mkdir, fs, caughtUp, vault } = await withIndex(t)
  await retryUntilLoaded(() => configure(vault.core, { history: 'off' }))
  await retryUntilLoaded(() => refreshHistory(vault.core))
  const ino = await mkdir(ROOT_INO, 'd')
  t.equal((await caughtUp()).files[ino], 'd: d')
  await fs.rmdir(caller, ROOT_INO, 'd')
  await fs.forget(ino, 1000)
  t.same((await caughtUp()).files, {})
})

t.test('a text that comes and goes within one batch leaves nothing', async (t) => {
  const engine = recorder()
  const taker = takerOf(engine)
  const item = { ino: 2, path: '/a', remaining: undefined, versions: [] }
  await taker.take([{ ...item, versions: [{ number: 1, bytes: Buffer.from('words') }] }])
  await taker.take([{ ...item, remaining: [] }])
  await taker.settle(1)
  await taker.settle(2)
  t.same(engine.documents(), {
    files: { 2: 'a: a' },
    versions: {},
    texts: [],
    stray: [],
  })
})

t.test('what is binary or too large is known as no text', async (t) => {
  const { write, caughtUp } = await withIndex(t)
  const binary = await write(ROOT_INO, 'binary', Buffer.from([65, 0, 66]))
  const latin = await write(ROOT_INO, 'latin', Buffer.from([0xe9, 0x20, 65]))
  const huge = await write(ROOT_INO, 'huge', 'a '.repeat(60_000))
  const empty = await write(ROOT_INO, 'empty', '')
  const { versions, texts } = await caughtUp()
  t.equal(versions[`${binary}.1`], 'none')
  t.equal(versions[`${latin}.1`], 'none')
  t.equal(versions[`${huge}.1`], 'none')
  t.not(versions[`${empty}.1`], 'none')
  t.equal(texts.length, Object.hasOwn(versions, `${empty}.1`) ? 1 : 0)
})

t.test('a deleted file stays known until its versions are pruned', async (t) => {
  const { write, fs, caughtUp, vault, indexer } = await withIndex(t)
  const ino = await write(ROOT_INO, 'a', 'words to forget')
  await caughtUp()
  await new Promise((resolve) => setTimeout(resolve, 1100))
  await fs.unlink(caller, ROOT_INO, 'a')
  await fs.forget(ino, 1000)
  const after = await caughtUp()
  t.equal(after.files[ino], 'a: a')
  t.equal(after.texts.length, 1)
  await vault.prune({ rules: { youngerMs: 0 } })
  const pruned = await caughtUp()
  t.same(pruned.versions, {})
  t.same(pruned.texts, [], 'nothing has this text')
  await indexer.sweep()
  t.same(engineFiles(await caughtUp()), [])
})

t.test('what is gone is called as the vault still knows it, or is not known', async (t) => {
  const { write, mkdir, fs, caughtUp, vault, engine, indexer } = await withIndex(t)
  const move = (from: string, to: string) => fs.rename(caller, ROOT_INO, from, ROOT_INO, to, 0)
  const replaced = async (name: string): Promise<number> => {
    const ino = await write(ROOT_INO, `${name} draft`, name)
    await vault.sync()
    await move(`${name} draft`, name)
    await write(ROOT_INO, 'new', 'other words')
    await move('new', name)
    await fs.forget(ino, 1000)
    return ino
  }
  const directory = await mkdir(ROOT_INO, 'd')
  await vault.sync()
  await new Promise((resolve) => setTimeout(resolve, 1100))
  await fs.rmdir(caller, ROOT_INO, 'd')
  await fs.forget(directory, 1000)
  const first = await replaced('first')
  const before = (await caughtUp()).files
  t.equal(before[first], 'first: first')
  t.equal(before[directory], 'd: d')
  await vault.prune({ rules: { versions: 2 } })
  const { files } = await caughtUp()
  t.equal(files[first], 'first draft: first draft', 'where its version was saved')
  t.notOk(Object.hasOwn(files, directory), 'nothing is left of the directory')
  t.strictSame((await rebuilt(vault.core)).files, files)

  const second = await replaced('second')
  const follower = indexerOf(vault.core, engine)
  await vault.sync()
  t.ok(await follower.caughtUp(WAIT_MS))
  t.equal(engine.documents().files[second], 'second: second')
  await follower.close()
  await indexer.close()
  await vault.prune({ rules: { versions: 2 } })
  await vault.sync()
  const next = indexerOf(vault.core, engine)
  await next.sweep()
  await next.close()
  t.equal(engine.documents().files[second], 'second draft: second draft', 'pruned unheard')
  t.strictSame((await rebuilt(vault.core)).files, engine.documents().files)
})

t.test('a file that is deleted during the walk is taken in once', async (t) => {
  const { write, rewrite, fs, caughtUp, vault, engine, indexer } = await withIndex(t)
  await write(ROOT_INO, 'a', 'one')
  await caughtUp()
  await indexer.close()
  const ino = await write(ROOT_INO, 'b', 'two')
  await rewrite(ino, 'three')
  await vault.sync()
  const { store } = vault.core.overlay
  const project = store.project.bind(store)
  store.project = (collection, fields, range) => {
    // Where the walk goes on to what is gone.
    if ((collection as unknown) !== inodePast || range.gte !== undefined)
      return project(collection, fields, range)
    store.project = project
    throw new Fault(async () => {
      await fs.unlink(caller, ROOT_INO, 'b')
      await fs.forget(ino, 1000)
      await vault.sync()
    })
  }
  const next = indexerOf(vault.core, engine)
  t.ok(await next.caughtUp(WAIT_MS))
  await next.close()
  t.equal(store.project, project, 'it was deleted')
  t.strictSame(engine.documents(), await rebuilt(vault.core))
})

t.test('pieces of a version that was pruned before the next was seen are of none', async (t) => {
  const { write, rewrite, caughtUp, vault, engine, indexer } = await withIndex(t)
  const words = 'red green\n'.repeat(900)
  const ino = await write(ROOT_INO, 'a', words)
  await rewrite(ino, `${words}blue\n`)
  const { versions } = await caughtUp()
  t.equal(versions[`${ino}.2`], 'pieces')
  await indexer.close()
  await rewrite(ino, 'gold\n'.repeat(900))
  await vault.prune({ rules: { versions: 1 } })
  await vault.sync()
  const next = indexerOf(vault.core, engine)
  t.ok(await next.caughtUp(WAIT_MS))
  await next.close()
  t.same(Object.keys(engine.documents().versions), [`${ino}.3`])
  t.same(engine.documents().stray, [])
})

t.test('pieces are told of the newest version alone', async (t) => {
  const taker = takerOf(recorder())
  const item = { ino: 2, path: '/a', remaining: undefined }
  const versions = [2, 3].map((number) => ({ number, bytes: Buffer.from(`words ${number}`) }))
  await taker.take([{ ...item, versions }])
  t.equal(await taker.piecesOf(2, 2), undefined)
  t.same(await taker.piecesOf(2, 3), [])
})

function engineFiles({ files }: { files: object }): string[] {
  return Object.keys(files)
}

t.test(
  'a file with many versions is indexed without a gap, and its newest alone later',
  async (t) => {
    const { write, rewrite, caughtUp, vault, engine } = await withIndex(t)
    const ino = await write(ROOT_INO, 'log', 'line 0')
    for (let count = 1; count < 200; count++) await rewrite(ino, `line ${count}`)
    const { versions } = await caughtUp()
    t.equal(Object.keys(versions).length, 200)
    await rewrite(ino, 'one more')
    const before = engine.analyzed
    await caughtUp()
    t.equal(engine.analyzed, before + 1)
    t.strictSame(engine.documents().versions, (await present(vault.core)).versions)
  },
)

t.test('more changes than can be kept in mind are found by a walk', async (t) => {
  const { write, caughtUp, vault, engine, indexer } = await withIndex(t)
  await write(ROOT_INO, 'a', 'one')
  await caughtUp()
  await indexer.close()
  await write(ROOT_INO, 'b', 'two')
  await vault.sync()
  // Nobody followed meanwhile.
  const next = indexerOf(vault.core, engine)
  t.ok(await next.caughtUp(WAIT_MS))
  t.equal(Object.keys(engine.documents().versions).length, 2)
  await next.close()
})

t.test('what was taken up waits until it is in the index', async (t) => {
  const { write, caughtUp, vault, engine, indexer } = await withIndex(t)
  await caughtUp()
  const begun = Promise.withResolvers<void>()
  const gate = Promise.withResolvers<void>()
  const apply = engine.apply.bind(engine)
  engine.apply = async (batch) => {
    begun.resolve()
    await gate.promise
    await apply(batch)
  }
  await write(ROOT_INO, 'a', 'one')
  await vault.sync()
  await begun.promise
  t.ok(indexer.progress.waiting > 0, 'while the engine has it')
  gate.resolve()
  await caughtUp()
  t.equal(indexer.progress.waiting, 0)
})
