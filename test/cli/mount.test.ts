// The commands on a mounted vault, where its daemon answers them; and what mount and unmount
// refuse.

import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import t from 'tap'
import { socketPath } from '../../src/control/vaults/paths.ts'
import { createVault } from '../support/mount.ts'
import { type Cli, emptyCli } from './cli.ts'

interface Mounted {
  readonly dir: string
  readonly pid: number
  readonly log: string
}

function mountOne(cli: Cli, ...options: readonly string[]): Mounted {
  cli.json('vault', 'create', 'one')
  const dir = cli.folder('mnt')
  const { pid, log } = cli.json('mount', 'one', dir, ...options) as Mounted
  return { dir, pid, log }
}

t.test('every command works on a mounted vault too', async (t) => {
  const cli = emptyCli(t)
  const { dir, pid } = mountOne(cli)
  t.teardown(() => cli.avfs('unmount', dir))
  writeFileSync(join(dir, 'file'), 'x'.repeat(100_000))
  t.match(cli.json('vault', 'list'), [{ name: 'one', pid, mountPoint: dir }])
  t.match(cli.json('vault', 'info', 'one'), { backend: 'sqlite', pid, mountPoint: dir })
  t.match(cli.json('vault', 'stats', 'one'), { inodes: 2 })
  t.match(cli.json('vault', 'check', 'one', '--deep'), { problems: [], inodes: 2 })
  t.match(cli.json('vault', 'compact', 'one'), { bytesAfter: Number })
  t.match(cli.failure('vault', 'delete', 'one', '--yes'), { status: 11, message: `process ${pid}` })
  t.match(cli.json('unmount', dir), { name: 'one', mountPoint: dir, pid })
  t.match(cli.json('vault', 'check', 'one', '--deep'), { problems: [], inodes: 2 })
})

t.test('the daemon answers on a socket of its owner, with metrics', async (t) => {
  const cli = emptyCli(t)
  const { dir } = mountOne(cli)
  t.teardown(() => cli.avfs('unmount', dir))
  const socket = socketPath(dir, { XDG_RUNTIME_DIR: cli.root })
  t.equal(statSync(socket).mode & 0o777, 0o600)
  t.match(cli.json('vault', 'info', 'one'), { socket })
  const metrics = await new Promise<string>((resolve, reject) => {
    const sent = request({ socketPath: socket, path: '/metrics' }, async (response) => {
      let text = ''
      for await (const chunk of response) text += chunk
      resolve(text)
    })
    sent.on('error', reject).end()
  })
  t.match(metrics, /^avfs_requests_total\{operation="INIT"\} 1$/m)
  t.match(metrics, /^avfs_vault_inodes 1$/m)
})

t.test('mount refuses what cannot work', async (t) => {
  const cli = emptyCli(t)
  cli.json('vault', 'create', 'one')
  writeFileSync(join(cli.root, 'file'), '')
  t.match(cli.failure('mount', 'nope', cli.root), { status: 10, message: 'avfs vault create nope' })
  t.match(cli.failure('mount', 'one', join(cli.root, 'absent')), { status: 1, message: 'mkdir' })
  t.match(cli.failure('mount', 'one', join(cli.root, 'file')), { status: 1, message: 'directory' })
  t.match(cli.failure('mount', 'one', cli.home), { status: 1, message: 'contains the vault' })
  t.match(cli.failure('mount', 'one', '/'), { status: 1, message: 'contains' })
  t.match(cli.failure('mount', 'one', cli.root, '-o', 'bogus'), { status: 2, message: 'bogus' })
  t.match(cli.failure('mount', 'one'), { status: 2 })
})

t.test('a directory with something in it is mounted over with a notice', async (t) => {
  const cli = emptyCli(t)
  cli.json('vault', 'create', 'one')
  const dir = cli.folder('mnt')
  mkdirSync(join(dir, 'hidden'))
  const { status, stderr } = cli.avfs('mount', 'one', dir)
  t.teardown(() => cli.avfs('unmount', dir))
  t.equal(status, 0)
  t.match(stderr, 'is not empty')
})

t.test('mount tells how to unmount, and the daemon keeps a log', async (t) => {
  const cli = emptyCli(t)
  const log = join(cli.root, 'own.log')
  const { dir } = mountOne(cli, '--log-file', log)
  t.equal(cli.avfs('unmount', dir).stdout, 'one is unmounted\n')
  t.match(readFileSync(log, 'utf8'), /is mounted at .* is unmounted.* is closed/s)
  t.match(cli.failure('unmount', dir), { status: 1, message: 'no vault is mounted' })
  const again = cli.avfs('mount', 'one', dir)
  t.teardown(() => cli.avfs('unmount', dir))
  t.match(again.stdout, `one is mounted at ${dir}\nunmount it with: avfs unmount ${dir}\n`)
})

t.test('a vault is known by any path to it', async (t) => {
  const cli = emptyCli(t)
  const { dir } = mountOne(cli)
  t.teardown(() => cli.avfs('unmount', dir))
  const other = cli.folder('other')
  t.match(cli.failure('mount', './home/one.avfs', other), { status: 11 })
  t.match(cli.json('vault', 'stats', './home/../home/one'), { inodes: 1 })
})

t.test('unmount is not kept from it by the directory that it was called in', async (t) => {
  const vault = createVault(t)
  vault.mount()
  const { status, stderr } = vault.avfs(['unmount', '.'], { cwd: vault.dir })
  t.equal(status, 0, stderr)
  t.notOk(vault.isMounted())
})
