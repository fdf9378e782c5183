// Whole trees are restored to moments of a random run, and compared with what a read as of that
// moment returned before; the vault stays sound, and the moments in between stay readable.
// AVFS_SEED chooses the seed, AVFS_STEPS the length.

import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { setLog } from '../../src/base/log.ts'
import { isDirectory } from '../../src/base/mode.ts'
import { backendOf, openStore } from '../../src/store/open.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import { sealAll } from '../../src/vault/content/seal.ts'
import type { Core } from '../../src/vault/core/core.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { nobody } from '../../src/vault/core/observer.ts'
import { restoreTree } from '../../src/vault/history/restore.ts'
import { planRestore } from '../../src/vault/history/restore-plan.ts'
import type { RestoreOptions } from '../../src/vault/history/restore-run.ts'
import { entriesAt, inodeAt, readAt, xattrsAt } from '../../src/vault/history/timeline.ts'
import { birthBatch, openVault, Vault } from '../../src/vault/vault.ts'
import { testedBackends } from '../support/engines.ts'
import { HistoryRun } from './history-run.ts'

setLog('error')
const steps = Number(process.env.AVFS_STEPS ?? 400)
const baseSeed = Number(process.env.AVFS_SEED ?? Date.now() % 1_000_000)

const options: RestoreOptions = {
  ...nobody,
  removeNewer: true,
  heard: () => undefined,
}

/** A tree as of a moment, a line a name, in an order that does not depend on inode numbers. */
function dump(core: Core, moment: number): string[] {
  const lines: string[] = []
  const links = new Map<number, string>()
  const walk = (ino: number, path: string): void => {
    const row = inodeAt(core, ino, moment)
    if (row === undefined) throw new Error(`${path} has no state`)
    const first = links.get(ino)
    links.set(ino, first ?? path)
    const { mode, uid, gid, mtime, mtimeNs, size, rdev } = row
    const attributes = [...xattrsAt(core, ino, moment)]
      .map(([name, value]) => `${name}=${Buffer.from(value).toString('hex')}`)
      .sort()
    const bytes = isDirectory(mode) ? '' : hash(readAt(core, row, moment, 0, size))
    const fields = [path, mode, uid, gid, mtime, mtimeNs, rdev, bytes, ...attributes, first ?? '']
    lines.push(fields.join(' '))
    if (!isDirectory(mode)) return
    for (const row of entriesAt(core, ino, moment)) walk(row.ino, `${path}/${row.name}`)
  }
  walk(ROOT_INO, '')
  return lines
}

function hash(parts: readonly Uint8Array[]): string {
  const digest = createHash('sha256')
  for (const part of parts) digest.update(part)
  return digest.digest('hex')
}

/** The first line that differs. */
function differs(found: readonly string[], wanted: readonly string[] = []): object | undefined {
  const at = wanted.findIndex((line, index) => line !== found[index])
  const first = at < 0 && found.length > wanted.length ? wanted.length : at
  return first < 0 ? undefined : { found: found[first], wanted: wanted[first] }
}

async function restoreAll(t: Test, vault: Vault, moments: readonly number[]): Promise<void> {
  const { core } = vault
  const before: string[][] = []
  for (const moment of moments) before.push(await retryUntilLoaded(() => dump(core, moment)))
  for (const [at, moment] of moments.entries()) {
    // What was there for less than a second would count as temporary, and vanish from the past.
    core.moments.last += 2_000_000
    const planned: string[] = []
    const done: string[] = []
    const to = { parent: ROOT_INO, name: '', path: '/' }
    const hears = (into: string[]): RestoreOptions => ({
      ...options,
      heard: (effect, path) => void into.push(`${effect} ${path}`),
    })
    await planRestore(core, { ino: ROOT_INO, moment }, to, hears(planned))
    await restoreTree(core, { ino: ROOT_INO, moment }, to, hears(done))
    t.same(planned.sort(), done.sort(), 'what a dry run tells is what is done')
    const now = core.moments.next()
    const found = differs(await retryUntilLoaded(() => dump(core, now)), before[at])
    t.equal(found, undefined, `the tree is as it was at ${moment}`)
    const again = { ino: ROOT_INO, moment }
    const report = await restoreTree(core, again, { parent: ROOT_INO, name: '' }, options)
    t.match(report, { restored: 0, removed: 0 }, 'a second time there is nothing to do')
  }
  for (const [at, moment] of moments.entries())
    t.equal(
      differs(await retryUntilLoaded(() => dump(core, moment)), before[at]),
      undefined,
      'the past is what it was',
    )
  t.same((await vault.check({ deep: true })).problems, [])
}

for (const { name: backend, suffix } of [backendOf('', 'memory'), ...testedBackends]) {
  t.test(`a tree is restored to any moment of a random run, ${backend}`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'avfs-restore-'))
    t.teardown(() => rmSync(folder, { recursive: true }))
    const path = join(folder, `v${suffix}`)
    t.comment(`seed ${baseSeed}`)
    const store = await openStore(path, { create: true, backend })
    await store.commit(birthBatch())
    const options = { cacheBytes: 400_000, commitMs: 5, sealMs: 1e9 }
    const vault = await retryUntilLoaded(() => new Vault(store, path, options))
    const run = await retryUntilLoaded(() => new HistoryRun(vault, baseSeed))
    for (let step = 0; step < steps; step++) await run.step()
    await retryUntilLoaded(() => sealAll(vault.core))
    const all = run.observed.map(({ moment }) => moment)
    const moments = [all[0], all[all.length >> 1], all[all.length - 2], all[1], all[all.length - 1]]
    await restoreAll(
      t,
      vault,
      moments.filter((moment) => moment !== undefined),
    )
    await vault.close()
    if (backend === 'memory') return
    const reopened = await openVault(path)
    t.same((await reopened.check({ deep: true })).problems, [])
    await reopened.close()
  })
}
