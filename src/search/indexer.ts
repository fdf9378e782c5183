// Keeps an index up with its vault: what changed is read in small slices on the main thread, and handed to whoever has the index
// open. A write never waits for it: while requests come thick and fast it waits itself, but not for ever.
//
// The watermark moves when all that was durable at some moment is in. What a crash or an error leaves undone is found by a walk
// over all inodes from there.

import { setTimeout as sleep } from 'node:timers/promises'
import { StoreError } from '../store/store.ts'
import type { Changed } from '../vault/core/changed-inodes.ts'
import type { Core } from '../vault/core/core.ts'
import { Contents } from './contents.ts'
import type { Content, Item, Taker, VersionNumbers } from './index-writer.ts'
import { type Depth, type Inspected, inspect, missingOf, versionNumbersOf } from './inspect.ts'
import {
  changedSince,
  goneSince,
  inodesBelow,
  type KnownPaths,
  unknownInodes,
  versionsByInode,
} from './source.ts'
import { Throttle } from './throttle.ts'
import { TransferBuffer } from './transfer-buffer.ts'

interface IndexerOptions {
  /** Larger files are not searched. */
  readonly textBytesMax: number
  /** That of the index. */
  readonly watermark: number
  /** Told of what ended the work; the indexer does nothing more then. */
  failed(error: unknown): void
}

/** What is looked at together. */
const CHUNK_INODES = 128
/** Bytes sent at a time. */
const SENT_BYTES = 512 * 1024
/** Versions sent at a time, however small they are. */
const SENT_VERSIONS = 500
/** What changes at about the same time is taken in together. */
const GATHER_MS = 200
/** Changes that are older are taken in beside requests, however many. */
const AGE_MAX_MS = 4000
const WAIT_MS = 50
/** Texts looked at for one that nothing uses, at a time. */
const TIDY_TEXTS = 500
/** What is looked at together, and of each the versions that the index has not. */
interface Chunk {
  readonly inspected: readonly Inspected[]
  readonly unknown: Promise<readonly number[][]>
}

interface Progress {
  /** Inodes that wait; infinite when that is not known. */
  readonly waiting: number
  /** Everything up to this moment is in the index. */
  readonly moment: number
  /** Inodes that were looked at since the vault was opened. */
  readonly done: number
}

export class Indexer {
  readonly #core: Core
  readonly #taker: Taker
  readonly #pace: Throttle
  readonly #contents: Contents
  readonly #running: Promise<void>
  #isClosing = false
  #isOver = false
  /** Up to `#moment` all is in; beyond that the walk or `changed` has to tell. */
  #moment: number
  #needsWalk: boolean
  #needsSweep = false
  #done = 0
  #waitingSince = 0
  /** Inodes that were taken out of `changed` and may not be in yet. */
  #inWork = 0
  /** Commits of which all is in. */
  #serial = 0
  #wake: (() => void) | undefined
  readonly #waiters = new Set<() => void>()
  #sent: Promise<unknown> = Promise.resolve()

  /** Begins to work. */
  constructor(core: Core, taker: Taker, options: IndexerOptions) {
    this.#core = core
    this.#taker = taker
    this.#pace = new Throttle(core, () => this.#isClosing)
    this.#contents = new Contents(core, taker, this.#pace, options.textBytesMax)
    this.#moment = options.watermark
    core.changed.follow(() => this.#rouse())
    this.#needsWalk = options.watermark < core.changed.since
    this.#running = this.#run().catch((error: unknown) => {
      if (!this.#isClosing) options.failed(error)
    })
  }

