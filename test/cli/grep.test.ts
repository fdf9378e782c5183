// avfs grep, on a mounted vault and on one that is not, in the present and in the past; its results
// are compared with grep(1).

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import { testedBackends } from '../support/engines.ts'
import { avfsProgram } from '../support/mount.ts'
import { attempt, run } from '../support/program.ts'
import { emptyCli } from './cli.ts'
import { aSecond, bothWays, type HistoryCli, historyCli } from './history.ts'

// Each run of a command takes a while on a busy machine.
t.setTimeout(280_000)

function makeTree(cli: HistoryCli): void {
  mkdirSync(cli.at('d/deep'), { recursive: true })
  mkdirSync(cli.at('skip'))
  writeFileSync(cli.at('a.txt'), 'one foo\ntwo\nthree Foo\nfour\nfive\n\nfoobar\n')
  writeFileSync(cli.at('d/b.md'), 'foo without an end')
  writeFileSync(cli.at('d/deep/c.txt'), 'caf\u00e9 foo\r\n\u{1f600}\n')
  writeFileSync(cli.at('d/latin'), Buffer.from('caf\xe9 foo\nnothing\n', 'latin1'))
  writeFileSync(cli.at('skip/e'), 'foo\n')
  writeFileSync(cli.at('empty'), '')
  symlinkSync('a.txt', cli.at('link'))
}

/** What a command prints, as bytes. */
function bytesOf(cli: HistoryCli, ...args: readonly string[]): string {
  const env = { AVFS_HOME: cli.home, XDG_RUNTIME_DIR: cli.root, XDG_STATE_HOME: cli.root }
  const command = 'out=$1; shift; "$@" > "$out"'
  const out = join(cli.root, 'out')
  attempt('sh', ['-c', command, 'sh', out, avfsProgram, ...args], { env, cwd: cli.root })
  return readFileSync(out, 'latin1')
}

/** Lines in an order of their own: grep goes through a directory as it lies on the disk. */
function sorted(text: string): string {
  return text.split('\n').sort().join('\n')
}

/** Options that mean the same to both. */
const ways: readonly (readonly string[])[] = [
  ['-e', 'foo'],
  ['-i', '-e', 'FOO'],
  ['-w', '-e', 'foo'],
  ['-v', '-e', 'o'],
  ['-c', '-e', 'o'],
  ['-l', '-e', 'foo'],
  ['-m', '1', '-e', 'o'],
  ['-A1', '-e', 'two'],
  ['-B', '2', '-e', 'four'],
  ['-C1', '-e', 'f'],
  ['-F', '-e', 'foo', '-e', 'tw', '-e', '.'],
  ['-e', '^(one|two)', '-e', '[0-9]'],
  ['-e', '', '--include', '*.md'],
  ['-e', 'foo', '--include', '*.md', '--include', '*.txt'],
]

t.test('it finds what grep finds, mounted and not', async (t) => {
  const cli = historyCli(t)
  makeTree(cli)
  const copy = cli.folder('copy')
  run('cp', ['-r', `${cli.dir}/.`, copy])
  const wanted = ways.map((way) => {
    const kind = way.includes('-F') ? [] : ['-E']
    const command = 'cd "$0" && grep -r -a -n "$@" . | base64'
    const { stdout } = attempt('sh', ['-c', command, copy, ...kind, ...way])
    return Buffer.from(stdout, 'base64').toString('latin1')
  })
  t.equal(wanted.filter((text) => text === '').length, 0, 'each finds something')
  bothWays(cli, (at) => {
    const base = at('').replace(/\/?$/, '/')
    ways.forEach((way, index) => {
      const found = bytesOf(cli, 'grep', ...way, at('')).replaceAll(base, './')
      t.equal(sorted(found), sorted(wanted[index] ?? ''), way.join(' '))
    })
  })
})

