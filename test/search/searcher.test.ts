// Search as a service of a vault, on every engine, with its index in a thread: it finds what a
// search through all files finds, whatever happened; an index that is damaged, old or not wanted is
// handled. AVFS_SEED repeats a run, AVFS_STEPS is its length.

import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { setLog } from '../../src/base/log.ts'
import { runsOf } from '../../src/search/analyze.ts'
import { Searcher } from '../../src/search/searcher.ts'
import { inode as inodes, version } from '../../src/store/collections.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import { sealAll } from '../../src/vault/content/seal.ts'
import { configure } from '../../src/vault/core/configuration.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { inodeAt, readAt } from '../../src/vault/history/timeline.ts'
import { lastPath } from '../../src/vault/tree/places.ts'
import { createVault, openVault, type Vault } from '../../src/vault/vault.ts'
import { testedBackends } from '../support/engines.ts'
import { noChange } from '../support/no-change.ts'
import { seedOf } from '../support/random.ts'
import { caller, Run } from '../vault/random-run.ts'

const seed = seedOf('AVFS_SEED')
const steps = Number(process.env.AVFS_STEPS ?? 150)
const WAIT_MS = 60_000
const ALL = 1_000_000
const WORDS = ['red', 'green', 'blue', 'gold', 'white', 'amber']

t.setTimeout(300_000)
const logged: string[] = []
setLog('info', (line) => logged.push(line))

class Writing extends Run {
  override bytes(length: number): Uint8Array {
    if (this.random(5) === 0) return super.bytes(length)
    let text = ''
    while (text.length < length) text += `${WORDS[this.random(WORDS.length)]} `
    return Buffer.from(text.slice(0, Math.min(length, 40)))
  }
}

interface Tried {
  readonly vault: Vault
  readonly path: string
  readonly run: Writing
}

function each(title: string, check: (t: Test, tried: Tried) => Promise<void>): void {
  for (const { name, suffix } of testedBackends)
    t.test(`${title} (${name})`, async (t) => {
      const path = join(t.testdir(), `v${suffix}`)
      await createVault(path, name)
      const vault = await openVault(path, { commitMs: 50 })
      const run = await retryUntilLoaded(() => new Writing(vault, seed))
      await check(t, { vault, path, run })
      await vault.close()
    })
}

async function write({ run }: Tried, name: string, content: string): Promise<number> {
  const { ino } = await run.fs.create(caller, ROOT_INO, name, 0o644, 0o22, 0o200)
  await rewrite(run, ino, content)
  return ino
}

async function rewrite(run: Writing, ino: number, content: string): Promise<void> {
  await run.fs.setattr(caller, ino, { ...noChange, size: 0 })
  await run.fs.write(caller, ino, 0, Buffer.from(content), false, false)
  await run.fs.flush(caller, ino)
}

/** Inodes whose newest version or path has a word, found by looking at each. */
async function lookThrough({ core }: Vault, word: string): Promise<number[]> {
  const found: number[] = []
  for (const { ino, versions } of await retryUntilLoaded(() =>
    core.overlay.scan(inodes, { limit: ALL }),
  )) {
    if (ino === ROOT_INO) continue
    const path = await retryUntilLoaded(() => lastPath(core, ino))
    const texts = [Buffer.from(path ?? '', 'latin1').toString('utf8')]
    const row = await retryUntilLoaded(() => core.overlay.get(version, [ino, versions]))
    if (row !== undefined)
      texts.push((await retryUntilLoaded(() => contentAt(core, ino, row.moment))) ?? '')
    if (texts.some((text) => runsOf(text).some(({ words }) => words.includes(word))))
      found.push(ino)
  }
  return found.sort((a, b) => a - b)
}

function contentAt(core: Vault['core'], ino: number, moment: number): string | undefined {
  const row = inodeAt(core, ino, moment)
  if (row === undefined) return undefined
  const bytes = Buffer.concat(readAt(core, row, moment, 0, row.size))
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    return text.includes('\0') ? undefined : text
  } catch {
    return undefined
  }
}

