// Search as a service of an open vault: has an index and keeps it up, answers queries, and mends
// what can be mended. The commands and the views ask here. What it answers is looked at in the
// vault itself: see results.ts.

import { log } from '../base/log.ts'
import { retryUntilLoaded } from '../store/retry.ts'
import { StoreError } from '../store/store.ts'
import { configured, configuredBytes } from '../vault/core/configuration.ts'
import type { Moment } from '../vault/core/moment.ts'
import type { Vault } from '../vault/vault.ts'
import { type IndexStatus, PIECES_FROM } from './engine.ts'
import { findMatches, type SearchRequest } from './find-matches.ts'
import { claimIndex, emptyIndexFolder, engineOf, isOwn, removeIndexFolder } from './index-place.ts'
import type { Taker } from './index-writer.ts'
import { Indexer } from './indexer.ts'
import { parseQuery } from './query.ts'
import type { SearchResult } from './results.ts'
import { SearchThread } from './thread.ts'
import type { EngineSpec } from './thread-protocol.ts'

/**
 * `why` tells people why there is no search, and what to do. `waiting`: inodes that are not in yet,
 * null when that is not known.
 */
export interface SearchStatus extends IndexStatus {
  readonly engine: string
  readonly isOn: boolean
  readonly why: string | null
  readonly waiting: number | null
  /** Inodes that were looked at since the vault was opened. */
  readonly done: number
}

/** The index as it is open. */
interface Session {
  readonly engine: EngineSpec
  readonly thread: SearchThread
  /** Undefined on a vault that is open for reading only. */
  readonly indexer: Indexer | undefined
  /** What was in the index when it was opened. */
  readonly watermark: Moment
}

/** What failed is tried again, and not at once. */
const RETRY_MS = 10_000
const RETRY_MS_MAX = 600_000
/** How long closing goes on with what waits, so that the next opening need not look for it. */
const LAST_MS = 1000

const NO_STATUS: IndexStatus = {
  texts: 0,
  files: 0,
  versions: 0,
  watermark: 0,
  nextText: 1,
  nextPiece: PIECES_FROM,
  bytes: 0,
}

export class Searcher {
  readonly #vault: Vault
  readonly #tells: boolean
  #session: Session | undefined
  /** Why there is no session. */
  #why = ''
  #isClosing = false
  #retry: NodeJS.Timeout | undefined
  #retryMs = RETRY_MS
  /** How many want the index to follow at once. */
  #hurried = 0
  #generation = 0
  /** Opening, closing, rebuilding: one at a time. */
  #last: Promise<unknown> = Promise.resolve()

  private constructor(vault: Vault, tells: boolean) {
    this.#vault = vault
    this.#tells = tells
  }

  /**
   * Begins to open the index of a vault and to bring it up to date; questions wait for that. What
   * is amiss is in the log and in `status`; only in the latter unless it `tells`.
   */
  static start(vault: Vault, tells = true): Searcher {
    const searcher = new Searcher(vault, tells)
    searcher.#behind(() => searcher.#open(false))
    return searcher
  }

  /**
   * Grows whenever the index has taken something in: what was found before may not be all any more.
   */
  get generation(): number {
    return this.#generation
  }

