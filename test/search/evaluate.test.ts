// Which files a query finds, by examples, and compared with a plain search through every version of
// every file.

import t from 'tap'
import { wordsOf } from '../../src/search/analyze.ts'
import type { SearchEngine } from '../../src/search/engine.ts'
import { type MatchOptions, matchesOf } from '../../src/search/evaluate.ts'
import { type Leaf, parseQuery, type Query, type Term } from '../../src/search/query.ts'
import type { Match } from '../../src/search/term-hits.ts'
import { termHitsOf } from '../../src/search/term-hits.ts'
import { type Random, randomFrom, seedOf } from '../support/random.ts'
import { type IndexedFile, indexOf } from './index-of.ts'
import { startsOf } from './memory-engine.ts'

const seed = seedOf('AVFS_SEED')
t.comment(`AVFS_SEED=${seed}`)

const files: readonly IndexedFile[] = [
  { path: 'src/vault/lock.ts', versions: ['export function takeLock(path) {}'] },
  { path: 'src/vault/inode.ts', versions: ['the lock of an inode', 'an inode without one'] },
  { path: 'docs/HTTPServer.md', versions: ['How the http server locks a vault'] },
  { path: 'docs/\u65e5\u672c\u8a9e.txt', versions: ['\u65e5\u672c\u8a9e\u306e\u6587\u7ae0 lock'] },
  { path: 'photos/lock.jpg', versions: [undefined] },
  { path: 'docs', versions: [] },
  { path: 'README', versions: ['GitHub has caf\u00e9 and vault, lock and key', 'GitHub only'] },
  { path: 'copy/README', versions: ['GitHub only'] },
]

interface EvaluateOptions extends MatchOptions {
  readonly limit: number
  readonly isWanted: (ino: number, version: number | undefined) => boolean
}

/** The best `limit` matches that are wanted. */
function evaluate(query: Query, engine: SearchEngine, options: EvaluateOptions): Match[] {
  const found: Match[] = []
  if (options.limit <= 0) return found
  for (const match of matchesOf(query, engine, options)) {
    const wanted = match.versions.filter(({ number }) => options.isWanted(match.ino, number))
    const isFound =
      match.versions.length === 0 ? options.isWanted(match.ino, undefined) : wanted.length > 0
    if (isFound) found.push({ ...match, versions: wanted })
    if (found.length === options.limit) break
  }
  return found
}

/** The paths that a query finds, sorted. */
function found(engine: SearchEngine, query: string, options: Partial<MatchOptions> = {}): string[] {
  return matches(engine, query, options)
    .map(({ ino }) => files[ino - 1]?.path ?? '')
    .sort()
}

function matches(engine: SearchEngine, query: string, options: Partial<MatchOptions>): Match[] {
  return [...matchesOf(parseQuery(query), engine, { pastToo: false, ...options })]
}

t.test('what queries find', async (t) => {
  const engine = await indexOf(files)
  const [lock, inode, server, japanese, photo, docs, readme, copy] = files.map(({ path }) => path)
  const rows: readonly (readonly [query: string, ...paths: (string | undefined)[]])[] = [
    ['inode', inode],
    ['lock', lock, japanese, photo],
    ['lock*', lock, server, japanese, photo],
    ['body:lock', lock, japanese],
    ['name:lock', lock, photo],
    ['path:docs', docs, server, japanese],
    ['name:docs', docs],
    ['path:"docs http"', server],
    // One word by the path, the other by the body.
    ['src function', lock],
    ['docs lock', japanese],
    ['lock NOT function', japanese, photo],
    ['lock NOT path:photos', lock, japanese],
    ['lock NOT name:lock', japanese],
    ['photos OR inode', photo, inode],
    // Identifiers by part, by whole, and by another way to write them.
    ['takeLock', lock],
    ['takelock', lock],
    ['take_lock', lock],
    ['take', lock],
    ['tak*', lock],
    ['takeL*', lock],
    ['takelo*', lock],
    ['httpserver', server],
    ['HttpServer', server],
    ['github', readme, copy],
    ['gitHub', readme, copy],
    ['GITHUB', readme, copy],
    ['ReadMe', readme, copy],
    ['"http server"', server],
    ['"server http"'],
    ['NEAR(http vault, 3)', server],
    ['NEAR(http vault, 1)'],
    ['\u65e5\u672c', japanese],
    ['\u672c\u8a9e\u306e', japanese],
    ['\u8a9e', japanese],
    ['\u7ae0', japanese],
    ['\u672c\u65e5'],
    ['name:\u672c\u8a9e', japanese],
    ['"\u6587\u7ae0 lock"', japanese],
    ['"\u6587 lock"'],
    ['CAF\u00c9'],
    ['absent'],
  ]
  for (const [query, ...paths] of rows) {
    t.strictSame(found(engine, query), paths.sort(), query)
    t.strictSame(found(engine, query, { few: 0, page: 1 }), paths, `${query}, in single steps`)
  }
})

