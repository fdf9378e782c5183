// What only tantivy does: after a crash an index is as of its last flush; who may open it; and
// damage, a full disk and plans that are too large. AVFS_SEED repeats a run.

import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Plan, SearchEngine, TextDocument } from '../../src/search/engine.ts'
import { openTantivy } from '../../src/search/tantivy.ts'
import { linesUntilKilled } from '../support/killed.ts'
import { temporaryFolder } from '../support/mount.ts'
import { attempt, run } from '../support/program.ts'
import { randomFrom, seedOf } from '../support/random.ts'
import { and, batchOf, body, find, hashOf, near, not, text } from './plans.ts'

const ROUNDS = Number(process.env.AVFS_KILL_ROUNDS ?? 8)
const ALL = 1_000_000

function storeError(kind: string) {
  return { name: 'StoreError', kind }
}

t.test('after kill -9 all batches before the last flush are there, and none in part', async (t) => {
  const random = randomOf(t)
  const path = join(t.testdir(), 'index')
  let last = 0
  for (let round = 0; round < ROUNDS; round++) {
    const flushed = await killed(path, random.below(300))
    const engine = await openTantivy(path)
    const { watermark } = engine.status()
    t.ok(watermark >= flushed, `${flushed} flushed, ${watermark} found`)
    isAtBatch(t, engine, watermark)
    await engine.close()
    last = watermark
  }
  t.ok(last > 0, `${last} batches in all`)
})

t.test('what a flush has not reached may be lost in any way', async (t) => {
  const path = join(t.testdir(), 'index')
  const copy = join(t.testdirName, 'copy')
  const engine = await openTantivy(path, { create: true })
  await engine.apply(batchOf({ texts: [text(1, 'flushed'), text(2, 'old')], watermark: 1 }))
  await engine.flush()
  const durable = namedFiles(path)
  // Deletions of what was flushed, more segments, a merge of all.
  await engine.apply(batchOf({ texts: [text(3, 'later')], removedTexts: [2], watermark: 2 }))
  for (let i = 4; i < 20; i++) await engine.apply(batchOf({ texts: [text(i, 'x')], watermark: i }))
  t.same(idsOf(engine, body('later')), [3])
  for (const loss of ['removed', 'emptied', 'kept'] as const) {
    rmSync(copy, { recursive: true, force: true })
    cpSync(path, copy, { recursive: true })
    const others = readdirSync(copy).filter((name) => !durable.has(name) && isSegment(name))
    t.ok(others.length > 0, 'there is something to lose')
    for (const name of others) {
      if (loss === 'removed') rmSync(join(copy, name))
      if (loss === 'emptied') truncateSync(join(copy, name))
    }
    const again = await openTantivy(copy)
    t.equal(again.status().watermark, 1, loss)
    t.same(idsOf(again, body('flushed')), [1])
    t.same(idsOf(again, body('old')), [2])
    t.same(idsOf(again, body('later')), [])
    await again.apply(batchOf({ texts: [text(3, 'later')], watermark: 2 }))
    await again.close()
    const names = readdirSync(copy)
    t.notOk(
      others.some((name) => names.includes(name)),
      'what is of no use is gone',
    )
  }
  await engine.close()
})

t.test('a second writer is refused, and readers are beside each other', async (t) => {
  const path = join(t.testdir(), 'index')
  const busy = storeError('busy')
  await t.rejects(openTantivy(path), storeError('io'), 'there is none')
  const engine = await openTantivy(path, { create: true })
  await engine.apply(batchOf({ texts: [text(1, 'word')] }))
  await t.rejects(openTantivy(path), busy)
  await t.rejects(openTantivy(path, { rebuild: true }), busy)
  await t.rejects(openTantivy(path, { readOnly: true }), busy)
  await engine.close()
  const one = await openTantivy(path, { readOnly: true })
  const other = await openTantivy(path, { readOnly: true })
  t.same([idsOf(one, body('word')), idsOf(other, body('word'))], [[1], [1]])
  await t.rejects(openTantivy(path), busy)
  await t.rejects(one.apply(batchOf({})), storeError('locked'))
  await one.close()
  await other.close()
  await (await openTantivy(path)).close()
})

t.test('a damaged file is told when the index is opened, and a rebuild helps', async (t) => {
  const random = randomOf(t)
  const path = join(t.testdir(), 'index')
  const damaged = join(t.testdirName, 'damaged')
  const engine = await openTantivy(path, { create: true })
  const texts = Array.from({ length: 300 }, (_, i) => text(i + 1, `word n${i} ${'x '.repeat(i)}y`))
  await engine.apply(batchOf({ texts }))
  await engine.apply(batchOf({ removedTexts: [7] }))
  await engine.close()
  const corrupt = storeError('corrupt')
  const names = readdirSync(path).filter((name) => name !== 'LOCK')
  t.ok(names.length >= 8, names.join(' '))
  for (const name of names)
    for (const damage of ['a byte', 'the end', 'everything', 'being there'] as const) {
      if (name === 'STATE' && damage === 'being there') continue
      rmSync(damaged, { recursive: true, force: true })
      cpSync(path, damaged, { recursive: true })
      const bytes = readFileSync(join(damaged, name))
      if (damage === 'being there') rmSync(join(damaged, name))
      else {
        if (damage === 'a byte') {
          const at = random.below(bytes.length)
          bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8))
        }
        const left = { 'a byte': bytes, 'the end': bytes.subarray(0, -1), everything: '' }[damage]
        writeFileSync(join(damaged, name), left)
      }
      await t.rejects(openTantivy(damaged), corrupt, `${damage} of ${name}`)
    }
  const again = await openTantivy(damaged, { rebuild: true })
  t.match(again.status(), { texts: 0, watermark: 0 })
  await again.apply(batchOf({ texts: [text(1, 'word')] }))
  t.same(idsOf(again, body('word')), [1])
  await again.close()
})

