// The log that makes fsync(2) fast: a file beside the vault, NAME-log, into which the rows of a
// batch are written and synced before the engine has them. The engine gets them later, several
// batches in one commit; after a crash replay.ts gives it what it lacks. Knows nothing of what rows
// mean.
//
// The file is written in full beforehand, so that a sync does not wait for the journal of the host.
// It has two areas. Records go to one of them until the engine is given all that it holds, and then
// to the other, once the engine has all of that.

import { randomBytes } from 'node:crypto'
import { fdatasync, fdatasyncSync, fstatSync, rmSync, statfsSync, write, writeSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { log } from '../../base/log.ts'
import { addon } from '../../base/native.ts'
import { syncOne } from '../../base/sync-files.ts'
import type { SettingRow } from '../collections.ts'
import { packBatch } from '../kv/pack.ts'
import { Writer } from '../kv/writer.ts'
import type { Batch } from '../store.ts'
import { blocksOf, HEAD_BYTES, SESSION_BYTES, sealRecord } from './record.ts'

/** Suffix of the log's name. */
export const LOG_ENDING = '-log'
/** The setting that says which records the engine has: 'SESSION SEQUENCE'. */
export const LOG_SETTING = 'log'

const AREA_BYTES = 2 * 1024 * 1024
const AREAS = 2
/** A larger batch goes to the engine, which would write it a second time. */
const BATCH_BYTES_MAX = 256 * 1024
/** On a disk with less room there is no log. */
const ROOM_BYTES = 16 * AREAS * AREA_BYTES
/** A sync that takes longer is done in another thread, so that other requests need not wait. */
const SLOW_MS = 1
/** Weight of the newest sync in the usual time of one. */
const WEIGHT = 1 / 8

const writeAsync = promisify(write)
const syncAsync = promisify(fdatasync)

interface Area {
  /** Where the next record goes. */
  end: number
  /** The newest record in it. */
  last: number
}

export class IntentLog {
  readonly #path: string
  readonly #session = randomBytes(SESSION_BYTES)
  readonly #writer = new Writer()
  #file: FileHandle | undefined
  #making: Promise<void> | undefined
  #writing: Promise<boolean> | undefined
  /** Nothing is recorded any more, for want of room or after an error. */
  #isOff = false
  #areas: Area[] = emptyAreas()
  #current = 0
  /** The newest batch that the engine has made durable; before the first one it knows no session. */
  #durable = 0
  #usualMs = 0
  /** Records written. */
  records = 0

  /** For the vault at `path`. There is no file before `make`. */
  constructor(path: string) {
    this.#path = path + LOG_ENDING
  }

  /** The row that each batch contains, so that the engine knows which batches it has. */
  row(sequence: number): SettingRow {
    return { name: LOG_SETTING, value: `${this.#session.toString('hex')} ${sequence}` }
  }

  /** True when batches can be recorded. */
  get isReady(): boolean {
    return this.#file !== undefined && this.#durable > 0 && !this.#isOff
  }

  /** True when the engine had better be given what is recorded, so that space becomes free. */
  get isFilling(): boolean {
    return this.#area.end > AREA_BYTES / 2
  }

  get #area(): Area {
    return this.#areas[this.#current] as Area
  }

  /** Makes the file in the background, once. Until then `isReady` is false. */
  make(): void {
    if (this.#isOff) return
    this.#making ??= this.#make().catch((error: unknown) => this.#giveUp(error))
  }

  async #make(): Promise<void> {
    const { bavail, bsize } = statfsSync(dirname(this.#path))
    if (bavail * bsize < ROOM_BYTES) {
      this.#isOff = true
      return
    }
    rmSync(this.#path, { force: true })
    const file = await open(this.#path, 'wx+', 0o600)
    try {
      addon().flock(file.fd, 1)
      const zeros = Buffer.alloc(AREA_BYTES / 4)
      for (let at = 0; at < AREAS * AREA_BYTES; at += zeros.length)
        await file.write(zeros, 0, zeros.length, at)
      await file.sync()
      syncOne(dirname(this.#path))
    } catch (error) {
      await file.close()
      throw error
    }
    this.#file = file
  }

  /**
   * Makes a batch durable; the batches before it must be so already. Returns false where that must
   * be left to the engine: the batch is too large, the log is full, or could not be written.
   */
  append(sequence: number, batch: Batch): boolean | Promise<boolean> {
    const file = this.#file
    if (!this.isReady || file === undefined) return false
    try {
      if (bytesOf(batch) > BATCH_BYTES_MAX) return false
      const record = this.#pack(sequence, batch)
      const area = this.#area
      if (record.length > AREA_BYTES - area.end) return false
      // A file that somebody removed is written in vain.
      if (fstatSync(file.fd).nlink === 0) throw new Error('it was removed')
      const at = this.#current * AREA_BYTES + area.end
      area.end += record.length
      area.last = sequence
      this.records++
      if (this.#usualMs > SLOW_MS) {
        const writing = this.#appendSlowly(file.fd, record, at)
        this.#writing = writing
        return writing
      }
      const began = performance.now()
      writeSync(file.fd, record, 0, record.length, at)
      fdatasyncSync(file.fd)
      this.#noteSync(began)
      return true
    } catch (error) {
      this.#giveUp(error)
      return false
    }
  }

  async #appendSlowly(fd: number, record: Buffer, at: number): Promise<boolean> {
    try {
      const began = performance.now()
      await writeAsync(fd, record, 0, record.length, at)
      await syncAsync(fd)
      this.#noteSync(began)
      return true
    } catch (error) {
      this.#giveUp(error)
      return false
    }
  }

  /** The record of a batch, filled up to whole blocks; valid until the next one. */
  #pack(sequence: number, batch: Batch): Buffer {
    const writer = this.#writer.reset()
    writer.room(HEAD_BYTES)
    writer.length = HEAD_BYTES
    packBatch(writer, batch, Number.POSITIVE_INFINITY)
    const { length } = writer
    writer.room(blocksOf(length) - length)
    writer.bytes.fill(0, length, blocksOf(length))
    sealRecord(writer.bytes.subarray(0, length), this.#session, sequence)
    return writer.bytes.subarray(0, blocksOf(length))
  }

  #noteSync(began: number): void {
    this.#usualMs += (performance.now() - began - this.#usualMs) * WEIGHT
  }

  /** For tests: takes the disk for one on which a sync takes long. */
  assumeSlow(): void {
    this.#usualMs = 10 * SLOW_MS
  }

  /** The engine is given all that is recorded: what follows goes to the other area, if that is free. */
  handedOver(): void {
    if (this.#area.end === 0) return
    const next = (this.#current + 1) % AREAS
    const other = this.#areas[next] as Area
    if (other.last > this.#durable) return
    other.end = 0
    this.#current = next
  }

  /** The engine has made all batches up to this one durable. */
  settled(sequence: number): void {
    this.#durable = Math.max(this.#durable, sequence)
    if (this.#area.last <= this.#durable) this.#area.end = 0
  }

  /** Nothing is recorded from now on; the engine's commits are durable as before. */
  #giveUp(error: unknown): void {
    if (!this.#isOff) log('warn', `${this.#path} is no longer written; fsync takes longer`, error)
    this.#isOff = true
  }

  /**
   * Stops recording, lets `commit` give everything to the engine, and removes the file, in which
   * are the bytes of earlier batches. It is made anew when it is needed. Rejects as `commit` does,
   * and then records on.
   */
  async retire(commit: () => Promise<void>): Promise<void> {
    await this.#making
    const file = this.#file
    this.#file = undefined
    try {
      await this.#writing
      await commit()
    } catch (error) {
      this.#file = file
      throw error
    }
    this.#making = undefined
    this.#areas = emptyAreas()
    if (file === undefined) return
    // Another vault may have come to this name.
    if (fstatSync(file.fd).nlink > 0) rmSync(this.#path, { force: true })
    await file.close()
  }

  /** Leaves the file, with what the engine lacks, to the next opening. */
  async close(): Promise<void> {
    await this.#making
    const file = this.#file
    this.#file = undefined
    await this.#writing
    await file?.close()
  }
}

function emptyAreas(): Area[] {
  return Array.from({ length: AREAS }, () => ({ end: 0, last: 0 }))
}

/** A lower bound of what a batch takes, from its bytes alone. */
function bytesOf(batch: Batch): number {
  let sum = 0
  for (const { collection, puts, deletes } of batch) {
    sum += (puts.length + deletes.length) * HEAD_BYTES
    const at = collection.types.indexOf('bytes')
    if (at < 0) continue
    const field = (collection.fields as readonly string[])[at] as string
    for (const row of puts)
      sum += (row as Record<string, Uint8Array | null>)[field]?.byteLength ?? 0
  }
  return sum
}
