// A tree without branches, deeper than PATH_MAX in names and deeper than a call stack: nothing that
// walks down or up a tree cuts it off or fails, and nothing visits all levels for each of them.
// AVFS_LEVELS is its depth.

import { join } from 'node:path'
import t from 'tap'
import { findState } from '../../src/control/methods/state.ts'
import { createFileSystem } from '../../src/fs/file-system.ts'
import { nameOf } from '../../src/search/source.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { nobody } from '../../src/vault/core/observer.ts'
import { findDeleted } from '../../src/vault/history/deleted.ts'
import { findPath } from '../../src/vault/history/paths.ts'
import { wholeBefore } from '../../src/vault/history/removal.ts'
import { restoreTree } from '../../src/vault/history/restore.ts'
import { stateAt, stateNow, type TreeState } from '../../src/vault/history/tree-state.ts'
import { VersionNames, versionsOfPath } from '../../src/vault/history/version-names.ts'
import { walkTree } from '../../src/vault/history/walk.ts'
import { pathOf } from '../../src/vault/tree/names.ts'
import { lastPath } from '../../src/vault/tree/places.ts'
import { createVault, openVault, type Vault } from '../../src/vault/vault.ts'
import { testedBackends } from '../support/engines.ts'
import { waiting } from '../support/waiting.ts'
import { caller } from './random-run.ts'

/**
 * Deeper than 4,096, which PATH_MAX would leave room for at most; AVFS_LEVELS=20000 overflows a
 * stack by far.
 */
const LEVELS = Number(process.env.AVFS_LEVELS ?? 5000)
const BELOW = '/d'.repeat(LEVELS)
const SECONDS = 1_000_000

t.setTimeout(300_000)

/** How many directories and files a walk comes by. */
async function walked(state: TreeState): Promise<number> {
  const top = await retryUntilLoaded(() => state.inode(ROOT_INO))
  let count = 0
  if (top === undefined) return count
  for await (const some of walkTree(state, top, () => false)) count += some.length
  return count
}

async function undelete(vault: Vault): Promise<number> {
  const { core } = vault
  const deleted = await retryUntilLoaded(() => findDeleted(core, ROOT_INO, 'd'))
  if (deleted === undefined) throw new Error('nothing was deleted')
  const moment = await retryUntilLoaded(() => wholeBefore(core, deleted.row))
  const report = await restoreTree(
    core,
    { ino: deleted.ino, moment },
    { parent: ROOT_INO, name: 'd' },
    {
      removeNewer: false,
      ...nobody,
      heard: () => undefined,
    },
  )
  return report.restored
}

/**
 * One engine that answers at once, and one of which reads must wait: what walks is the same for all
 * others.
 */
const backends = testedBackends.filter(({ name }) => name === 'sqlite' || name === 'leveldb')

for (const { name: backend, suffix } of backends)
  t.test(`a tree of any depth is whole, whatever looks at it (${backend})`, async (t) => {
    const path = join(t.testdir(), `v${suffix}`)
    await createVault(path, backend)
    const vault = await openVault(path, { commitMs: 1_000_000, sealMs: 1e9 })
    const { core } = vault
    const fs = waiting(await retryUntilLoaded(() => createFileSystem(vault, { readOnly: false })))
    const inos: number[] = [ROOT_INO]
    for (let level = 0; level < LEVELS; level++)
      inos.push((await fs.mkdir(caller, inos[level] as number, 'd', 0o755, 0)).ino)
    const bottom = inos[LEVELS] as number
    const { ino } = await fs.create(caller, bottom, 'f', 0o644, 0, 0)
    await fs.write(caller, ino, 0, Buffer.from('here'), false, false)
    await fs.flush(caller, ino)
    core.moments.last += 10 * SECONDS
    await vault.sync()
    const full = core.moments.last
    t.equal(await retryUntilLoaded(() => pathOf(core, ino)), `${BELOW}/f`)
    t.equal(await retryUntilLoaded(() => lastPath(core, ino)), `${BELOW}/f`)
    t.match(await retryUntilLoaded(() => nameOf(core.overlay.store, ino, new Map())), {
      isFile: true,
    })
    t.equal((await retryUntilLoaded(() => findPath(core, `${BELOW}/f`)))?.ino, ino)
    t.equal(await walked(stateNow(core)), LEVELS + 2)
    await fs.unlink(caller, bottom, 'f')
    for (let level = LEVELS - 1; level >= 0; level--) {
      await fs.rmdir(caller, inos[level] as number, 'd')
      await fs.forget(inos[level + 1] as number, 2)
    }
    core.moments.last += 10 * SECONDS
    await vault.sync()
    t.equal(await retryUntilLoaded(() => lastPath(core, ino)), `${BELOW}/f`, 'of what is gone, too')
    t.match(await retryUntilLoaded(() => versionsOfPath(core, `${BELOW}/f`)), [{ number: 1, ino }])
    const [alias] = await retryUntilLoaded(() => [...new VersionNames(core).aliasesOf(ino)])
    t.match(alias, { path: `${BELOW}/f`, holder: undefined })
    t.equal(await walked(stateAt(core, full)), LEVELS + 2, 'as it was')
    t.equal(await undelete(vault), LEVELS + 1)
    t.equal((await retryUntilLoaded(() => findState(core, `${BELOW}/f`, {}))).row.size, 4)
    await vault.sync()
    const { problems, inodes } = await vault.check({ deep: false })
    t.same(problems, [])
    t.equal(inodes, LEVELS + 2)
    await vault.close()
  })