t.test('a folder of something else is left as it is', async (t) => {
  const path = t.testdir({ 'notes.txt': 'mine' })
  await t.rejects(openTantivy(path, { create: true }), storeError('format'))
  await t.rejects(openTantivy(path, { rebuild: true }), storeError('format'))
  t.equal(readFileSync(join(path, 'notes.txt'), 'utf8'), 'mine')
})

t.test('a full disk refuses batches and flushes, and harms nothing', async (t) => {
  const disk = join(temporaryFolder(t), 'disk')
  mkdirSync(disk)
  run('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'none', disk])
  t.teardown(() => attempt('umount', ['-l', disk]))
  const path = join(disk, 'index')
  const random = randomFrom(1)
  const engine = await openTantivy(path, { create: true })
  const apply = (id: number) => {
    const words = Array.from({ length: 50_000 }, () => random.bytes(4).toString('hex'))
    return engine.apply(
      batchOf({ texts: [text(id, `all ${words.join(' ')}`)], versions: [], watermark: id }),
    )
  }
  let done = 0
  let kind: string | undefined
  while (kind === undefined && done < 50) {
    try {
      await apply(done + 1)
      done++
    } catch (error) {
      kind = (error as { kind?: string }).kind
    }
  }
  t.equal(kind, 'full')
  t.ok(done > 3, `${done} were taken`)
  const holds = (of: SearchEngine) => {
    t.equal(of.status().watermark, done)
    t.equal(idsOf(of, body('all')).length, done)
  }
  holds(engine)
  writeFileSync(join(disk, 'rest'), Buffer.alloc(512))
  run('mount', ['-o', 'remount,size=64m', disk])
  await apply(done + 1)
  done++
  holds(engine)
  await engine.close()
  const again = await openTantivy(path)
  holds(again)
  await again.close()
})

t.test('plans at the limits are answered, and those beyond refused', async (t) => {
  const engine = await openTantivy(join(t.testdir(), 'index'), { create: true })
  await engine.apply(batchOf({ texts: [text(1, 'a b'), text(2, 'b')] }))
  const nested = (depth: number): Plan => {
    let plan = body('a')
    for (let i = 0; i < depth; i++) plan = i % 2 === 0 ? and(plan) : not(plan, body('c'))
    return plan
  }
  const refused = { name: 'StoreError', kind: 'io', message: /too large/ }
  t.same(idsOf(engine, nested(100)), [1])
  t.throws(() => engine.query(nested(101), 1, 0), refused)
  const words = Array.from({ length: 1001 }, () => 'a')
  t.same(idsOf(engine, near(0, ...words.slice(1))), [1])
  t.throws(() => engine.query(near(0, ...words), 1, 0), refused)
  t.same(idsOf(engine, and(...words.slice(1).map(body))), [1])
  t.throws(() => engine.among(and(...words.map(body)), [1]), refused)
  t.same(idsOf(engine, near(Number.MAX_SAFE_INTEGER, 'b', 'a')), [1])
  await engine.close()
})

t.test('plans and batches that are wrong are errors of the caller', async (t) => {
  const engine = await openTantivy(join(t.testdir(), 'index'), { create: true })
  const wrong: unknown[] = [
    {},
    { kind: 'other' },
    { kind: 'and', of: [] },
    { kind: 'and', of: [1] },
    { kind: 'or' },
    { kind: 'phrase', field: 'body', words: [], prefix: false },
    { kind: 'phrase', field: 'body', words: [1], prefix: false },
    { kind: 'phrase', field: 'other', words: ['a'], prefix: false },
    { kind: 'near', field: 'body', phrases: [], distance: 1 },
    { kind: 'near', field: 'body', phrases: [{ words: ['a'], prefix: false }], distance: -1 },
    find('bodyWhole', 'a b'),
    and(body('a'), find('path', 'a')),
  ]
  for (const plan of wrong)
    t.throws(() => engine.query(plan as Plan, 1, 0), TypeError, JSON.stringify(plan))
  t.throws(() => engine.query(body('a'), -1, 0), TypeError)
  t.throws(() => engine.versionsOf(0.5), TypeError)
  await t.rejects(engine.apply(batchOf({ texts: [text(-1, 'a')], watermark: 9 })), TypeError)
  await t.rejects(engine.apply(batchOf({ watermark: Number.NaN })), TypeError)
  t.match(engine.status(), { texts: 0, watermark: 0 })
  await engine.close()
})

t.test('closing ends a merge early and loses nothing', async (t) => {
  const path = join(t.testdir(), 'index')
  const engine = await openTantivy(path, { create: true })
  const random = randomFrom(1)
  const words = () =>
    Array.from({ length: 20_000 }, () => random.bytes(3).toString('hex')).join(' ')
  for (let i = 0; i < 6; i++)
    await engine.apply(
      batchOf({
        texts: [5 * i + 1, 5 * i + 2, 5 * i + 3].map((id) => text(id, `all ${words()}`)),
        watermark: i + 1,
      }),
    )
  const merging = engine.optimize()
  await Promise.all([t.rejects(merging, storeError('closed')), engine.close()])
  const again = await openTantivy(path)
  t.equal(again.status().watermark, 6)
  t.equal(idsOf(again, body('all')).length, 18)
  await again.optimize()
  t.equal(idsOf(again, body('all')).length, 18)
  await again.close()
})

t.test('an index of source texts takes at most 40 % of their size', async (t) => {
  const engine = await openTantivy(join(t.testdir(), 'index'), { create: true })
  const paths = globSync('{src,test,docs,scripts}/**/*.{ts,md}')
  const sources = paths.map((path) => readFileSync(path, 'utf8'))
  const bytes = sources.reduce((sum, source) => sum + Buffer.byteLength(source), 0)
  for (let i = 0; i < sources.length; i += 50)
    await engine.apply(
      batchOf({ texts: sources.slice(i, i + 50).map((source, j) => cut(i + j + 1, source)) }),
    )
  await engine.optimize()
  const share = engine.status().bytes / bytes
  t.ok(share < 0.4, `${(share * 100).toFixed(1)} % of ${bytes} bytes`)
  t.ok(idsOf(engine, body('import type')).length > 100)
  await engine.close()
})

t.test('without the addon, the error says what to run', (t) => {
  const hooks = join(import.meta.dirname, '../support/hide-engines.ts')
  const script = `
    const { openTantivy } = await import(${JSON.stringify(join(import.meta.dirname, '../../src/search/tantivy.ts'))})
    await openTantivy('/nowhere').catch(({ kind, message }) => console.log(kind, message))`
  const { stdout } = attempt(process.execPath, [
    `--import=${hooks}`,
    '--input-type=module',
    '-e',
    script,
  ])
  t.match(stdout, /^unavailable tantivy is not available here: run "make search"/)
  t.end()
})

function randomOf(t: Test): ReturnType<typeof randomFrom> {
  const seed = seedOf('AVFS_SEED')
  t.comment(`AVFS_SEED=${seed}`)
  return randomFrom(seed)
}

function idsOf(engine: SearchEngine, plan: Plan): number[] {
  return engine
    .query(plan, ALL, 0)
    .map(({ id }) => id)
    .sort((a, b) => a - b)
}

/** Checks that the index holds what tantivy-child.ts has applied up to a batch. */
function isAtBatch(t: Test, engine: SearchEngine, last: number): void {
  t.match(engine.status(), { texts: last, files: last, nextText: last + 1 })
  t.equal(engine.status().versions, last === 0 ? 0 : last + 1)
  const expected = Array.from({ length: last }, (_, i) => i + 1)
  t.same(idsOf(engine, body('all')), expected)
  t.same(idsOf(engine, find('path', 'all')), expected)
  t.same(engine.textsWith(expected.map(hashOf)), expected)
  t.equal(engine.textOf(0, 1), last === 0 ? undefined : last)
  t.same(engine.unusedTexts(0, ALL), [])
}

/**
 * Runs the child for some time after its first flush, kills it, and returns the last batch that was
 * flushed for sure.
 */
async function killed(path: string, afterMs: number): Promise<number> {
  const script = join(import.meta.dirname, 'tantivy-child.ts')
  const lines = await linesUntilKilled(script, [path], afterMs)
  return Number(lines.at(-1) ?? 0)
}

/** The files that STATE names. */
function namedFiles(path: string): ReadonlySet<string> {
  const [, json = ''] = readFileSync(join(path, 'STATE'), 'utf8').split('\n')
  const { files } = JSON.parse(json) as { files: Record<string, number> }
  for (const [name, bytes] of Object.entries(files))
    if (!existsSync(join(path, name)) || statSync(join(path, name)).size !== bytes)
      throw new Error(`${name} is not there`)
  return new Set(Object.keys(files))
}

function isSegment(name: string): boolean {
  return /^[0-9a-f]{32}\./.test(name)
}

/** Cuts a source text roughly as it is cut for an index. */
function cut(id: number, source: string): TextDocument {
  const parts: string[] = []
  const whole: string[] = []
  for (const [identifier] of source.matchAll(/[A-Za-z0-9_]+/g)) {
    const words = identifier.split(/_+|(?<=[a-z0-9])(?=[A-Z])/).filter((word) => word !== '')
    const folded = words.map((word) => word.toLowerCase())
    parts.push(...folded)
    if (folded.length > 1) whole.push(folded.join(''))
  }
  return text(id, parts.join(' '), whole.join(' '))
}
