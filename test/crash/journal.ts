// What a writer has done, line by line in a file outside the vault. The file survives the crash,
// since only the daemon dies.
//
//   ready            the writer begins
//   done K US        operation K returned at that time
//   synced K US US   an fsync after operation K began at the first time and had returned by the
//   second
//   lost K CODE      operation K failed because the daemon is gone
//   saved NAME DIGEST SIZE     the file is closed and durable with this content
//   deleted NAME               its name is gone, durably
//
// Times are microseconds of the machine's monotonic clock, so that those of several processes can
// be compared.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

export interface Sync {
  readonly number: number
  readonly beganUs: number
  readonly endedUs: number
}

export interface Journal {
  /** When each operation returned, by its number. */
  readonly doneUs: readonly number[]
  readonly syncs: readonly Sync[]
  readonly isReady: boolean
  readonly isLost: boolean
}

/** Reads a journal; a last line that is not whole does not count. */
export function readJournal(path: string): Journal {
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1)
  const doneUs: number[] = []
  const syncs: Sync[] = []
  let isReady = false
  let isLost = false
  for (const line of lines) {
    const [word, number = '', first = '', second = ''] = line.split(' ')
    if (word === 'ready') isReady = true
    else if (word === 'done') doneUs[Number(number)] = Number(first)
    else if (word === 'synced') syncs.push(syncOf(number, first, second))
    else if (word === 'lost') isLost = true
  }
  return { doneUs, syncs, isReady, isLost }
}

function syncOf(number: string, began: string, ended: string): Sync {
  return { number: Number(number), beganUs: Number(began), endedUs: Number(ended) }
}

/** A content that a writer was told is durable. */
export interface Saved {
  readonly digest: string
  readonly size: number
}

/** What was acknowledged of single files, by their names. */
export interface Acknowledged {
  /** Every version, in the order of saving. */
  readonly saves: ReadonlyMap<string, readonly Saved[]>
  readonly deleted: ReadonlySet<string>
}

/**
 * Reads what a journal says of saved and deleted files; a last line that is not whole does not
 * count.
 */
export function readAcknowledged(path: string): Acknowledged {
  const saves = new Map<string, Saved[]>()
  const deleted = new Set<string>()
  for (const line of readFileSync(path, 'utf8').split('\n').slice(0, -1)) {
    const [word, name = '', digest = '', size] = line.split(' ')
    if (word === 'deleted') deleted.add(name)
    if (word !== 'saved') continue
    const before = saves.get(name)
    const saved = { digest, size: Number(size) }
    if (before === undefined) saves.set(name, [saved])
    else before.push(saved)
  }
  return { saves, deleted }
}

/** A content as journals and oracles name it. */
export function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 24)
}
