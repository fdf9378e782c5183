// `make soak MINUTES=120`, as root: four users (real ids) save, append, build and remove trees,
// grep and read the past on one mounted vault with --cache-mb 64, while prune, search, snapshots
// and restores go on. A probe measures how long operations take, in windows of five minutes; the
// daemon's memory and its log are watched. At the end the vault is unmounted and checked. Exits 1
// when memory grows, the log has an error, a user met an error, or check finds something.

import { type ChildProcess, spawn } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { growthOf } from '../test/support/growth.ts'
import { randomFrom } from '../test/support/random.ts'
import { mountVault, type VaultPlace, withPlaces } from './bench-support.ts'

const USERS = 4
/** Ids that no account of the host has. */
const FIRST_UID = 64_100
const CACHE_MB = 64
const WINDOW_MS = 5 * 60_000
const PROBE_MS = 100
const MEMORY_MS = 5000
/** What a run of V8's collector more or less makes. */
const SLACK_MIB = 48
const CHORE_MS = 8000
const SNAPSHOTS_MAX = 6
/** A prune of gigabytes beside four busy users takes minutes on two busy processors. */
const HANG_MS = 15 * 60_000

interface Window {
  readonly latencies: number[]
  readonly memory: number[]
}

interface Ended {
  readonly status: number
  readonly output: string
}

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '120' }, seed: { type: 'string', default: '1' } },
})
if (process.getuid?.() !== 0) {
  console.error('soak: only root can work as four users: sudo make soak')
  process.exit(2)
}
const until = performance.now() + Number(values.minutes) * 60_000
const random = randomFrom(Number(values.seed))
const faults: string[] = []
const windows: Window[] = []
/** How often each was done, and the longest in seconds. */
const chores = new Map<string, { count: number; longest: number }>()

function run(place: VaultPlace, args: readonly string[]): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(place.avfs, args, {
      env: place.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: HANG_MS,
      killSignal: 'SIGKILL',
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (piece: string) => {
        output = (output + piece).slice(-2000)
      })
    child.once('error', reject)
    child.once('close', (code) => resolve({ status: code ?? -1, output }))
  })
}

function startUsers(dir: string): ChildProcess[] {
  return Array.from({ length: USERS }, (_, at) => {
    const uid = FIRST_UID + at
    const home = join(dir, `user${at}`)
    mkdirSync(home)
    chownSync(home, uid, uid)
    const program = join(import.meta.dirname, 'soak-user.ts')
    const child = spawn(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', program, home, `${Number(values.seed) + at}`],
      {
        uid,
        gid: uid,
        cwd: '/',
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    )
    child.stderr
      ?.setEncoding('utf8')
      .on('data', (text: string) => faults.push(`user ${at}: ${text.trim()}`))
    child.once('exit', (code, signal) => {
      if (code !== 0) faults.push(`user ${at} ended: ${signal ?? code}`)
    })
    return child
  })
}

/** How many operations a user did; it is asked to end. */
function ended(child: ChildProcess): Promise<number> {
  return new Promise((resolve) => {
    let said = ''
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    child.once('close', () =>
      resolve(Number((JSON.parse(said || '{}') as { count?: number }).count ?? 0)),
    )
    child.kill('SIGTERM')
  })
}

function windowNow(began: number): Window {
  const at = Math.floor((performance.now() - began) / WINDOW_MS)
  while (windows.length <= at) windows.push({ latencies: [], memory: [] })
  return windows[at] as Window
}

/** What somebody waits who saves a small file and reads it again. */
async function probe(dir: string, began: number): Promise<void> {
  const path = join(dir, 'probe')
  while (performance.now() < until) {
    const from = performance.now()
    writeFileSync(path, `${from}\n`)
    if (readFileSync(path, 'utf8') !== `${from}\n`)
      faults.push('the probe read what it did not write')
    windowNow(began).latencies.push(performance.now() - from)
    await sleep(PROBE_MS)
  }
}

async function watchMemory(place: VaultPlace, began: number): Promise<void> {
  while (performance.now() < until) {
    windowNow(began).memory.push(place.memoryMib().now)
    await sleep(MEMORY_MS)
  }
}

/** What whoever looks after a vault does, one after the other. */
async function lookAfter(place: VaultPlace, dir: string): Promise<void> {
  const snapshots: string[] = []
  const { name } = place
  const user = (): string => join(dir, `user${random.below(USERS)}`)
  const kinds: Readonly<Record<string, () => Promise<Ended>>> = {
    search: () =>
      run(place, ['search', random.pick(['amber', 'brick OR cedar', '"ember flint"']), dir]),
    snapshot: () => {
      snapshots.push(`s${Date.now()}`)
      return run(place, ['snapshot', 'create', snapshots.at(-1) ?? '', name])
    },
    'snapshot delete': () =>
      run(
        place,
        snapshots.length > SNAPSHOTS_MAX
          ? ['snapshot', 'delete', snapshots.shift() ?? '', name]
          : ['snapshot', 'list', name],
      ),
    restore: () =>
      run(place, [
        'restore',
        user(),
        ...(snapshots[0] === undefined ? ['--at', '1s'] : ['-s', snapshots[0]]),
      ]),
    prune: () => run(place, ['prune', name, '--keep', '20', '--older-than', '10m']),
    stats: () => run(place, ['vault', 'stats', name]),
    log: () => run(place, ['log', join(user(), 'doc1.txt')]),
  }
  while (performance.now() < until) {
    const kind = random.pick(Object.keys(kinds))
    const from = performance.now()
    const { status, output } = (await kinds[kind]?.()) ?? { status: 0, output: '' }
    const seconds = Math.round((performance.now() - from) / 1000)
    const { count, longest } = chores.get(kind) ?? { count: 0, longest: 0 }
    chores.set(kind, { count: count + 1, longest: Math.max(longest, seconds) })
    // 1 and 13: nothing is found, or not any more.
    if (![0, 1, 13].includes(status)) faults.push(`${kind} ended with ${status}: ${output.trim()}`)
    await sleep(random.below(CHORE_MS))
  }
}

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}

