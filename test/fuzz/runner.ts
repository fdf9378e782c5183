// Runs a fuzzer in a process of its own and watches it, so that the failing seed can be reported
// whatever the code does to its process.

import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { growthOf } from '../support/growth.ts'

export interface FuzzJob {
  readonly input: string
  /** The first one; the others follow it. */
  readonly seed: number
  /** How long; at least one seed is run. */
  readonly seconds: number
  /** So many seeds instead. */
  readonly seeds?: number
  readonly folder: string
  readonly isBroken: boolean
}

export interface FuzzOutcome {
  /** Seeds that were run. */
  readonly count: number
  readonly failure: FuzzFailure | undefined
}

export interface FuzzFailure {
  readonly seed: number
  /** What went wrong, with the stack. */
  readonly what: string
}

/** What the failure says when somebody ended the runner. */
export const INTERRUPTED = 'interrupted'
/** One input takes milliseconds; a machine that does other work, too, may make seconds of it. */
const HANG_MS = 60_000
/** More than the caches of a vault and what a run of V8's collector leaves. */
const RESIDENT_BYTES_MAX = 1536 * 1024 * 1024
const GROWTH_BYTES = 48 * 1024 * 1024
const WATCH_MS = 200

export interface FuzzLimits {
  readonly hangMs?: number
  readonly residentBytes?: number
}

/** Runs an input for a time. A failure is the first one. */
export async function runFuzz(
  given: Omit<FuzzJob, 'folder' | 'isBroken'> & { readonly isBroken?: boolean },
  { hangMs = HANG_MS, residentBytes = RESIDENT_BYTES_MAX }: FuzzLimits = {},
): Promise<FuzzOutcome> {
  const folder = mkdtempSync(join(tmpdir(), 'avfs-fuzz-'))
  const job: FuzzJob = { isBroken: false, ...given, folder }
  try {
    return await watched(job, hangMs, residentBytes)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function watched(job: FuzzJob, hangMs: number, residentBytes: number): Promise<FuzzOutcome> {
  const child = spawn(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      join(import.meta.dirname, 'child.ts'),
      JSON.stringify(job),
    ],
    { stdio: ['ignore', 'ignore', 'pipe', 'pipe'], env: { ...process.env, HOME: job.folder } },
  )
  let [count, seed] = [0, job.seed]
  let what: string | undefined
  let isDone = false
  let said = ''
  const memory: number[] = []
  let since = performance.now()
  const stop = (why: string): void => {
    what ??= why
    child.kill('SIGKILL')
  }
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-4000)
  })
  createInterface(child.stdio[3] as Readable).on('line', (line) => {
    const [kind = ''] = line.split(' ', 1)
    const rest = line.slice(kind.length + 1)
    since = performance.now()
    if (kind === 'seed') {
      seed = Number(rest)
      count++
    } else if (kind === 'memory') memory.push(Number(rest))
    else if (kind === 'failed') what ??= String(JSON.parse(rest))
    else isDone = true
  })
  const interrupted = (): void => stop(INTERRUPTED)
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted)
  const watch = setInterval(() => {
    if (performance.now() - since > hangMs) stop(`it hangs: no answer for ${hangMs / 1000} s`)
    const resident = residentOf(child.pid)
    if (resident > residentBytes)
      stop(`it takes ${mib(resident)} MiB of memory, more than ${mib(residentBytes)}`)
  }, WATCH_MS)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      clearInterval(watch)
      process.off('SIGINT', interrupted).off('SIGTERM', interrupted)
      if (!isDone) what ??= `the process ended (${signal ?? `exit code ${code}`}): ${said}`
      const grown = growthOf(memory, GROWTH_BYTES)
      if (grown !== undefined)
        what ??= `memory grew from ${mib(grown.from)} to ${mib(grown.to)} MiB within ${count} seeds`
      resolve({ count, failure: what === undefined ? undefined : { seed, what } })
    })
  })
}

function residentOf(pid: number | undefined): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    return Number(/^VmRSS:\s*(\d+)/m.exec(status)?.[1] ?? 0) * 1024
  } catch {
    // It has ended.
    return 0
  }
}

function mib(bytes: number): number {
  return Math.round(bytes / 1024 / 1024)
}
