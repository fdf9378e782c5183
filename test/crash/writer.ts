// A process that works in a mounted vault until the mount dies: writer.ts DIR JOURNAL SEED
// SYNC_EVERY. Exit code 0 means that the daemon went away, any other that something else went
// wrong.

import { openSync, unlinkSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { nowUs } from '../support/monotonic.ts'
import { randomFrom } from '../support/random.ts'
import type { Model } from './model.ts'
import { apply, nextOperation, perform, sync } from './operations.ts'

/** What system calls answer when the daemon behind them has gone. */
const GONE = ['ENOTCONN', 'ECONNABORTED', 'ECONNREFUSED', 'EIO']

const [dir, journalPath, seed, syncEvery] = process.argv.slice(2)
if (dir === undefined || journalPath === undefined)
  throw new Error('writer.ts DIR JOURNAL SEED SYNC_EVERY')

// The model knows modes as they are asked for.
process.umask(0o022)
const journal = openSync(journalPath, 'a')
const note = (line: string): void => void writeSync(journal, `${line}\n`)

// Open without a name for as long as this runs: a crash must not leave it behind.
const orphan = openSync(join(dir, 'orphan'), 'w')
writeSync(orphan, Buffer.alloc(50_000, 'orphan'))
unlinkSync(join(dir, 'orphan'))
sync(dir)
note('ready')

const random = randomFrom(Number(seed))
const model: Model = new Map()
let number = 0
try {
  for (;;) {
    number++
    const operation = nextOperation(random, model, number)
    perform(dir, operation)
    note(`done ${number} ${nowUs()}`)
    apply(model, operation)
    if (number % Number(syncEvery) === 0) {
      const began = nowUs()
      sync(dir)
      note(`synced ${number} ${began} ${nowUs()}`)
    }
  }
} catch (error) {
  const code = error instanceof Error && 'code' in error ? String(error.code) : undefined
  if (code === undefined || !GONE.includes(code)) throw error
  note(`lost ${number} ${code}`)
}
