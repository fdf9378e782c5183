// kill -9 of the daemon at random moments under load: AVFS_CRASH_ROUNDS times, AVFS_SEED brings a run back (but for its
// timing). After each crash the vault mounts at once, holds a prefix of what each writer did and everything that an
// fsync of any of them acknowledged, loses no more than the commit interval, and passes a deep check.

import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { isMountPoint, mountedVault, until } from '../support/mount.ts'
import { type Random, randomFrom, seedOf } from '../support/random.ts'
import { describeTree } from '../support/tree.ts'
import { type Journal, nowUs, readJournal } from './journal.ts'
import { findPrefix } from './oracle.ts'

const rounds = Number(process.env.AVFS_CRASH_ROUNDS ?? 5)
const seed = seedOf('AVFS_SEED')

/** The commit interval of a second, and some patience with a machine that does other things too. */
const LOSS_MAX_US = 3_000_000
const REMOUNT_MAX_MS = 15_000

interface Writer {
  readonly process: ChildProcess
  readonly dir: string
  readonly journalPath: string
  readonly seed: number
  readonly exit: Promise<unknown>
}

t.setTimeout(60_000 + rounds * 30_000)
t.comment(`AVFS_SEED=${seed} AVFS_CRASH_ROUNDS=${rounds}`)

const random = randomFrom(seed)
const vault = mountedVault(t)
let earlier: { readonly dir: string; readonly tree: readonly string[] } | undefined

for (let round = 1; round <= rounds; round++) {
  await t.test(
    `round ${round}: a vault whose daemon is killed holds a prefix of what was done`,
    (t) => crashOnce(t, round, random),
  )
}

async function crashOnce(t: Test, round: number, random: Random): Promise<void> {
  const top = join(vault.dir, `round${round}`)
  mkdirSync(top)
  const writers = ['a', 'b'].map((name) => startWriter(top, `${round}${name}`, random))
  await until(() => writers.every(isReady), 'the writers have begun')
  const delayMs = 10 + random.below(random.pick([100, 600, 1500, 2500]))
  await sleep(delayMs)
  for (const writer of writers) t.equal(writer.process.exitCode, null, 'the writer is at work')
  const killedUs = nowUs()
  await vault.kill()
  for (const writer of writers) t.equal(await writer.exit, 0, 'the writer saw the daemon go')
  if (round % 4 === 0) await crashInRecovery(random)
  const start = performance.now()
  vault.mount('--allow-other')
  const remountMs = performance.now() - start
  t.ok(remountMs < REMOUNT_MAX_MS, `mounted again after ${remountMs.toFixed(0)} ms`)
  const journals = writers.map((writer) => readJournal(writer.journalPath))
  const lastSyncUs = Math.max(
    0,
    ...journals.flatMap((journal) => journal.syncs.map((sync) => sync.beganUs)),
  )
  for (const [index, writer] of writers.entries()) {
    const journal = journals[index]
    if (journal !== undefined) checkWriter(t, writer, journal, lastSyncUs, killedUs)
  }
  if (earlier !== undefined) {
    t.same(describeTree(earlier.dir), earlier.tree, 'what an earlier round left is as it was')
    rmSync(earlier.dir, { recursive: true })
  }
  earlier = { dir: top, tree: describeTree(top) }
  vault.check()
}

function startWriter(top: string, name: string, random: Random): Writer {
  const dir = join(top, name)
  mkdirSync(dir)
  const journalPath = join(vault.root, `journal-${name}`)
  const writerSeed = random.below(2 ** 31)
  // Those who seldom sync show that the commit interval holds.
  const syncEvery = random.pick([2, 10, 50, 100_000])
  const child = spawn(
    process.execPath,
    [
      join(import.meta.dirname, 'writer.ts'),
      dir,
      journalPath,
      String(writerSeed),
      String(syncEvery),
    ],
    { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, NODE_NO_WARNINGS: '1' } },
  )
  const exit = new Promise((resolve) => child.on('exit', (code, signal) => resolve(signal ?? code)))
  return { process: child, dir, journalPath, seed: writerSeed, exit }
}

function isReady(writer: Writer): boolean {
  return existsSync(writer.journalPath) && readJournal(writer.journalPath).isReady
}

/** Kills the next daemon too, soon after it has mounted: recovery must stand being cut short. */
async function crashInRecovery(random: Random): Promise<void> {
  vault.mount('--allow-other')
  await sleep(random.below(60))
  await vault.kill()
}

function checkWriter(
  t: Test,
  writer: Writer,
  journal: Journal,
  lastSyncUs: number,
  killedUs: number,
): void {
  const done = Math.max(0, journal.doneUs.length - 1)
  const countBefore = (limitUs: number): number => {
    const after = journal.doneUs.findIndex((doneUs, number) => number > 0 && doneUs >= limitUs)
    return after < 0 ? done : after - 1
  }
  const ownSync = Math.max(0, ...journal.syncs.map((sync) => sync.number))
  const least = Math.max(ownSync, countBefore(lastSyncUs), countBefore(killedUs - LOSS_MAX_US))
  const most = done + (journal.isLost ? 1 : 0)
  const { count, torn } = findPrefix(writer.dir, writer.seed, least, most)
  t.ok(
    count >= least,
    `${count}${torn ? ' and a bit' : ''} of ${done} operations are there, ${least} had to be`,
  )
}

await t.test('and in the end the vault unmounts and is whole', async (t) => {
  vault.unmount()
  t.equal(isMountPoint(vault.dir), false)
  vault.check()
})
