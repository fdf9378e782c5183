// kill -9 of the daemon while files are saved: every version that was made durable is there after it, with its content and in
// its place among the others, and every deleted file is found in deleted/. AVFS_CRASH_ROUNDS rounds; AVFS_SEED brings a
// run back but for its timing.

import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { mountedVault, until } from '../support/mount.ts'
import { type Random, randomFrom, seedOf } from '../support/random.ts'
import { type Acknowledged, digestOf, readAcknowledged, readJournal } from './journal.ts'

const rounds = Number(process.env.AVFS_CRASH_ROUNDS ?? 4)
const seed = seedOf('AVFS_SEED')

t.setTimeout(60_000 + rounds * 30_000)
t.comment(`AVFS_SEED=${seed} AVFS_CRASH_ROUNDS=${rounds}`)

const random = randomFrom(seed)
const vault = mountedVault(t)
const writers: Writer[] = []

for (let round = 1; round <= rounds; round++) {
  await t.test(
    `round ${round}: every version that was durable is there when the daemon is killed`,
    (t) => crashOnce(t, round, random),
  )
}

interface Writer {
  readonly process: ChildProcess
  readonly dir: string
  readonly journalPath: string
  readonly exit: Promise<unknown>
}

async function crashOnce(t: Test, round: number, random: Random): Promise<void> {
  const two = ['a', 'b'].map((name) => startWriter(`${round}${name}`, random))
  await until(
    () =>
      two.every(({ journalPath }) => existsSync(journalPath) && readJournal(journalPath).isReady),
    'the writers have begun',
  )
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

function startWriter(name: string, random: Random): Writer {
  const dir = join(vault.dir, name)
  mkdirSync(dir)
  const journalPath = join(vault.root, `journal-${name}`)
  const script = join(import.meta.dirname, 'versions-writer.ts')
  const child = spawn(process.execPath, [script, dir, journalPath, String(random.below(2 ** 31))], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, NODE_NO_WARNINGS: '1' },
  })
  const exit = new Promise((resolve) => child.on('exit', (code, signal) => resolve(signal ?? code)))
  return { process: child, dir, journalPath, exit }
}

function assertKept(t: Test, { dir, journalPath }: Writer): void {
  const acknowledged = readAcknowledged(journalPath)
  const count = [...acknowledged.saves.values()].reduce((sum, its) => sum + its.length, 0)
  t.same(missing(dir, acknowledged), [], `${count} versions, ${acknowledged.deleted.size} deleted`)
}

/** What was acknowledged and is not there, a line each. */
function missing(dir: string, { saves, deleted }: Acknowledged): string[] {
  const found: string[] = []
  for (const [name, saved] of saves) {
    const versions = versionsOf(dir, name)
    let at = 0
    for (const { digest, size } of saved) {
      while (at < versions.length && versions[at] !== `${digest} ${size}`) at++
      if (at++ < versions.length) continue
      found.push(`${name}: ${digest} of ${size} bytes is not among ${versions.length} versions`)
      break
    }
    if (!deleted.has(name)) continue
    const last = saved[saved.length - 1]
    if (existsSync(join(dir, name))) found.push(`${name} was deleted, and is there`)
    else if (contentOf(join(dir, '.avfs', 'deleted', name)) !== `${last?.digest} ${last?.size}`)
      found.push(`${name} is not what deleted/ shows`)
  }
  return found
}

/** The contents of a name's versions, oldest first. */
function versionsOf(dir: string, name: string): (string | undefined)[] {
  const folder = join(dir, '.avfs', 'versions', name)
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((its) => /^\d+/.test(its))
    .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10))
    .map((its) => contentOf(join(folder, its)))
}

function contentOf(path: string): string | undefined {
  if (!existsSync(path)) return undefined
  const bytes = readFileSync(path)
  return `${digestOf(bytes)} ${bytes.length}`
}