  /**
   * What a query finds now, best first; the query as query.ts has it. Rejects with QuerySyntaxError
   * for a wrong one, StoreError 'unavailable' where there is no search.
   */
  async search(request: SearchRequest): Promise<SearchResult[]> {
    parseQuery(request.query)
    const { thread } = await this.#needed()
    try {
      const core = this.#vault.core
      return await findMatches(core, thread, request, () => this.#settled())
    } catch (error) {
      if (error instanceof StoreError && error.kind === 'corrupt') this.#mend(error)
      throw error
    }
  }

  /**
   * Resolves to true when all that is sealed now can be found, to false when that takes longer than
   * `timeoutMs`: it goes on then. `onProgress` is told of inodes that were looked at. Once
   * `isGone`, nobody waits any more.
   */
  async refresh(
    timeoutMs: number,
    onProgress: (done: number) => void = () => {},
    isGone: () => boolean = () => false,
  ): Promise<boolean> {
    const { indexer } = await this.#needed()
    if (indexer === undefined) return this.#settled() >= this.#vault.core.changed.moment
    if (this.#vault.core.commits.failure === undefined) await this.#vault.sync()
    const timer = setInterval(() => onProgress(indexer.progress.done), 200)
    try {
      return await indexer.caughtUp(timeoutMs, isGone)
    } finally {
      clearInterval(timer)
    }
  }

  /**
   * From here on the index does not hold back for those who write; until what is returned is
   * called.
   */
  hurry(): () => void {
    this.#hurried++
    this.#session?.indexer?.hurry(1)
    let isOver = false
    return () => {
      if (isOver) return
      isOver = true
      this.#hurried--
      this.#session?.indexer?.hurry(-1)
    }
  }

  async status(): Promise<SearchStatus> {
    await this.#last
    const isOn = await retryUntilLoaded(() => configured(this.#vault.core, 'search') === 'on')
    const session = this.#session
    if (session === undefined)
      return { ...NO_STATUS, engine: '', isOn, why: this.#why, waiting: null, done: 0 }
    const { thread, engine, indexer } = session
    const status = await thread.call('status')
    const isBehind = status.watermark < this.#vault.core.changed.moment
    const { waiting, done } = indexer?.progress ?? { waiting: isBehind ? Number.NaN : 0, done: 0 }
    return {
      ...status,
      engine: engine.kind,
      isOn,
      why: null,
      waiting: Number.isFinite(waiting) ? waiting : null,
      done,
    }
  }

  /** Throws the index away and begins anew; `refresh` waits for the end. */
  async rebuild(): Promise<void> {
    await this.#needed()
    await this.#queued(() => this.#restart())
  }

  /** Settings may have changed. */
  async reconfigure(): Promise<void> {
    await this.#queued(async () => {
      await this.#shut()
      await this.#open(false)
    })
  }

  /** Takes out what is in no version of the vault any more, and merges what is in pieces. */
  async compact(): Promise<void> {
    const { indexer, thread } = await this.#needed()
    // Who never searched gets no index by this.
    if ((await thread.call('status')).watermark === 0) return
    await indexer?.sweep()
    await thread.call('optimize')
  }

  /** Writes what is in memory and closes the index; the vault is closed after it. */
  async close(): Promise<void> {
    this.#isClosing = true
    clearTimeout(this.#retry)
    await this.#queued(async () => {
      const progress = this.#session?.indexer?.progress
      const isNear = progress !== undefined && Number.isFinite(progress.waiting)
      if (isNear && this.#vault.core.commits.failure === undefined) {
        await this.#vault.sync().catch(() => undefined)
        await this.#session?.indexer?.caughtUp(LAST_MS)
      }
      await this.#shut()
    })
  }

  /** Names that are newer may not be in the index. */
  #settled(): Moment {
    return this.#session?.indexer?.progress.moment ?? this.#session?.watermark ?? 0
  }

  #queued<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work)
    this.#last = done.catch(() => undefined)
    return done
  }

