// A host's clock that is set: ages stay true ages, times are those that were shown, on all engines
// and across openings. AVFS_SEED chooses the seed, AVFS_ROUNDS the number of lives.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import { setLog } from '../../src/base/log.ts'
import { openStore } from '../../src/store/open.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { formatMoment } from '../../src/vault/core/when.ts'
import { versionsOf } from '../../src/vault/history/versions.ts'
import { birthBatch, createVault, openVault, Vault } from '../../src/vault/vault.ts'
import { testClock } from '../support/clock.ts'
import { testedBackends } from '../support/engines.ts'
import { seedOf } from '../support/random.ts'
import { ClockLife } from './clock-life.ts'

setLog('error')
t.setTimeout(300_000)
const clock = testClock()
const seed = seedOf('AVFS_SEED')
const rounds = Number(process.env.AVFS_ROUNDS ?? 5)
const STEPS = 60

async function live(t: Test, life: ClockLife): Promise<void> {
  for (let step = 0; step < STEPS; step++) {
    await life.step()
    const wrong = step % 10 === 9 ? await life.wrong() : undefined
    if (wrong !== undefined) throw new Error(`step ${step}: ${wrong}`)
  }
  t.equal(await life.wrong(), undefined)
}

t.test('in memory, whatever happens to the clock', async (t) => {
  for (let round = 0; round < rounds; round++) {
    t.comment(`AVFS_SEED=${seed + round}`)
    const store = await openStore('memory', { create: true, backend: 'memory' })
    await store.commit(birthBatch())
    const vault = new Vault(store, '/tmp/none', { commitMs: 5 })
    const life = new ClockLife(vault, clock, seed + round)
    await live(t, life)
    await pruneByAge(t, life)
    await vault.close()
  }
})

/**
 * Of what a rule of age lets go, nothing is younger, and of what stays nothing is older, by true
 * time.
 */
async function pruneByAge(t: Test, { vault, happenings }: ClockLife): Promise<void> {
  const { core } = vault
  const middle = happenings[Math.floor(happenings.length / 2)]
  if (middle === undefined) return
  const from = middle.moment + 1_500_000
  await vault.prune({ rules: { youngerMs: (core.moments.now() - from) / 1000 } })
  for (const name of ['a', 'b', 'c']) {
    const its = happenings.filter((happening) => happening.name === name)
    const staying = its.filter(({ text }, at) => {
      const ended = its[at + 1]?.moment ?? Number.POSITIVE_INFINITY
      return text !== undefined && ended > from
    })
    t.same(
      versionsOf(core, ROOT_INO, name).map(({ moment }) => moment),
      staying.map(({ moment }) => moment),
    )
  }
}

for (const { name, suffix } of testedBackends)
  t.test(`on ${name}, also while the vault is closed`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'avfs-clock-'))
    t.teardown(() => rmSync(folder, { recursive: true }))
    const path = join(folder, `v${suffix}`)
    t.comment(`AVFS_SEED=${seed}`)
    await createVault(path, name)
    const vault = await openVault(path)
    const life = await retryUntilLoaded(() => new ClockLife(vault, clock, seed))
    for (let opening = 0; opening < 3; opening++) {
      await live(t, life)
      await life.vault.close()
      life.closedFor()
      const again = await openVault(path)
      await retryUntilLoaded(() => life.reopened(again))
      t.equal(await life.wrong(), undefined)
    }
    t.same((await life.vault.check({ deep: true })).problems, [])
    await life.vault.close()
    const readOnly = await openVault(path, { readOnly: true })
    await retryUntilLoaded(() => life.reopened(readOnly))
    t.equal(await life.wrong(), undefined)
    await readOnly.close()
  })

t.test('a SQLite file of before the clock had rows opens, for reading alone too', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'avfs-clock-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'v.avfs')
  await createVault(path, 'sqlite')
  const file = new Database(path)
  for (const view of ['files', 'versions', 'history']) file.exec(`drop view ${view}`)
  file.exec('drop table clock')
  file.close()
  for (const readOnly of [true, false]) {
    const vault = await openVault(path, { readOnly })
    t.equal(vault.info().clock, null)
    t.same((await vault.check({ deep: true })).problems, [])
    await vault.close()
  }
  const upgraded = new Database(path, { readonly: true })
  t.equal(upgraded.prepare('select count(*) from clock').pluck().get(), 0)
  t.same(upgraded.prepare('select path from files').pluck().all(), ['/'])
  upgraded.close()
})

t.test('the SQL views show times as the clock showed them', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'avfs-clock-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'v.avfs')
  await createVault(path, 'sqlite')
  const life = new ClockLife(await openVault(path), clock, seed)
  for (let step = 0; step < STEPS; step++) await life.step()
  const { moments } = life.vault.core
  const times = life.happenings
    .filter(({ text }) => text !== undefined)
    .map(({ moment }) => formatMoment(moments.wallOf(moment)))
  await life.vault.close()
  const file = new Database(path, { readonly: true })
  const saved = file.prepare('select saved from versions').pluck().all() as string[]
  file.close()
  t.same(saved.map((time) => time.replace(/(T\d\d):(\d\d):/, '$1-$2-')).sort(), times.sort())
})
