// kill -9 while a vault is pruned, mounted or not: what is kept is exactly what it was, what still
// shows of the rest existed, the vault is sound, and the next prune finishes the work, so that
// compact gives the space back. AVFS_CRASH_ROUNDS sets the number of kills; AVFS_SEED repeats a
// run, except for its timing.

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { avfsProgram, killProcess, mountedVault, until, vaultBytes } from '../support/mount.ts'
import { run } from '../support/program.ts'
import { type Random, randomFrom, seedOf } from '../support/random.ts'
import { digestOf } from './journal.ts'
import {
  contentOf,
  isSaving,
  lostBy,
  type SavingWriter,
  startSaving,
  versionsOf,
} from './saving.ts'

const rounds = Math.ceil(Number(process.env.AVFS_CRASH_ROUNDS ?? 5) / 5)
const seed = seedOf('AVFS_SEED')
const FILES = 250
const SAVES = 6
const KEPT = 2
/**
 * What a load frees at least: about 750 of its 1500 versions, 8 KB each, less what others save
 * meanwhile.
 */
const FREED_BYTES = 2_000_000
/** The one file that is held, with all of its versions. */
const HELD = 'f7'

t.setTimeout(60_000 + rounds * 60_000)
t.comment(`AVFS_SEED=${seed}`)

const random = randomFrom(seed)
const vault = mountedVault(t)

/**
 * What a round's directory holds: the contents of each file's versions, oldest first, and of the
 * snapshot.
 */
interface Load {
  readonly name: string
  readonly saves: ReadonlyMap<string, readonly string[]>
  readonly snapshot: ReadonlyMap<string, string>
}

const loads: Load[] = []
const writers: SavingWriter[] = []
/** How long a command that nobody cuts off takes to its first commit, and from there to its end. */
let startMs = 0
let workMs = 0

await t.test('a prune that is not cut off lets go of all but what is kept', async (t) => {
  loads.push(load('whole', random))
  const from = performance.now()
  const child = await startWork(['prune', vault.name, '--keep', String(KEPT)])
  startMs = performance.now() - from
  t.equal(await child.exit, 0)
  workMs = performance.now() - from - startMs
  assertPruned(t)
})

for (let round = 1; round <= rounds; round++) {
  await t.test(
    `round ${round}: a prune is cut off with the daemon, and finished by the next`,
    (t) => cutMounted(t, round),
  )
  await t.test(
    `round ${round}: a prune or compact of a vault that is not mounted is cut off`,
    (t) => cutOffline(t, round),
  )
}

async function cutMounted(t: Test, round: number): Promise<void> {
  const name = `m${round}`
  loads.push(load(name, random))
  const whole = vaultBytes(vault)
  // What is saved beside it, where nothing is pruned, is all there: blocks are collected in the
  // whole vault.
  const writer = startSaving(vault, `saving${round}`, random)
  await until(() => isSaving(writer), 'the writer has begun')
  const args = ['prune', join(vault.dir, name), '--keep', String(KEPT)]
  await startAndCut(t, args, () => vault.kill(), true)
  t.equal(await writer.exit, 0, 'the writer saw the daemon go')
  vault.mount('--allow-other')
  writers.push(writer)
  assertSaved(t)
  for (const its of loads.slice(-2)) assertKept(t, its)
  vault.check()
  t.comment(`${prune(join(vault.dir, name)).versions} versions were left over`)
  assertPruned(t)
  // Compacting may be killed too.
  if (round % 2 === 0) {
    await startAndCut(t, ['vault', 'compact', vault.name], () => vault.kill())
    vault.mount('--allow-other')
  }
  assertShrinks(t, whole)
}

async function cutOffline(t: Test, round: number): Promise<void> {
  const name = `o${round}`
  loads.push(load(name, random))
  vault.unmount()
  const whole = vaultBytes(vault)
  const kill = async (child: ChildProcess): Promise<void> => {
    if (child.exitCode === null) await killProcess(child.pid as number)
  }
  await startAndCut(t, ['prune', `${vault.name}:/${name}`, '--keep', String(KEPT)], kill)
  vault.check()
  t.comment(`${prune(`${vault.name}:/${name}`).versions} versions were left over`)
  await startAndCut(t, ['vault', 'compact', vault.name], kill)
  vault.check()
  assertShrinks(t, whole)
  vault.mount('--allow-other')
  assertPruned(t)
  assertSaved(t)
}

interface Command {
  readonly process: ChildProcess
  readonly exit: Promise<unknown>
}

/**
 * Starts a command and waits until it has changed the vault, or has ended; `isBusy`: until it
 * should have, as others do too.
 */
async function startWork(args: readonly string[], isBusy = false): Promise<Command> {
  const before = logState()
  const child = spawn(avfsProgram, args, { stdio: 'ignore', env: { ...process.env, ...vault.env } })
  let isOver = false
  const exit = new Promise((resolve) =>
    child.on('exit', (code, signal) => {
      isOver = true
      resolve(signal ?? code)
    }),
  )
  if (isBusy) await sleep(startMs)
  while (!isOver && logState() === before) await sleep(1)
  return { process: child, exit }
}