t.test('the past is found when it is asked for, with its versions', async (t) => {
  const engine = await indexOf(files)
  const versions = (query: string) =>
    matches(engine, query, { pastToo: true })
      .map(({ ino, versions }) => [files[ino - 1]?.path, versions.map(({ number }) => number)])
      .sort()
  t.strictSame(versions('cafe'), [['README', [1]]])
  t.strictSame(versions('github'), [
    ['README', [1, 2]],
    ['copy/README', [1]],
  ])
  t.strictSame(versions('name:readme NOT vault'), [
    ['README', [2]],
    ['copy/README', [1]],
  ])
  t.strictSame(versions('photos'), [['photos/lock.jpg', [1]]])
  t.strictSame(versions('name:docs'), [['docs', []]])
})

t.test('a word in a name comes before the same in a text', async (t) => {
  const engine = await indexOf([
    { path: 'a', versions: ['needle in a haystack'] },
    { path: 'b/needle', versions: ['something else'] },
    { path: 'needle/c', versions: ['something else, too'] },
  ])
  const inos = matches(engine, 'needle', {}).map(({ ino }) => ino)
  t.strictSame(inos, [2, 3, 1])
})

t.test('what is excluded adds nothing to a score', async (t) => {
  const engine = await indexOf([
    { path: 'needle', versions: ['w x'] },
    { path: 'needle', versions: ['w v'] },
  ])
  const scores = matches(engine, 'needle NOT (x y)', {}).map(({ score }) => score)
  t.equal(scores.length, 2)
  t.equal(scores[0], scores[1])
})

t.test('the paths that are held in memory are bounded over all leaves', async (t) => {
  const names = Array.from({ length: 12 }, (_, index) => `word${index}`)
  const engine = await indexOf(names.map((path) => ({ path, versions: [] })))
  const facts = termHitsOf(parseQuery(names.join(' OR ')), engine, 1)
  t.strictSame(
    facts.map(({ files }) => files?.size),
    [...Array(8).fill(1), ...Array(4).fill(undefined)],
  )
  t.equal(matches(engine, names.join(' OR '), { few: 1 }).length, 12)
})

t.test('only what is wanted counts for the limit', async (t) => {
  const engine = await indexOf(
    Array.from({ length: 100 }, (_, index) => ({
      path: `${index}`,
      versions: ['word', `word of ${index}`],
    })),
  )
  const query = parseQuery('word')
  const even = (ino: number) => ino % 2 === 0
  const options = { limit: 10, pastToo: false }
  const got = evaluate(query, engine, { ...options, isWanted: even })
  t.equal(got.length, 10)
  t.ok(got.every(({ ino }) => even(ino)))
  t.strictSame(evaluate(query, engine, { ...options, limit: 0, isWanted: even }), [])
  t.strictSame(evaluate(query, engine, { ...options, isWanted: () => false }), [])
  const first = (_ino: number, version: number | undefined) => version === 1
  const past = evaluate(query, engine, { limit: 10, pastToo: true, isWanted: first })
  t.strictSame(
    past.map(({ versions }) => versions.map(({ number }) => number)),
    Array(10).fill([1]),
  )
  t.strictSame(evaluate(query, engine, { ...options, isWanted: first }), [], 'not the newest')
})

t.test('a word that everything has costs a page, not everything', async (t) => {
  const engine = await indexOf(
    Array.from({ length: 3000 }, (_, index) => ({
      path: `src/${index}.ts`,
      versions: [`the word ${index}`],
    })),
  )
  for (const text of [
    'the',
    'src',
    'src the',
    'the OR src',
    'the NOT name:5',
    'the NOT path:src',
  ]) {
    let hits = 0
    const counting: SearchEngine = Object.create(engine, {
      query: {
        value: (...asked: Parameters<SearchEngine['query']>) => {
          const answer = engine.query(...asked)
          hits += answer.length
          return answer
        },
      },
    })
    const isWanted = () => true
    const options = { limit: 20, pastToo: false, isWanted, few: 100 }
    const got = evaluate(parseQuery(text), bound(counting, engine), options)
    if (text === 'the NOT path:src') t.strictSame(got, [])
    else {
      t.equal(got.length, 20)
      t.ok(hits < 500, `${hits} hits for ${text}`)
    }
  }
})

/** Calls what is not replaced on the engine itself, whose fields are private. */
function bound(replaced: SearchEngine, engine: SearchEngine): SearchEngine {
  return new Proxy(replaced, {
    get: (target, name) => {
      if (Object.hasOwn(target, name)) return Reflect.get(target, name)
      const value = Reflect.get(engine, name)
      return typeof value === 'function' ? value.bind(engine) : value
    },
  })
}

const words = ['a', 'b', 'c', 'fooBar', 'foobar', 'foo_b', 'bar']