function printWindows(): void {
  console.log('minutes    probes     p50 ms     p99 ms     max ms   MiB least    MiB most')
  for (const [at, { latencies, memory }] of windows.entries()) {
    const sorted = latencies.toSorted((a, b) => a - b)
    const minutes = (WINDOW_MS / 60_000) * at
    const cells = [percentile(sorted, 0.5), percentile(sorted, 0.99), sorted.at(-1) ?? 0].map(
      (ms) => ms.toFixed(1),
    )
    const mib = [Math.min(...memory), Math.max(...memory)].map(String)
    console.log(
      [
        `${minutes}-`.padEnd(7),
        String(sorted.length).padStart(9),
        ...[...cells, ...mib].map((cell) => cell.padStart(10)),
      ].join(' '),
    )
  }
}

await withPlaces(async (work, keep) => {
  chmodSync(work, 0o755)
  Object.assign(process.env, { XDG_STATE_HOME: work, XDG_RUNTIME_DIR: work })
  const place = keep(mountVault(work, 'soak', ['--allow-other', '--cache-mb', String(CACHE_MB)]))
  chmodSync(place.dir, 0o755)
  const began = performance.now()
  const users = startUsers(place.dir)
  await Promise.all([
    probe(place.dir, began),
    watchMemory(place, began),
    lookAfter(place, place.dir),
  ])
  const counts = await Promise.all(users.map(ended))
  const size = place.sizeMib()
  await place.unmounted(async () => {
    const { status, output } = await run(place, ['vault', 'check', place.name, '--deep'])
    if (status !== 0) faults.push(`check --deep ended with ${status}: ${output.trim()}`)
  })
  const path = join(work, 'avfs', `${place.name}.log`)
  const lines = existsSync(path) ? readFileSync(path, 'utf8').split('\n') : []
  const of = (level: string): string[] =>
    lines.filter((line) => new RegExp(`^\\S+ ${level} `).test(line))
  const [warnings, errors] = [of('warn'), of('error')]
  if (!existsSync(path)) faults.push(`there is no log at ${path}`)
  for (const line of errors.slice(0, 5)) faults.push(`in the log: ${line}`)
  const grown = growthOf(
    windows.flatMap(({ memory }) => memory),
    SLACK_MIB,
  )
  if (grown !== undefined) faults.push(`memory grew from ${grown.from} to ${grown.to} MiB`)
  printWindows()
  console.log(
    `${counts.join(' + ')} operations of users; ${[...chores].map(([kind, { count, longest }]) => `${count} ${kind} (${longest} s at most)`).join(', ')}`,
  )
  console.log(
    `the vault has ${size} MiB; the log ${statSync(path, { throwIfNoEntry: false })?.size ?? 0} bytes, ${warnings.length} warnings, ${errors.length} errors`,
  )
  for (const line of warnings.slice(0, 5)) console.log(`  ${line}`)
  for (const fault of [...new Set(faults)].slice(0, 20)) console.log(`fault: ${fault}`)
  console.log(faults.length === 0 ? 'sound' : `not sound: ${faults.length} faults`)
  process.exitCode = faults.length === 0 ? 0 : 1
})
