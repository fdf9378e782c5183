// kill -9 of the daemon at random moments under load, AVFS_CRASH_ROUNDS times; AVFS_SEED repeats a
// run, except for its timing. After each crash the vault mounts at once, holds a prefix of what
// each writer did and everything that an fsync of any of them acknowledged, loses no more than the
// commit interval, and passes a deep check.

import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { nowUs } from '../support/monotonic.ts'
import { isMountPoint, mountedVault, until } from '../support/mount.ts'
import { type Random, randomFrom, seedOf } from '../support/random.ts'
import { describeTree } from '../support/tree.ts'
import { readJournal } from './journal.ts'
import { findPrefix, readTree } from './oracle.ts'
import { type Bounds, boundsOf, isReady, startWriter, type Writer } from './writing.ts'

const rounds = Number(process.env.AVFS_CRASH_ROUNDS ?? 5)
const seed = seedOf('AVFS_SEED')

const REMOUNT_MAX_MS = 15_000

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
  const writers = ['a', 'b'].map((name) => startWriter(vault, top, `${round}${name}`, random))
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
  const bounds = boundsOf(journals, { crashedUs: killedUs, heardUs: Number.POSITIVE_INFINITY })
  for (const [index, writer] of writers.entries()) {
    const its = bounds[index]
    if (its !== undefined) checkWriter(t, writer, its)
  }
  if (earlier !== undefined) {
    t.same(describeTree(earlier.dir), earlier.tree, 'what an earlier round left is as it was')
    rmSync(earlier.dir, { recursive: true })
  }
  earlier = { dir: top, tree: describeTree(top) }
  vault.check()
}

/** Kills the next daemon too, soon after it has mounted: recovery must stand being cut short. */
async function crashInRecovery(random: Random): Promise<void> {
  vault.mount('--allow-other')
  await sleep(random.below(60))
  await vault.kill()
}

function checkWriter(t: Test, { dir, seed }: Writer, { least, most }: Bounds): void {
  const { count, torn } = findPrefix(readTree(dir), seed, least, most)
  t.ok(
    count >= least,
    `${count}${torn ? ' and a bit' : ''} of ${most} operations are there, ${least} had to be`,
  )
}

await t.test('and in the end the vault unmounts and is whole', async (t) => {
  vault.unmount()
  t.equal(isMountPoint(vault.dir), false)
  vault.check()
})
