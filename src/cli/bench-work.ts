// What avfs bench does in a mounted directory, and how fast that was. Plain system calls of this
// process; knows no vault.

import {
  closeSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmdirSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { KIB, MIB } from '../base/limits.ts'

const FILES = 400
const FILE_BYTES = 4 * KIB
const SYNCS = 30
const DIRECTORIES = 100
const LARGE_MIB = 64
const READS = 300

/** One figure each, more is better: a second of calls, files or MiB. */
export interface Figures {
  readonly createSmall: number
  readonly fsync: number
  readonly metadata: number
  readonly writeLarge: number
  readonly readSmall: number
  readonly readLarge: number
  readonly randomRead: number
}
export type FigureName = keyof Figures

/** Writes what `measureReads` reads, and the figures of writing. */
export function measureWrites(
  dir: string,
): Pick<Figures, 'createSmall' | 'fsync' | 'metadata' | 'writeLarge'> {
  const small = join(dir, 'small')
  mkdirSync(small)
  const noise = noiseOf(MIB)
  const createSmall = rate(FILES, (index) => {
    const fd = openSync(join(small, `f${index}`), 'w')
    // No two files share a block.
    writeSync(fd, noise, index * 64, FILE_BYTES)
    closeSync(fd)
  })
  const synced = openSync(join(dir, 'synced'), 'w')
  const fsync = rate(SYNCS, (index) => {
    writeSync(synced, noise, index, FILE_BYTES, index * FILE_BYTES)
    fsyncSync(synced)
  })
  closeSync(synced)
  const large = openSync(join(dir, 'large'), 'w')
  const writeLarge = rate(LARGE_MIB, (index) => {
    noise.writeUInt32LE(index)
    for (let block = 0; block < MIB; block += 128 * KIB) noise.writeUInt32LE(index, block + 4)
    writeSync(large, noise, 0, MIB, index * MIB)
    if (index === LARGE_MIB - 1) fsyncSync(large)
  })
  closeSync(large)
  return { createSmall, fsync, metadata: measureMetadata(dir), writeLarge }
}

/** Making, listing, looking, renaming and removing, together. */
function measureMetadata(dir: string): number {
  const top = join(dir, 'meta')
  mkdirSync(top)
  const path = (index: number): string => join(top, `d${index}`)
  const calls = 5
  const perDirectory = rate(DIRECTORIES, (index) => {
    mkdirSync(path(index))
    lstatSync(path(index))
    readdirSync(path(index))
    renameSync(path(index), join(top, `r${index}`))
    rmdirSync(join(top, `r${index}`))
  })
  return perDirectory * calls
}

/** The figures of reading what `measureWrites` wrote, the first time after a mount. */
export function measureReads(dir: string): Pick<Figures, 'readSmall' | 'readLarge' | 'randomRead'> {
  const buffer = Buffer.alloc(MIB)
  const readSmall = rate(FILES, (index) => void readFileSync(join(dir, 'small', `f${index}`)))
  const large = openSync(join(dir, 'large'), 'r')
  // A number that shares no divisor with the count of pages goes to each of them once.
  const pages = (LARGE_MIB * MIB) / FILE_BYTES
  const randomRead = rate(READS, (index) => {
    readSync(large, buffer, 0, FILE_BYTES, ((index * 7919) % pages) * FILE_BYTES)
  })
  const readLarge = rate(LARGE_MIB, (index) => void readSync(large, buffer, 0, MIB, index * MIB))
  closeSync(large)
  return { readSmall, readLarge, randomRead }
}

/** How often a second `work` was done. */
function rate(times: number, work: (index: number) => void): number {
  const from = performance.now()
  for (let index = 0; index < times; index++) work(index)
  return (times * 1000) / (performance.now() - from)
}

/** Bytes that do not compress. */
function noiseOf(length: number): Buffer {
  const words = new Uint32Array(length / 4)
  let state = 0x9e3779b9
  for (let index = 0; index < words.length; index++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    words[index] = state >>> 0
  }
  return Buffer.from(words.buffer)
}
