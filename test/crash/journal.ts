// What a writer has done, line by line in a file outside the vault: it outlives the crash, since only the daemon dies.
//
//   ready            the writer begins
//   done K US        operation K returned at that time
//   synced K US US   an fsync after operation K began at the first time and had returned by the second
//   lost K CODE      operation K failed because the daemon is gone
//
// Times are microseconds of the machine's monotonic clock, so that those of several processes compare.

import { readFileSync } from 'node:fs'

export interface Sync {
  readonly number: number
  readonly beganUs: number
}

export interface Journal {
  /** When each operation returned, by its number. */
  readonly doneUs: readonly number[]
  readonly syncs: readonly Sync[]
  readonly isReady: boolean
  readonly isLost: boolean
}

/** Microseconds of the monotonic clock. */
export function nowUs(): number {
  return Number(process.hrtime.bigint() / 1000n)
}

/** Reads a journal; a last line that is not whole does not count. */
export function readJournal(path: string): Journal {
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1)
  const doneUs: number[] = []
  const syncs: Sync[] = []
  let isReady = false
  let isLost = false
  for (const line of lines) {
    const [word, number = '', first = ''] = line.split(' ')
    if (word === 'ready') isReady = true
    else if (word === 'done') doneUs[Number(number)] = Number(first)
    else if (word === 'synced') syncs.push({ number: Number(number), beganUs: Number(first) })
    else if (word === 'lost') isLost = true
  }
  return { doneUs, syncs, isReady, isLost }
}