  get progress(): Progress {
    const { changed } = this.#core
    const waiting = this.#needsWalk ? Number.POSITIVE_INFINITY : changed.size + this.#inWork
    // Commits without names and versions are not reported.
    const moment = this.#isIn(changed.serial) ? changed.moment : this.#moment
    return { waiting, moment, done: this.#done }
  }

  /**
   * Resolves to true when everything that is durable now is in the index, to false when `timeoutMs` have passed or the work ended
   * before, when the disk is nearly full, or once `isGone` says that nobody waits for it any more.
   */
  async caughtUp(timeoutMs: number, isGone: () => boolean = () => false): Promise<boolean> {
    const target = this.#core.changed.serial
    const until = performance.now() + timeoutMs
    this.#pace.urgent++
    try {
      while (!this.#isIn(target)) {
        const left = until - performance.now()
        if (left <= 0 || isGone() || this.#isOver || this.#core.diskSpace.isTight) return false
        this.#rouse()
        await this.#news(left)
      }
      return true
    } finally {
      this.#pace.urgent--
    }
  }

  /** So many more want it not to hold back for requests. */
  hurry(more: number): void {
    this.#pace.urgent += more
    if (more > 0) this.#rouse()
  }

  /** Takes out what the vault does not know any more; resolves when that is done. Rejects when the work ended. */
  async sweep(): Promise<void> {
    this.#needsSweep = true
    this.#pace.urgent++
    try {
      while (this.#needsSweep) {
        if (this.#isOver) throw new StoreError('closed', 'the index is closed')
        if (this.#core.diskSpace.isTight) return
        this.#rouse()
        await this.#news(WAIT_MS)
      }
    } finally {
      this.#pace.urgent--
    }
  }

  /** Ends the work where it is. */
  async close(): Promise<void> {
    const { changed } = this.#core
    const moment = this.#isIn(changed.serial) && !this.#isOver ? changed.moment : 0
    this.#isClosing = true
    changed.follow(undefined)
    this.#rouse()
    await this.#running
    // What was handed over is taken in by whoever got it: the next indexer begins behind it.
    await this.#sent.catch(() => undefined)
    // Of commits without names and versions the index has not heard: the next opening need not look for changes.
    if (moment > this.#moment) await this.#taker.settle(moment)
  }

  /** Whether all is in that was durable when so many commits were counted. */
  #isIn(serial: number): boolean {
    return !this.#needsWalk && this.#serial >= serial
  }

  #rouse(): void {
    if (this.#waitingSince === 0) this.#waitingSince = performance.now()
    this.#wake?.()
    this.#wake = undefined
  }

  /** Resolves when something was done, or after a while. */
  async #news(timeoutMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, Math.min(timeoutMs, 1000))
    this.#waiters.add(resolve)
    await promise
    clearTimeout(timer)
    this.#waiters.delete(resolve)
  }

  #tell(): void {
    for (const waiter of this.#waiters) waiter()
  }

  async #run(): Promise<void> {
    try {
      while (!this.#isClosing) {
        if (this.#hasWork()) {
          await this.#room()
          // What is left on a disk that is nearly full is for the vault itself.
          if (this.#core.diskSpace.isTight) await sleep(WAIT_MS)
          else if (!this.#isClosing) await this.#work()
        } else {
          this.#waitingSince = 0
          await new Promise<void>((wake) => {
            this.#wake = wake
          })
        }
      }
    } finally {
      this.#isOver = true
      this.#tell()
    }
  }

  #hasWork(): boolean {
    return this.#needsWalk || this.#needsSweep || this.#core.changed.size > 0
  }

  /** Waits until there is room beside requests, or what waits has got old. */
  async #room(): Promise<void> {
    if (this.#waitingSince === 0) this.#waitingSince = performance.now()
    const age = (): number => performance.now() - this.#waitingSince
    while (!this.#isClosing && this.#pace.urgent === 0) {
      if (age() >= GATHER_MS && (!this.#pace.isHeldUp || age() >= AGE_MAX_MS)) return
      await sleep(WAIT_MS)
    }
  }

  async #work(): Promise<void> {
    try {
      this.#pace.begin()
      this.#waitingSince = 0
      this.#inWork = this.#core.changed.size
      const changed = this.#core.changed.take()
      const sweeps = this.#needsSweep || changed.isLost
      if (this.#needsWalk || changed.isLost) await this.#walk(changed)
      else await this.#follow(changed)
      if (sweeps) await this.#sweep()
      await this.#flushTo(changed.moment)
      this.#serial = changed.serial
      this.#inWork = 0
      this.#needsWalk = false
      if (sweeps) this.#needsSweep = false
    } finally {
      this.#tell()
    }
  }

  async #flushTo(moment: number): Promise<void> {
    await this.#pace.waitFor(this.#sent)
    await this.#pace.waitFor(this.#taker.settle(moment))
    this.#moment = moment
  }

  /** Takes in all that is newer than the index; a look at everything, but only newer versions are read. */
  async #walk({ pruned, moved }: Changed): Promise<void> {
    const directories = [...moved]
    const walked = changedSince(this.#core, this.#moment, this.#pace, (ino) =>
      directories.push(ino),
    )
    // Deleted versions are looked for where that costs little.
    const depth = this.#moment === 0 ? 'new' : 'few'
    await this.#each(walked, depth)
    // After the walk: what is deleted during it is found by both, and must be asked for when all of it was handed over.
    await this.#each(goneSince(this.#core, this.#moment, this.#pace), depth)
    await this.#each(pruned, 'all')
    for (const directory of directories)
      await this.#each(inodesBelow(this.#core, directory, this.#pace), 'name')
  }

  async #follow({ inodes, pruned, moved }: Changed): Promise<void> {
    for (const ino of pruned) inodes.delete(ino)
    await this.#each(inodes, 'new')
    await this.#each(pruned, 'all')
    for (const directory of moved)
      await this.#each(inodesBelow(this.#core, directory, this.#pace), 'name')
  }

  async #sweep(): Promise<void> {
    // Inodes made later are known from `changed`.
    const end = this.#core.nextIno
    await this.#each(unknownInodes(this.#core, end, this.#pace), 'all')
    // For these the index may have an earlier name than their last.
    await this.#each(goneSince(this.#core, 0, this.#pace), 'name')
    let asked: VersionNumbers[] = []
    for await (const version of versionsByInode(this.#core, this.#pace)) {
      asked.push(version)
      if (asked.length < CHUNK_INODES) continue
      await this.#takeOut(asked)
      asked = []
    }
    await this.#takeOut(asked)
    for (let from = 1; from !== 0; ) {
      await this.#pace.waitFor(this.#sent)
      from = await this.#pace.waitFor(this.#taker.tidy(from, TIDY_TEXTS))
      await this.#pace.turn()
    }
  }

  async #takeOut(asked: readonly VersionNumbers[]): Promise<void> {
    await this.#pace.waitFor(this.#sent)
    await this.#each(await this.#pace.waitFor(this.#taker.withOthers(asked)), 'all')
  }

  async #each(inos: Iterable<number> | AsyncIterable<number>, depth: Depth): Promise<void> {
    let before: Chunk | undefined
    let chunk: number[] = []
    const next = async (): Promise<void> => {
      const asked = await this.#ask(chunk, depth)
      chunk = []
      // What the index has of this one is found out while the one before is read.
      if (before !== undefined) await this.#take(before)
      before = asked
    }
    for await (const ino of inos) {
      chunk.push(ino)
      if (chunk.length === CHUNK_INODES) await next()
    }
    if (chunk.length > 0) await next()
    if (before !== undefined) await this.#take(before)
  }

