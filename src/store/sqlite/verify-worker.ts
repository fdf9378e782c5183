// A thread for a single check: runs SQLite's integrity_check over its own connection, so that reads
// and commits proceed. The log cannot be restarted while it runs.

import { parentPort, workerData } from 'node:worker_threads'
import Database from 'better-sqlite3'
import type { WorkerOptions } from './commit-protocol.ts'
import { failureOf, type SqliteFailure } from './errors.ts'

/** The message that verify-worker.ts posts, once. */
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
      // A row may hold several findings below a heading.
      const lines = rows.flatMap((row) => row.integrity_check.split('\n'))
      const findings = lines.filter((line) => line !== '*** in database main ***')
      return { findings: findings[0] === 'ok' ? [] : findings }
    } finally {
      db.close()
    }
  } catch (error) {
    const failure = failureOf(error)
    // A file too damaged to be checked is a finding, too; SQLITE_ERROR comes from a virtual table
    // that lost one of its shadow tables.
    const damaged = /^SQLITE_(CORRUPT|NOTADB|ERROR)/.test(failure.code)
    return damaged ? { findings: [failure.message] } : { findings: [], failure }
  }
}

parentPort?.postMessage(verify((workerData as WorkerOptions).path))
