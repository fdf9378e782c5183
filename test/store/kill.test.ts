// A process that commits without end is killed at random moments: after each kill, the vault opens
// at once, every commit that was acknowledged is whole, and no other exists in part. AVFS_SEED
// repeats the moments; AVFS_KILL_ROUNDS sets their number.

import { join } from 'node:path'
import t from 'tap'
import { extent, setting, version } from '../../src/store/collections.ts'
import { openEngine } from '../../src/store/open.ts'
import { testedBackends } from '../support/engines.ts'
import { linesUntilKilled } from '../support/killed.ts'
import { randomFrom, seedOf } from '../support/random.ts'
import { scanned } from './answers.ts'

const rounds = Number(process.env.AVFS_KILL_ROUNDS ?? 8)
const ROWS = 20

for (const { name, suffix } of testedBackends)
  t.test(`${name}: every acknowledged commit is whole after kill -9`, async (t) => {
    const seed = seedOf('AVFS_SEED')
    t.comment(`AVFS_SEED=${seed}`)
    const random = randomFrom(seed)
    const path = join(t.testdir(), `vault${suffix}`)
    await (await openEngine(path, { create: true })).close()
    let total = 0
    for (let round = 0; round < rounds; round++) {
      // Every other one compacts as it commits.
      const acknowledged = await killed(path, random.below(250), round % 2 === 1)
      const store = await openEngine(path)
      const last = Number(store.get(setting, ['last'])?.value ?? 0)
      t.ok(last >= acknowledged, `${acknowledged} acknowledged, ${last} found`)
      const rows = await scanned(store, version, { limit: 1_000_000 })
      t.equal(rows.length, last * ROWS)
      t.same(
        rows.filter((row, i) => row.ino !== 1 + Math.floor(i / ROWS) || row.number !== i % ROWS),
        [],
        'all rows of all commits, and none of a later one',
      )
      const extents = await scanned(store, extent, { limit: 1_000_000 })
      t.equal(extents.length, last)
      t.ok(extents.every(({ data, ino }) => data?.length === 50_000 && data[0] === ino % 256))
      t.same(await store.verify(), [])
      await store.close()
      total = last
    }
    t.ok(total > 0, `${total} commits in all`)
  })

/**
 * Runs the child for some time after its first commit, kills it, and returns the last commit it
 * acknowledged.
 */
async function killed(path: string, afterMs: number, compacts: boolean): Promise<number> {
  const script = join(import.meta.dirname, 'kill-child.ts')
  const lines = await linesUntilKilled(script, [path, `${ROWS}`, `${compacts}`], afterMs)
  return Number(lines.at(-1) ?? 0)
}
