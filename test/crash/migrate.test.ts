// kill -9 of a migration, at each point that leaves a different state behind and at random moments:
// the vault is whole under its name, the same command completes and reports what it found, and
// nothing is lost or left over. AVFS_CRASH_ROUNDS sets the random kills; AVFS_SEED repeats them,
// except for their timing.

import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { setLog } from '../../src/base/log.ts'
import { existingVault } from '../../src/control/vaults/vault-names.ts'
import { backendOf } from '../../src/store/open.ts'
import type { Survey } from '../../src/vault/transfer/copy-rows.ts'
import { testedBackends } from '../support/engines.ts'
import { randomFrom, seedOf } from '../support/random.ts'
import { makeRichVault } from '../vault/rich-vault.ts'
import { wholeVault } from '../vault/whole-vault.ts'

setLog('error')
const rounds = Number(process.env.AVFS_CRASH_ROUNDS ?? 6)
const seed = seedOf('AVFS_SEED')
const random = randomFrom(seed)
const engines = testedBackends.map(({ name }) => name)
/** Every `reached` of src/control/offline/migration.ts. */
const points = ['noted', 'copied', 'verified', 'switching', 'named', 'removed']

t.setTimeout(120_000 + rounds * 20_000)
t.comment(`AVFS_SEED=${seed} AVFS_CRASH_ROUNDS=${rounds}, engines: ${engines.join(' ')}`)

interface Ended {
  readonly signal: string | null
  readonly code: number | null
  readonly printed: string
  readonly ms: number
}

/** Runs a migration; killed after so many ms from its beginning, or at a point, or not at all. */
async function migrate(vault: string, to: string, at: number | string | undefined): Promise<Ended> {
  const point = typeof at === 'string' ? at : '-'
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, 'migrate-child.ts'), vault, to, point],
    { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, NODE_NO_WARNINGS: '1' } },
  )
  let printed = ''
  let began = 0
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    if (printed === '') {
      began = performance.now()
      if (typeof at === 'number') void sleep(at).then(() => child.kill('SIGKILL'))
    }
    printed += text
  })
  const ended = await new Promise<Pick<Ended, 'signal' | 'code'>>((resolve) =>
    child.once('close', (code, signal) => resolve({ code, signal })),
  )
  return { ...ended, printed, ms: performance.now() - began }
}

/** Kills one migration, proves that nothing is lost, and brings it to its end. */
async function round(
  t: Test,
  vault: string,
  to: string,
  at: number | string,
  wanted: Survey,
): Promise<void> {
  const killed = await migrate(vault, to, at)
  const where = existingVault(vault).path
  t.same(await wholeVault(where), wanted, `${vault} is whole in ${where}, killed at ${at}`)
  const again = await migrate(vault, to, undefined)
  // It came to its end before it was killed: then the vault is on that engine already.
  if (killed.signal === null) return
  if (backendOf(where).name !== to) {
    t.match(again, { signal: null, code: 0 }, again.printed)
    t.match(again.printed, /starting over\ndone\n$|^begun\ndone\n$/, 'it says that it starts over')
  }
  const path = existingVault(vault).path
  t.equal(backendOf(path).name, to)
  t.same(await wholeVault(path), wanted, 'and comes to its end')
}

await t.test(
  'a migration that is killed at any point loses nothing and can be run again',
  async (t) => {
    if (engines.length < 2) throw new Error('there must be two engines: npm ci brings them')
    const folder = t.testdir()
    const vault = join(folder, 'one')
    await makeRichVault(`${vault}.avfs`, 'sqlite', seed, 400)
    const wanted = await wholeVault(`${vault}.avfs`)
    let count = 0
    const next = (): string => engines[++count % engines.length] as string
    for (const point of points) await round(t, vault, next(), point, wanted)
    const { ms } = await migrate(vault, next(), undefined)
    for (let at = 0; at < rounds; at++)
      await round(t, vault, next(), random.below(Math.ceil(ms)), wanted)
    const { name, suffix, companions } = backendOf(existingVault(vault).path)
    const own = [`one${suffix}`, ...companions.map((end) => `one${suffix}${end}`)]
    t.same(
      readdirSync(folder).filter((file) => !own.includes(file)),
      [],
      `nothing is left but ${name}'s`,
    )
  },
)