t.test('paths are named as they were given, in order, and where they are not given', async (t) => {
  const cli = historyCli(t)
  makeTree(cli)
  const names = (...args: readonly string[]): string[] =>
    cli
      .out('grep', '-l', 'foo', ...args)
      .trimEnd()
      .split('\n')
  t.same(names(cli.dir), ['a.txt', 'd/b.md', 'd/deep/c.txt', 'd/latin', 'skip/e'].map(cli.at))
  t.same(names('mnt/d/'), ['mnt/d/b.md', 'mnt/d/deep/c.txt', 'mnt/d/latin'])
  t.same(names('one:/skip', 'mnt/a.txt'), ['one:/skip/e', 'mnt/a.txt'])
  t.same(names('one', '--exclude', 'd', '--exclude', '/skip'), ['one:/a.txt'])
  t.same(names('one:/d', '--include', '/deep'), ['one:/d/deep/c.txt'])
  t.same(names('one:/d/b.md', '--include', '*.txt'), ['one:/d/b.md'], 'what is named is wanted')
  const env = { AVFS_HOME: cli.home, XDG_RUNTIME_DIR: cli.root, XDG_STATE_HOME: cli.root }
  const here = run(avfsProgram, ['grep', '-l', 'foo'], { env, cwd: cli.at('d') })
  t.equal(here, './b.md\n./deep/c.txt\n./latin')
  writeFileSync(cli.at('dash'), 'a -x b\n')
  t.same(cli.out('grep', '-l', '--', '-x', 'one'), 'one:/dash\n')
  t.same(cli.out('grep', '-e=-x', '-l', 'one'), 'one:/dash\n')
  t.equal(
    cli.out('grep', '--no-filename', '--no-line-number', 'foo', 'mnt/a.txt'),
    'one foo\nfoobar\n',
  )
})

t.test('its exit codes are those of grep, and errors say why', async (t) => {
  const cli = historyCli(t)
  makeTree(cli)
  bothWays(cli, (at) => {
    t.same(cli.avfs('grep', 'nowhere', at('')), { status: 1, stdout: '', stderr: '' })
    t.same(cli.avfs('grep', '-q', 'foo', at('')), { status: 0, stdout: '', stderr: '' })
    t.same(cli.avfs('grep', 'nowhere', at(''), '--json').stdout, '[]\n')
    t.match(cli.failure('grep', 'foo', at('none')), { status: 13, errno: 'ENOENT' })
    t.match(cli.failure('grep', 'foo', at('link')), { status: 2, message: /neither a file nor/ })
    t.match(cli.failure('grep', 'a(', at('')), { status: 2, message: /Unterminated group.*-F/ })
    t.match(cli.failure('grep', 'a', at(''), '--include', ''), { status: 2 })
    t.match(cli.failure('grep', 'a', at(''), '-A', 'x'), { status: 2 })
  })
  t.match(cli.failure('grep', 'foo', 'two:/'), { status: 10 })
  t.match(cli.failure('grep'), { status: 2, message: /what to find/ })
  t.match(cli.failure('grep', 'foo', cli.root), { status: 10 })
})

t.test('JSON has every line, and the bytes of those that are no text', async (t) => {
  const cli = historyCli(t)
  makeTree(cli)
  writeFileSync(cli.at('d/nul'), 'foo\0')
  t.same(cli.json('grep', 'foo', 'one:/d'), [
    { path: 'one:/d/b.md', line: 1, match: true, text: 'foo without an end' },
    { path: 'one:/d/deep/c.txt', line: 1, match: true, text: 'caf\u00e9 foo\r' },
    {
      path: 'one:/d/latin',
      line: 1,
      match: true,
      text: 'caf\ufffd foo',
      base64: Buffer.from('caf\xe9 foo', 'latin1').toString('base64'),
    },
    { path: 'one:/d/nul', binary: true },
  ])
  t.same(cli.json('grep', '-c', 'foo', 'one:/d/b.md'), [{ path: 'one:/d/b.md', count: 1 }])
  t.same(cli.json('grep', '-l', 'foo', 'one:/d/b.md'), [{ path: 'one:/d/b.md' }])
  t.equal(cli.out('grep', 'foo', 'one:/d/nul'), 'one:/d/nul: binary file matches\n')
})

t.test('the past is searched as it was', async (t) => {
  const cli = historyCli(t)
  mkdirSync(cli.at('gone'))
  writeFileSync(cli.at('gone/a'), 'secret\n')
  writeFileSync(cli.at('kept'), 'secret then\n')
  await aSecond()
  cli.out('snapshot', 'create', 'before', 'one')
  await aSecond()
  const when = `@${Date.now() / 1000}`
  await aSecond()
  rmSync(cli.at('gone'), { recursive: true })
  writeFileSync(cli.at('kept'), 'open now\n')
  bothWays(cli, (at) => {
    t.equal(cli.avfs('grep', 'secret', at('')).status, 1)
    const found = `${at('gone/a')}:1:secret\n${at('kept')}:1:secret then\n`
    t.equal(cli.out('grep', 'secret', at(''), '--snapshot', 'before'), found)
    t.equal(cli.out('grep', 'secret', at(''), '--at', when), found)
    t.equal(cli.out('grep', '-c', 'secret', at('gone'), '--at', when), `${at('gone/a')}:1\n`)
    t.match(cli.failure('grep', 'secret', at(''), '--at', '2001-01-01'), { status: 13 })
    t.match(cli.failure('grep', 'secret', at(''), '--at', 'whenever'), { status: 2 })
  })
})

