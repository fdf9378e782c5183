// Vaults from strangers in which a count is too low: removing what exists would take it below zero,
// and that must not get into a row. An engine would refuse the row together with everything that is
// written after it, or keep a row that cannot be read.

import { cpSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import { FsError } from '../../src/base/errno.ts'
import { setLog } from '../../src/base/log.ts'
import { createFileSystem } from '../../src/fs/file-system.ts'
import { type InodeRow, inode as inodes, setting } from '../../src/store/collections.ts'
import { openEngine } from '../../src/store/open.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import { checkStore } from '../../src/vault/check/check.ts'
import { repairStore } from '../../src/vault/check/repair.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { createVault, openVault } from '../../src/vault/vault.ts'
import { changes } from '../store/rows.ts'
import { testedBackends } from '../support/engines.ts'
import { temporaryFolder } from '../support/mount.ts'
import { noChange } from '../support/no-change.ts'
import { type Waiting, waiting } from '../support/waiting.ts'

t.setTimeout(240_000)
setLog('error', () => undefined)

const root = { uid: 0, gid: 0, pid: 1 }
const RENAME_EXCHANGE = 2
type Files = Waiting<ReturnType<typeof createFileSystem>>

/** Which inode's row is changed; none where the vault's own counters are. */
const low: readonly (readonly [of: 'd' | 'f' | 'root' | 'vault', fields: Partial<InodeRow>])[] = [
  ['root', { size: 0 }],
  ['root', { nlink: 1 }],
  ['d', { size: 0 }],
  ['d', { size: 1 }],
  ['d', { nlink: 0 }],
  ['d', { nlink: 1 }],
  ['f', { nlink: 0 }],
  ['f', { nlink: 1 }],
  ['f', { allocated: 0 }],
  ['f', { allocated: 5 }],
  ['f', { size: 0 }],
  ['f', { xattrs: 0 }],
  ['f', { tags: 0 }],
  ['f', { versions: 0 }],
  ['vault', {}],
]

async function opened(path: string): Promise<{ fs: Files; close(): Promise<void> }> {
  const vault = await openVault(path, { commitMs: 1e9 })
  const fs = waiting(await retryUntilLoaded(() => createFileSystem(vault, { readOnly: false })))
  return { fs, close: () => vault.close() }
}

for (const { name: backend, suffix } of testedBackends)
  t.test(`${backend}: nothing that is removed is counted below nothing`, async (t) => {
    const folder = temporaryFolder(t)
    const base = join(folder, `base${suffix}`)
    await createVault(base, backend)
    const made = await opened(base)
    const inos = { root: ROOT_INO, ...(await filled(made.fs)) }
    await made.close()
    for (const [at, [of, fields]] of low.entries()) {
      const what = `${of} ${JSON.stringify(fields)}`
      const path = join(folder, `${at}${suffix}`)
      cpSync(base, path, { recursive: true })
      const engine = await openEngine(path)
      if (of === 'vault') await engine.commit([changes(setting, [{ name: 'inodes', value: '1' }])])
      else {
        const row = await retryUntilLoaded(() => engine.get(inodes, [inos[of]]))
        await engine.commit([changes(inodes, [{ ...(row as InodeRow), ...fields }])])
      }
      await engine.close()

      const { fs, close } = await opened(path)
      await emptied(fs, inos)
      await fs.mkdir(root, ROOT_INO, 'after', 0o755, 0)
      await t.resolves(close(), `${what}: all of it is written`)
      const again = await opened(path)
      t.ok(await again.fs.lookup(root, ROOT_INO, 'after'), `${what}: and is there`)
      await again.close()
      const store = await openEngine(path)
      const { problems } = await checkStore(store, { deep: false })
      t.notMatch(problems, [{ code: 'row-damaged' }], `${what}: each row can be read`)
      const { left } = await repairStore(store, { onStep: () => undefined })
      t.same(left.problems, [], `${what}: repaired`)
      await store.close()
    }
  })

for (const { name: backend, suffix } of testedBackends)
  t.test(`${backend}: a number that is in use is given to nothing new`, async (t) => {
    const path = join(temporaryFolder(t), `base${suffix}`)
    await createVault(path, backend)
    const made = await opened(path)
    const { f } = await filled(made.fs)
    await made.fs.unlink(root, ROOT_INO, 'h')
    await made.close()
    const engine = await openEngine(path)
    await engine.commit([changes(setting, [{ name: 'next_ino', value: '2' }])])
    await engine.close()

    const { fs, close } = await opened(path)
    for (let at = 0; at < 9; at++) await fs.mkdir(root, ROOT_INO, `new${at}`, 0o755, 0)
    t.match(await fs.lookup(root, ROOT_INO, 'g'), { ino: f, size: 300_000 })
    await close()
    const store = await openEngine(path)
    t.same((await checkStore(store, { deep: false })).problems, [])
    await store.close()
  })

t.test('sqlite: a text in the place of a number does not stand for the last one', async (t) => {
  const path = join(temporaryFolder(t), 'base.avfs')
  await createVault(path, 'sqlite')
  const made = await opened(path)
  await filled(made.fs)
  await made.fs.unlink(root, ROOT_INO, 'h')
  await made.close()
  const db = new Database(path)
  const last = '(select ino, since from inode_past order by ino desc limit 1)'
  t.equal(
    db.prepare(`update inode_past set ino = '..' where (ino, since) = ${last}`).run().changes,
    1,
  )
  db.close()
  const { fs, close } = await opened(path)
  const first = await fs.mkdir(root, ROOT_INO, 'new', 0o755, 0)
  t.ok(first.ino > ROOT_INO, `${first.ino}`)
  await close()
  const again = await opened(path)
  t.match(await again.fs.lookup(root, ROOT_INO, 'new'), { ino: first.ino })
  await again.close()
})

/**
 * A directory with a directory and a file in it; the file has another name, content, attributes and
 * a label.
 */
async function filled(fs: Files): Promise<{ d: number; f: number }> {
  const d = (await fs.mkdir(root, ROOT_INO, 'd', 0o755, 0)).ino
  for (const name of ['sub', 'moved', 'swapped']) await fs.mkdir(root, d, name, 0o755, 0)
  const f = (await fs.create(root, d, 'f', 0o644, 0, 0o200)).ino
  await fs.write(root, f, 0, Buffer.alloc(300_000, 7), false, false)
  await fs.flush(root, f)
  for (const name of ['user.a', 'user.b', 'user.xdg.tags'])
    await fs.setxattr(root, f, name, Buffer.from('red'), 0, false)
  await fs.link(root, f, ROOT_INO, 'g')
  await fs.create(root, ROOT_INO, 'h', 0o644, 0, 0o200)
  return { d, f }
}

/** Takes all of that away, as far as it can be. */
async function emptied(fs: Files, { d, f }: { d: number; f: number }): Promise<void> {
  const steps: readonly (() => Promise<unknown>)[] = [
    () => fs.removexattr(root, f, 'user.a'),
    () => fs.removexattr(root, f, 'user.b'),
    () => fs.removexattr(root, f, 'user.xdg.tags'),
    () => fs.setattr(root, f, { ...noChange, size: 0 }),
    () => fs.rmdir(root, d, 'sub'),
    () => fs.rename(root, d, 'moved', ROOT_INO, 'moved', 0),
    () => fs.rename(root, d, 'swapped', ROOT_INO, 'h', RENAME_EXCHANGE),
    () => fs.unlink(root, d, 'swapped'),
    () => fs.unlink(root, d, 'f'),
    () => fs.unlink(root, ROOT_INO, 'g'),
    () => fs.rmdir(root, ROOT_INO, 'd'),
    () => fs.rmdir(root, ROOT_INO, 'moved'),
    () => fs.rmdir(root, ROOT_INO, 'h'),
    () => fs.getattr(root, ROOT_INO),
    () => fs.statfs(root),
  ]
  for (const step of steps)
    try {
      await step()
    } catch (error) {
      if (!(error instanceof FsError)) throw error
    }
}
