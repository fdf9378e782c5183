// Files that change a little from version to version, and are indexed in pieces: every query finds
// them as if each version had been indexed whole. AVFS_SEED repeats a run, AVFS_STEPS is its
// length.

import { isUtf8 } from 'node:buffer'
import t from 'tap'
import { visitWords } from '../../src/search/analyze.ts'
import { bodyOf, wordsOfBytes } from '../../src/search/body.ts'
import { IN_PIECES, type SearchEngine } from '../../src/search/engine.ts'
import { matchesOf } from '../../src/search/evaluate.ts'
import { textOf } from '../../src/search/extract.ts'
import type { Language } from '../../src/search/index-writer.ts'
import { Indexer } from '../../src/search/indexer.ts'
import { parseQuery } from '../../src/search/query.ts'
import { isTrueFor } from '../../src/search/term-hits.ts'
import { inode as inodes, version } from '../../src/store/collections.ts'
import { openStore } from '../../src/store/open.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import type { Store } from '../../src/store/store.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { inodeAt, readAt } from '../../src/vault/history/timeline.ts'
import { birthBatch, Vault } from '../../src/vault/vault.ts'
import { faulting } from '../support/faulting.ts'
import { noChange } from '../support/no-change.ts'
import { type Random, randomFrom, seedOf } from '../support/random.ts'
import { caller, Run } from '../vault/random-run.ts'
import { batchOf, type IndexedFile } from './index-of.ts'
import { takerOf } from './indexed-vault.ts'
import { openMemoryEngine } from './memory-engine.ts'

const seed = seedOf('AVFS_SEED')
const steps = Number(process.env.AVFS_STEPS ?? 12)
const queries = Number(process.env.AVFS_QUERIES ?? 8)
t.comment(`AVFS_SEED=${seed}`)

const language: Language = { bodyOf, wordsOf: wordsOfBytes }
const ALL = Number.MAX_SAFE_INTEGER
const TEXT_BYTES_MAX = 60_000
const words = ['red', 'green', 'blueSky', 'white', 'caf\u00e9', '\u65e5\u672c\u8a9e', 'x9', 'long']
const separators = [' ', ' ', ' ', '\n', '\n', ', ', '.', '-', '\t', '', '\u3002', '\x1b[31m']

/** Some text; now and then a word that no other has. */
function some(random: Random, length: number): string {
  let text = ''
  while (text.length < length) {
    const word = random.below(8) === 0 ? `w${random.below(400)}` : random.pick(words)
    text += word + random.pick(separators)
  }
  return text
}

/** The next state of a file. */
function changed(random: Random, before: Buffer): Buffer {
  if (!isUtf8(before)) return Buffer.from(before.toString().replaceAll('\ufffd', ''))
  const at = random.below(before.length + 1)
  const short = Buffer.from(some(random, 1 + random.below(60)))
  switch (random.below(12)) {
    case 0: {
      const cut = before.subarray(0, Math.max(0, before.length - random.below(3000)))
      return Buffer.from(cut)
    }
    case 1:
      return Buffer.concat([before.subarray(0, at), short, before.subarray(at)])
    case 2:
      return Buffer.concat([before.subarray(0, at), before.subarray(at + random.below(500))])
    case 3:
    case 4: {
      const next = Buffer.from(before)
      short.copy(next, at)
      return next
    }
    case 5:
      return random.below(4) === 0
        ? Buffer.from(some(random, random.below(30_000)))
        : Buffer.concat([before, Buffer.from(some(random, random.below(9000)))])
    case 6:
      // No text, for one version.
      return Buffer.concat([before, Buffer.from([0xff])])
    default:
      return Buffer.concat([before, short])
  }
}

async function openMemory(wrap: (store: Store) => Store = (store) => store): Promise<Vault> {
  const inner = await openStore('memory', { create: true, backend: 'memory' })
  await inner.commit(birthBatch())
  const store = wrap(inner)
  return retryUntilLoaded(
    () => new Vault(store, '/tmp/none', { cacheBytes: 1_000_000, commitMs: 20 }),
  )
}

