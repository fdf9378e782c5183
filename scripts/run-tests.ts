// Runs test files, each in a process of its own, and counts their tests: `node scripts/run-tests.ts
// unit store ...`. All groups are one queue, with the longest files first, and several lanes take
// from it. The last line is 'N passed, N failed'; the exit code is 1 when anything failed. A test
// that is skipped, a file without tests, a file that dies or hangs, and a group without files count
// as failed: nothing is left out silently.

import { spawn } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { type Job, jobsOf, times } from './test-groups.ts'

/** Most files wait now and then, for a mount or for time to pass. */
const lanes = Number(process.env.AVFS_TEST_LANES ?? availableParallelism() + 2)

interface Outcome {
  readonly passed: number
  readonly failures: readonly string[]
}

/**
 * Enough of a failing file's output to see why: what stands before the first failure, and behind
 * it.
 */
const LINES_BEFORE = 40
const LINES_AFTER = 360

async function main(names: readonly string[]): Promise<boolean> {
  const byGroup = names.map((name) => ({ name, jobs: jobsOf(name) }))
  const jobs = byGroup.flatMap((group) => group.jobs).sort((a, b) => b.seconds - a.seconds)
  const progress = new Progress(jobs)
  let passed = 0
  let failed = 0
  const add = (outcome: Outcome): void => {
    passed += outcome.passed
    failed += outcome.failures.length
  }
  for (const group of byGroup)
    if (group.jobs.length === 0)
      add(report(`FAILED test/${group.name}`, '', { passed: 0, failures: ['no test files'] }))
  const work = async (queue: Job[]): Promise<void> => {
    for (let job = queue.shift(); job !== undefined; job = queue.shift())
      add(await runFile(job, progress))
  }
  const beside = jobs.filter(({ isAlone }) => !isAlone)
  await Promise.all(Array.from({ length: lanes }, () => work(beside)))
  await work(jobs.filter(({ isAlone }) => isAlone))
  const written = process.env.AVFS_TEST_TIMES
  if (written !== undefined) writeFileSync(written, progress.measured())
  console.log(`${passed} passed, ${failed} failed`)
  return failed === 0
}

/** How far the run is, and what is left as far as the times that are known tell. */
class Progress {
  readonly #jobs: readonly Job[]
  readonly #started = new Map<Job, number>()
  readonly #took = new Map<Job, number>()

  constructor(jobs: readonly Job[]) {
    this.#jobs = jobs
  }

  start(job: Job): void {
    this.#started.set(job, performance.now())
  }

  /** Returns how long the file took, in seconds. */
  end(job: Job): number {
    const seconds = (performance.now() - (this.#started.get(job) ?? 0)) / 1000
    this.#took.set(job, seconds)
    return seconds
  }

  get line(): string {
    const { size } = this.#took
    const count = `${String(size).padStart(String(this.#jobs.length).length)}/${this.#jobs.length}`
    const minutes = Math.ceil(this.#secondsLeft() / 60)
    return size === this.#jobs.length ? `[${count}]` : `[${count}, about ${minutes} min left]`
  }

  #secondsLeft(): number {
    const now = performance.now()
    let [expected, taken, together, alone] = [0, 0, 0, 0]
    for (const job of this.#jobs) {
      const took = this.#took.get(job)
      if (took !== undefined) {
        expected += job.seconds
        taken += took
        continue
      }
      const since = this.#started.get(job)
      const done = since === undefined ? 0 : (now - since) / 1000
      const left = Math.max(0, job.seconds - done)
      if (job.isAlone) alone += left
      else together += left
    }
    // This machine against the one that was measured.
    const slowness = expected > 0 ? taken / expected : 1
    return (together / lanes + alone) * slowness
  }

  /**
   * The seconds of each file as JSON, the slowest first; of those that did not run, what was known.
   */
  measured(): string {
    const took = [...this.#took].map(([{ name }, s]): [string, number] => [name, round(s)])
    const rows = Object.entries({ ...times, ...Object.fromEntries(took) })
      .filter(([name]) => existsSync(name.replace(/ on .*/, '')))
      .sort(([, a], [, b]) => b - a)
    return `${JSON.stringify(Object.fromEntries(rows), undefined, 2)}\n`
  }
}

function round(seconds: number): number {
  return Math.round(seconds * 10) / 10
}

function aroundFailure(output: string): string {
  const lines = output.split('\n')
  const first = lines.findIndex((line) => /^\s*not ok/.test(line))
  const from = Math.max(0, first - LINES_BEFORE)
  return lines.slice(from, from + LINES_BEFORE + LINES_AFTER).join('\n')
}

const cache = join(import.meta.dirname, 'compile-cache.ts')
// Each start of Node would read them, some 30 ms of processor time, and no test asks a server for
// anything.
const { NODE_EXTRA_CA_CERTS: _, ...environment } = process.env

function runFile(job: Job, progress: Progress): Promise<Outcome> {
  const { name, file, env, timeoutMs } = job
  return new Promise((resolve) => {
    progress.start(job)
    const args = ['--disable-warning=ExperimentalWarning', `--import=${cache}`, file]
    const child = spawn(process.execPath, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      // tap's own limit of 30 s a file is for files of no group.
      env: { ...environment, TAP_TIMEOUT: String(timeoutMs / 1000), ...env },
    })
    let tap = ''
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      tap += text
      output += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
    let timedOut = false
    const timer = setTimeout(() => {
      timedOut = true
      child.kill('SIGKILL')
    }, timeoutMs)
    // 'exit', not 'close': a daemon that a test left behind keeps the pipes open for ever.
    child.on('exit', (code, signal) => {
      clearTimeout(timer)
      setTimeout(() => {
        child.stdout.destroy()
        child.stderr.destroy()
        const end = timedOut ? `hung for ${timeoutMs / 1000} s` : (signal ?? `exit code ${code}`)
        const outcome = count(tap, code === 0, end)
        const seconds = progress.end(job).toFixed(1)
        const verdict = outcome.failures.length === 0 ? 'ok    ' : 'FAILED'
        const what = `${verdict} ${name} (${outcome.passed} passed, ${seconds} s)`
        resolve(report(`${progress.line} ${what}`, output, outcome))
      }, 20)
    })
  })
}

/**
 * Counts the test points of the outermost level: those are the tests with names that are sentences.
 */
function count(tap: string, isClean: boolean, end: string): Outcome {
  let passed = 0
  const failures: string[] = []
  for (const line of tap.split('\n')) {
    const point = /^(not )?ok \d+(?: - )?(.*)/.exec(line)
    if (point === null) continue
    const name = (point[2] ?? '').replace(/ # time=.*| \{$/, '')
    if (point[1] !== undefined || / # (SKIP|TO[D]O)/i.test(name)) failures.push(name)
    else passed++
  }
  if (!isClean && failures.length === 0) failures.push(end)
  if (isClean && passed + failures.length === 0) failures.push('no tests in this file')
  return { passed, failures }
}

function report(line: string, output: string, outcome: Outcome): Outcome {
  console.log(line)
  if (outcome.failures.length > 0) {
    console.log(aroundFailure(output))
    for (const failure of outcome.failures) console.log(`  failed: ${failure}`)
  }
  return outcome
}

process.exitCode = (await main(process.argv.slice(2))) ? 0 : 1
