// What every search engine must do. An engine's own test file calls searchEngineSuite with a way to
// open it, which runs all of this. AVFS_SEED repeats a run with random documents.

import { join } from 'node:path'
import type { Test } from 'tap'
import {
  IN_PIECES,
  type IndexBatch,
  OPEN_ENDED,
  PIECES_FROM,
  type Plan,
  type SearchEngine,
  type Stretch,
  type TextVersion,
} from '../../src/search/engine.ts'
import { StoreError } from '../../src/store/store.ts'
import { type Random, randomFrom, seedOf } from '../support/random.ts'
import { openMemoryEngine } from './memory-engine.ts'
import {
  and,
  batchOf,
  body,
  file,
  files,
  find,
  hashOf,
  near,
  not,
  or,
  table,
  text,
  texts,
} from './plans.ts'
import { randomFile, randomPlan, randomStretch, randomText } from './random-plans.ts'

/**
 * Opens the index at a path where only it makes files: a new one where nothing is, else the one
 * that is there.
 */
export type OpenSearch = (path: string) => Promise<SearchEngine>

export interface SearchSuiteOptions {
  /** Whether an index that was closed is there when it is opened again; true unless told. */
  readonly persistent?: boolean
}

const ALL = 1_000_000

/** Runs the whole suite as subtests of t. */
export function searchEngineSuite(
  t: Test,
  name: string,
  open: OpenSearch,
  { persistent = true }: SearchSuiteOptions = {},
): void {
  const test = (
    title: string,
    run: (t: Test, engine: SearchEngine, path: string) => Promise<void>,
  ): void => {
    t.test(`${name}: ${title}`, async (t) => {
      const path = join(t.testdir(), 'index')
      const engine = await open(path)
      // Not a teardown: tap removes the folder before it runs those.
      try {
        await run(t, engine, path)
      } finally {
        await engine.close()
      }
    })
  }
  /** A test of what outlives the engine. */
  const kept: typeof test = (title, run) => {
    if (persistent) test(title, run)
  }
  /** A test whose index holds the documents of plans.ts. */
  const filled = (title: string, run: (t: Test, engine: SearchEngine) => Promise<void>): void =>
    test(title, async (t, engine) => {
      await engine.apply(batchOf({ texts, files }))
      await run(t, engine)
    })

  test('is empty when it is new', async (t, engine) => {
    const { bytes, nextText, nextPiece, ...counts } = engine.status()
    t.same(counts, { texts: 0, files: 0, versions: 0, watermark: 0 })
    t.ok(nextText >= 1, 'text 0 stands for none')
    t.ok(nextPiece >= PIECES_FROM)
    t.ok(bytes >= 0)
    t.same(engine.query(body('a'), 10, 0), [])
    t.same(engine.query(find('path', 'a'), 10, 0), [])
    t.same(engine.among(body('a'), [1, 2]), [])
    t.same(engine.textsWith([hashOf(1)]), [undefined])
    t.same(engine.versionsOf(1), [])
    t.same(engine.versionsOfFile(1), [])
    t.equal(engine.textOf(1, 1), undefined)
    t.same(engine.unusedTexts(0, 10), [])
    await engine.flush()
    await engine.optimize()
  })

  for (const [title, cases] of Object.entries(table)) {
    filled(`finds ${title}`, async (t, engine) => {
      for (const [plan, expected] of cases) {
        const found = engine.query(plan, ALL, 0)
        t.same(idsOf(found), expected, JSON.stringify(plan))
        t.ok(found.every(({ score }) => Number.isFinite(score)))
        t.same(idsOf(engine.among(plan, [1, 3, 6, 9, 999])), only(expected, [1, 3, 6, 9]))
      }
    })
  }

  filled('finds the same when it is merged', async (t, engine) => {
    await engine.optimize()
    for (const [plan, expected] of Object.values(table).flat())
      t.same(idsOf(engine.query(plan, ALL, 0)), expected, JSON.stringify(plan))
  })

  test('looks among many and among none', async (t, engine) => {
    const many = Array.from({ length: 3000 }, (_, i) => text(i + 1, i % 2 === 0 ? 'even' : 'odd'))
    await engine.apply(batchOf({ texts: many }))
    t.same(engine.among(body('even'), []), [])
    const ids = many.map(({ id }) => id)
    t.same(
      idsOf(engine.among(body('even'), [...ids, 99_999, 0])),
      idsOf(engine.query(body('even'), ALL, 0)),
    )
    t.same(idsOf(engine.among(body('odd'), [2, 2, 4])), [2, 4], 'each of them once')
  })

  test('puts first what fits better', async (t, engine) => {
    const filler = Array.from({ length: 300 }, (_, i) => `w${i}`).join(' ')
    const rest = Array.from({ length: 20 }, (_, i) => text(i + 10, `other words ${i}`))
    await engine.apply(
      batchOf({ texts: [text(1, `${filler} rare ${filler}`), text(2, 'rare rare'), ...rest] }),
    )
    const [first, second, ...others] = engine.query(body('rare'), 10, 0)
    t.same([first?.id, second?.id], [2, 1])
    t.same(others, [])
    t.ok((first?.score ?? 0) > (second?.score ?? 0))
    const either = engine.query(or(body('rare'), body('other')), 10, 0)
    t.equal(either[0]?.id, 2, 'a rare word says more than a common one')
  })

  test('gives pages without gaps or doubles, best first', async (t, engine) => {
    const many = Array.from({ length: 500 }, (_, i) =>
      text(i + 1, `same ${i % 3 === 0 ? 'same same' : 'x'} ${'pad '.repeat(i % 7)}end`),
    )
    // In pieces, as an index grows.
    for (let i = 0; i < many.length; i += 50)
      await engine.apply(batchOf({ texts: many.slice(i, i + 50) }))
    for (const plan of [body('same'), and(body('end'), or(body('same'), body('x')))]) {
      const all = engine.query(plan, ALL, 0)
      t.equal(all.length, 500)
      t.ok(all.every(({ score }, i) => i === 0 || score <= (all[i - 1]?.score ?? 0)))
      for (const size of [1, 7, 100]) {
        const paged = pages(engine, plan, size, size === 1 ? 40 : ALL)
        t.same(
          paged,
          all.slice(0, paged.length).map(({ id }) => id),
          `pages of ${size}`,
        )
        if (size > 1) t.equal(paged.length, all.length)
      }
      t.same(engine.query(plan, 10, 500), [])
      t.same(engine.query(plan, 10, 100_000), [])
      t.same(engine.query(plan, 0, 0), [])
    }
  })

  test('shows a batch when apply has resolved, and none in part before', async (t, engine) => {
    let pending = true
    const writing = (async () => {
      for (let i = 0; i < 20; i++) {
        await engine.apply(
          batchOf({
            texts: [text(2 * i + 1, `word n${i}`), text(2 * i + 2, 'word')],
            files: [file(i + 1, { parts: 'name', whole: '' }, { parts: 'name', whole: '' })],
            versions: [version(i + 1, 1, 2 * i + 1), version(i + 1, 2, 2 * i + 2)],
            watermark: i + 1,
          }),
        )
        const { texts, files, versions, watermark } = engine.status()
        t.same([texts, files, versions, watermark], [2 * i + 2, i + 1, 2 * i + 2, i + 1])
        t.equal(engine.query(body('word'), ALL, 0).length, 2 * i + 2)
        t.equal(engine.query(body(`n${i}`), ALL, 0).length, 1)
        t.equal(engine.query(find('name', 'name'), ALL, 0).length, i + 1)
        t.equal(engine.textOf(i + 1, 2), 2 * i + 2)
      }
      pending = false
    })()
    while (pending) {
      const { texts, files, versions, watermark } = engine.status()
      if (texts !== 2 * watermark || files !== watermark || versions !== texts)
        t.fail(`${texts} texts, ${files} files and ${versions} versions at ${watermark}`)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await writing
  })

  test('applies batches in the order of the calls', async (t, engine) => {
    const named = (name: string, watermark: number): IndexBatch =>
      batchOf({
        files: [file(1, { parts: name, whole: '' }, { parts: name, whole: '' })],
        versions: [version(1, 1, watermark)],
        watermark,
      })
    const done: number[] = []
    await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        engine.apply(named(`n${i}`, i + 1)).then(() => done.push(i)),
      ),
    )
    t.same(done, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    t.same(idsOf(engine.query(find('name', 'n9'), ALL, 0)), [1])
    t.same(engine.query(find('name', 'n8'), ALL, 0), [])
    t.equal(engine.textOf(1, 1), 10)
    t.equal(engine.status().watermark, 10)
    t.equal(engine.status().files, 1)
  })

  test('replaces files and versions, and removes texts, files and versions', async (t, engine) => {
    const name = (parts: string) => ({ parts, whole: `${parts}whole` })
    await engine.apply(
      batchOf({
        texts: [text(1, 'one'), text(2, 'two', 'twowhole')],
        files: [file(1, name('old'), name('path')), file(2, name('other'), name('path'))],
        versions: [version(1, 1, 1), version(1, 2, 2), version(2, 1, 2)],
      }),
    )
    await engine.apply(
      batchOf({ files: [file(1, name('new'), name('place'))], versions: [version(1, 1, 2)] }),
    )
    t.same(engine.query(find('name', 'old'), ALL, 0), [])
    t.same(engine.query(find('nameWhole', 'oldwhole'), ALL, 0), [])
    t.same(idsOf(engine.query(find('name', 'new'), ALL, 0)), [1])
    t.same(idsOf(engine.query(find('path', 'path'), ALL, 0)), [2])
    t.equal(engine.textOf(1, 1), 2)
    t.same(engine.versionsOf(1), [])
    t.same(engine.versionsOf(2), [version(1, 1, 2), version(1, 2, 2), version(2, 1, 2)])
    t.same(counts(engine), [2, 2, 3])

    await engine.apply(
      batchOf({
        removedTexts: [1, 77],
        removedFiles: [2, 77],
        removedVersions: [
          { ino: 1, number: 2 },
          { ino: 2, number: 77 },
          { ino: 77, number: 1 },
        ],
      }),
    )
    t.same(counts(engine), [1, 1, 2], 'what is not there is removed without a word')
    t.same(engine.query(body('one'), ALL, 0), [])
    t.same(engine.textsWith([hashOf(1), hashOf(2)]), [undefined, 2])
    t.same(idsOf(engine.query(find('pathWhole', 'placewhole'), ALL, 0)), [1])
    t.same(engine.query(find('name', 'other'), ALL, 0), [])
    t.equal(engine.textOf(1, 2), undefined)
    t.same(engine.versionsOf(2), [version(1, 1, 2), version(2, 1, 2)])

    await engine.apply(
      batchOf({
        files: [file(1, name('again'), name('again'))],
        removedFiles: [1],
        versions: [version(1, 1, 2)],
        removedVersions: [{ ino: 1, number: 1 }],
      }),
    )
    t.same(idsOf(engine.query(find('name', 'again'), ALL, 0)), [1], 'put and removed at once: put')
    t.equal(engine.textOf(1, 1), 2)
    t.same(counts(engine), [1, 1, 2])
  })

  test('knows which versions have which text', async (t, engine) => {
    const some = [
      version(9, 2, 3),
      version(9, 1, 3),
      version(5, 7, 3),
      version(5, 10, 4),
      version(5, 9, 0),
    ]
    await engine.apply(batchOf({ texts: [3, 4, 6, 8].map((id) => text(id, 'x')), versions: some }))
    t.same(engine.versionsOf(3), [version(5, 7, 3), version(9, 1, 3), version(9, 2, 3)])
    t.same(engine.versionsOf(6), [])
    t.same(engine.versionsOfFile(5), [version(5, 7, 3), version(5, 9, 0), version(5, 10, 4)])
    t.same(engine.versionsOfFile(6), [])
    t.equal(engine.textOf(5, 9), 0, 'no text')
    t.equal(engine.textOf(5, 8), undefined, 'not in the index')
    t.equal(engine.status().versions, 5)
    t.same(engine.unusedTexts(0, 10), [6, 8])
    t.same(engine.unusedTexts(0, 1), [6])
    t.same(engine.unusedTexts(7, 10), [8])
    t.same(engine.unusedTexts(9, 10), [])
    await engine.apply(batchOf({ removedVersions: [{ ino: 5, number: 10 }], removedTexts: [8] }))
    t.same(engine.unusedTexts(0, 10), [4, 6])
  })

  test('keeps pieces apart from texts, and says where each is', async (t, engine) => {
    const [one, two, three] = [PIECES_FROM, PIECES_FROM + 1, PIECES_FROM + 7]
    const stretch = (id: number, first: number, last = OPEN_ENDED): Stretch => ({
      ...{ id, ino: 5, first, last },
      ...{ start: 10, end: 2 ** 33 },
    })
    const piece = (id: number, parts: string) => ({ id, body: { parts, whole: `${parts}whole` } })
    await engine.apply(
      batchOf({
        texts: [text(1, 'word text')],
        versions: [version(5, 1, 1), version(5, 2, IN_PIECES)],
        pieces: [piece(one, 'word'), piece(two, 'other'), piece(three, 'word again')],
        stretches: [stretch(one, 2), stretch(two, 2), { ...stretch(three, 9), ino: 6 }],
      }),
    )
    t.same(idsOf(engine.query(body('word'), ALL, 0)), [1])
    t.same(idsOf(engine.queryPieces(body('word'), ALL, 0)), [one, three])
    t.equal(engine.queryPieces(body('word'), 1, 0).length, 1)
    t.equal(engine.queryPieces(body('word'), 5, 1).length, 1)
    t.same(engine.queryPieces(find('path', 'word'), ALL, 0), [])
    t.same(idsOf(engine.queryPieces(find('bodyWhole', 'otherwhole'), ALL, 0)), [two])
    t.same(idsOf(engine.among(body('word'), [1, one, two])), [1, one])
    t.same(engine.stretches([two, one + 3]), [stretch(two, 2)])
    t.same(engine.stretchesOfFile(5), [stretch(one, 2), stretch(two, 2)])
    t.same(engine.stretchesOfFile(7), [])
    t.equal(engine.textOf(5, 2), IN_PIECES)
    t.same(engine.unusedTexts(0, 10), [])
    const { texts: count, nextText, nextPiece } = engine.status()
    t.same([count, nextText, nextPiece], [1, 2, three + 1])

    await engine.apply(batchOf({ stretches: [stretch(one, 2, 4)], removedTexts: [two, three] }))
    t.same(engine.stretchesOfFile(5), [stretch(one, 2, 4)])
    t.same(engine.stretchesOfFile(6), [])
    t.same(idsOf(engine.queryPieces(or(body('word'), body('other')), ALL, 0)), [one])
    await engine.optimize()
    t.same(idsOf(engine.queryPieces(body('word'), ALL, 0)), [one])
    t.same(engine.stretches([one]), [stretch(one, 2, 4)])
    await engine.clear()
    t.same(engine.stretchesOfFile(5), [])
    t.same(engine.queryPieces(body('word'), ALL, 0), [])
    t.equal(engine.status().nextPiece, three + 1)
  })

  test('knows texts by their hashes', async (t, engine) => {
    await engine.apply(batchOf({ texts: [text(7, 'a'), text(9, 'b')] }))
    t.same(engine.textsWith([hashOf(9), hashOf(1), hashOf(7), hashOf(9)]), [9, undefined, 7, 9])
    t.same(engine.textsWith([]), [])
    const many = Array.from({ length: 40_000 }, (_, i) => hashOf(i))
    t.same(
      engine.textsWith(many).flatMap((id, i) => (id === undefined ? [] : [[i, id]])),
      [
        [7, 7],
        [9, 9],
      ],
    )
    // Bytes of a larger buffer, not all of it.
    const within = new Uint8Array(100)
    within.set(hashOf(9), 50)
    t.same(engine.textsWith([within.subarray(50, 82)]), [9])
  })

  test('takes inodes, numbers and moments of any size', async (t, engine) => {
    const large = Number.MAX_SAFE_INTEGER
    const name = { parts: 'big', whole: '' }
    await engine.apply(
      batchOf({
        texts: [text(2 ** 40, 'big')],
        files: [file(large, name, name)],
        versions: [version(large, 2 ** 33, 2 ** 40)],
        watermark: large,
      }),
    )
    t.same(idsOf(engine.query(find('name', 'big'), ALL, 0)), [large])
    t.same(idsOf(engine.among(find('name', 'big'), [large, 5])), [large])
    t.same(engine.versionsOf(2 ** 40), [version(large, 2 ** 33, 2 ** 40)])
    t.equal(engine.status().watermark, large)
    t.equal(engine.status().nextText, 2 ** 40 + 1)
  })

  test('never gives the number of a text again', async (t, engine, path) => {
    await engine.apply(batchOf({ texts: [text(engine.status().nextText, 'a')] }))
    await engine.apply(batchOf({ texts: [text(50, 'a'), text(20, 'b')] }))
    t.equal(engine.status().nextText, 51)
    await engine.apply(batchOf({ removedTexts: [50] }))
    t.equal(engine.status().nextText, 51)
    await engine.apply(batchOf({}))
    t.equal(engine.status().nextText, 51)
    await engine.optimize()
    await engine.close()
    if (!persistent) return
    const again = await open(path)
    try {
      t.equal(again.status().nextText, 51)
    } finally {
      await again.close()
    }
  })

  kept('is there again when it is reopened, and goes on', async (t, engine, path) => {
    await engine.apply(batchOf({ texts, files, versions: [version(1, 1, 3)], watermark: 77 }))
    await engine.apply(batchOf({ removedTexts: [2], watermark: 78 }))
    const before = engine.query(body('quick'), ALL, 0)
    await engine.flush()
    t.ok(engine.status().bytes > 0)
    await engine.close()
    const again = await open(path)
    try {
      t.equal(again.status().watermark, 78)
      t.same(counts(again), [texts.length - 1, files.length, 1])
      t.equal(again.textOf(1, 1), 3)
      t.same(again.textsWith([hashOf(1), hashOf(2)]), [1, undefined])
      t.same(again.query(body('quick'), ALL, 0), before)
      await again.apply(batchOf({ texts: [text(100, 'quick and more')], watermark: 79 }))
      t.same(idsOf(again.query(body('quick'), ALL, 0)), [1, 3, 100])
    } finally {
      await again.close()
    }
  })

  test('is empty when it was cleared, and takes documents again', async (t, engine, path) => {
    await engine.apply(batchOf({ texts, files, versions: [version(1, 1, 3)], watermark: 77 }))
    await engine.clear()
    t.same(counts(engine), [0, 0, 0])
    t.equal(engine.status().watermark, 0)
    t.ok(engine.status().nextText >= 1)
    t.same(engine.query(body('quick'), ALL, 0), [])
    t.same(engine.query(find('name', 'foo'), ALL, 0), [])
    t.same(engine.textsWith([hashOf(1)]), [undefined])
    t.same(engine.versionsOfFile(1), [])
    const id = engine.status().nextText
    await engine.apply(batchOf({ texts: [text(id, 'quick')], watermark: 5 }))
    t.same(idsOf(engine.query(body('quick'), ALL, 0)), [id])
    await engine.close()
    if (!persistent) return
    const again = await open(path)
    try {
      t.same(counts(again), [1, 0, 0])
      t.same(idsOf(again.query(body('quick'), ALL, 0)), [id])
    } finally {
      await again.close()
    }
  })

  test('ends as the plain model does after random batches, and finds the same', async (t, engine, path) => {
    const seed = seedOf('AVFS_SEED')
    t.comment(`AVFS_SEED=${seed}`)
    const random = randomFrom(seed)
    const model = openMemoryEngine()
    for (let i = 0; i < 25; i++) {
      const batch = randomBatch(model, random, i + 1)
      await model.apply(batch)
      await engine.apply(batch)
      if (i % 10 === 9) await engine.optimize()
      sameRows(t, engine, model)
      samePlans(t, engine, model, random, 25)
    }
    await engine.close()
    if (!persistent) return
    const again = await open(path)
    try {
      sameRows(t, again, model)
      samePlans(t, again, model, random, 100)
    } finally {
      await again.close()
    }
  })

  test('takes 10,000 documents in a batch', async (t, engine) => {
    const documents = Array.from({ length: 10_000 }, (_, i) =>
      text(i + 1, `all ${i % 100 === 0 ? 'hundredth' : 'other'} n${i}`, `n${i % 10}all`),
    )
    const versions = documents.map(({ id }) => version(id, 1, id))
    const name = { parts: 'all', whole: '' }
    const files = documents.map(({ id }) => file(id, name, { parts: `all n${id}`, whole: '' }))
    await engine.apply(batchOf({ texts: documents, versions, files }))
    t.same(counts(engine), [10_000, 10_000, 10_000])
    t.equal(engine.query(body('all'), ALL, 0).length, 10_000)
    t.equal(engine.query(body('hundredth'), ALL, 0).length, 100)
    t.equal(engine.query(find('bodyWhole', 'n7all'), ALL, 0).length, 1000)
    t.same(idsOf(engine.query(body('n77*'), ALL, 0)).length, 111)
    t.same(idsOf(engine.query(find('path', 'all n500'), ALL, 0)), [500])
    t.equal(new Set(pages(engine, body('all'), 1000, ALL)).size, 10_000)
    const odd = documents.map(({ id }) => id).filter((id) => id % 2 === 1)
    await engine.apply(batchOf({ removedTexts: odd, removedFiles: odd }))
    t.same(counts(engine), [5000, 5000, 10_000])
    t.equal(engine.query(body('all'), ALL, 0).length, 5000)
    t.same(engine.query(find('path', 'all n501'), ALL, 0), [])
    await engine.optimize()
    t.equal(engine.query(body('all'), ALL, 0).length, 5000)
    t.same(idsOf(engine.query(body('n7773'), ALL, 0)), [7774])
  })

  test('takes a text of a million words', async (t, engine) => {
    const words = Array.from({ length: 1_000_000 }, (_, i) => `w${i % 5000}`)
    words.splice(500_000, 3, 'in', 'the', 'middle')
    words.push('very', 'last')
    await engine.apply(batchOf({ texts: [text(1, words.join(' ')), text(2, 'w1 w3')] }))
    t.same(idsOf(engine.query(body('in the middle'), ALL, 0)), [1])
    t.same(idsOf(engine.query(body('very last'), ALL, 0)), [1])
    t.same(idsOf(engine.query(body('w4999 w0 w1'), ALL, 0)), [1])
    t.same(engine.query(body('w1 w0'), ALL, 0), [])
    t.same(idsOf(engine.query(near(1, 'w1', 'w3'), ALL, 0)), [1, 2])
    t.same(idsOf(engine.query(body('w1'), ALL, 0)), [1, 2])
    await engine.apply(batchOf({ removedTexts: [1] }))
    t.same(idsOf(engine.query(body('w1'), ALL, 0)), [2])
  })

  filled('answers plans that are very large, or refuses them', async (t, engine) => {
    const repeated = <T>(count: number, value: T): T[] => new Array<T>(count).fill(value)
    const nested = (depth: number, wrap: (plan: Plan) => Plan): Plan => {
      let plan = body('quick')
      for (let i = 0; i < depth; i++) plan = wrap(plan)
      return plan
    }
    const quick = [1, 2, 3]
    const hostile: readonly (readonly [string, Plan, readonly number[]])[] = [
      ['words in a phrase', body(repeated(20_000, 'a').join(' ')), []],
      ['letters in a word', body('x'.repeat(5_000_000)), []],
      ['letters in a beginning', body(`${'x'.repeat(5_000_000)}*`), []],
      ['phrases near each other', near(1, ...repeated(20_000, 'a')), [4, 5, 13]],
      ['members of an or', or(...repeated(50_000, body('quick'))), quick],
      ['members of an and', and(...repeated(50_000, body('quick'))), quick],
      [
        'other members of an or',
        or(...Array.from({ length: 50_000 }, (_, i) => body(`q${i}`)), body('quick')),
        quick,
      ],
      ['ands within each other', nested(50_000, (plan) => and(plan, body('the'))), quick],
      ['ors within each other', nested(50_000, (plan) => or(body('quick'), plan)), quick],
      ['nots on the left', nested(50_000, (plan) => not(plan, body('nothing'))), quick],
      ['nots on the right', nested(50_000, (plan) => not(body('quick'), plan)), quick],
      [
        'ors and ands in turn',
        nested(5000, (plan) => and(or(plan, body('dog')), body('the'))),
        quick,
      ],
    ]
    for (const [what, plan, expected] of hostile) {
      const answer = answerOf(() => idsOf(engine.query(plan, ALL, 0)))
      t.ok(answer === 'refused' || same(answer, expected), `${what}: ${answer}`)
      const among = answerOf(() => idsOf(engine.among(plan, [1, 4])))
      t.ok(among === 'refused' || same(among, only(expected, [1, 4])), `${what}: ${among}`)
    }
    t.same(idsOf(engine.query(body('quick'), ALL, 0)), quick, 'and answers others after them')
  })

  filled('answers plans as large as people may write them', async (t, engine) => {
    const every = ['quick', 'brown', 'red', 'a', 'b', 'foo', 'strasse', '2024', 'p']
    const many = Array.from({ length: 200 }, (_, i) => body(every[i % every.length] ?? ''))
    t.equal(engine.query(or(...many), ALL, 0).length, 11)
    t.same(idsOf(engine.query(and(...Array(200).fill(body('the'))), ALL, 0)), [1, 2, 3])
    let deep = body('the')
    for (let i = 0; i < 50; i++) deep = i % 2 === 0 ? or(deep, body('dog')) : and(deep, body('fox'))
    t.same(idsOf(engine.query(deep, ALL, 0)), [1, 2, 3])
    let left = body('the')
    for (let i = 0; i < 50; i++) left = not(left, body(i === 25 ? 'red' : 'nothing'))
    t.same(idsOf(engine.query(left, ALL, 0)), [1, 3])
    t.same(idsOf(engine.query(body('p q r p x x x x x x x x r'), ALL, 0)), [16])
  })

  test('refuses every call when it is closed', async (t, engine) => {
    await engine.apply(batchOf({ texts: [text(1, 'a')] }))
    await engine.close()
    await engine.close()
    const closed = { name: 'StoreError', kind: 'closed' }
    t.throws(() => engine.query(body('a'), 1, 0), closed)
    t.throws(() => engine.among(body('a'), [1]), closed)
    t.throws(() => engine.textsWith([hashOf(1)]), closed)
    t.throws(() => engine.versionsOf(1), closed)
    t.throws(() => engine.textOf(1, 1), closed)
    t.throws(() => engine.versionsOfFile(1), closed)
    t.throws(() => engine.unusedTexts(0, 1), closed)
    t.throws(() => engine.status(), closed)
    await t.rejects(engine.apply(batchOf({})), closed)
    await t.rejects(engine.flush(), closed)
    await t.rejects(engine.clear(), closed)
    await t.rejects(engine.optimize(), closed)
  })

  kept('finishes what was under way when it is closed', async (t, engine, path) => {
    const running = engine.apply(batchOf({ texts: [text(1, 'a')], watermark: 3 }))
    await engine.close()
    await running
    const again = await open(path)
    try {
      t.equal(again.status().watermark, 3)
      t.same(idsOf(again.query(body('a'), ALL, 0)), [1])
    } finally {
      await again.close()
    }
  })
}

