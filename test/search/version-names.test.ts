// Search, log, cat and the views give a version the same path and the same number, and agree on
// what is deleted, after any history: saves in place, by rename and with backup files, moves of
// files and directories, hard links, deletions, restores, prune. AVFS_SEED repeats a run,
// AVFS_ROUNDS sets the number of histories.

import { join } from 'node:path'
import t from 'tap'
import { findState } from '../../src/control/methods/state.ts'
import { createFileSystem } from '../../src/fs/file-system.ts'
import type { SearchResult } from '../../src/search/results.ts'
import { Searcher } from '../../src/search/searcher.ts'
import { version } from '../../src/store/collections.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { findPath } from '../../src/vault/history/paths.ts'
import { inodeAt, readAt } from '../../src/vault/history/timeline.ts'
import { versionsOfPath } from '../../src/vault/history/version-names.ts'
import { createVault, openVault, type Vault } from '../../src/vault/vault.ts'
import { testedBackends } from '../support/engines.ts'
import { randomFrom, seedOf } from '../support/random.ts'
import { waiting } from '../support/waiting.ts'
import { Life, PATHS, WORD } from '../vault/random-life.ts'
import { caller } from '../vault/random-run.ts'

const seed = seedOf('AVFS_SEED')
const rounds = Number(process.env.AVFS_ROUNDS ?? 2)
const STEPS = 60
const ALL = 1_000_000

t.setTimeout(300_000)

async function contentOf({ core }: Vault, ino: number, moment: number): Promise<string> {
  return await retryUntilLoaded(() => {
    const row = inodeAt(core, ino, moment)
    if (row === undefined) throw new Error(`inode ${ino} has no state at ${moment}`)
    return Buffer.concat(readAt(core, row, moment, 0, row.size)).toString()
  })
}

/** What is wrong with what search found. */
async function wrongIn(vault: Vault, results: readonly SearchResult[]): Promise<string[]> {
  const { core } = vault
  const wrong: string[] = []
  const seen = new Set<string>()
  for (const { path, isThere, versions } of results) {
    const there = await retryUntilLoaded(() => findPath(core, path))
    if ((there !== undefined) !== isThere) wrong.push(`${path} is there: ${isThere}`)
    for (const { ino, version: own, number, moment } of versions) {
      const key = `${ino}.${own}`
      if (seen.has(key)) wrong.push(`${path}: version ${own} of inode ${ino} comes twice`)
      seen.add(key)
      if (number === undefined) continue
      const state = await retryUntilLoaded(() => findState(core, path, { version: number }))
      const [said, shown] = [
        await contentOf(vault, ino, moment),
        await contentOf(vault, state.ino, state.moment),
      ]
      if (said !== shown || state.moment !== moment) wrong.push(`${path} -v ${number}: ${shown}`)
    }
  }
  const rows = await retryUntilLoaded(() => core.overlay.scan(version, { limit: ALL }))
  for (const { ino, number } of rows)
    if (!seen.has(`${ino}.${number}`)) wrong.push(`version ${number} of inode ${ino} is not found`)
  return wrong
}

/**
 * Versions that log tells of, and that search shows under no name with a number; but for files with
 * several names, and what prune left: those are found without, where no row tells of the other name
 * any more.
 */
async function unnumbered(
  { vault: { core }, linked }: Life,
  results: readonly SearchResult[],
): Promise<string[]> {
  const numbered = new Set(
    results.flatMap(({ versions }) =>
      versions
        .filter(({ number }) => number !== undefined)
        .map((its) => `${its.ino}.${its.version}`),
    ),
  )
  const missing: string[] = []
  for (const path of PATHS)
    for (const its of await retryUntilLoaded(() => versionsOfPath(core, path)))
      if (!linked.has(its.ino) && !numbered.has(`${its.ino}.${its.version}`))
        missing.push(`${path} ${its.number}`)
  return missing
}

/** What search/QUERY/.all lists at the root, without the places. */
async function allListed({ fs }: Life, query: string): Promise<string[]> {
  let ino: number = ROOT_INO
  for (const name of ['.avfs', 'search', query, '.all'])
    ino = (await fs.lookup(caller, ino, name))?.ino ?? 0
  const { handle } = await fs.opendir(caller, ino)
  const names: string[] = []
  await fs.readdir(caller, ino, handle, 0, false, (name) => {
    names.push(name)
    return true
  })
  await fs.releasedir(handle)
  return names.filter((name) => !name.startsWith('.')).map((name) => name.replace(/^\d+-/, ''))
}

function shownIn(results: readonly SearchResult[]): string[] {
  return results.flatMap(({ path, versions }) => {
    const name = path.slice(path.lastIndexOf('/') + 1)
    return versions.map(({ number }) => (number === undefined ? name : `v${number}-${name}`))
  })
}

for (const backend of testedBackends)
  t.test(
    `a version has one path and one number, whoever tells of it (${backend.name})`,
    async (t) => {
      t.comment(`AVFS_SEED=${seed}`)
      for (let round = 0; round < rounds; round++) {
        const random = randomFrom(seed + round)
        const path = join(t.testdir(), `v${round}${backend.suffix}`)
        await createVault(path, backend.name)
        const vault = await openVault(path, { commitMs: 1_000_000, sealMs: 1e9 })
        const searcher = Searcher.start(vault)
        const fs = await retryUntilLoaded(() =>
          createFileSystem(vault, { readOnly: false, search: searcher }),
        )
        const life = new Life(vault, waiting(fs), random)
        for (let cycle = 0; cycle < 2; cycle++) {
          for (let step = 0; step < STEPS; step++) await life.step()
          if (cycle === 1) await vault.prune({ rules: { versions: 2 + random.below(3) } })
          await vault.sync()
          t.ok(await searcher.refresh(60_000))
          const results = await searcher.search({ query: WORD, limit: ALL, pastToo: true })
          const where = `seed ${seed + round}, cycle ${cycle}`
          t.same(await wrongIn(vault, results), [], `search and cat, ${where}`)
          if (cycle === 0) t.same(await unnumbered(life, results), [], `log and search, ${where}`)
          // A listing is good for a while: that of another query is not.
          const listed = await allListed(life, `${WORD} OR cycle${cycle}`)
          const isNumbered = (name: string): boolean => /^v\d/.test(name)
          const expected = shownIn(results)
          t.same(
            listed.filter(isNumbered).sort(),
            expected.filter(isNumbered).sort(),
            `.all and search, ${where}`,
          )
          // Of what lay in a directory of which prune left nothing, nobody knows who might see it.
          t.ok(listed.length <= expected.length, `.all shows no more, ${where}`)
        }
        await searcher.close()
        await vault.close()
      }
    },
  )