/** Changes with each commit: SQLite's log beside the vault. */
function logState(): string {
  const { size = 0, mtimeMs = 0 } = statSync(`${vault.file}-wal`, { throwIfNoEntry: false }) ?? {}
  return size === 0 ? '' : `${size} ${mtimeMs}`
}

/** Starts a command and cuts it off at some time of its work. */
async function startAndCut(
  t: Test,
  args: readonly string[],
  cut: (child: ChildProcess) => Promise<void>,
  isBusy = false,
): Promise<void> {
  const command = await startWork(args, isBusy)
  const delayMs = (workMs * random.below(100)) / 100
  await sleep(delayMs)
  await cut(command.process)
  const end = await command.exit
  t.comment(`${args.join(' ')}: cut off after ${delayMs.toFixed(0)} ms, ended with ${end}`)
}

function must(...args: readonly string[]): string {
  const { status, stdout, stderr } = vault.avfs(args)
  if (status !== 0)
    throw new Error(`avfs ${args.join(' ')} ended with ${status}: ${stdout}${stderr}`)
  return stdout
}

function prune(place: string): { versions: number } {
  return JSON.parse(must('prune', place, '--keep', String(KEPT), '--json'))
}

function assertSaved(t: Test): void {
  for (const writer of writers.slice(-2)) {
    const { lost, saves } = lostBy(writer)
    t.same(lost, [], `all of ${saves} saves beside it`)
  }
}

/**
 * Saves files of a new directory several times, takes a snapshot in between, and holds one of them.
 */
function load(name: string, random: Random): Load {
  const dir = join(vault.dir, name)
  mkdirSync(dir)
  const saves = new Map<string, string[]>()
  const snapshot = new Map<string, string>()
  for (let save = 0; save < SAVES; save++) {
    for (let at = 0; at < FILES; at++) {
      const bytes = random.bytes(random.pick([50, 3000, 9000, 20_000]))
      writeFileSync(join(dir, `f${at}`), bytes)
      const before = saves.get(`f${at}`)
      if (before === undefined) saves.set(`f${at}`, [nameOf(bytes)])
      else before.push(nameOf(bytes))
      if (save === 2) snapshot.set(`f${at}`, nameOf(bytes))
    }
    if (save === 2) mkdirSync(join(vault.dir, '.avfs/snapshots', name))
  }
  must('hold', join(dir, HELD))
  run('sync', ['-f', dir])
  return { name, saves, snapshot }
}

/** A content as `contentOf` gives it. */
function nameOf(bytes: Uint8Array): string {
  return `${digestOf(bytes)} ${bytes.length}`
}

/** What is kept is there; whatever shows besides was saved once, in that order. */
function assertKept(t: Test, { name, saves, snapshot }: Load): void {
  const wrong: string[] = []
  for (const [file, digests] of saves) {
    if (contentOf(join(vault.dir, name, file)) !== digests[digests.length - 1])
      wrong.push(`${file} is not as it was`)
    if (contentOf(join(vault.dir, '.avfs/snapshots', name, name, file)) !== snapshot.get(file))
      wrong.push(`${file} is not as it was in the snapshot`)
    const shown = versionsOf(join(vault.dir, name), file)
    const least = file === HELD ? digests : digests.slice(-KEPT)
    if (least.join() !== shown.slice(-least.length).join())
      wrong.push(`${file} has of its versions ${shown.map((its) => digests.indexOf(its ?? ''))}`)
    let at = 0
    for (const digest of shown) {
      at = digests.indexOf(digest ?? '', at) + 1
      if (at === 0) {
        wrong.push(`${file} shows a version that never was`)
        break
      }
    }
  }
  t.same(wrong, [], `what is kept of ${name} is as it was`)
}

/** Nothing else is left: the kept versions, and the snapshot's. */
function assertPruned(t: Test): void {
  for (const its of loads.slice(-2)) {
    assertKept(t, its)
    const counts = [...its.saves.keys()]
      .filter((file) => file !== HELD)
      .map((file) => versionsOf(join(vault.dir, its.name), file).length)
    t.equal(Math.max(...counts), KEPT + 1, `prune has done its work on ${its.name}`)
  }
}

function assertShrinks(t: Test, wholeBytes: number): void {
  const before = vaultBytes(vault)
  const said = must('vault', 'compact', vault.name)
  // LMDB can use free space again while it is open, but not give it back.
  if (said.includes('unmount to compact')) {
    vault.unmount()
    must('vault', 'compact', vault.name)
    vault.mount('--allow-other')
  }
  const bytes = vaultBytes(vault)
  t.comment(`${wholeBytes} bytes before, ${before} after prune, ${bytes} after compact`)
  t.ok(bytes < wholeBytes - FREED_BYTES, 'the vault is smaller')
  vault.check()
}