function version(ino: number, number: number, text: number): TextVersion {
  return { ino, number, text }
}

function idsOf(hits: readonly { readonly id: number }[]): number[] {
  return hits.map(({ id }) => id).sort((a, b) => a - b)
}

function only(ids: readonly number[], among: readonly number[]): number[] {
  return ids.filter((id) => among.includes(id))
}

function same(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((id, i) => id === b[i])
}

function counts(engine: SearchEngine): number[] {
  const { texts, files, versions } = engine.status()
  return [texts, files, versions]
}

/** The ids of all pages one after the other, up to so many. */
function pages(engine: SearchEngine, plan: Plan, size: number, most: number): number[] {
  const ids: number[] = []
  for (;;) {
    const page = engine.query(plan, size, ids.length)
    if (page.length > size) throw new Error(`a page of ${size} has ${page.length}`)
    ids.push(...page.map(({ id }) => id))
    if (page.length < size || ids.length >= most) return ids
  }
}

function answerOf(query: () => number[]): number[] | 'refused' {
  try {
    return query()
  } catch (error) {
    if (error instanceof StoreError) return 'refused'
    throw error
  }
}

/** Changes of all kinds that suit what the model holds. */
function randomBatch(model: SearchEngine, random: Random, watermark: number): IndexBatch {
  const { nextText, nextPiece } = model.status()
  const count = (most: number) => random.below(most + 1)
  const some = <T>(most: number, make: () => T): T[] => Array.from({ length: count(most) }, make)
  const inos = new Set(some(12, () => 1 + random.below(30)))
  const versions = new Map(
    some(20, () =>
      version(1 + random.below(30), 1 + random.below(4), random.below(nextText + 3)),
    ).map((one) => [`${one.ino} ${one.number}`, one]),
  )
  const pieces = Array.from({ length: count(8) }, (_, i) => randomText(nextPiece + i, random))
  const gone = some(4, () => PIECES_FROM + random.below(nextPiece + 2 - PIECES_FROM))
  // Each stretch has its piece.
  const moved = model
    .stretches(some(6, () => PIECES_FROM + random.below(nextPiece + 1 - PIECES_FROM)))
    .filter(({ id }) => !gone.includes(id))
  return {
    texts: Array.from({ length: count(20) }, (_, i) => randomText(nextText + i, random)),
    files: [...inos].map((ino) => randomFile(ino, random)),
    versions: [...versions.values()],
    pieces: pieces.map(({ id, body }) => ({ id, body })),
    stretches: [...pieces, ...moved].map(({ id }) => randomStretch(id, random)),
    removedTexts: [...some(6, () => random.below(nextText)), ...gone],
    removedFiles: some(4, () => 1 + random.below(30)),
    removedVersions: some(4, () => ({ ino: 1 + random.below(30), number: 1 + random.below(4) })),
    watermark,
  }
}

