// avfs find, on a mounted vault and on one that is not, in the present and in the past.

import { mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { testedBackends } from '../support/engines.ts'
import { avfsProgram } from '../support/mount.ts'
import { needProgram, run } from '../support/program.ts'
import { emptyCli } from './cli.ts'
import { aSecond, bothWays, type HistoryCli, historyCli } from './history.ts'

// Each run of a command takes a while on a busy machine.
t.setTimeout(280_000)
needProgram('mkfifo')

const DAY = 86_400

function makeTree(cli: HistoryCli): void {
  mkdirSync(cli.at('d/deep'), { recursive: true })
  writeFileSync(cli.at('a.txt'), 'a')
  writeFileSync(cli.at('d/b.md'), Buffer.alloc(2048))
  writeFileSync(cli.at('d/deep/c.txt'), Buffer.alloc(3 * 1024 * 1024))
  writeFileSync(cli.at('d.txt'), '')
  symlinkSync('a.txt', cli.at('link'))
  run('mkfifo', [cli.at('fifo')])
  const now = Date.now() / 1000
  utimesSync(cli.at('d/b.md'), now, now - 10 * DAY)
  utimesSync(cli.at('d.txt'), now, now - 3 * DAY)
}

t.test('it finds what find finds, in the order of names', async (t) => {
  const cli = historyCli(t)
  makeTree(cli)
  const wanted = run('find', [cli.dir]).split('\n')
  bothWays(cli, (at) => {
    const base = at('').replace(/\/?$/, '/')
    const found = cli.out('find', at('')).trimEnd().split('\n')
    const expected = wanted.map((path) => path.replace(`${cli.dir}`, at('').replace(/\/$/, '')))
    t.same(new Set(found), new Set(expected.map((path) => (path === 'one:' ? 'one:/' : path))))
    const names = ['a.txt', 'd', 'd/b.md', 'd/deep', 'd/deep/c.txt', 'd.txt', 'fifo', 'link']
    t.same(
      found.slice(1),
      names.map((name) => base + name),
    )
  })
})

t.test('each condition holds', async (t) => {
  const cli = historyCli(t)
  makeTree(cli)
  cli.out('tag', 'add', cli.at('a.txt'), 'urgent', 'work')
  cli.out('tag', 'add', cli.at('d'), 'work')
  cli.out('meta', 'set', cli.at('a.txt'), 'rating=5', 'author=Ada')
  cli.out('meta', 'set', cli.at('d/b.md'), 'rating=3')
  bothWays(cli, (at) => {
    const find = (...conditions: readonly string[]): unknown =>
      cli
        .out('find', at(''), ...conditions)
        .trimEnd()
        .split('\n')
    const paths = (...names: readonly string[]): string[] => names.map(at)
    t.same(find('--name', '*.txt'), paths('a.txt', 'd/deep/c.txt', 'd.txt'))
    t.same(find('--name', '*.md', '--name', 'li*'), paths('d/b.md', 'link'))
    t.same(find('--path', '/d/**/*.txt'), paths('d/deep/c.txt'))
    t.same(find('--path', 'deep'), paths('d/deep', 'd/deep/c.txt'))
    t.same(find('--type', 'd', '--name', 'd*'), paths('d', 'd/deep'))
    t.same(find('--type', 'l,p'), paths('fifo', 'link'))
    t.same(find('--size', '+2k', '--type', 'f'), paths('d/deep/c.txt'))
    t.same(find('--size', '2k'), paths('d/b.md'))
    t.same(find('--size', '-1k', '--type', 'f'), paths('a.txt', 'd.txt'))
    t.same(find('--size', '+0', '--size', '-2049', '--type', 'f'), paths('a.txt', 'd/b.md'))
    t.same(find('--older', '2d', '--type', 'f'), paths('d/b.md', 'd.txt'))
    t.same(find('--older', '2d', '--newer', '5d'), paths('d.txt'))
    t.same(find('--newer', '1d', '--type', 'f'), paths('a.txt', 'd/deep/c.txt'))
    t.same(find('--tag', 'work'), paths('a.txt', 'd'))
    t.same(find('--tag', 'work', '--tag', 'urgent'), paths('a.txt'))
    t.same(find('--meta', 'rating>2'), paths('a.txt', 'd/b.md'))
    t.same(find('--meta', 'rating>2', '--meta', 'author~=^A'), paths('a.txt'))
    t.same(find('--limit', '2', '--type', 'f'), paths('a.txt', 'd/b.md'))
    t.same(find('--name', 'nothing'), [''])
    t.equal(cli.out('find', at('d.txt'), '-0'), `${at('d.txt')}\0`)
    t.match(cli.json('find', at('d'), '--type', 'f'), [
      { path: at('d/b.md'), type: 'f', mode: 0o644, size: 2048, mtime: Number },
      { path: at('d/deep/c.txt'), type: 'f', size: 3 * 1024 * 1024 },
    ])
    t.same(cli.json('find', at(''), '--tag', 'other'), [])
  })
})

t.test('wrong conditions are told', async (t) => {
  const cli = emptyCli(t)
  cli.json('vault', 'create', 'one')
  for (const wrong of [
    ['--size', 'ten'],
    ['--type', 'x'],
    ['--newer', 'whenever'],
    ['--meta', 'rating'],
    ['--limit', '0'],
    ['--name', ''],
    ['--name', '{a,b}'.repeat(11)],
  ])
    t.match(cli.failure('find', 'one', ...wrong), { status: 2, errno: 'EINVAL' }, wrong.join(' '))
  t.match(cli.failure('find', 'one:/none'), { status: 13 })
  t.match(cli.failure('find', 'two'), { status: 10 })
})

t.test('the past is as it was, with its tags, values and times', async (t) => {
  const cli = historyCli(t)
  makeTree(cli)
  cli.out('tag', 'add', cli.at('d/b.md'), 'old')
  cli.out('meta', 'set', cli.at('d/b.md'), 'rating=1')
  cli.out('snapshot', 'create', 'before', 'one')
  await aSecond()
  cli.out('tag', 'rm', cli.at('d/b.md'), 'old')
  cli.out('meta', 'set', cli.at('d/b.md'), 'rating=9')
  rmSync(cli.at('d/deep'), { recursive: true })
  writeFileSync(cli.at('new'), '')
  bothWays(cli, (at) => {
    const before = (...conditions: readonly string[]): unknown =>
      cli
        .out('find', at('d'), '--snapshot', 'before', ...conditions)
        .trimEnd()
        .split('\n')
    t.same(before('--type', 'f'), [at('d/b.md'), at('d/deep/c.txt')])
    t.same(before('--tag', 'old'), [at('d/b.md')])
    t.same(before('--meta', 'rating<5'), [at('d/b.md')])
    t.same(before('--older', '5d'), [at('d/b.md')])
    t.equal(cli.out('find', at(''), '--tag', 'old'), '')
    t.equal(cli.out('find', at(''), '--meta', 'rating<5'), '')
    t.equal(
      cli.out('find', at('d/deep'), '--snapshot', 'before', '--type', 'd'),
      `${at('d/deep')}\n`,
    )
  })
})

t.test('paths are named as they were given, also where they are no text', async (t) => {
  const cli = historyCli(t)
  mkdirSync(cli.at('d'))
  const odd = Buffer.from([0x6f, 0xff, 0x0a])
  writeFileSync(Buffer.concat([Buffer.from(cli.at('d/')), odd]), '')
  const env = { AVFS_HOME: cli.home, XDG_RUNTIME_DIR: cli.root, XDG_STATE_HOME: cli.root }
  const command = '"$0" find -0 --type f | xargs -0 printf %s | od -An -c | tr -d " \\n"'
  const found = run('sh', ['-c', command, avfsProgram], { env, cwd: cli.dir })
  t.equal(found, './d/o377\\n')
  t.equal(cli.out('find', 'mnt/d/', '--type', 'd'), 'mnt/d/\n')
  t.equal(cli.out('find', 'mnt/d', 'one:/d', '--type', 'd'), 'mnt/d\none:/d\n')
  t.equal(cli.out('find', 'one', '--limit', '1'), 'one:/\n')
})

for (const { name } of testedBackends) {
  t.test(`a large directory is walked through in a vault of ${name}`, async (t) => {
    const cli = emptyCli(t)
    const source = cli.folder('source')
    for (let file = 0; file < 1500; file++) writeFileSync(join(source, `${file}`), 'x')
    mkdirSync(join(source, '7-and-below/deep'), { recursive: true })
    writeFileSync(join(source, '7-and-below/deep/77'), '')
    cli.json('vault', 'create', 'one', '--backend', name)
    cli.json('import', source, 'one:/t')
    const found = cli.avfs('find', 'one', '--type', 'f').stdout.trimEnd().split('\n')
    t.equal(found.length, 1501)
    t.equal(new Set(found).size, 1501)
    t.same(cli.avfs('find', 'one', '--name', '77*').stdout.trimEnd().split('\n').length, 1 + 10 + 1)
  })
}