function indexerOf(vault: Vault, engine: SearchEngine): Indexer {
  return new Indexer(vault.core, takerOf(engine, language), {
    textBytesMax: TEXT_BYTES_MAX,
    watermark: engine.status().watermark,
    failed: (error) =>
      process.nextTick(() => {
        throw error
      }),
  })
}

/** The same files with every version whole. */
async function plainly(
  vault: Vault,
): Promise<{ engine: SearchEngine; texts: Map<string, string> }> {
  const { core } = vault
  const texts = new Map<string, string>()
  const last =
    (await retryUntilLoaded(() => core.overlay.scan(inodes, { limit: ALL }))).at(-1)?.ino ?? 1
  const files: (IndexedFile & { numbered: { number: number }[] })[] = []
  for (let ino = 1; ino <= last; ino++) {
    const rows = await retryUntilLoaded(() =>
      core.overlay.scan(version, { gte: [ino], lt: [ino + 1], limit: ALL }),
    )
    const numbered: { number: number; text: string | undefined }[] = []
    for (const { number, moment, size } of rows) {
      const bytes = await retryUntilLoaded(() => {
        const row = inodeAt(core, ino, moment)
        return row === undefined ? undefined : Buffer.concat(readAt(core, row, moment, 0, size))
      })
      const isText = bytes !== undefined && size <= TEXT_BYTES_MAX
      const text = isText ? textOf(bytes) : undefined
      numbered.push({ number, text })
      if (text !== undefined) texts.set(`${ino}.${number}`, text)
    }
    files.push({ path: `/f${ino}`, versions: numbered.map(({ text }) => text), numbered })
  }
  const engine = openMemoryEngine()
  const batch = batchOf(files)
  const numberOf = (ino: number, place: number): number =>
    files[ino - 1]?.numbered[place - 1]?.number ?? 0
  await engine.apply({
    ...batch,
    versions: batch.versions.map((its) => ({ ...its, number: numberOf(its.ino, its.number) })),
  })
  return { engine, texts }
}

function found(
  engine: SearchEngine,
  query: string,
  pastToo: boolean,
  texts: ReadonlyMap<string, string>,
): string[] {
  const tree = parseQuery(query)
  return [...matchesOf(tree, engine, { pastToo, page: 7 })]
    .flatMap(({ ino, versions, toRecheck }) =>
      versions
        .map(({ number }) => ({ number, key: `${ino}.${number}` }))
        .filter(
          ({ number, key }) =>
            !toRecheck.includes(number) || isTrueFor(tree, engine, ino, texts.get(key) ?? ''),
        )
        .map(({ key }) => key),
    )
    .sort()
}

/** Words as a query has them. */
function sequence(text: string, random: Random): string[] {
  const cut: string[] = []
  visitWords(text, { word: (_, start, end) => cut.push(text.slice(start, end)), run: () => {} })
  const from = random.below(Math.max(1, cut.length))
  return cut.slice(from, from + 1 + random.below(4))
}

function randomQuery(texts: ReadonlyMap<string, string>, random: Random): string {
  const all = [...texts.values()]
  const leaf = (): string => {
    const cut = sequence(random.pick(all), random)
    const [word = 'red'] = cut
    switch (random.below(7)) {
      case 0:
        return `body:"${cut.join(' ')}"`
      case 1:
        return `body:${word.slice(0, 2)}*`
      case 2:
        return `body:NEAR(${cut.join(' ')}, ${random.below(12)})`
      case 3:
        return `body:NEAR(${word} w${random.below(400)}, ${random.below(200)})`
      case 4:
        return `body:"${sequenceOf(random.pick(all), random)}"`
      default:
        return `body:"w${random.below(400)}"`
    }
  }
  switch (random.below(4)) {
    case 0:
      return `${leaf()} NOT ${leaf()}`
    case 1:
      return `${leaf()} OR ${leaf()}`
    case 2:
      return `${leaf()} AND ${leaf()}`
    default:
      return leaf()
  }
}

/** A long phrase. */
function sequenceOf(text: string, random: Random): string {
  const at = random.below(Math.max(1, text.length - 200))
  return (
    text
      .slice(at, at + 20 + random.below(150))
      .replaceAll(/[^\p{L}\p{N}]/gu, ' ')
      .trim() || 'red'
  )
}

