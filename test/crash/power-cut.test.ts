// Power cuts: the vault's files are on a disk that records each write and each fsync
// (support/disk), writers work in the mounted vault, and afterwards AVFS_POWER_CUTS cuts are made
// at random moments of the record; AVFS_SEED repeats the choices, though not the writers' timing.
// What a cut leaves opens at once, holds a prefix of what each writer did with everything that an
// fsync acknowledged before it, loses no more than the commit interval, and passes a deep check.
// Every load after the first begins on a disk that a cut left, so that recovery is cut, too.

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { deserialize } from 'node:v8'
import t from 'tap'
import type { Recorded } from '../support/disk/events.ts'
import { Disk } from '../support/disk/power-cut.ts'
import { nowUs } from '../support/monotonic.ts'
import { createVault, sizeOf, until } from '../support/mount.ts'
import { attempt, run } from '../support/program.ts'
import { randomFrom, seedOf } from '../support/random.ts'
import { readJournal } from './journal.ts'
import type { Answer, Demand, Examination } from './power-check.ts'
import { boundsOf, isReady, startWriter, type Writer } from './writing.ts'

const cuts = Number(process.env.AVFS_POWER_CUTS ?? 20)
const seed = seedOf('AVFS_SEED')

const CUTS_A_LOAD = 50
const LOAD_MS = 2500
const EXAMINATION_MS_MAX = 60_000
const CANARY_CUTS = 20
/** More than the commit interval, and than it takes to write the log in full. */
const LOG_MS = 2000
const unsynced = join(import.meta.dirname, 'unsynced-log.ts')

/**
 * What was recorded while writers worked, since when the vault was there, and when they began and
 * were ready.
 */
interface Load {
  readonly log: readonly Recorded[]
  readonly writers: readonly Writer[]
  readonly startUs: number
  readonly beganUs: number
  readonly readyUs: number
}

/** A tree that is as it was when the load began. */
interface Earlier {
  readonly demands: readonly Demand[]
}

t.setTimeout(120_000 + cuts * 10_000)
t.comment(`AVFS_SEED=${seed} AVFS_POWER_CUTS=${cuts}`)

const random = randomFrom(seed)
const vault = createVault(t)
const file = basename(vault.file)
/** What the disk holds when the next load begins. */
const start = join(vault.root, 'start')
const image = join(vault.root, 'image')
rmSync(vault.home, { recursive: true })
mkdirSync(vault.home)

let examiner: ChildProcess | undefined
t.teardown(() => examiner?.kill('SIGKILL'))
let earlier: Earlier = { demands: [] }

for (let done = 0, round = 1; done < cuts; done += CUTS_A_LOAD, round++) {
  const count = Math.min(CUTS_A_LOAD, cuts - done)
  await t.test(`load ${round}: what ${count} power cuts leave is whole`, async (t) => {
    const load = await work(`load${round}`)
    t.ok(syncsOfLog(load) > 0, `${syncsOfLog(load)} syncs of the log`)
    earlier = await cutAndExamine(load, count, ({ problems, found }, moment) =>
      t.same(problems, [], `cut at event ${moment}: ${found.join('; ')}`),
    )
  })
}

t.test('a log that is not synced is found out', async (t) => {
  const load = await work('canary', { NODE_OPTIONS: `--import=${unsynced}` })
  t.equal(syncsOfLog(load), 0)
  let lost = 0
  await cutAndExamine(load, CANARY_CUTS, ({ problems }) => {
    if (problems.length > 0) lost++
  })
  t.ok(lost > 0, `${lost} of ${CANARY_CUTS} cuts lost what was acknowledged`)
})

/**
 * Lets writers work in the vault on a recording disk that holds `start`, or a new vault, and kills
 * its daemon.
 */