t.test('what is written and not closed is searched too', async (t) => {
  const cli = historyCli(t)
  const fd = openSync(cli.at('open'), 'w')
  writeSync(fd, 'needle\n')
  t.equal(cli.out('grep', 'needle', cli.dir), `${cli.at('open')}:1:needle\n`)
  t.equal(cli.out('find', cli.dir, '--size', '7'), `${cli.at('open')}\n`)
  closeSync(fd)
  t.equal(cli.out('log', cli.at('open'), '--json').split('"number"').length, 2, 'one version')
})

t.test('names that are no text come out as they are', async (t) => {
  const cli = historyCli(t)
  const name = Buffer.concat([Buffer.from(cli.at('odd-')), Buffer.from([0xff, 0x0a, 0xfe])])
  writeFileSync(name, 'foo\n')
  bothWays(cli, (at) => {
    t.equal(bytesOf(cli, 'grep', '-l', 'foo', at('')), `${at('odd-')}\xff\n\xfe\n`)
  })
})

t.test('a pattern that never ends holds up nobody, and ends with a signal', async (t) => {
  const cli = historyCli(t)
  writeFileSync(cli.at('long'), `${'a'.repeat(60)}!\n`)
  const env = { ...process.env, AVFS_HOME: cli.home, XDG_RUNTIME_DIR: cli.root }
  // Not by the script around it, which would get the signal in its place.
  const main = join(import.meta.dirname, '../../src/cli/main.ts')
  const endless = spawn(process.execPath, [main, 'grep', '(a+)+$', cli.dir], { env })
  t.teardown(() => endless.kill('SIGKILL'))
  const from = process.hrtime()
  // Until it has the file and does nothing else any more.
  while (cpuSeconds(endless.pid ?? 0) < 3 && process.hrtime(from)[0] < 100)
    await new Promise((resolve) => setTimeout(resolve, 50))
  t.ok(cpuSeconds(endless.pid ?? 0) >= 3, 'it is busy')
  t.equal(endless.exitCode, null)
  writeFileSync(cli.at('other'), 'still here\n')
  t.equal(cli.out('grep', 'still', cli.dir), `${cli.at('other')}:1:still here\n`)
  const end = once(endless, 'exit')
  endless.kill('SIGINT')
  t.same(await end, [null, 'SIGINT'])
  t.equal(readFileSync(cli.at('other'), 'utf8'), 'still here\n')
})

function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

t.test('a file that is damaged is named, and the others are searched', async (t) => {
  const cli = historyCli(t)
  writeFileSync(cli.at('a'), 'needle\n'.repeat(2000))
  writeFileSync(cli.at('b'), 'needle\n')
  cli.unmount()
  const database = new Database(join(cli.home, 'one.avfs'))
  database.prepare("update block set data = x'00'").run()
  database.close()
  const { status, stdout, stderr } = cli.avfs('grep', 'needle', 'one')
  t.equal(status, 2)
  t.equal(stdout, 'one:/b:1:needle\n')
  t.match(stderr, /^avfs: one:\/a: the content is damaged/m)
})

for (const { name } of testedBackends) {
  t.test(`many files, and one of many pieces, are searched in a vault of ${name}`, async (t) => {
    const cli = emptyCli(t)
    const source = cli.folder('source')
    for (let folder = 0; folder < 3; folder++) {
      mkdirSync(join(source, `${folder}`))
      for (let file = 0; file < 450; file++)
        writeFileSync(join(source, `${folder}/${file}`), `file ${file}\nof folder ${folder}\n`)
    }
    const line = `${'many words '.repeat(20)}\n`
    writeFileSync(join(source, 'large'), `${line.repeat(20_000)}needle\n${line.repeat(20_000)}`)
    cli.json('vault', 'create', 'one', '--backend', name)
    cli.json('import', source, 'one:/t')
    const { stdout } = cli.avfs('grep', '-c', '^(file 44\\d|of folder 1|needle)$', 'one:/t')
    const counts = stdout.trimEnd().split('\n')
    t.equal(counts.length, 1351)
    const sum = counts.reduce((total, its) => total + Number(its.split(':').pop()), 0)
    t.equal(sum, 3 * 10 + 450 + 1)
    t.same(cli.json('grep', 'needle', 'one:/t/large'), [
      { path: 'one:/t/large', line: 20_001, match: true, text: 'needle' },
    ])
  })
}