async function find(searcher: Searcher, query: string, more: object = {}): Promise<number[]> {
  const results = await searcher.search({ query, limit: ALL, ...more })
  return results.map(({ ino }) => ino).sort((a, b) => a - b)
}

each(
  'after random operations a search finds what a look through all files finds',
  async (t, tried) => {
    t.comment(`AVFS_SEED=${seed}`)
    const { vault, run } = tried
    let searcher = Searcher.start(vault)
    for (let step = 0; step < steps; step++) {
      await run.step()
      if (step % 50 !== 49) continue
      await searcher.close()
      searcher = Searcher.start(vault)
    }
    await retryUntilLoaded(() => sealAll(vault.core))
    t.ok(await searcher.refresh(WAIT_MS))
    let sum = 0
    for (const word of [...WORDS, 'n1', 'n2', 'n3']) {
      const expected = await lookThrough(vault, word)
      sum += expected.length
      t.same(await find(searcher, word), expected, word)
    }
    t.ok(sum > 0, `${sum} files were found`)
    await searcher.rebuild()
    t.ok(await searcher.refresh(WAIT_MS))
    for (const word of WORDS) t.same(await find(searcher, word), await lookThrough(vault, word))
    await searcher.close()
  },
)

each('an index that lags behind shows nothing that is not so any more', async (t, tried) => {
  const { vault, run } = tried
  const searcher = Searcher.start(vault)
  const stays = await write(tried, 'stays', 'red')
  const moves = await write(tried, 'moves', 'blue')
  const gone = await write(tried, 'gone', 'red')
  const changes = await write(tried, 'changes', 'red')
  t.ok(await searcher.refresh(WAIT_MS))
  t.same(await find(searcher, 'red'), [stays, gone, changes])
  // No commit: the index cannot know.
  await run.fs.unlink(caller, ROOT_INO, 'gone')
  await rewrite(run, changes, 'green')
  await run.fs.rename(caller, ROOT_INO, 'moves', ROOT_INO, 'moved', 0)
  t.same(await find(searcher, 'red'), [stays])
  t.same(await searcher.search({ query: 'moves', limit: 9 }), [])
  t.ok(await searcher.refresh(WAIT_MS))
  t.same(await find(searcher, 'green'), [changes])
  t.same(await find(searcher, 'moved'), [moves])
  await searcher.close()
})

each(
  'an index is there when the vault is opened again, and nothing is read twice',
  async (t, tried) => {
    const { vault, path, run } = tried
    const searcher = Searcher.start(vault)
    const ino = await write(tried, 'a', 'red')
    t.ok(await searcher.refresh(WAIT_MS))
    await new Promise((resolve) => setTimeout(resolve, 100))
    // No name and no text: the index hears nothing of it.
    await run.fs.setattr(caller, ino, { ...noChange, mode: 0o600 })
    await searcher.close()
    await vault.close()
    const again = await openVault(path)
    const next = Searcher.start(again)
    t.match(await next.status(), { texts: 1, versions: 1, files: 1, waiting: 0, why: null })
    t.same(await find(next, 'red'), [ino])
    t.equal((await next.status()).done, 0)
    await next.close()
    await again.close()
  },
)