async function work(name: string, env: Readonly<Record<string, string>> = {}): Promise<Load> {
  const disk = fork(join(import.meta.dirname, '../support/disk/mount-disk.ts'), [vault.home])
  await once(disk, 'message')
  if (existsSync(start)) {
    cpSync(start, vault.home, { recursive: true })
    run('find', ['.', '-exec', 'sync', '{}', '+'], { cwd: vault.home })
  } else {
    const created = vault.avfs(['vault', 'create', vault.name, '--backend', vault.backend.name])
    if (created.status !== 0) throw new Error(created.stderr)
  }
  const startUs = nowUs()
  const mounted = vault.avfs(['mount', vault.name, vault.dir, '--allow-other'], { env })
  if (mounted.status !== 0) throw new Error(mounted.stderr)
  const first = join(vault.dir, 'first')
  writeFileSync(first, name)
  run('sync', [first])
  // The writers' syncs are to meet a log that is used.
  await until(() => sizeOf(`${vault.file}-log`) > 0, 'there is a log')
  await sleep(LOG_MS)
  const top = join(vault.dir, name)
  const beganUs = nowUs()
  mkdirSync(top)
  const writers = [
    startWriter(vault, top, `${name}a`, random, 2),
    startWriter(vault, top, `${name}b`, random),
  ]
  while (!writers.every(isReady)) await sleep(10)
  const readyUs = nowUs()
  await sleep(LOAD_MS)
  await vault.kill()
  await Promise.all(writers.map(({ exit }) => exit))
  attempt('umount', ['-l', vault.dir])
  const path = join(vault.root, 'disk.log')
  disk.send(path)
  await once(disk, 'message')
  const log: Recorded[] = deserialize(readFileSync(path))
  rmSync(path)
  return { log, writers, startUs, beganUs, readyUs }
}

/** Cuts the power at random moments of a load. The last image is what the next load begins on. */
async function cutAndExamine(
  load: Load,
  count: number,
  judge: (answer: Answer, moment: number) => void,
): Promise<Earlier> {
  const { log, writers } = load
  const journals = writers.map(({ journalPath }) => readJournal(journalPath))
  const moments = momentsOf(load, count)
  t.comment(`${log.length} events, ${journals.map(({ doneUs }) => doneUs.length)} operations`)
  const disk = new Disk(random.pick(['all', 'own']))
  let taken = 0
  let demands: Demand[] = []
  let answer: Answer | undefined
  for (const moment of moments) {
    for (; taken <= moment; taken++) {
      const next = log[taken]
      if (next !== undefined) disk.add(next.event)
    }
    const cutUs = log[moment]?.timeUs ?? 0
    makeImage(disk)
    const bounds = boundsOf(journals, { crashedUs: cutUs, heardUs: cutUs })
    demands = writers.map(({ dir, seed }, index) => {
      const { least = 0, most = 0 } = bounds[index] ?? {}
      return { dir: dir.slice(vault.dir.length + 1), seed, least, most }
    })
    answer = await examine({ vault: join(image, file), demands: [...demands, ...earlier.demands] })
    judge(answer, moment)
  }
  const last = answer
  return {
    demands: demands.map((demand, index) => ({ ...demand, digest: last?.digests[index] ?? '' })),
  }
}

/** How often the intent log was synced while the writers worked. */
function syncsOfLog({ log, readyUs }: Load): number {
  const inos = new Set<number>()
  for (const { event } of log) {
    if (event.kind !== 'names') continue
    for (const { name, ino } of event.changes) if (name === `${file}-log`) inos.add(ino)
  }
  return log.filter(
    ({ timeUs, event }) => timeUs > readyUs && event.kind === 'sync' && inos.has(event.ino),
  ).length
}

/** Events after which the power is cut, in order: half of them just before or after an fsync. */
function momentsOf({ log, startUs, beganUs, readyUs }: Load, count: number): number[] {
  // While writers are made ready, what they leave is no prefix yet.
  const isFit = ({ timeUs }: Recorded): boolean =>
    (timeUs > startUs && timeUs < beganUs) || timeUs > readyUs
  const fit = [...log.keys()].filter((at) => log[at] !== undefined && isFit(log[at]))
  const syncs = fit.filter((at) => log[at]?.event.kind === 'sync')
  const moments = Array.from({ length: count }, () =>
    random.below(2) === 0 ? random.pick(fit) : random.pick(syncs) - random.below(2),
  )
  return moments.sort((a, b) => a - b)
}

function makeImage(disk: Disk): void {
  for (const folder of [image, start]) {
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder)
  }
  disk.cut(random, start)
  cpSync(start, image, { recursive: true })
}

/** A process that ends while it looks is a problem, too. */
async function examine(examination: Examination): Promise<Answer> {
  examiner ??= fork(join(import.meta.dirname, 'power-check.ts'), { stdio: 'inherit' })
  const child = examiner
  child.send(examination)
  const over = new AbortController()
  const { signal } = over
  const answer = await Promise.race([
    once(child, 'message', { signal }),
    once(child, 'exit', { signal }),
    sleep(EXAMINATION_MS_MAX, ['no answer'], { signal }),
  ])
  over.abort()
  const [first] = answer
  if (typeof first === 'object' && first !== null) return first as Answer
  examiner = undefined
  child.kill('SIGKILL')
  return { found: [], digests: [], problems: [`the examining process ended: ${answer}`] }
}
