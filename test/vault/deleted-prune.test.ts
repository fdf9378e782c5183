// What deleted/ lists after prune by random rules can be undeleted and read, and so can what the
// log of a directory says was deleted, while its name has a version. AVFS_SEED chooses the seed,
// AVFS_ROUNDS the number of lives.

import t, { type Test } from 'tap'
import { methods } from '../../src/control/methods/methods.ts'
import { createFileSystem } from '../../src/fs/file-system.ts'
import { openMemory } from '../../src/store/memory.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import { historyOf } from '../../src/vault/history/changes.ts'
import { DeletedNames } from '../../src/vault/history/deleted.ts'
import { findPath } from '../../src/vault/history/paths.ts'
import { wholeBefore } from '../../src/vault/history/removal.ts'
import { createSnapshot } from '../../src/vault/history/snapshots.ts'
import { stateAt } from '../../src/vault/history/tree-state.ts'
import { versionsOfPath } from '../../src/vault/history/version-names.ts'
import { walkTree } from '../../src/vault/history/walk.ts'
import { addHold } from '../../src/vault/prune/holds.ts'
import type { Rules } from '../../src/vault/prune/retention.ts'
import { birthBatch, Vault } from '../../src/vault/vault.ts'
import { type Random, randomFrom, seedOf } from '../support/random.ts'
import { waiting } from '../support/waiting.ts'
import { Life } from './random-life.ts'

const seed = seedOf('AVFS_SEED')
const ROUNDS = Number(process.env.AVFS_ROUNDS ?? 25)
const STEPS = 60
const DIRECTORIES = ['', '/d', '/e', '/e/b']
const ALL = 1_000_000

t.comment(`AVFS_SEED=${seed}`)

function rulesOf(random: Random): Rules {
  const rules: { -readonly [K in keyof Rules]: number } = {}
  if (random.below(2) === 0) rules.versions = 1 + random.below(3)
  if (random.below(2) === 0) rules.youngerMs = random.below(200_000)
  if (random.below(3) === 0) rules.deletedMs = random.below(200_000)
  if (random.below(4) === 0) rules.hourly = 1
  return rules
}

/** What a path says when it is asked for; undefined when it is brought back. */
async function undeleted(vault: Vault, path: string): Promise<string | undefined> {
  const call = {
    report: () => undefined,
    send: async () => undefined,
    kernel: undefined,
    searcher: () => {
      throw new Error('no search')
    },
    isGone: () => false,
    body: undefined,
  }
  try {
    await methods.undelete.run(vault, { path, dryRun: true }, call)
    return undefined
  } catch (error) {
    return String(error)
  }
}

/** Reads all of what is listed, as it was. */
async function assertReadable(vault: Vault, row: { ino: number; type: number; until: number }) {
  const { core } = vault
  const state = stateAt(core, await retryUntilLoaded(() => wholeBefore(core, row as never)))
  const top = await retryUntilLoaded(() => state.inode(row.ino))
  if (top === undefined) throw new Error('there is no such state')
  for await (const page of walkTree(state, top, () => false))
    for (const its of page)
      if ((its.row.mode & 0o170000) === 0o100000) {
        const parts = await retryUntilLoaded(() => state.read(its.row, 0, its.row.size))
        const bytes = parts.reduce((sum, part) => sum + part.length, 0)
        if (bytes !== its.row.size) throw new Error(`${its.path} has ${bytes} bytes`)
      }
}

async function assertFound(t: Test, vault: Vault, what: string): Promise<void> {
  const { core } = vault
  for (const directory of DIRECTORIES) {
    const parent = await retryUntilLoaded(() => findPath(core, directory || '/'))
    if (parent === undefined || (parent.mode & 0o170000) !== 0o040000) continue
    const names = new DeletedNames(core, parent.ino)
    for (let page = names.next(); page !== undefined; page = names.next())
      for (const { name, row } of page) {
        const path = `${directory}/${name}`
        await assertReadable(vault, row).catch((error: unknown) =>
          t.fail(`${what}: ${path} of deleted/ cannot be read: ${error}`),
        )
        const why = await undeleted(vault, path)
        if (why !== undefined) t.fail(`${what}: ${path} of deleted/ cannot be undeleted: ${why}`)
      }
    const seen = new Set<string>()
    for (const event of await retryUntilLoaded(() => historyOf(core, parent.ino, ALL, true))) {
      const path = `${directory}/${event.path}`
      if (seen.has(path)) continue
      seen.add(path)
      if (event.what !== 'deleted' || versionsOfPath(core, path).length === 0) continue
      if ((await retryUntilLoaded(() => findPath(core, path))) !== undefined) continue
      const why = await undeleted(vault, path)
      if (why !== undefined) t.fail(`${what}: ${path} of the log cannot be undeleted: ${why}`)
    }
  }
}

t.test('what is listed as deleted after prune can be brought back', async (t) => {
  for (let round = 0; round < ROUNDS; round++) {
    const its = seed + round
    const random = randomFrom(its)
    const store = openMemory()
    await store.commit(birthBatch())
    const vault = new Vault(store, '/tmp/none', { commitMs: 1_000_000, sealMs: 1e9 })
    const fs = waiting(createFileSystem(vault, { readOnly: false }))
    const life = new Life(vault, fs, random)
    for (let step = 0; step < STEPS; step++) {
      await life.step()
      if (random.below(20) === 0) createSnapshot(vault.core, `s${step}`)
      if (random.below(25) === 0) addHold(vault.core, random.pick(['/d', '/e/a', '/b']))
      if (random.below(15) > 0) continue
      vault.core.moments.last += 20_000_000
      await vault.sync()
      const rules = rulesOf(random)
      await vault.prune({ rules })
      await assertFound(t, vault, `seed ${its}, step ${step}, ${JSON.stringify(rules)}`)
    }
    await vault.close()
  }
})