each('a vault that changed without its index is caught up with', async (t, tried) => {
  const { vault, run } = tried
  let searcher = Searcher.start(vault)
  const a = await write(tried, 'a', 'red')
  const d = (await run.fs.mkdir(caller, ROOT_INO, 'd', 0o755, 0)).ino
  const c = await write(tried, 'c', 'white')
  await run.fs.rename(caller, ROOT_INO, 'a', d, 'a', 0)
  await run.fs.rename(caller, ROOT_INO, 'c', d, 'c', 0)
  t.ok(await searcher.refresh(WAIT_MS))
  // Times of changes are compared with some seconds to spare.
  await new Promise((resolve) => setTimeout(resolve, 3500))
  // Takes the watermark along.
  await write(tried, 'later', 'amber')
  t.ok(await searcher.refresh(WAIT_MS))
  await searcher.close()
  await run.fs.rename(caller, ROOT_INO, 'd', ROOT_INO, 'moved', 0)
  const b = await write(tried, 'b', 'green')
  await rewrite(run, a, 'blue')
  const gone = await write(tried, 'gone', 'gold')
  await vault.sync()
  await run.fs.unlink(caller, ROOT_INO, 'gone')
  await vault.sync()
  searcher = Searcher.start(vault)
  t.ok(await searcher.refresh(WAIT_MS))
  t.same(await find(searcher, 'path:moved'), [a, d, c])
  t.same(await find(searcher, 'green OR blue'), [a, b])
  t.same(await find(searcher, 'red'), [])
  t.same(await find(searcher, 'gold', { pastToo: true }), [gone])
  t.same(await find(searcher, 'red', { pastToo: true }), [a])
  await searcher.close()
})

each('who may not reach a file does not find it', async (t, tried) => {
  const searcher = Searcher.start(tried.vault)
  const mine = await write(tried, 'mine', 'red')
  await write(tried, 'other', 'red')
  t.ok(await searcher.refresh(WAIT_MS))
  const results = await searcher.search({
    query: 'red',
    limit: 9,
    isVisible: ({ ino }) => ino === mine,
  })
  t.match(results, [{ ino: mine, path: '/mine', isThere: true, versions: [{ number: 1 }] }])
  await searcher.close()
})

t.test('a damaged index beside a vault is made anew by itself', async (t) => {
  const backend = testedBackends.find(({ name }) => name !== 'sqlite')
  if (backend === undefined) return
  const path = join(t.testdir(), `v${backend.suffix}`)
  await createVault(path, backend.name)
  const vault = await openVault(path)
  const run = await retryUntilLoaded(() => new Writing(vault, seed))
  const searcher = Searcher.start(vault)
  const ino = await write({ vault, path, run }, 'a', 'red')
  t.ok(await searcher.refresh(WAIT_MS))
  await searcher.close()
  const folder = `${path}.search/index`
  for (const name of readdirSync(folder)) {
    const { size } = statSync(join(folder, name))
    writeFileSync(join(folder, name), Buffer.alloc(size, 0xa5))
  }
  logged.length = 0
  const next = Searcher.start(vault)
  t.ok(await next.refresh(WAIT_MS))
  t.same(await find(next, 'red'), [ino])
  t.match(logged.join('\n'), /the index is damaged; it is made anew/)
  await next.close()
  rmSync(folder, { recursive: true })
  const third = Searcher.start(vault)
  t.ok(await third.refresh(WAIT_MS))
  t.same(await find(third, 'red'), [ino])
  await third.close()
  await vault.close()
})

each('search that is off has no index, and says so', async (t, tried) => {
  const { vault, path } = tried
  const searcher = Searcher.start(vault)
  const ino = await write(tried, 'a', 'red')
  t.ok(await searcher.refresh(WAIT_MS))
  await retryUntilLoaded(() => configure(vault.core, { search: 'off' }))
  await searcher.reconfigure()
  await t.rejects(searcher.search({ query: 'red', limit: 1 }), /search is off/)
  t.match(await searcher.status(), { isOn: false, texts: 0, why: /search is off/ })
  t.notOk(existsSync(`${path}.search`))
  await retryUntilLoaded(() => configure(vault.core, { search: 'on' }))
  await searcher.reconfigure()
  t.ok(await searcher.refresh(WAIT_MS))
  t.same(await find(searcher, 'red'), [ino])
  // Texts that are too large now are not found any more.
  const large = await write(tried, 'b', 'red '.repeat(1000))
  t.ok(await searcher.refresh(WAIT_MS))
  t.same(await find(searcher, 'red'), [ino, large])
  await retryUntilLoaded(() => configure(vault.core, { 'search.max-text': '1KiB' }))
  await searcher.reconfigure()
  t.ok(await searcher.refresh(WAIT_MS))
  t.same(await find(searcher, 'red'), [ino])
  await searcher.close()
})
