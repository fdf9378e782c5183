// The search thread: has the index open, cuts texts into words for it, and answers queries. Started
// by thread.ts; thread-protocol.ts says what is spoken. Of the vault it sees what it is sent.

import { parentPort, workerData } from 'node:worker_threads'
import { runOver } from '../store/sqlite/run-port.ts'
import { type Auxiliary, StoreError } from '../store/store.ts'
import { bodyOf, wordsOfBytes } from './body.ts'
import type { SearchEngine } from './engine.ts'
import { Search } from './evaluate.ts'
import { textOf } from './extract.ts'
import { IndexWriter, type Item } from './index-writer.ts'
import { openEngine } from './open-engine.ts'
import { parseQuery } from './query.ts'
import { snippets } from './snippet.ts'
import type { Match } from './term-hits.ts'
import { isTrueFor } from './term-hits.ts'
import {
  type FromThread,
  failureOf,
  READY_ID,
  type ThreadMethods,
  type ThreadOptions,
  type ToThread,
} from './thread-protocol.ts'

/**
 * A batch of FTS5 is a commit that those of the vault wait behind; tantivy has a file of its own.
 */
const OPTIONS = {
  fts5: { batchBytes: 1024 * 1024, waitingMax: 4 },
  tantivy: { batchBytes: 4 * 1024 * 1024, waitingMax: 1 },
} as const

const port = parentPort
if (port === null) throw new Error('worker.ts runs as a worker')
const { engine: spec, writer: writerPort } = workerData as ThreadOptions

function post(message: FromThread): void {
  port?.postMessage(message)
}

/** Of a vault that is open for reading only, or that has its index beside it. */
const refuse: Auxiliary['run'] = () =>
  Promise.reject(new StoreError('io', 'this vault takes no other tables'))

function methodsOf(engine: SearchEngine): ThreadMethods {
  const newWriter = (): IndexWriter =>
    new IndexWriter(engine, { bodyOf, wordsOf: wordsOfBytes }, OPTIONS[spec.kind])
  let writer = newWriter()
  const searches = new Map<number, { search: Search; matches: Iterator<Match> }>()
  let lastSearch = 0
  // What changes the index goes in its order; queries are answered between.
  let last: Promise<unknown> = Promise.resolve()
  const queued = <T>(work: () => Promise<T>): Promise<T> => {
    const done = last.then(work)
    last = done.catch(() => undefined)
    return done
  }
  return {
    missing: (asked) => queued(() => writer.missing(asked)),
    withOthers: (asked) => queued(() => writer.withOthers(asked)),
    piecesOf: (ino, number) => queued(() => writer.piecesOf(ino, number)),
    nextPiece: () => queued(() => writer.nextPiece()),
    take: (items) => queued(() => timed(() => writer.take(items as readonly Item[]))),
    settle: (watermark) => queued(() => writer.settle(watermark)),
    tidy: (from, limit) => queued(() => writer.tidy(from, limit)),
    status: async () => engine.status(),
    flush: () => queued(() => engine.flush()),
    clear: () =>
      queued(async () => {
        await engine.clear()
        writer = newWriter()
      }),
    optimize: () => queued(() => engine.optimize()),
    async find(query, pastToo) {
      const search = new Search(parseQuery(query), engine, { pastToo })
      searches.set(++lastSearch, { search, matches: search.matches() })
      return lastSearch
    },
    async next(search, count) {
      const found: Match[] = []
      const matches = searches.get(search)?.matches
      while (matches !== undefined && found.length < count) {
        const { value, done } = matches.next()
        if (done === true) break
        found.push(value)
      }
      return found
    },
    async among(search, inos) {
      return searches.get(search)?.search.among(inos) ?? []
    },
    async done(search) {
      searches.delete(search)
    },
    async isTrue(query, ino, bytes) {
      const text = textOf(bytes)
      return text !== undefined && isTrueFor(parseQuery(query), engine, ino, text)
    },
    async fragments(query, bytes, limit) {
      const text = textOf(bytes)
      return text === undefined ? [] : snippets(text, parseQuery(query), limit)
    },
    close: () =>
      queued(async () => {
        await engine.close()
      }),
  }
}

async function timed(work: () => Promise<void>): Promise<number> {
  const began = performance.now()
  await work()
  return performance.now() - began
}

async function answer(methods: ThreadMethods, { id, method, args }: ToThread): Promise<void> {
  try {
    const call = methods[method] as (...args: readonly unknown[]) => Promise<unknown>
    post({ id, result: await call(...args) })
  } catch (error) {
    post({ id, failure: failureOf(error) })
  }
  if (method === 'close') port?.close()
}

/** Calls that come before the engine is open wait for it. */
const opened = openEngine(spec, writerPort === undefined ? refuse : runOver(writerPort)).then(
  methodsOf,
)

port.on('message', (message: ToThread) => {
  opened.then((methods) => answer(methods, message)).catch(() => undefined)
})

opened.then(
  () => post({ id: READY_ID, result: undefined }),
  (error: unknown) => {
    post({ id: READY_ID, failure: failureOf(error) })
    port.close()
  },
)