  /** Work that nobody waits for. */
  #behind(work: () => Promise<void>): void {
    this.#queued(work).catch((error: unknown) => log('error', 'search failed', error))
  }

  async #needed(): Promise<Session> {
    await this.#last
    if (this.#session !== undefined) return this.#session
    throw new StoreError('unavailable', this.#why)
  }

  async #open(anew: boolean): Promise<void> {
    const { core } = this.#vault
    try {
      const isOn = await retryUntilLoaded(() => configured(core, 'search') === 'on')
      if (isOn) this.#session = await this.#startSound(anew)
      else {
        await this.#drop()
        this.#why = 'search is off; turn it on: avfs vault config NAME search=on'
      }
    } catch (error) {
      this.#fail(error)
    }
  }

  async #startSound(anew: boolean): Promise<Session> {
    try {
      return await this.#start(anew)
    } catch (error) {
      const isCorrupt = error instanceof StoreError && error.kind === 'corrupt'
      if (anew || !isCorrupt || this.#vault.readOnly) throw error
      log('warn', 'the index is damaged; it is made anew', error)
      return await this.#start(true)
    }
  }

  async #start(anew: boolean): Promise<Session> {
    const vault = this.#vault
    // What changes while the index is being opened is no reason for a look at everything.
    if (!vault.readOnly) vault.core.changed.keep()
    const engine = await engineOf(vault)
    const textBytesMax = await retryUntilLoaded(() => configuredBytes(vault.core))
    const isFresh = anew || !(await isOwn(vault, engine, textBytesMax))
    if (isFresh && vault.readOnly)
      throw new StoreError(
        'unavailable',
        'the vault is open for reading only and has no index; mount it for writing once',
      )
    if (isFresh && engine.kind === 'tantivy') emptyIndexFolder(vault)
    const { auxiliary } = vault.core.overlay.store
    const thread = await SearchThread.start(engine, vault.readOnly ? undefined : auxiliary)
    try {
      if (isFresh) {
        if (engine.kind === 'fts5') await thread.call('clear')
        await claimIndex(vault, engine, textBytesMax)
      }
      let status = await thread.call('status')
      // An older copy of the vault: what the index knows beyond it may come to be something else.
      if (status.watermark > vault.core.changed.since && !vault.readOnly) {
        await thread.call('clear')
        status = await thread.call('status')
      }
      const indexer = vault.readOnly ? undefined : this.#follow(thread, textBytesMax, status)
      indexer?.hurry(this.#hurried)
      return { engine, thread, indexer, watermark: status.watermark }
    } catch (error) {
      await thread.kill()
      throw error
    }
  }

  #follow(thread: SearchThread, textBytesMax: number, { watermark }: IndexStatus): Indexer {
    const taker: Taker = {
      missing: (asked) => thread.call('missing', asked),
      withOthers: (asked) => thread.call('withOthers', asked),
      piecesOf: (ino, number) => thread.call('piecesOf', ino, number),
      nextPiece: () => thread.call('nextPiece'),
      take: (items) => thread.call('take', items),
      settle: async (moment) => {
        await thread.call('settle', moment)
        this.#generation++
        this.#retryMs = RETRY_MS
      },
      tidy: (from, limit) => thread.call('tidy', from, limit),
    }
    return new Indexer(this.#vault.core, taker, {
      textBytesMax,
      watermark,
      failed: (error) => this.#mend(error),
    })
  }

  /** Ends what is open, as far as it can be ended. */
  async #shut(): Promise<void> {
    const session = this.#session
    this.#session = undefined
    clearTimeout(this.#retry)
    if (session === undefined) return
    const { indexer, thread } = session
    await indexer?.close()
    try {
      if (indexer !== undefined) await thread.call('flush')
      await thread.call('close')
    } catch (error) {
      log('warn', 'the index was not closed in order; it catches up when it is opened', error)
      await thread.kill()
    }
  }

  async #restart(): Promise<void> {
    await this.#shut()
    await this.#open(true)
  }

  /** The index of a vault that is not to be searched. */
  async #drop(): Promise<void> {
    const vault = this.#vault
    if (vault.readOnly) return
    const engine = await engineOf(vault)
    if (engine.kind === 'tantivy') removeIndexFolder(vault)
    else if (
      await isOwn(vault, engine, await retryUntilLoaded(() => configuredBytes(vault.core)))
    ) {
      const thread = await SearchThread.start(engine, vault.core.overlay.store.auxiliary)
      await thread.call('clear')
      await thread.call('close')
    }
  }

  #fail(error: unknown): void {
    this.#vault.core.changed.follow(undefined)
    const isCorrupt = error instanceof StoreError && error.kind === 'corrupt'
    this.#why = error instanceof Error ? error.message : String(error)
    if (this.#isClosing || !this.#tells) return
    const isUnavailable = error instanceof StoreError && error.kind === 'unavailable'
    if (isUnavailable) {
      if (this.#vault.traits.persistent) log('info', this.#why)
      return
    }
    log('warn', 'search does not work now; it is tried again', error)
    this.#later(isCorrupt)
  }

  #later(anew: boolean): void {
    clearTimeout(this.#retry)
    this.#retry = setTimeout(() => {
      this.#behind(async () => {
        if (!this.#isClosing && this.#session === undefined) await this.#open(anew)
      })
    }, this.#retryMs)
    this.#retryMs = Math.min(2 * this.#retryMs, RETRY_MS_MAX)
    this.#retry.unref()
  }

  /** After an error of the index it is rebuilt; after any other the work is tried again. */
  #mend(error: unknown): void {
    const session = this.#session
    if (this.#isClosing || session === undefined || !(error instanceof StoreError)) {
      if (!(error instanceof StoreError)) log('error', 'search failed', error)
      return
    }
    const isCorrupt = error.kind === 'corrupt'
    if (isCorrupt) log('warn', 'the index is damaged; it is made anew', error)
    else log('warn', 'the index could not be brought up to date; it is tried again', error)
    this.#behind(async () => {
      if (this.#session !== session) return
      await this.#shut()
      this.#why = isCorrupt ? 'the index is made anew' : error.message
      if (isCorrupt) await this.#open(true)
      else this.#later(false)
    })
  }
}
