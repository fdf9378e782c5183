// avfs restore and undelete: what they bring back shows in the mount at once, and they lose
// nothing.

import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { run } from '../support/program.ts'
import { aSecond, historyCli } from './history.ts'

// Each run of a command takes a while on a busy machine.
t.setTimeout(240_000)

t.test(
  'a restored version is the newest one, in the mount at once, and those after it stay',
  async (t) => {
    const cli = historyCli(t)
    const file = cli.at('a.txt')
    for (const text of ['first, which is longer', 'second', 'third']) writeFileSync(file, text)
    t.equal(readFileSync(file, 'utf8'), 'third')
    t.match(cli.json('restore', file, '-v', '1'), { path: file, version: 4, restored: 1 })
    t.equal(readFileSync(file, 'utf8'), 'first, which is longer')
    t.equal(statSync(file).size, 22)
    t.equal(cli.out('cat', file, '-v', '3'), 'third')
    t.match(cli.json('restore', file, '-v', '1'), { version: 4, restored: 0, unchanged: 1 })
    writeFileSync(file, 'fifth')
    t.match(cli.json('log', file, '-n', '1'), [{ number: 5, size: 5 }])
    cli.unmount()
    t.match(cli.json('restore', 'one:/a.txt', '-v', '2'), { path: 'one:/a.txt', version: 6 })
    t.equal(cli.out('cat', 'one:/a.txt'), 'second')
    t.match(cli.json('vault', 'check', 'one', '--deep'), { problems: [] })
  },
)

t.test('mode, owner, times and extended attributes come back with the content', async (t) => {
  const cli = historyCli(t)
  const file = cli.at('a')
  writeFileSync(file, 'then')
  chmodSync(file, 0o640)
  chownSync(file, 1234, 4321)
  run('setfattr', ['-n', 'user.k', '-v', 'then', file])
  utimesSync(file, 1_600_000_000, 1_500_000_000.5)
  cli.out('snapshot', 'create', 's', cli.dir)
  writeFileSync(file, 'now')
  chmodSync(file, 0o600)
  chownSync(file, 1, 1)
  run('setfattr', ['-n', 'user.k', '-v', 'now', file])
  run('setfattr', ['-n', 'user.other', '-v', 'now', file])
  cli.out('restore', file, '--snapshot', 's')
  t.match(statSync(file), { mode: 0o100640, uid: 1234, gid: 4321, mtimeMs: 1_500_000_000_500 })
  t.equal(run('getfattr', ['--absolute-names', '-d', file]), `# file: ${file}\nuser.k="then"\n`)
  cli.unmount()
  t.match(cli.json('vault', 'check', 'one'), { problems: [] })
})

t.test('who has a restored file open goes on with what it had', async (t) => {
  const cli = historyCli(t)
  writeFileSync(cli.at('a'), 'one')
  writeFileSync(cli.at('a'), 'longer')
  const fd = openSync(cli.at('a'), 'r')
  cli.out('restore', cli.at('a'), '-v', '1')
  const bytes = Buffer.alloc(10)
  t.equal(bytes.toString('latin1', 0, readSync(fd, bytes, 0, 10, 0)), 'longer')
  t.equal(readFileSync(cli.at('a'), 'utf8'), 'one')
  closeSync(fd)
  cli.unmount()
  t.match(cli.json('vault', 'check', 'one', '--deep'), { problems: [] })
})

t.test('a file with two names is restored under both', async (t) => {
  const cli = historyCli(t)
  writeFileSync(cli.at('a'), 'then, long')
  linkSync(cli.at('a'), cli.at('b'))
  writeFileSync(cli.at('a'), 'now')
  t.equal(readFileSync(cli.at('b'), 'utf8'), 'now')
  cli.out('restore', cli.at('a'), '-v', '1')
  t.equal(readFileSync(cli.at('b'), 'utf8'), 'then, long')
  t.equal(readFileSync(cli.at('a'), 'utf8'), 'then, long')
  t.equal(statSync(cli.at('a')).ino, statSync(cli.at('b')).ino)
  cli.unmount()
  t.match(cli.json('vault', 'check', 'one', '--deep'), { problems: [] })
})

