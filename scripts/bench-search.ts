// What search costs and how fast it answers, FTS5 in a vault on SQLite beside tantivy beside one on
// LMDB: an import with the index beside it, small text files written while the index follows,
// queries over many documents with rg beside them, and the index's size.
//
//   node scripts/bench-search.ts [--rounds 3] [--documents 100000] [--imports] [--write]
//
// --imports measures those alone, for a section of their own.

import { execFileSync, spawnSync } from 'node:child_process'
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import Database from 'better-sqlite3'
import { textOf } from '../src/search/extract.ts'
import { Searcher } from '../src/search/searcher.ts'
import { openVault } from '../src/vault/vault.ts'
import { importRow, mountedRow } from './bench-index-beside.ts'
import { amount, machine, median, table, verdict, writeSection } from './bench-report.ts'
import { ripgrepTimes, ripgrepVersion } from './bench-ripgrep.ts'
import { avfs, mountVault, type VaultPlace, withPlaces } from './bench-support.ts'

const SOURCES = 10_000
const SOURCE_BYTES_MAX = 64 * 1024
const FILES_A_DIRECTORY = 100
/**
 * Long enough that the index has to follow beside the writer: it holds back for some seconds at
 * most.
 */
const WRITE_MS = 8000
const QUERIES = 600
const TRIES_MAX = 60
const LIMIT = 20
/**
 * Words in no more, and in no fewer, of the documents than these shares: rare, middling, common.
 */
const BANDS = [
  [0, 0.0005],
  [0.0005, 0.01],
  [0.01, 0.3],
] as const
const CREATE_MIN = 0.9
const QUERY_MS_MAX = 50
const SIZE_MAX = 0.6
const engines = [
  { backend: 'sqlite', name: 'FTS5' },
  { backend: 'lmdb', name: 'tantivy' },
] as const

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    documents: { type: 'string', default: '100000' },
    imports: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
})
const ripgrep = ripgrepVersion()
const rounds = Number(options.rounds)
const documents = Number(options.documents)

const report = await withPlaces(async (work, keep) => {
  const texts = sourceTexts()
  const bytes = texts.reduce((sum, text) => sum + text.length, 0)
  const tree = join(work, 'tree')
  writeTree(tree, texts)
  const importRows: string[][] = []
  const createRows: string[][] = []
  const queryRows: string[][] = []
  for (const { backend, name } of engines) {
    const environment = { work, backend, tree, rounds }
    importRows.push(importRow(name, environment), mountedRow(name, environment))
    if (options.imports) continue
    createRows.push(createRow(name, backend, work, keep))
    const place = keep(mountVault(work, `many-${backend}`, [], backend))
    queryRows.push(...(await queryRowsOf(name, { place, work, backend, texts })))
  }
  const verdicts = ['', 'line', '']
  const imports = [
    machine(),
    `${texts.length} text files of npm packages, ${(bytes / 2 ** 20).toFixed(0)} MiB; medians of ${rounds} runs, in turns.`,
    table(
      ['import', 'search=off, s', 'with the index up to date, s', 'ratio', ...verdicts.slice(1)],
      importRows,
    ),
  ]
  if (options.imports) return imports.join('\n\n')
  return [
    ...imports,
    table(
      ['4 KiB text files, mounted', 'search=off, /s', 'on, /s', 'ratio', ...verdicts.slice(1)],
      createRows,
    ),
    `${amount(documents)} documents, ${QUERIES} queries, a sixth of each kind, the best ${LIMIT} with lines and marks, warm; milliseconds. ${ripgrep === undefined ? 'rg is not installed (Debian has it as ripgrep), and its rows are missing' : `rg (${ripgrep}) lists the files with the first ten queries of each kind that it can be asked, over the same documents, mounted`}.`,
    table(['queries', 'median', '95th percentile', 'highest', ...verdicts.slice(1)], queryRows),
  ].join('\n\n')
})
console.log(report)
const command = `\`node scripts/bench-search.ts ${options.imports ? '--imports ' : ''}--write\``
if (options.write && options.imports)
  writeSection('search-import', `## Import with the index\n\n${command}\n\n${report}`)
else if (options.write) writeSection('search', `## Search\n\n${command}\n\n${report}`)

