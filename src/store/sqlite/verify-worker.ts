// A thread that lives for one check: SQLite's integrity_check over a connection of its own, so that
// reads and commits go on. The log cannot be restarted while it runs.

import { parentPort, workerData } from 'node:worker_threads'
import Database from 'better-sqlite3'
import type { WorkerOptions } from './commit-protocol.ts'
import { failureOf, type SqliteFailure } from './errors.ts'

/** What verify-worker.ts posts, once. */
export interface Verdict {
  readonly findings: readonly string[]
  readonly failure?: SqliteFailure
}

const FINDINGS_MAX = 1000

function verify(path: string): Verdict {
  try {
    const db = new Database(path, { readonly: true, fileMustExist: true })
    try {
      const rows = db.pragma(`integrity_check(${FINDINGS_MAX})`) as { integrity_check: string }[]
      // Several findings may share a row, below a heading.
      const lines = rows.flatMap((row) => row.integrity_check.split('\n'))
      const findings = lines.filter((line) => line !== '*** in database main ***')
      return { findings: findings[0] === 'ok' ? [] : findings }
    } finally {
      db.close()
    }
  } catch (error) {
    const failure = failureOf(error)
    // Too damaged to be checked is a finding, too; SQLITE_ERROR is of a virtual table that has lost
    // one of its own.
    const damaged = /^SQLITE_(CORRUPT|NOTADB|ERROR)/.test(failure.code)
    return damaged ? { findings: [failure.message] } : { findings: [], failure }
  }
}

parentPort?.postMessage(verify((workerData as WorkerOptions).path))