t.test('a directory comes back whole, and --delete makes it exactly what it was', async (t) => {
  const cli = historyCli(t)
  mkdirSync(cli.at('d/sub'), { recursive: true })
  writeFileSync(cli.at('d/sub/a'), 'then')
  writeFileSync(cli.at('d/same'), 'same')
  symlinkSync('sub/a', cli.at('d/link'))
  writeFileSync(cli.at('d/file'), 'a file then')
  chmodSync(cli.at('d/sub'), 0o710)
  cli.out('snapshot', 'create', 's', cli.dir)
  await aSecond()
  const inode = statSync(cli.at('d/same')).ino
  writeFileSync(cli.at('d/sub/a'), 'now')
  writeFileSync(cli.at('d/new'), 'new')
  chmodSync(cli.at('d/sub'), 0o777)
  rmSync(cli.at('d/link'))
  rmSync(cli.at('d/file'))
  mkdirSync(cli.at('d/file/deep'), { recursive: true })
  t.same(readdirSync(cli.at('d')), ['file', 'new', 'same', 'sub'])
  cli.out('restore', cli.at('d'), '-s', 's')
  t.same(readdirSync(cli.at('d')), ['file', 'link', 'new', 'same', 'sub'])
  t.equal(readFileSync(cli.at('d/link'), 'utf8'), 'then')
  t.equal(readlinkSync(cli.at('d/link')), 'sub/a')
  t.equal(readFileSync(cli.at('d/file'), 'utf8'), 'a file then')
  t.equal(statSync(cli.at('d/sub')).mode & 0o777, 0o710)
  t.equal(statSync(cli.at('d/same')).ino, inode, 'what is the same is left alone')
  t.equal(cli.out('diff', cli.at('d'), '-s', 's').match(/^(Only|---|Mode).*$/gm)?.length, 1)
  await aSecond()
  t.match(cli.json('restore', cli.at('d'), '-s', 's', '--delete'), { removed: 1 })
  t.notOk(existsSync(cli.at('d/new')))
  t.equal(cli.out('diff', cli.at('d'), '-s', 's'), '')
  t.match(cli.json('undelete', cli.at('d/new')), { restored: 1 })
  t.equal(readFileSync(cli.at('d/new'), 'utf8'), 'new')
  cli.unmount()
  t.match(cli.json('restore', 'one:/', '-s', 's', '--delete'), { removed: 1 })
  t.match(cli.json('vault', 'check', 'one', '--deep'), { problems: [] })
})

t.test('--to puts a former state beside the present one, sharing its content', async (t) => {
  const cli = historyCli(t)
  const bytes = Buffer.alloc(3_000_000, 'abc')
  mkdirSync(cli.at('d'))
  writeFileSync(cli.at('d/a'), bytes)
  writeFileSync(cli.at('d/a'), 'now')
  cli.out('restore', cli.at('d/a'), '-v', '1', '--to', cli.at('copy'))
  t.ok(readFileSync(cli.at('copy')).equals(bytes))
  t.equal(readFileSync(cli.at('d/a'), 'utf8'), 'now')
  mkdirSync(cli.at('into'))
  t.match(cli.json('restore', cli.at('d'), '--at', '0s', '--to', cli.at('into')), {
    path: cli.at('into/d'),
  })
  t.equal(readFileSync(cli.at('into/d/a'), 'utf8'), 'now')
  t.match(cli.failure('restore', cli.at('d/a'), '-v', '1', '--to', cli.at('no/dir')), {
    status: 13,
  })
  t.match(cli.failure('restore', cli.at('d/a'), '-v', '1', '--to', cli.root), { status: 10 })
})

t.test('undelete brings a file or a whole directory back, with its history', async (t) => {
  const cli = historyCli(t)
  mkdirSync(cli.at('d/sub'), { recursive: true })
  writeFileSync(cli.at('d/a'), 'a 1')
  writeFileSync(cli.at('d/a'), 'a 2')
  writeFileSync(cli.at('d/sub/b'), 'b')
  linkSync(cli.at('d/sub/b'), cli.at('d/linked'))
  chmodSync(cli.at('d'), 0o750)
  t.match(cli.failure('undelete', cli.at('d')), { status: 1, errno: 'EEXIST' })
  t.match(cli.failure('restore', cli.at('d')), { status: 2, message: '--at' })
  await aSecond()
  rmSync(cli.at('d'), { recursive: true })
  t.match(cli.failure('undelete', cli.at('other')), { status: 13 })
  t.match(cli.json('undelete', cli.at('d')), { path: cli.at('d') })
  t.equal(readFileSync(cli.at('d/a'), 'utf8'), 'a 2')
  t.equal(readFileSync(cli.at('d/sub/b'), 'utf8'), 'b')
  t.equal(statSync(cli.at('d/linked')).ino, statSync(cli.at('d/sub/b')).ino)
  t.equal(statSync(cli.at('d')).mode & 0o777, 0o750)
  t.equal(cli.out('cat', cli.at('d/a'), '-v', '1'), 'a 1')
  await aSecond()
  rmSync(cli.at('d'), { recursive: true })
  cli.unmount()
  t.match(cli.json('undelete', 'one:/d/sub/b'), { path: 'one:/d/sub/b' })
  t.equal(cli.out('cat', 'one:/d/sub/b'), 'b')
  t.match(cli.failure('cat', 'one:/d/a'), { status: 13 })
  t.match(cli.json('undelete', 'one:/d/a'), { restored: 1 })
  t.equal(cli.out('cat', 'one:/d/a', '-v', '1'), 'a 1')
  t.match(cli.json('vault', 'check', 'one', '--deep'), { problems: [] })
})