/** Small texts of the packages that avfs itself uses, always the same. */
function sourceTexts(): Buffer[] {
  const found: Buffer[] = []
  const visit = (dir: string): void => {
    for (const entry of readdirSync(dir, { withFileTypes: true }).sort((a, b) =>
      a.name < b.name ? -1 : 1,
    )) {
      if (found.length >= SOURCES) return
      const path = join(dir, entry.name)
      if (entry.isDirectory()) visit(path)
      else if (entry.isFile() && statSync(path).size <= SOURCE_BYTES_MAX) {
        const bytes = readFileSync(path)
        if (bytes.length > 0 && textOf(bytes) !== undefined) found.push(bytes)
      }
    }
  }
  visit(realpathSync(join(import.meta.dirname, '..', 'node_modules')))
  return found
}

function writeTree(root: string, texts: readonly Buffer[]): void {
  mkdirSync(root)
  for (const [at, text] of texts.entries()) {
    const dir = join(root, `d${Math.floor(at / FILES_A_DIRECTORY)}`)
    if (at % FILES_A_DIRECTORY === 0) mkdirSync(dir)
    writeFileSync(join(dir, `f${at}.txt`), text)
  }
}

function createRow(
  name: string,
  backend: string,
  work: string,
  keep: (place: ReturnType<typeof mountVault>) => ReturnType<typeof mountVault>,
): string[] {
  const rates = new Map<string, number[]>()
  const places = ['off', 'on'].map((search) => {
    const place = keep(mountVault(work, `${backend}-${search}`, [], backend))
    place.configure(`search=${search}`)
    return { search, place }
  })
  for (let round = 0; round < rounds; round++)
    for (const { search, place } of round % 2 === 0 ? places : places.toReversed()) {
      const dir = join(place.dir, `r${round}`)
      mkdirSync(dir)
      const start = performance.now()
      let written = 0
      for (; performance.now() < start + WRITE_MS; written++) {
        const fd = openSync(join(dir, `f${written}.txt`), 'wx')
        writeSync(fd, smallText(round * 1_000_000 + written))
        closeSync(fd)
      }
      const rate = written / ((performance.now() - start) / 1000)
      rates.set(search, [...(rates.get(search) ?? []), rate])
      // What is indexed behind it must not count for the next one.
      if (search === 'on') untilFound('name:f1', place)
    }
  const [off, on] = ['off', 'on'].map((search) => median(rates.get(search) ?? [])) as [
    number,
    number,
  ]
  const cells = [name, amount(off), amount(on), (on / off).toFixed(2)]
  return [...cells, ...verdict(on / off >= CREATE_MIN, `>= ${CREATE_MIN}`)]
}

/** A search of a mounted vault does not wait for ever for the index. */
function untilFound(query: string, { dir, env }: ReturnType<typeof mountVault>): void {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const args = ['search', '--limit', '1', query, dir]
    const { status } = spawnSync(avfs, args, { env, stdio: 'ignore' })
    if (status === 0) return
  }
  throw new Error(`${query} was not found`)
}

/** 4 KiB of words that no other file has in this order. */
function smallText(number: number): string {
  const words: string[] = []
  for (let at = 0, seed = number + 1; words.length < 700; at++) {
    seed = (seed * 48_271) % 2_147_483_647
    words.push((seed % 20_000).toString(36).padStart(3, 'a'), at % 12 === 11 ? '\n' : ' ')
  }
  return words.join('').padEnd(4096).slice(0, 4096)
}

interface Corpus {
  readonly place: VaultPlace
  readonly work: string
  readonly backend: string
  readonly texts: readonly Buffer[]
}

/**
 * Many documents: each text again and again, with lines of others, so that the frequencies of words
 * stay as they are.
 */
async function queryRowsOf(name: string, { place, work, backend, texts }: Corpus) {
  const tree = join(work, `many-${backend}-tree`)
  const many = Array.from({ length: documents }, (_, at) => variantOf(texts, at))
  writeTree(tree, many)
  const kinds = queriesOf(many)
  const rows = await place.unmounted(async () => {
    const run = (...args: string[]): string =>
      execFileSync(avfs, args, {
        env: place.env,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'inherit'],
      })
    run('import', tree, `${place.name}:/`)
    run('search', '--limit', '1', 'name:f1', `${place.name}:/`)
    run('vault', 'compact', place.name)
    const bytes = many.reduce((sum, text) => sum + text.length, 0)
    return await indexRows(name, { file: place.file, backend, kinds, bytes })
  })
  rmSync(tree, { recursive: true })
  if (ripgrep !== undefined)
    for (const [kind, taken] of ripgrepTimes(place.dir, kinds))
      rows.push(timesRow(`rg, mounted on ${backend}: ${kind}`, taken, false))
  return rows
}

interface Indexed {
  readonly file: string
  readonly backend: string
  readonly kinds: ReadonlyMap<string, readonly string[]>
  /** Of the texts. */
  readonly bytes: number
}

