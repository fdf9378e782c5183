// Rules about paths and walks through the past of a tree without branches, as deep as in
// depth.test.ts: the number of rows that are read grows with the depth, not with its square, even
// where nothing is in memory yet.

import { join } from 'node:path'
import t from 'tap'
import { globRule } from '../../src/base/glob.ts'
import { methods } from '../../src/control/methods/methods.ts'
import { createFileSystem } from '../../src/fs/file-system.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import { configure } from '../../src/vault/core/configuration.ts'
import type { Core } from '../../src/vault/core/core.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { nobody } from '../../src/vault/core/observer.ts'
import { restoreParents } from '../../src/vault/history/restore.ts'
import { versionsOfPath } from '../../src/vault/history/version-names.ts'
import { addHold } from '../../src/vault/prune/holds.ts'
import { refreshHistory } from '../../src/vault/tree/history-recording.ts'
import { createVault, openVault, type Vault } from '../../src/vault/vault.ts'
import { testedBackends } from '../support/engines.ts'
import { waiting } from '../support/waiting.ts'
import { caller } from './random-run.ts'

const LEVELS = Number(process.env.AVFS_LEVELS ?? 5000)
const BELOW = '/d'.repeat(LEVELS)
const SECONDS = 1_000_000
/** Looks at rows that a level may cost. */
const LOOKS = 60

t.setTimeout(300_000)

/** Counts the looks at rows from here on, also at those that are in memory. */
function looksOf({ overlay, inodes }: Core): () => number {
  let count = 0
  const counting = (real: (...given: unknown[]) => unknown) => {
    return (...given: unknown[]) => {
      count++
      return real(...given)
    }
  }
  Object.assign(inodes, { get: counting(inodes.get.bind(inodes) as never) })
  for (const name of ['get', 'scan'] as const)
    Object.assign(overlay, { [name]: counting(overlay[name].bind(overlay) as never) })
  return () => count
}

async function found(vault: Vault, glob: string): Promise<number> {
  let count = 0
  const send = async (piece: unknown): Promise<void> => {
    count += (piece as { item: { entries: object[] } }).item.entries.length
  }
  const call = {
    send,
    report: () => undefined,
    kernel: undefined,
    searcher: () => {
      throw new Error('there is no search')
    },
    isGone: () => false,
    body: undefined,
  }
  await methods.find.run(vault, { path: '/', paths: [glob] }, call)
  return count
}

const backends = testedBackends.filter(({ name }) => name === 'sqlite' || name === 'leveldb')

for (const { name: backend, suffix } of backends)
  t.test(`rules and the past are followed down any depth in one go (${backend})`, async (t) => {
    const path = join(t.testdir(), `v${suffix}`)
    const options = { commitMs: 1_000_000, sealMs: 1e9 }
    await createVault(path, backend)
    const vault = await openVault(path, options)
    const { core } = vault
    await retryUntilLoaded(() => configure(core, { 'history.exclude': '*.tmp, /e/**' }))
    await retryUntilLoaded(() => refreshHistory(core))
    const fs = waiting(await retryUntilLoaded(() => createFileSystem(vault, { readOnly: false })))
    const looks = looksOf(core)
    const inos: number[] = [ROOT_INO]
    for (let level = 0; level < LEVELS; level++)
      inos.push((await fs.mkdir(caller, inos[level] as number, 'd', 0o755, 0)).ino)
    const bottom = inos[LEVELS] as number
    for (const name of ['f', 'x.tmp']) {
      const { ino } = await fs.create(caller, bottom, name, 0o644, 0, 0)
      await fs.write(caller, ino, 0, Buffer.from('here'), false, false)
      await fs.flush(caller, ino)
      await fs.forget(ino, 1)
    }
    core.moments.last += 10 * SECONDS
    await vault.sync()
    const full = core.moments.last
    t.equal(await found(vault, 'd/f'), 1)
    for (const name of ['f', 'x.tmp']) await fs.unlink(caller, bottom, name)
    for (let level = LEVELS - 1; level >= 0; level--) {
      await fs.rmdir(caller, inos[level] as number, 'd')
      await fs.forget(inos[level + 1] as number, 2)
    }
    core.moments.last += 10 * SECONDS
    await vault.sync()
    t.ok(looks() < LOOKS * LEVELS, `${looks()} looks at rows for changes below an excluding glob`)
    await vault.close()

    const again = await openVault(path, options)
    const reads = looksOf(again.core)
    t.match(await retryUntilLoaded(() => versionsOfPath(again.core, `${BELOW}/f`)), [{ number: 1 }])
    t.same(await retryUntilLoaded(() => versionsOfPath(again.core, `${BELOW}/x.tmp`)), [])
    t.ok(reads() < LOOKS * LEVELS, `${reads()} looks at rows for the versions of a path`)
    addHold(again.core, '/d/d/d')
    const explained: (string | undefined)[] = []
    const report = await again.prune({
      rules: { versions: 1 },
      paths: globRule(['d']),
      dryRun: true,
      explain: (its) => explained.push(its.path),
    })
    t.equal(report.versions, 0, 'all is held')
    t.same(explained, [`${BELOW}/f`])
    t.ok(reads() < 3 * LOOKS * LEVELS, `${reads()} looks at rows for a prune with paths and holds`)
    const names = BELOW.slice(1).split('/')
    const heard: string[] = []
    const before = reads()
    await restoreParents(again.core, names, full, {
      ...nobody,
      removeNewer: false,
      heard: (_, its) => heard.push(its),
    })
    t.equal(heard.length, LEVELS)
    t.equal(heard.at(-1), BELOW)
    t.ok(
      reads() - before < 2 * LOOKS * LEVELS,
      `${reads() - before} looks at rows for what is made again`,
    )
    await again.close()
  })