t.test(
  'what was lost with a directory is found although there is a new one of its name',
  async (t) => {
    const cli = historyCli(t)
    mkdirSync(cli.at('d'))
    writeFileSync(cli.at('d/a'), 'lost')
    await aSecond()
    rmSync(cli.at('d'), { recursive: true })
    mkdirSync(cli.at('d'))
    writeFileSync(cli.at('d/b'), 'new')
    t.equal(cli.out('cat', cli.at('d/a'), '-v', '1'), 'lost')
    cli.out('undelete', cli.at('d/a'))
    t.equal(readFileSync(cli.at('d/a'), 'utf8'), 'lost')
    t.equal(readFileSync(cli.at('d/b'), 'utf8'), 'new')
  },
)

t.test('of a name deleted twice each deletion can be brought back', async (t) => {
  const cli = historyCli(t)
  for (const text of ['first', 'second']) {
    writeFileSync(cli.at('a'), text)
    await aSecond()
    rmSync(cli.at('a'))
    await aSecond()
  }
  cli.out('undelete', cli.at('a~2'))
  t.equal(readFileSync(cli.at('a'), 'utf8'), 'first')
  t.equal(cli.out('cat', cli.at('a'), '-v', '2'), 'second')
})

t.test('a vault that is mounted read-only shows its past and takes no change', async (t) => {
  const cli = historyCli(t)
  writeFileSync(cli.at('a'), 'one')
  writeFileSync(cli.at('a'), 'two')
  cli.unmount()
  cli.out('mount', 'one', cli.dir, '--read-only')
  t.equal(cli.out('cat', cli.at('a'), '-v', '1'), 'one')
  t.match(cli.failure('restore', cli.at('a'), '-v', '1'), { status: 1, message: 'read-only' })
  t.match(cli.failure('snapshot', 'create', 's', 'one'), { status: 1, message: 'read-only' })
  t.match(cli.failure('tag', 'add', join(cli.dir, 'a'), 'x'), { status: 1, message: 'read-only' })
})

t.test('what was closed and deleted within a second is found and comes back', async (t) => {
  for (const backend of ['sqlite', 'leveldb']) {
    const cli = historyCli(t, backend)
    run('sh', ['-c', 'mkdir d && echo hidden treasure > d/f && rm -r d'], { cwd: cli.dir })
    run('sh', ['-c', 'echo hidden pearl > g && rm g && : > empty && rm empty'], { cwd: cli.dir })
    await aSecond()
    t.same(readdirSync(cli.at('.avfs/deleted')), [], 'it is not listed')
    const names = (...args: string[]): string[] =>
      (cli.json('log', cli.dir, ...args) as { path: string }[]).map(({ path }) => path)
    t.same(names(), [])
    t.ok(['d', 'g'].every((name) => names('--all').includes(name)))
    t.match(cli.json('log', cli.at('d/f')), [{ number: 1, size: 16 }])
    t.equal(cli.out('cat', cli.at('g'), '-v', '1'), 'hidden pearl\n')
    const found = cli.json('search', 'hidden', cli.dir, '--all-versions') as { path: string }[]
    t.match(
      found.sort((a, b) => (a.path < b.path ? -1 : 1)),
      [
        { path: cli.at('d/f'), deleted: true, versions: [{ number: 1 }] },
        { path: cli.at('g'), deleted: true, versions: [{ number: 1 }] },
      ],
    )
    cli.out('undelete', cli.at('d'))
    cli.out('undelete', cli.at('g'))
    t.equal(readFileSync(cli.at('d/f'), 'utf8'), 'hidden treasure\n')
    t.equal(readFileSync(cli.at('g'), 'utf8'), 'hidden pearl\n')
    cli.out('vault', 'config', 'one', 'history.passing=off')
    // A busy machine may take longer than a second for it.
    let name = ''
    for (let [at, tookMs] = [0, Number.POSITIVE_INFINITY]; tookMs > 500; at++) {
      name = `h${at}`
      const began = performance.now()
      run('sh', ['-c', `echo hidden shell > ${name} && rm ${name}`], { cwd: cli.dir })
      tookMs = performance.now() - began
    }
    await aSecond()
    t.match(cli.failure('undelete', cli.at(name)), { status: 13 })
  }
})
