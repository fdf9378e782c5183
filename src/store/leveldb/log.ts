// Checks LevelDB's logs before LevelDB opens them, which silently drops what is damaged in them and
// then removes them. Commits are synced one after another, so a crash can tear only the last commit
// of a log. If a whole commit follows a damaged one, the log is damaged; it is then kept under a
// name that LevelDB ignores.
//
// A log is blocks of 32 KiB, and a block is fragments until fewer than 7 bytes are left:
//
//   u32 checksum    masked CRC-32C of the kind and the bytes
//   u16 length      little-endian, as the checksum
//   u8 kind         1 a whole commit, 2 the first fragment of one, 3 a middle one, 4 the last one;
//                   0 in space that was not written
//   bytes

import { readdirSync } from 'node:fs'
import { copyFile, open } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { StoreError } from '../store.ts'
import { crc32c, masked } from './crc32c.ts'
import { storeErrorOf } from './errors.ts'

export const BLOCK_BYTES = 32 * 1024
const HEAD_BYTES = 7
const WHOLE = 1
const FIRST = 2
const LAST = 4
/** Suffix of the copy of a damaged log. */
const KEPT = '.damaged'

/**
 * Checks the logs of a folder that no process has open. A writer is refused with StoreError
 * 'corrupt' if a log is damaged, or a copy shows that one was; for a reader a damaged log is
 * copied.
 */
export async function guardLogs(path: string, readOnly: boolean): Promise<void> {
  for (const name of readdirSync(path).filter((name) => name.endsWith('.log')))
    if (await isDamagedWithin(join(path, name))) {
      if (!readOnly) throw refusal(name)
      await keep(join(path, name))
    }
  const [kept] = keptLogs(path)
  if (kept !== undefined && !readOnly) throw refusal(kept)
}

/** Findings about the damaged logs that were kept. */
export function logFindings(path: string): string[] {
  return keptLogs(path).map(
    (name) => `the log ${name} is damaged, and some of what it held is lost`,
  )
}

function keptLogs(path: string): string[] {
  return readdirSync(path).filter((name) => name.endsWith(KEPT))
}

function refusal(name: string): StoreError {
  const advice = 'run avfs vault check --deep'
  return new StoreError('corrupt', `the vault is damaged: ${advice} (its log ${name})`)
}

async function keep(path: string): Promise<void> {
  try {
    await copyFile(path, path + KEPT)
    for (const name of [path + KEPT, dirname(path)]) {
      const file = await open(name)
      await file.sync().finally(() => file.close())
    }
  } catch (error) {
    throw storeErrorOf(error)
  }
}

/** Whether a commit begins with this fragment; `ends`: whether one ends with it. */
export function begins({ kind }: Fragment): boolean {
  return kind === WHOLE || kind === FIRST
}

export function ends({ kind }: Fragment): boolean {
  return kind === WHOLE || kind === LAST
}

async function isDamagedWithin(path: string): Promise<boolean> {
  const file = await open(path)
  const block = Buffer.alloc(BLOCK_BYTES)
  let isDamaged = false
  try {
    for (let bytesRead = BLOCK_BYTES; bytesRead === BLOCK_BYTES; ) {
      bytesRead = (await file.read(block, 0, BLOCK_BYTES)).bytesRead
      for (const fragment of fragments(block.subarray(0, bytesRead))) {
        if (fragment === undefined) isDamaged = true
        else if (isDamaged && begins(fragment)) return true
      }
    }
    return false
  } finally {
    await file.close()
  }
}

export interface Fragment {
  readonly kind: number
  /** Its offset in the block. */
  readonly at: number
  readonly bytes: Buffer
}

/** The fragments of a block; undefined for bytes that are not a valid fragment. */
export function* fragments(block: Buffer): Generator<Fragment | undefined> {
  for (let at = 0; at + HEAD_BYTES <= block.length; ) {
    const end = at + HEAD_BYTES + block.readUInt16LE(at + 4)
    const kind = block.readUInt8(at + 6)
    if (kind < WHOLE || kind > LAST || end > block.length) {
      yield undefined
      return
    }
    const isWhole = block.readUInt32LE(at) === masked(crc32c(block.subarray(at + 6, end)))
    yield isWhole ? { kind, at, bytes: block.subarray(at + HEAD_BYTES, end) } : undefined
    at = end
  }
}
