// The view `versions` gives the versions of a path the same numbers as `avfs log`, after any
// history, and `files` counts them. AVFS_SEED repeats a run, AVFS_ROUNDS sets the number of
// histories.

import { join } from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import { createFileSystem } from '../../src/fs/file-system.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import { findPath } from '../../src/vault/history/paths.ts'
import { versionsOfPath } from '../../src/vault/history/version-names.ts'
import { createVault, openVault, type Vault } from '../../src/vault/vault.ts'
import { randomFrom, seedOf } from '../support/random.ts'
import { waiting } from '../support/waiting.ts'
import { Life, PATHS } from '../vault/random-life.ts'

const seed = seedOf('AVFS_SEED')
const rounds = Number(process.env.AVFS_ROUNDS ?? 2)
const STEPS = 60

t.setTimeout(300_000)

/** What the view tells of each path, as far as it has numbers. */
function viewOf(file: string): Map<string, string[]> {
  const db = new Database(file, { readonly: true })
  const rows = db
    .prepare('select path, number, ino, size, saved, mtime from versions order by path, number')
    .raw()
    .all() as [string | null, ...unknown[]][]
  db.close()
  const lines = new Map<string, string[]>()
  for (const [path, number, ...rest] of rows)
    if (path !== null && number !== null)
      lines.set(path, [...(lines.get(path) ?? []), [number, ...rest].join(' ')])
  return lines
}

/** The files of which `files` counts other versions than `versions` lists. */
function miscounted(file: string, view: ReadonlyMap<string, string[]>): object[] {
  const db = new Database(file, { readonly: true })
  const rows = db.prepare("select path, versions from files where type = 'file'").all()
  db.close()
  return (rows as { path: string; versions: number }[]).filter(
    ({ path, versions }) => versions !== (view.get(path)?.length ?? 0),
  )
}

async function logOf({ core }: Vault, path: string): Promise<string[]> {
  const versions = await retryUntilLoaded(() => versionsOfPath(core, path))
  return versions.map(({ number, ino, size, moment, mtime, mtimeNs }) => {
    const wall = core.moments.wallOf(moment)
    const saved = `${isoSeconds(Math.floor(wall / 1e6))}.${padded(wall % 1e6, 6)}Z`
    return `${number} ${ino} ${size} ${saved} ${isoSeconds(mtime)}.${padded(mtimeNs, 9)}Z`
  })
}

function isoSeconds(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(0, 19)
}

function padded(number: number, digits: number): string {
  return String(number).padStart(digits, '0')
}

/**
 * What log and the view tell differently. A name that lay in a directory that is gone or elsewhere
 * may be there under another path.
 */
async function differences(vault: Vault, view: ReadonlyMap<string, string[]>): Promise<object[]> {
  const paths = PATHS.flatMap((path) => [path, `${path}~`, `${path}.tmp`])
  const found: object[] = []
  for (const path of new Set([...paths, ...view.keys()])) {
    const log = await logOf(vault, path)
    const shown = view.get(path) ?? []
    const above = path.slice(0, path.lastIndexOf('/')) || '/'
    const isThere = (await retryUntilLoaded(() => findPath(vault.core, above))) !== undefined
    const isElsewhere = !isThere && shown.length === 0
    if (!isElsewhere && shown.sort().join() !== log.sort().join()) found.push({ path, log, shown })
  }
  return found
}

t.test('the view numbers versions as log does', async (t) => {
  t.comment(`AVFS_SEED=${seed}`)
  let compared = 0
  for (let round = 0; round < rounds; round++) {
    const random = randomFrom(seed + round)
    const file = join(t.testdir(), `v${round}.avfs`)
    await createVault(file, 'sqlite')
    const vault = await openVault(file, { commitMs: 1_000_000, sealMs: 1e9 })
    const fs = await retryUntilLoaded(() => createFileSystem(vault, { readOnly: false }))
    const life = new Life(vault, waiting(fs), random)
    for (let cycle = 0; cycle < 3; cycle++) {
      for (let step = 0; step < STEPS; step++) await life.step()
      if (cycle === 1) await vault.prune({ rules: { versions: 2 + random.below(3) } })
      await vault.sync()
      const view = viewOf(file)
      compared += [...view.values()].flat().length
      t.same(await differences(vault, view), [], `seed ${seed + round}, cycle ${cycle}`)
      t.same(miscounted(file, view), [], 'files counts them')
    }
    await vault.close()
  }
  t.ok(compared > 0, `${compared} numbers`)
})
