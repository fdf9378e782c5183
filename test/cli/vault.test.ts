// avfs vault ...: create, list, info, stats, check, compact, delete, on vaults that are not
// mounted.

import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { needProgram, run } from '../support/program.ts'
import { emptyCli } from './cli.ts'

t.test('a vault is created as one file for its owner, listed, described and deleted', async (t) => {
  const cli = emptyCli(t)
  t.match(cli.avfs('vault', 'list').stdout, /no vaults in .*avfs vault create/)
  t.same(cli.json('vault', 'list'), [])
  const path = join(cli.home, 'one.avfs')
  t.same(cli.json('vault', 'create', 'one'), { name: 'one', path, backend: 'sqlite' })
  t.same(readdirSync(cli.home), ['one.avfs'])
  t.equal(statSync(path).mode & 0o777, 0o600)
  t.match(cli.json('vault', 'list'), [{ name: 'one', path, pid: null, mountPoint: null }])
  t.match(cli.json('vault', 'info', 'one'), {
    name: 'one',
    path,
    backend: 'sqlite',
    format: Number,
    createdAt: /^\d{4}-.*Z$/,
    mountPoint: null,
    socket: null,
  })
  t.match(cli.avfs('vault', 'info', 'one').stdout, /^backend +sqlite$/m)
  t.match(cli.json('vault', 'stats', 'one'), { inodes: 1, bytes: Number })
  t.match(cli.json('vault', 'compact', 'one'), { bytesBefore: Number, bytesAfter: Number })
  t.same(readdirSync(cli.home), ['one.avfs'], 'commands leave nothing beside the vault')
  t.same(cli.json('vault', 'delete', 'one', '--yes'), { name: 'one', path, deleted: true })
  t.same(readdirSync(cli.home), [])
})

t.test('a path with a slash names a vault anywhere', async (t) => {
  const cli = emptyCli(t)
  t.match(cli.json('vault', 'create', './here'), { path: join(cli.root, 'here.avfs') })
  t.match(cli.json('vault', 'info', `${cli.root}/here.avfs`), { name: 'here' })
  t.same(cli.json('vault', 'list'), [])
})

t.test('what does not exist ends with 10 and the way to create it', async (t) => {
  const cli = emptyCli(t)
  for (const command of ['info', 'stats', 'check', 'compact', 'delete']) {
    t.match(cli.failure('vault', command, 'nope'), { status: 10, code: 10, errno: 'ENOENT' })
  }
  const text = cli.avfs('vault', 'info', 'nope')
  t.equal(text.status, 10)
  t.match(text.stderr, /^avfs: there is no vault 'nope'.*avfs vault create nope\n$/)
  t.equal(text.stdout, '')
})

t.test('wrong usage ends with 2', async (t) => {
  const cli = emptyCli(t)
  t.match(cli.failure(), { status: 2 })
  t.match(cli.failure('frobnicate'), { status: 2 })
  t.match(cli.failure('vault'), { status: 2 })
  t.match(cli.failure('vault', 'info'), { status: 2 })
  t.match(cli.failure('vault', 'info', 'a', '--bogus'), { status: 2 })
  t.match(cli.failure('vault', 'create', 'a b'), { status: 2 })
  t.match(cli.failure('vault', 'create', 'a', '--backend', 'paper'), { status: 2 })
  t.match(cli.avfs('vault', 'info').stderr, /see avfs vault info --help/)
})

t.test('a vault that exists is not created again', async (t) => {
  const cli = emptyCli(t)
  cli.json('vault', 'create', 'one')
  t.match(cli.failure('vault', 'create', 'one'), { status: 1, errno: 'EEXIST' })
})

t.test('delete asks, and without a terminal wants --yes', async (t) => {
  const cli = emptyCli(t)
  cli.json('vault', 'create', 'one')
  t.match(cli.failure('vault', 'delete', 'one'), { status: 2, message: /--yes/ })
  t.ok(existsSync(join(cli.home, 'one.avfs')))
})

t.test('a file that is no vault is refused in one line', async (t) => {
  const cli = emptyCli(t)
  writeFileSync(join(cli.home, 'junk.avfs'), 'this is no database '.repeat(1000))
  t.match(cli.failure('vault', 'info', 'junk'), { status: 1 })
  t.match(cli.failure('vault', 'check', 'junk'), { status: 8 })
})

t.test('check ends with 0 on a sound vault and with 4 on a damaged one', async (t) => {
  needProgram('sqlite3')
  const cli = emptyCli(t)
  cli.json('vault', 'create', 'one')
  t.match(cli.json('vault', 'check', 'one', '--deep'), { problems: [], inodes: 1 })
  t.match(cli.avfs('vault', 'check', 'one').stdout, /^sound: 1 inodes/)
  run('sqlite3', [join(cli.home, 'one.avfs'), 'update inode set nlink = 7 where ino = 1'])
  const { status, stdout } = cli.avfs('vault', 'check', 'one', '--json')
  t.equal(status, 4)
  t.ok(JSON.parse(stdout).problems.length > 0)
  t.match(cli.avfs('vault', 'check', 'one').stdout, /problems: /)
})

t.test('the paths and sizes in a vault can be asked for in SQL', async (t) => {
  needProgram('sqlite3')
  const cli = emptyCli(t)
  cli.json('vault', 'create', 'one')
  t.equal(run('sqlite3', [join(cli.home, 'one.avfs'), 'select path, size from files']), '/|0')
})
