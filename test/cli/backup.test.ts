// avfs vault backup and restore: what they make, and everything that they refuse.

import {
  closeSync,
  cpSync,
  existsSync,
  openSync,
  readdirSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { setLog } from '../../src/base/log.ts'
import { backUp } from '../../src/control/offline/backup.ts'
import { openStore } from '../../src/store/open.ts'
import { createVault, openVault } from '../../src/vault/vault.ts'
import { askOf, changeVault } from '../support/backup.ts'
import { filesWith } from '../support/disk.ts'
import { testedBackends } from '../support/engines.ts'
import { seedOf } from '../support/random.ts'
import { makeRichVault } from '../vault/rich-vault.ts'
import { wholeVault } from '../vault/whole-vault.ts'
import { type Cli, emptyCli } from './cli.ts'

setLog('error')
t.setTimeout(800_000)
const seed = seedOf('AVFS_SEED')
t.comment(`AVFS_SEED=${seed}`)

async function richCli(t: Test): Promise<Cli & { path: string; backups: string }> {
  const cli = emptyCli(t)
  const path = join(cli.home, 'one.avfs')
  await makeRichVault(path, 'sqlite', seed, 150)
  return { ...cli, path, backups: cli.folder('backups') }
}

async function contentOf(path: string): Promise<unknown> {
  return (await wholeVault(path)).filter(({ name }) => name !== 'setting')
}

for (const { name: backend, suffix } of testedBackends)
  t.test(
    `${backend}: a backup holds all, takes what is new, and becomes a vault again`,
    async (t) => {
      const cli = await richCli(t)
      const dest = join(cli.backups, `mine${suffix}`)
      const first = cli.json('vault', 'backup', 'one', dest) as { rows: number }
      t.match(first, { path: dest, backend, incremental: false })
      t.same(await contentOf(dest), await contentOf(cli.path))
      const nothing = cli.json('vault', 'backup', 'one', dest, '--incremental')
      t.match(nothing, { incremental: true, written: { rows: 0, bytes: 0 } })
      await changeVault(cli.path, 1)
      const more = cli.json('vault', 'backup', 'one', dest, '-i') as { written: { rows: number } }
      t.ok(more.written.rows > 0 && more.written.rows < first.rows, `${more.written.rows} rows`)
      t.same(await contentOf(dest), await contentOf(cli.path))
      t.equal(cli.avfs('vault', 'check', dest, '--deep').status, 0)
      cli.json('vault', 'restore', dest, 'two', '--backend', backend)
      const restored = join(cli.home, `two${suffix}`)
      t.same(await wholeVault(restored), await wholeVault(cli.path), 'settings, too')
    },
  )

t.test('a backup goes into a folder under the name of the vault', async (t) => {
  const cli = await richCli(t)
  t.match(cli.json('vault', 'backup', 'one', cli.backups), { path: join(cli.backups, 'one.avfs') })
  t.match(cli.json('vault', 'backup', 'one', join(cli.backups, 'two')), {
    path: join(cli.backups, 'two.avfs'),
  })
})

t.test('a backup becomes a vault on a machine that never had one', async (t) => {
  const cli = await richCli(t)
  const backup = join(cli.backups, 'one.avfs')
  cli.json('vault', 'backup', 'one', backup)
  const AVFS_HOME = join(cli.root, 'fresh/vaults')
  const restored = cli.avfsUnder({ AVFS_HOME }, 'vault', 'restore', backup, 'one')
  t.equal(restored.status, 0, restored.stderr)
  t.match(restored.stdout, 'avfs mount one DIR')
  t.match(cli.avfsUnder({ AVFS_HOME }, 'vault', 'list').stdout, /^one /m)
  const mistyped = join(cli.root, 'nowhere/one')
  t.match(cli.failure('vault', 'restore', backup, mistyped), { message: 'there is no folder' })
})

t.test('what is no backup of this vault is left alone', async (t) => {
  const cli = await richCli(t)
  const other = join(cli.backups, 'other.avfs')
  await createVault(other, 'sqlite')
  for (const more of [[], ['--incremental']]) {
    const { status, message } = cli.failure('vault', 'backup', 'one', other, ...more)
    t.match({ status, message }, { status: 1, message: /is a vault and no backup/ })
  }
  writeFileSync(join(cli.backups, 'text.avfs'), 'no vault at all')
  t.match(cli.failure('vault', 'backup', 'one', join(cli.backups, 'text.avfs')), { status: 1 })
  await createVault(join(cli.home, 'foreign.avfs'), 'sqlite')
  cli.json('vault', 'backup', 'foreign', join(cli.backups, 'foreign'))
  t.match(cli.failure('vault', 'backup', 'one', join(cli.backups, 'foreign')), {
    message: /backup of another vault/,
  })
  t.match(cli.failure('vault', 'backup', 'one', cli.path), { message: /the vault itself/ })
  t.match(cli.failure('vault', 'backup', 'one', join(cli.root, 'no/folder')), { status: 1 })
  t.match(cli.failure('vault', 'restore', other, 'one'), { status: 1, errno: 'EEXIST' })
})

t.test('a backup that was used as a vault is not overwritten', async (t) => {
  const cli = await richCli(t)
  const dest = join(cli.backups, 'one.avfs')
  cli.json('vault', 'backup', 'one', dest)
  const reader = await openVault(dest, { readOnly: true })
  await reader.close()
  cli.json('vault', 'backup', 'one', dest, '-i')
  await changeVault(dest, 1)
  t.match(cli.failure('vault', 'backup', 'one', dest, '-i'), { message: /changed since/ })
})

t.test('more than fits in one stroke is copied anew', async (t) => {
  const cli = await richCli(t)
  const dest = join(cli.backups, 'one.avfs')
  cli.json('vault', 'backup', 'one', dest)
  await changeVault(cli.path, 1)
  const told: string[] = []
  await backUp(dest, {
    ...(await askOf(cli.path)),
    incremental: true,
    onceRowsMax: 3,
    notice: (text) => told.push(text),
    onProgress: () => undefined,
  })
  t.match(told, [/copied anew/])
  t.same(await contentOf(dest), await contentOf(cli.path))
})

t.test('a damaged vault is not called backed up, and the former backup stays', async (t) => {
  const cli = await richCli(t)
  const dest = join(cli.backups, 'one.avfs')
  cli.json('vault', 'backup', 'one', dest)
  const before = await wholeVault(dest)
  const fd = openSync(cli.path, 'r+')
  for (let page = 4; page < 12; page++) writeSync(fd, Buffer.alloc(4000, 7), 0, 4000, page * 16384)
  closeSync(fd)
  t.not(cli.avfs('vault', 'backup', 'one', dest).status, 0)
  t.not(cli.avfs('vault', 'backup', 'one', dest, '-i').status, 0)
  t.same(await wholeVault(dest), before)
})

t.test('what was purged goes from a backup, too, when that is brought up', async (t) => {
  const cli = await richCli(t)
  const dest = join(cli.backups, 'one.avfs')
  const secret = join(cli.root, 'secret')
  writeFileSync(secret, 'SWORDFISH4711')
  t.equal(cli.avfs('import', secret, 'one:/secret').status, 0)
  cli.json('vault', 'backup', 'one', dest)
  t.not(filesWith(dest, 'SWORDFISH4711').length, 0)
  // A whole copy that was cut short, which the next incremental one does not go on with.
  cpSync(dest, `${dest}.partial`)
  cli.json('purge', 'one:/secret', '--current', '--yes')
  t.same(filesWith(cli.home, 'SWORDFISH4711'), [])
  cli.json('vault', 'backup', 'one', dest, '-i')
  t.same(filesWith(cli.backups, 'SWORDFISH4711'), [])
  t.same(readdirSync(cli.backups), ['one.avfs'])
  t.ok(existsSync(dest))
  const store = await openStore(dest, { readOnly: true })
  t.same(await store.verify(), [])
  await store.close()
})