async function indexRows(name: string, { file, backend, kinds, bytes }: Indexed) {
  const rows: string[][] = []
  const vault = await openVault(file)
  const searcher = Searcher.start(vault)
  try {
    await searcher.refresh(600_000)
    const own = backend === 'sqlite' ? tableBytes(file) : (await searcher.status()).bytes
    const all: number[] = []
    for (const [kind, queries] of kinds) {
      const taken: number[] = []
      for (const isWarm of [false, true])
        for (const query of queries) {
          const start = performance.now()
          await searcher.search({ query, limit: LIMIT, fragments: 3 })
          if (isWarm) taken.push(performance.now() - start)
        }
      all.push(...taken)
      rows.push(timesRow(`${name}: ${kind}`, taken, false))
    }
    rows.push(timesRow(`${name}: all of them`, all, true))
    const share = own / bytes
    const size = `${name}: size of the index, share of the text`
    rows.push([size, '', '', share.toFixed(2), ...verdict(share <= SIZE_MAX, `<= ${SIZE_MAX}`)])
  } finally {
    await searcher.close()
    await vault.close()
  }
  return rows
}

function variantOf(texts: readonly Buffer[], at: number): Buffer {
  const text = texts[at % texts.length] as Buffer
  if (at < texts.length) return text
  const round = Math.floor(at / texts.length)
  const other = String(texts[(at * 7919 + round * 104_729) % texts.length])
  // No two are the same, or they would be one text to the index.
  const halves = [halfOf(String(text)), `document${at}`, other.slice(halfOf(other).length)]
  return Buffer.from(halves.join('\n'))
}

/** Up to the end of a line about the middle. */
function halfOf(text: string): string {
  const end = text.indexOf('\n', text.length / 2)
  return end < 0 ? '' : text.slice(0, end + 1)
}

/** Pages of the tables of the index. */
function tableBytes(file: string): number {
  const db = new Database(file, { readonly: true })
  try {
    const sql = "select sum(pgsize) from dbstat where name like 'search\\_%' escape '\\'"
    return Number(db.prepare(sql).pluck().get())
  } finally {
    db.close()
  }
}

function timesRow(name: string, taken: readonly number[], isJudged: boolean): string[] {
  const sorted = taken.toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.ceil(sorted.length * share) - 1] as number
  const cells = [name, at(0.5).toFixed(1), at(0.95).toFixed(1), at(1).toFixed(1)]
  return [
    ...cells,
    ...(isJudged ? verdict(at(0.95) < QUERY_MS_MAX, `< ${QUERY_MS_MAX}`) : ['', '']),
  ]
}

/** Queries by kind, of words by how many documents have them; the same in every run. */
function queriesOf(texts: readonly Buffer[]): Map<string, string[]> {
  const counts = new Map<string, number>()
  const pairs: string[] = []
  const step = Math.max(1, Math.floor(texts.length / 5000))
  let looked = 0
  for (let at = 0; at < texts.length; at += step, looked++) {
    const words = (texts[at] as Buffer).toString('utf8').match(/[a-z]{3,20}/g) ?? []
    for (const word of new Set(words)) counts.set(word, (counts.get(word) ?? 0) + 1)
    const near = /[a-z]{3,20} [a-z]{3,20}( [a-z]{3,20})?/.exec(String(texts[at]))
    if (near !== null) pairs.push(near[0])
  }
  const words = [...counts].sort((a, b) => (a[0] < b[0] ? -1 : 1))
  const bands = BANDS.map(([low, high]) =>
    words
      .filter(([, count]) => count > low * looked && count <= high * looked)
      .map(([word]) => word),
  )
  let seed = 1
  const below = (count: number): number => {
    seed = (seed * 48_271) % 2_147_483_647
    return seed % count
  }
  const pick = (list: readonly string[]): string => list[below(list.length)] as string
  const [rare, middling, common] = bands as [string[], string[], string[]]
  const any = (): string => pick([rare, middling, common][below(3)] as string[])
  const make = (query: () => string): string[] =>
    Array.from({ length: Math.ceil(QUERIES / 6) }, query)
  return new Map([
    ['rare words', make(() => pick(rare))],
    ['middling words', make(() => pick(middling))],
    ['common words', make(() => pick(common))],
    [
      'two or three words',
      make(() => [any(), any(), ...(below(2) === 0 ? [any()] : [])].join(' ')),
    ],
    ['phrases', make(() => `"${pick(pairs)}"`)],
    [
      'prefixes and NEAR',
      make(() => (below(2) === 0 ? `${any().slice(0, 4)}*` : `NEAR(${pick(pairs)}, 10)`)),
    ],
  ])
}