  /** Inspects inodes, and asks which of their versions the index lacks. */
  async #ask(inos: readonly number[], depth: Depth): Promise<Chunk> {
    const { store } = this.#core.overlay
    const known: KnownPaths = new Map()
    const inspected: Inspected[] = []
    const { fresh } = this.#core.changed
    for (const ino of inos)
      inspected.push(await this.#pace.step(() => inspect(store, ino, depth, known, fresh)))
    const asked = versionNumbersOf(inspected)
    const unknown = asked.some(({ numbers }) => numbers.length > 0)
      ? this.#taker.missing(asked)
      : Promise.resolve(asked.map(() => []))
    // A failure is reported when this chunk is taken.
    unknown.catch(() => undefined)
    return { inspected, unknown }
  }

  async #take({ inspected, unknown }: Chunk): Promise<void> {
    const missing = await missingOf(this.#core, this.#taker, this.#pace, inspected, unknown)
    let left = missing.flat().reduce((sum, { size }) => sum + this.#contents.sizeOf(size), 0)
    let items: Item[] = []
    let bytes = 0
    let parcel = new TransferBuffer(Math.min(left, SENT_BYTES))
    const send = async (): Promise<void> => {
      await this.#send(items)
      items = []
      bytes = 0
      parcel = new TransferBuffer(Math.min(left, SENT_BYTES))
    }
    const copy = (piece: Uint8Array): Uint8Array => {
      const copied = parcel.take(piece.length)
      copied.set(piece)
      bytes += piece.length
      return copied
    }
    for (const [index, file] of inspected.entries()) {
      const { ino, path, isAll, versions } = file
      if (file.fresh !== undefined) {
        const content = this.#contents.whole(file.fresh, parcel)
        items.push({ ino, path, remaining: undefined, versions: [content] })
        bytes += content.bytes?.length ?? 0
        left -= this.#contents.sizeOf(file.fresh.length)
        if (bytes >= SENT_BYTES || items.length >= SENT_VERSIONS) await send()
        continue
      }
      const remaining = isAll ? versions.map(({ number }) => number) : undefined
      const growth = await this.#contents.begin(file, missing[index] ?? [])
      let contents: Content[] = []
      let goesOn = growth?.goesOn ?? false
      const take = (): void => {
        items.push({
          ...{ ino, path, remaining, versions: contents, goesOn },
          pieces: growth?.layout.takePieces() ?? [],
        })
        contents = []
        goesOn = true
      }
      for (const version of missing[index] ?? []) {
        const content = await this.#contents.next(ino, version, growth, { parcel, copy })
        contents.push(content)
        bytes += content.bytes?.length ?? 0
        left -= this.#contents.sizeOf(version.size)
        if (bytes < SENT_BYTES && contents.length < SENT_VERSIONS) continue
        take()
        await send()
      }
      take()
      this.#contents.end(growth)
    }
    await this.#send(items)
    this.#done += inspected.length
  }

  /** Hands items over; while one parcel is worked on, one waits, and the next is read. */
  async #send(items: readonly Item[]): Promise<void> {
    if (items.length === 0) return
    const before = this.#sent
    this.#sent = this.#taker.take(items).then((ms) => this.#pace.charge(ms))
    // A failure is reported to whoever waits next.
    this.#sent.catch(() => undefined)
    await this.#pace.waitFor(before)
  }
}
