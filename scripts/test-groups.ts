// Which test files there are, by groups, and how each of them is run.

import { globSync, readFileSync } from 'node:fs'
import { persistentBackends } from '../src/store/open.ts'

interface Group {
  /** A file that takes longer hangs. */
  readonly timeoutMs: number
  /** Patterns below test; all of the folder with the group's name unless said. */
  readonly files?: readonly string[]
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
export interface Job {
  readonly name: string
  readonly file: string
  readonly env: NodeJS.ProcessEnv
  readonly timeoutMs: number
  /** Nothing runs beside it. */
  readonly isAlone: boolean
  /** What it took when it was measured. */
  readonly seconds: number
}

const groups: Readonly<Record<string, Group>> = {
  unit: { timeoutMs: 120_000 },
  store: { timeoutMs: 300_000 },
  vault: { timeoutMs: 300_000 },
  search: { timeoutMs: 300_000 },
  session: { timeoutMs: 120_000 },
  fuzz: { timeoutMs: 600_000 },
  cli: { timeoutMs: 600_000 },
  mount: { timeoutMs: 900_000 },
  crash: { timeoutMs: 3_600_000 },
  // Of what is slow, these meet an engine most. Views read most ways at once, so that they run on
  // the engine whose reads wait.
  engines: {
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
    timeoutMs: 1_800_000,
    onEngines: [
      { files: ['mount/{views,real}-*.test.ts'] },
      { files: ['mount/{posix,lifecycle,options,persistence}.test.ts'] },
      { files: ['crash/{crash,import,database,versions}.test.ts'] },
    ],
  },
  // A first look: what most mistakes meet, in about a minute.
  quick: {
    timeoutMs: 600_000,
    files: [
      '{unit,session}/*.test.ts',
      'store/{sqlite,leveldb,lmdb,kv-store}.test.ts',
      'vault/{import,purge,restore,saving,seal,check-history}.test.ts',
      'search/{query,evaluate,fts5}.test.ts',
      'cli/{vault,mount,top}.test.ts',
      'mount/{lifecycle,views-commands}.test.ts',
    ],
  },
}

/** What must have the machine for itself, with the reason. */
const alone: ReadonlyMap<string, string> = new Map([
  [
    'test/mount/resources.test.ts',
    'measures how large the daemon and its journal grow under constant load, and empties the caches of the kernel',
  ],
  [
    'test/mount/exhaustion.test.ts',
    'asks whether others get on beside one who takes all the time and memory of a daemon',
  ],
])

/** What a file is taken for that nobody has measured. */
const UNKNOWN_SECONDS = 10
/** Seconds by the name of a job. */
export const times: Readonly<Record<string, number>> = JSON.parse(
  readFileSync('test/times.json', 'utf8'),
)

/** The files of a group; throws when there is no such group. */
export function jobsOf(groupName: string): Job[] {
  const group = groups[groupName]
  if (group === undefined) throw new Error(`no such group: ${groupName}`)
  const { timeoutMs, files = [`${groupName}/**/*.test.ts`], onEngines } = group
  const job = (name: string, file: string, env: NodeJS.ProcessEnv): Job => {
    const seconds = times[name] ?? times[file] ?? UNKNOWN_SECONDS
    return { name, file, env, timeoutMs, isAlone: alone.has(file), seconds }
  }
  if (onEngines === undefined) return filesOf(files).map((file) => job(file, file, {}))
  const wanted = process.env.AVFS_TEST_BACKENDS?.split(',')
  return persistentBackends
    .slice(1)
    .flatMap(({ name: backend }) =>
      onEngines
        .filter(
          (run) => (run.backend ?? backend) === backend && (wanted?.includes(backend) ?? true),
        )
        .flatMap(({ files, env }) =>
          filesOf(files).map((file) =>
            job(`${file} on ${backend}`, file, { AVFS_TEST_BACKEND: backend, ...env }),
          ),
        ),
    )
}

function filesOf(patterns: readonly string[]): string[] {
  return globSync(patterns.map((pattern) => `test/${pattern}`)).sort()
}
