// Runs test files, each in a process of its own, and counts their tests: `node scripts/run-tests.ts unit store ...`. The
// last line is 'N passed, N failed'; the exit code is 1 when anything failed. A test that is skipped, a file without tests, a
// file that dies or hangs, and a group without files count as failed: nothing is left out silently.

import { spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import { persistentBackends } from '../src/store/open.ts'

interface Group {
  /** Files at a time. Those that mount or measure time run alone. */
  readonly jobs: number
  /** A file that takes longer hangs. */
  readonly timeoutMs: number
  /** Files of other groups, run once for each engine but the default. */
  readonly onEngines?: readonly EngineRun[]
}

interface EngineRun {
  /** Patterns below test. */
  readonly files: readonly string[]
  readonly env?: NodeJS.ProcessEnv
  /** One engine alone. */
  readonly backend?: string
}

/** A file and the variables it is run under, with a name for people. */
interface Job {
  readonly name: string
  readonly file: string
  readonly env: NodeJS.ProcessEnv
}

const groups: Readonly<Record<string, Group>> = {
  unit: { jobs: 2, timeoutMs: 60_000 },
  store: { jobs: 2, timeoutMs: 300_000 },
  vault: { jobs: 2, timeoutMs: 300_000 },
  search: { jobs: 2, timeoutMs: 300_000 },
  session: { jobs: 2, timeoutMs: 120_000 },
  fuzz: { jobs: 1, timeoutMs: 600_000 },
  cli: { jobs: 1, timeoutMs: 300_000 },
  mount: { jobs: 1, timeoutMs: 900_000 },
  crash: { jobs: 1, timeoutMs: 3_600_000 },
  // Of what is slow, these meet an engine most. Views read most ways at once, so that they run on the engine whose reads wait.
  engines: {
    jobs: 1,
    timeoutMs: 1_800_000,
    onEngines: [
      {
        files: [
          'mount/posix.test.ts',
          'crash/crash.test.ts',
          'crash/import.test.ts',
          'crash/power-cut.test.ts',
        ],
        env: { AVFS_CRASH_ROUNDS: '2', AVFS_POWER_CUTS: '10' },
      },
      { files: ['mount/views-*.test.ts', 'mount/real-*.test.ts'], backend: 'leveldb' },
    ],
  },
  // All that is mounted, minutes an engine. full-disk.test.ts goes through the engines by itself.
  'engines-all': {
    jobs: 1,
    timeoutMs: 1_800_000,
    onEngines: [
      { files: ['mount/{views,real}-*.test.ts'] },
      { files: ['mount/{posix,lifecycle,options,persistence}.test.ts'] },
      { files: ['crash/{crash,import,database,versions}.test.ts'] },
    ],
  },
}

interface Outcome {
  readonly passed: number
  readonly failures: readonly string[]
}

/** Enough of a failing file's output to see why: what stands before the first failure, and behind it. */
const LINES_BEFORE = 40
const LINES_AFTER = 360

async function main(names: readonly string[]): Promise<boolean> {
  let passed = 0
  let failed = 0
  const add = (outcome: Outcome): void => {
    passed += outcome.passed
    failed += outcome.failures.length
  }
  for (const name of names) {
    const group = groups[name]
    if (group === undefined) throw new Error(`no such group: ${name}`)
    const jobs = jobsOf(name, group)
    if (jobs.length === 0) add(report(`test/${name}`, 0, 'no tests', '', ['no test files']))
    const lanes = Array.from({ length: group.jobs }, async () => {
      for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) {
        add(await runFile(job, group.timeoutMs))
      }
    })
    await Promise.all(lanes)
  }
  console.log(`${passed} passed, ${failed} failed`)
  return failed === 0
}

function jobsOf(name: string, { onEngines }: Group): Job[] {
  if (onEngines === undefined)
    return globSync(`test/${name}/**/*.test.ts`)
      .sort()
      .map((file) => ({ name: file, file, env: {} }))
  const wanted = process.env.AVFS_TEST_BACKENDS?.split(',')
  return persistentBackends.slice(1).flatMap(({ name: backend }) =>
    onEngines
      .filter((run) => (run.backend ?? backend) === backend && (wanted?.includes(backend) ?? true))
      .flatMap(({ files, env }) =>
        globSync(files.map((file) => `test/${file}`))
          .sort()
          .map((file) => ({
            name: `${file} on ${backend}`,
            file,
            env: { AVFS_TEST_BACKEND: backend, ...env },
          })),
      ),
  )
}

function aroundFailure(output: string): string {
  const lines = output.split('\n')
  const first = lines.findIndex((line) => /^\s*not ok/.test(line))
  const from = Math.max(0, first - LINES_BEFORE)
  return lines.slice(from, from + LINES_BEFORE + LINES_AFTER).join('\n')
}

function runFile({ name, file, env }: Job, timeoutMs: number): Promise<Outcome> {
  return new Promise((resolve) => {
    const start = performance.now()
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', file], {
      stdio: ['ignore', 'pipe', 'pipe'],
      // tap's own limit of 30 s a file is for files of no group.
      env: { ...process.env, TAP_TIMEOUT: String(timeoutMs / 1000), ...env },
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
        const { passed, failures } = count(tap, code === 0, end)
        const seconds = ((performance.now() - start) / 1000).toFixed(1)
        resolve(report(name, passed, `${seconds} s`, output, failures))
      }, 20)
    })
  })
}

/** Counts the test points of the outermost level: those are the tests with names that are sentences. */
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

function report(
  file: string,
  passed: number,
  time: string,
  output: string,
  failures: readonly string[],
): Outcome {
  console.log(`${failures.length === 0 ? 'ok    ' : 'FAILED'} ${file} (${passed} passed, ${time})`)
  if (failures.length > 0) {
    console.log(aroundFailure(output))
    for (const failure of failures) console.log(`  failed: ${failure}`)
  }
  return { passed, failures }
}

process.exitCode = (await main(process.argv.slice(2))) ? 0 : 1
