// kill -9 of the daemon while files are saved: afterwards every version that was made durable
// exists, with its content and in its place among the others, and every deleted file is in
// deleted/. AVFS_CRASH_ROUNDS rounds; AVFS_SEED repeats a run, except for its timing.

import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { mountedVault, until } from '../support/mount.ts'
import { type Random, randomFrom, seedOf } from '../support/random.ts'
import { isSaving, lostBy, type SavingWriter, startSaving } from './saving.ts'

const rounds = Number(process.env.AVFS_CRASH_ROUNDS ?? 4)
const seed = seedOf('AVFS_SEED')

t.setTimeout(60_000 + rounds * 30_000)
t.comment(`AVFS_SEED=${seed} AVFS_CRASH_ROUNDS=${rounds}`)

const random = randomFrom(seed)
const vault = mountedVault(t)
const writers: SavingWriter[] = []

for (let round = 1; round <= rounds; round++) {
  await t.test(
    `round ${round}: every version that was durable is there when the daemon is killed`,
    (t) => crashOnce(t, round, random),
  )
}

async function crashOnce(t: Test, round: number, random: Random): Promise<void> {
  const two = ['a', 'b'].map((name) => startSaving(vault, `${round}${name}`, random))
  await until(() => two.every(isSaving), 'the writers have begun')
  await sleep(10 + random.below(random.pick([300, 1500, 4000])))
  for (const writer of two) t.equal(writer.process.exitCode, null, 'the writer is at work')
  await vault.kill()
  for (const writer of two) t.equal(await writer.exit, 0, 'the writer saw the daemon go')
  vault.mount('--allow-other')
  for (const writer of two) assertKept(t, writer)
  // What an earlier crash left was through another one now.
  const earlier = writers[random.below(writers.length + 1)]
  if (earlier !== undefined) assertKept(t, earlier)
  writers.push(...two)
  vault.check()
}

function assertKept(t: Test, writer: SavingWriter): void {
  const { lost, saves, deletions } = lostBy(writer)
  t.same(lost, [], `${saves} versions and ${deletions} deletions`)
}