/** All but the words. */
function sameRows(t: Test, engine: SearchEngine, model: SearchEngine): void {
  const rows = (of: SearchEngine) => {
    const { bytes, ...status } = of.status()
    const texts = Array.from({ length: status.nextText }, (_, id) => id)
    const inos = Array.from({ length: 31 }, (_, ino) => ino)
    const pieces = Array.from({ length: status.nextPiece - PIECES_FROM }, (_, i) => PIECES_FROM + i)
    return {
      status,
      texts: of.textsWith(texts.map(hashOf)),
      ofTexts: texts.slice(1).map((id) => of.versionsOf(id)),
      ofFiles: inos.map((ino) => of.versionsOfFile(ino)),
      one: inos.map((ino) => of.textOf(ino, 2)),
      pieces: of.stretches(pieces).sort((a, b) => a.id - b.id),
      piecesOfFiles: inos.map((ino) => of.stretchesOfFile(ino)),
      unused: [of.unusedTexts(0, ALL), of.unusedTexts(5, 3)],
    }
  }
  const [found, expected] = [rows(engine), rows(model)]
  if (JSON.stringify(found) !== JSON.stringify(expected)) t.same(found, expected)
}

function samePlans(
  t: Test,
  engine: SearchEngine,
  model: SearchEngine,
  random: Random,
  count: number,
): void {
  let wrong = 0
  for (let i = 0; i < count; i++) {
    const plan = randomPlan(i % 2 === 0 ? 'texts' : 'files', random)
    const { nextText, nextPiece } = model.status()
    const some = Array.from({ length: 20 }, (_, i) =>
      i < 15 ? random.below(nextText) : PIECES_FROM + random.below(nextPiece + 1 - PIECES_FROM),
    )
    const answers = (of: SearchEngine) => ({
      query: idsOf(of.query(plan, ALL, 0)),
      pieces: idsOf(of.queryPieces(plan, ALL, 0)),
      among: idsOf(of.among(plan, some)),
      pages: pages(of, plan, 9, ALL).sort((a, b) => a - b),
    })
    const [found, expected] = [answers(engine), answers(model)]
    if (JSON.stringify(found) === JSON.stringify(expected)) continue
    wrong++
    t.same(found, expected, JSON.stringify(plan))
  }
  t.equal(wrong, 0)
}