const runs = [
  { name: 'version by version', waits: 1 },
  { name: 'many versions at a time', waits: 15 },
  { name: 'all at once, and from the beginning', waits: ALL },
  {
    name: 'on a store that answers late',
    waits: 5,
    wrap: (its: Store) => faulting(its, { gets: true }),
  },
  { name: 'with versions that are pruned before they are seen', waits: 3, prunes: true },
]

for (const { name, waits, wrap, prunes = false } of runs)
  t.test(`files that change little are found as if they were kept whole, ${name}`, async (t) => {
    const random = randomFrom(seed)
    const vault = await openMemory(wrap)
    const engine = openMemoryEngine()
    let indexer = indexerOf(vault, engine)
    const run = await retryUntilLoaded(() => new Run(vault, seed))
    const states = new Map<number, Buffer>()
    for (let file = 0; file < 2; file++) {
      const { ino } = await run.fs.create(caller, ROOT_INO, `f${file}`, 0o644, 0o22, 0o200)
      states.set(ino, Buffer.alloc(0))
    }
    for (let step = 1; step <= steps; step++) {
      for (const [ino, before] of states) {
        const next =
          before.length < 6000 ? Buffer.from(some(random, 9000)) : changed(random, before)
        await write(run, ino, before, next, random.below(3) === 0)
        states.set(ino, next)
        if (random.below(10) === 0 && isUtf8(next)) await punch(run, ino, next)
      }
      if (prunes && random.below(2) === 0)
        await vault.prune({ rules: { versions: 1 + random.below(2) } })
      if (step % waits !== 0) continue
      await vault.sync()
      t.ok(await indexer.caughtUp(30_000))
      if (random.below(10) !== 0) continue
      await indexer.close()
      indexer = indexerOf(vault, engine)
    }
    await vault.sync()
    t.ok(await indexer.caughtUp(30_000))
    const compare = async (what: string): Promise<void> => {
      const { engine: plain, texts } = await plainly(vault)
      const wrong: unknown[] = []
      for (let i = 0; i < queries; i++) {
        const query = randomQuery(texts, random)
        for (const pastToo of [false, true]) {
          const of = (its: SearchEngine) => found(its, query, pastToo, texts)
          const [is, must] = [of(engine), of(plain)]
          if (is.join() !== must.join()) wrong.push({ query, pastToo, is, must })
        }
      }
      t.strictSame(wrong, [], what)
    }
    await compare('as they grew')
    const pieced = [...states.keys()].flatMap((ino) =>
      engine.versionsOfFile(ino).filter(({ text }) => text === IN_PIECES),
    )
    t.ok(prunes || pieced.length > steps / 2, 'many versions are kept in pieces')
    await vault.prune({ rules: { versions: 4 } })
    await vault.sync()
    t.ok(await indexer.caughtUp(30_000))
    await compare('with most of their versions pruned')
    await indexer.close()
    await vault.close()
  })

/** Saves a file as programs do: what is new alone, or all of it. */
async function write(
  run: Run,
  ino: number,
  before: Buffer,
  next: Buffer,
  isWhole: boolean,
): Promise<void> {
  let from = 0
  if (!isWhole) while (from < next.length && before[from] === next[from]) from++
  await run.fs.setattr(caller, ino, {
    ...noChange,
    size: isWhole ? 0 : Math.min(before.length, next.length),
  })
  if (from < next.length)
    await run.fs.write(caller, ino, from, Buffer.from(next.subarray(from)), false, false)
  await run.fs.flush(caller, ino)
}

/** Cuts a file and makes it as long again: a hole, for one version. */
async function punch(run: Run, ino: number, content: Buffer): Promise<void> {
  for (const size of [content.length >> 1, content.length])
    await run.fs.setattr(caller, ino, { ...noChange, size })
  await run.fs.write(caller, ino, 0, Buffer.from(content.subarray(0, 9)), false, false)
  await run.fs.flush(caller, ino)
  await run.fs.write(caller, ino, 0, Buffer.from(content), false, false)
  await run.fs.flush(caller, ino)
}