t.test('random queries find in random files what a look at each file finds', async (t) => {
  const random = randomFrom(seed)
  const wrong: string[] = []
  let hits = 0
  for (let round = 0; round < 150; round++) {
    const table = Array.from({ length: 1 + random.below(30) }, () => randomFile(random))
    const engine = await indexOf(table)
    for (let times = 0; times < 10; times++) {
      const text = randomQuery(random, 3)
      const query = parseQuery(text)
      for (const pastToo of [false, true]) {
        const options = { pastToo, few: random.pick([0, 1, 4, 400]), page: random.pick([1, 3, 64]) }
        const got = [...matchesOf(query, engine, options)]
        const expected = plainly(query, table, pastToo)
        hits += expected.length
        const how = `${text} ${JSON.stringify(options)}`
        if (got.some(({ score }, index) => score > (got[index - 1]?.score ?? Infinity)))
          wrong.push(`order of ${how}`)
        const listed = got.map(({ ino, versions }) => listedAs(ino, versions))
        if (listed.sort().join() !== expected.sort().join())
          wrong.push(`${how}: ${listed} instead of ${expected} in ${JSON.stringify(table)}`)
      }
    }
  }
  t.strictSame(wrong.slice(0, 3), [])
  t.ok(hits > 1000, `${hits} hits`)
})

function randomFile(random: Random): IndexedFile {
  const some = (count: number, between: string) =>
    Array.from({ length: count }, () => random.pick(words)).join(between)
  return {
    path: some(1 + random.below(3), '/'),
    versions: Array.from({ length: random.below(4) }, () =>
      random.below(5) === 0 ? undefined : some(random.below(6), ' '),
    ),
  }
}

function randomQuery(random: Random, depth: number): string {
  const leaf = () => {
    const field = random.pick(['', '', '', 'name:', 'path:', 'body:'])
    const [one, other] = [random.pick(words), random.pick(words)]
    const star = random.pick(['', '', '*'])
    const near = `NEAR(${one} ${other}${star}, ${random.below(3)})`
    return field + random.pick([one + star, one + star, `"${one} ${other}"${star}`, near])
  }
  if (depth === 0 || random.below(3) === 0) return leaf()
  const [one, other] = [randomQuery(random, depth - 1), randomQuery(random, depth - 1)]
  return `(${one}${random.pick([' ', ' OR ', ' NOT '])}${other})`
}

function listedAs(ino: number, versions: readonly { readonly number: number }[]): string {
  return `${ino}:${versions.map(({ number }) => number).join('+')}`
}

/** What a query finds, by looking at everything. */
function plainly(query: Query, table: readonly IndexedFile[], pastToo: boolean): string[] {
  return table.flatMap(({ path, versions }, index) => {
    const numbered = versions.map((text, before) => ({ number: before + 1, text }))
    const looked = pastToo ? numbered : numbered.slice(-1)
    if (looked.length === 0) return holds(query, path, undefined) ? [listedAs(index + 1, [])] : []
    const held = looked.filter(({ text }) => holds(query, path, text))
    return held.length > 0 ? [listedAs(index + 1, held)] : []
  })
}

function holds(query: Query, path: string, text: string | undefined): boolean {
  switch (query.kind) {
    case 'and':
      return query.of.every((member) => holds(member, path, text))
    case 'or':
      return query.of.some((member) => holds(member, path, text))
    case 'not':
      return holds(query.include, path, text) && !holds(query.exclude, path, text)
    default: {
      const name = path.slice(path.lastIndexOf('/') + 1)
      if (query.field === 'name') return isIn(query, name)
      const inPath = query.field !== 'body' && isIn(query, path)
      return inPath || (query.field !== 'path' && text !== undefined && isIn(query, text))
    }
  }
}

function isIn(leaf: Leaf, text: string): boolean {
  const { parts, whole } = wordsOf(text)
  const inOrder = parts.split(' ')
  if (leaf.kind === 'phrase') {
    const { runs, prefix } = leaf.term
    const joined = { words: [runs[0]?.words.join('') ?? ''], prefix }
    const isJoined =
      runs.length === 1 && startsOf(joined, [...inOrder, ...whole.split(' ')]).length > 0
    return isJoined || startsOf(spelled(leaf.term), inOrder).length > 0
  }
  const spans = leaf.terms.map((term) => {
    const phrase = spelled(term)
    return startsOf(phrase, inOrder).map((start) => [start, start + phrase.words.length] as const)
  })
  const [first = [], second = []] = spans
  return first.some(([start, end]) =>
    second.some(([otherStart, otherEnd]) => {
      const between = start <= otherStart ? otherStart - end : start - otherEnd
      return between <= leaf.distance
    }),
  )
}

function spelled({ runs, prefix }: Term): { words: string[]; prefix: boolean } {
  return { words: runs.flatMap((run) => run.words), prefix }
}
