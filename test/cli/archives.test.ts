// avfs export and import of tar archives, compared with GNU tar in both directions, and of SQLite
// archives, compared with sqlite3 -A.

import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { BLOCK_BYTES, encodeHeader } from '../../src/archive/tar-header.ts'
import { attempt, needProgram, run } from '../support/program.ts'
import { historyCli } from './history.ts'
import { bytesOnDisk, differences, makeOddTree } from './odd-tree.ts'

// Each run of a command takes a while on a busy machine.
t.setTimeout(240_000)
needProgram('rsync', 'setfattr', 'setfacl', 'sqlite3', 'bsdtar', 'busybox')

const ALL = ['--xattrs', '--xattrs-include=*', '--acls', '--numeric-owner']

t.test('GNU tar unpacks an exported archive with everything in it', (t) => {
  const cli = historyCli(t)
  const tree = cli.folder('tree')
  makeOddTree(tree)
  const [archive, out] = [join(cli.root, 'a.tar'), cli.folder('out')]
  cli.json('import', tree, cli.at('d'))
  const result = cli.json('export', cli.at('d'), archive, '-r', '--format', 'tar')
  t.match(result, { problems: 0 })
  run('tar', ['-C', out, ...ALL, '-xpf', archive])
  t.equal(differences(tree, join(out, 'd')), '')
  t.ok(bytesOnDisk(join(out, 'd/sparse')) < 1_000_000, 'holes stay holes')
  t.ok(statSync(archive).size < 8_000_000, 'and take no room in the archive')
  t.equal(statSync(archive).size % 10240, 0)
  t.equal(attempt('tar', ['-tf', archive]).stderr, '')
  t.end()
})

t.test('archives of GNU tar are imported, in each of its formats', (t) => {
  const cli = historyCli(t)
  const tree = cli.folder('tree')
  makeOddTree(tree)
  // Only pax holds all; the others have whole seconds and none of the attributes.
  const pax = join(cli.root, 'pax.tar')
  run('tar', ['-C', tree, ...ALL, '--format=pax', '-S', '-cf', pax, '.'])
  t.match(cli.json('import', pax, cli.at('pax'), '--format', 'tar'), { problems: 0 })
  t.equal(differences(tree, cli.at('pax')), '')
  cli.json('import', tree, cli.at('plain'))
  for (const path of [tree, cli.at('plain')]) {
    run('setfattr', ['-x', 'trusted.t', join(path, 'sub')])
    run('setfattr', ['-x', 'user.k', join(path, 'text')])
    run('setfattr', ['-x', 'user.xdg.tags', join(path, 'sub/two')])
    run('setfacl', ['-R', '-b', path])
    // What lies before 1970 or has parts of seconds is beyond them.
    run('find', [path, '-exec', 'touch', '-h', '-d', '2002-02-02', '{}', '+'])
  }
  for (const [format, sparse] of [
    ['gnu', '--sparse-version=0.0'],
    ['oldgnu', '--sparse-version=0.0'],
    ['posix', '--sparse-version=0.0'],
    ['posix', '--sparse-version=0.1'],
  ] as const) {
    const archive = join(cli.root, `${format}.tar.gz`)
    run('tar', ['-C', tree, `--format=${format}`, sparse, '-S', '-czf', archive, '.'])
    const name = `${format}${sparse.slice(-1)}`
    t.match(cli.json('import', archive, cli.at(name), '--format', 'tar'), { problems: 0 }, name)
    t.equal(differences(tree, cli.at(name)), '', name)
    t.equal(statSync(cli.at(`${name}/hole`)).blocks, 0, name)
  }
  cli.unmount()
  t.match(cli.json('vault', 'check', 'one', '--deep'), { problems: [] })
  t.end()
})

t.test('an archive goes through pipes, in and out', (t) => {
  const cli = historyCli(t)
  mkdirSync(cli.at('d'))
  writeFileSync(cli.at('d/a'), 'text')
  writeFileSync(cli.at('d/b'), Buffer.alloc(1_000_000, 'abc'))
  const program = join(import.meta.dirname, '../../scripts/avfs')
  const env = { AVFS_HOME: cli.home, XDG_RUNTIME_DIR: cli.root }
  const pipe = `"$0" export one:/d - -r --format tar | tee "$1" | "$0" import - one:/copy --format tar`
  run('sh', ['-c', pipe, program, join(cli.root, 'a.tar')], { env })
  t.equal(run('tar', ['-tf', join(cli.root, 'a.tar')]), 'd/\nd/a\nd/b')
  t.equal(differences(cli.at('d'), cli.at('copy/d')), '')
  t.match(cli.failure('export', cli.at('d'), '-', '-r'), { status: 2 })
  t.end()
})

t.test('what leads out of an archive is refused, what is none is said to be none', (t) => {
  const cli = historyCli(t)
  const folder = cli.folder('folder')
  writeFileSync(join(folder, 'good'), 'good')
  const archive = join(cli.root, 'a.tar')
  const rename = ['--transform', 's,^evil,../../evil,', '--transform', 's,^root,/root,']
  for (const name of ['evil', 'root']) writeFileSync(join(folder, name), name)
  run('tar', ['-C', folder, '-P', '-cf', archive, ...rename, 'good', 'evil', 'root'])
  const { status, stderr } = cli.avfs('import', archive, cli.at('d'), '--format', 'tar')
  t.equal(status, 1)
  t.match(stderr, /\.\.\/\.\.\/evil: leads out of the archive/)
  t.equal(readFileSync(cli.at('d/good'), 'utf8'), 'good')
  t.equal(readFileSync(cli.at('d/root'), 'utf8'), 'root', 'a slash in front does not count')
  writeFileSync(join(cli.root, 'none'), 'x'.repeat(2000))
  const none = cli.failure('import', join(cli.root, 'none'), cli.at('e'), '--format', 'tar')
  t.match(none, { status: 1, message: /no tar archive/ })
  writeFileSync(join(cli.root, 'cut'), readFileSync(archive).subarray(0, 700))
  const cut = cli.failure('import', join(cli.root, 'cut'), cli.at('e'), '--format', 'tar')
  t.match(cut, { status: 1, message: /ends too early/ })
  cli.unmount()
  t.match(cli.json('vault', 'check', 'one', '--deep'), { problems: [] })
  t.end()
})

t.test('names that come more than once, and links to each of them, are what GNU tar makes', (t) => {
  const cli = historyCli(t)
  const plain = { mode: 0o644, uid: 0, gid: 0, mtime: 0, linkname: '', major: 0, minor: 0 }
  const file = (name: string, text: string): Buffer =>
    Buffer.concat([
      encodeHeader({ ...plain, name, type: '0', size: text.length }),
      Buffer.from(text.padEnd(BLOCK_BYTES, '\0')),
    ])
  const link = (name: string, linkname: string): Buffer =>
    encodeHeader({ ...plain, name, type: '1', size: 0, linkname })
  const archive = join(cli.root, 'a.tar')
  writeFileSync(
    archive,
    Buffer.concat([
      file('a', 'first a'),
      file('b', 'b'),
      link('of-first', 'a'),
      file('a', 'second a'),
      file('c', 'c'),
      link('of-second', 'a'),
      link('of-link', 'of-first'),
      file('d', 'd'),
      link('of-c', './c'),
      link('of-d', 'd'),
      file('of-first', 'another'),
      link('of-other', 'of-first'),
      link('b', 'd'),
      link('of-b', 'b'),
      Buffer.alloc(2 * BLOCK_BYTES),
    ]),
  )
  const out = cli.folder('out')
  run('tar', ['-C', out, '-xf', archive])
  t.match(cli.json('import', archive, cli.at('d'), '--format', 'tar'), { problems: 0 })
  const told = run('rsync', ['-rlpniH', '--checksum', '--delete', `${out}/`, `${cli.at('d')}/`])
  t.equal(told.replace(/^\.d.*\n?/gm, ''), '')
  t.equal(statSync(cli.at('d/of-link')).nlink, 1)
  t.equal(statSync(cli.at('d/of-b')).nlink, 4)
  t.end()
})

t.test('sqlite3 -A lists and unpacks an exported SQLite archive', (t) => {
  const cli = historyCli(t)
  mkdirSync(cli.at('d/sub'), { recursive: true })
  writeFileSync(cli.at('d/a'), 'text '.repeat(1000))
  writeFileSync(cli.at('d/sub/large'), Buffer.alloc(300_000, 'abc'))
  run('ln', ['-s', 'sub/large', cli.at('d/link')])
  run('ln', ['-s', 'no/where', cli.at('d/another')])
  run('ln', [cli.at('d/a'), cli.at('d/twice')])
  mkdirSync(cli.at('d/empty'))
  writeFileSync(cli.at('d/sub/none'), '')
  writeFileSync(cli.at('d/\u00fc'), 'x')
  run('chmod', ['750', cli.at('d/a')])
  run('mkfifo', [cli.at('d/fifo')])
  const archive = join(cli.root, 'a.sqlar')
  const args = ['export', cli.at('d'), archive, '-r', '--format', 'sqlar'] as const
  t.match(cli.avfs(...args), { status: 1, stderr: /d\/fifo: only files/ })
  rmSync(cli.at('d/fifo'))
  t.match(cli.json(...args), { files: 7, problems: 0 })
  const expected = join(cli.root, 'expected.sqlar')
  run('sqlite3', ['-A', '-cf', expected, 'd'], { cwd: cli.dir })
  // Of links sqlite3 3.40 reads neither the size nor the time that it writes itself.
  const list = (file: string): string[] =>
    run('sqlite3', ['-A', '-tvf', file])
      .replace(/^(l\S+) .* /gm, '$1 ')
      .split('\n')
      .sort()
  t.same(list(archive), list(expected))
  const out = cli.folder('out')
  run('sqlite3', ['-A', '-xf', archive], { cwd: out })
  const flags = ['-rlpni', '--checksum', '--delete']
  t.equal(run('rsync', [...flags, `${cli.at('d')}/`, `${out}/d/`]), '')
  t.equal(run('sqlite3', ['-A', '-tf', archive]).split('\n').length, 10)
  t.end()
})

t.test('an archive takes its name when it is whole: what was there stays until then', (t) => {
  const cli = historyCli(t)
  mkdirSync(cli.at('d'))
  writeFileSync(cli.at('d/a'), 'text')
  const folder = cli.folder('folder')
  const archive = join(folder, 'old')
  for (const format of ['tar', 'sqlar']) {
    writeFileSync(archive, 'precious')
    chmodSync(archive, 0o640)
    const args = [archive, '--format', format]
    t.equal(cli.failure('export', cli.at('none'), ...args, '-r').status, 13)
    t.match(cli.failure('export', cli.at('d'), ...args), { message: /say --recursive/ })
    t.same([readFileSync(archive, 'utf8'), readdirSync(folder)], ['precious', ['old']])
    const link = join(cli.root, format)
    symlinkSync(archive, link)
    cli.json('export', cli.at('d'), link, '-r', '--format', format)
    t.equal(readlinkSync(link), archive)
    t.equal(statSync(archive).mode & 0o777, 0o640)
    t.not(readFileSync(archive, 'utf8'), 'precious')
    t.same(readdirSync(folder), ['old'])
    t.match(cli.failure('export', cli.at('d'), folder, '-r', '--format', format), {
      status: 1,
      message: `${folder} is a directory`,
    })
  }
  t.end()
})

t.test('a tar goes into a pipe that is there, which is not taken away', (t) => {
  const cli = historyCli(t)
  mkdirSync(cli.at('d'))
  writeFileSync(cli.at('d/a'), 'text')
  const fifo = join(cli.root, 'fifo')
  run('mkfifo', [fifo])
  const program = join(import.meta.dirname, '../../scripts/avfs')
  const env = { AVFS_HOME: cli.home, XDG_RUNTIME_DIR: cli.root }
  const both = '"$0" export one:/d "$1" -r --format tar >/dev/null & tar -tf "$1" && wait $!'
  t.equal(run('sh', ['-c', both, program, fifo], { env }), 'd/\nd/a')
  t.ok(statSync(fifo).isFIFO())
  t.match(cli.failure('export', cli.at('d'), fifo, '-r', '--format', 'sqlar'), {
    status: 1,
    message: `${fifo} is no file`,
  })
  t.end()
})

t.test('an export takes the place of no vault', (t) => {
  const cli = historyCli(t)
  writeFileSync(cli.at('a'), 'text')
  cli.unmount()
  cli.json('vault', 'create', 'two', '--backend', 'rocksdb')
  const other = join(cli.home, 'two.rocksdb')
  const bare = join(cli.root, 'bare')
  cli.json('vault', 'migrate', 'one', '--to', 'sqlite', '--output', bare)
  run('mv', [`${bare}.avfs`, bare])
  const link = join(cli.root, 'link')
  symlinkSync(join(cli.home, 'one.avfs'), link)
  for (const [from, to, format] of [
    ['one:/', join(cli.home, 'one.avfs'), 'tar'],
    ['one:/', join(cli.home, 'one.avfs'), 'sqlar'],
    ['one:/', link, 'tar'],
    ['one:/', other, 'dir'],
    ['one:/a', join(other, 'CURRENT'), 'dir'],
    [`${bare}:/a`, bare, 'dir'],
  ] as const) {
    const refused = cli.failure('export', from, to, '-r', '--format', format)
    t.match(refused, { status: 1, message: /is a vault/ }, `${format} to ${to}`)
  }
  t.match(cli.json('vault', 'check', 'one'), { problems: [] })
  t.match(cli.json('vault', 'check', 'two'), { problems: [] })
  t.end()
})

t.test(
  'holes of any shape stay holes for GNU tar, and are zeros for readers that know none',
  (t) => {
    const cli = historyCli(t)
    mkdirSync(cli.at('d'))
    const put = (offset: number, text: string): void =>
      void run(
        'dd',
        [`of=${cli.at('d/odd')}`, 'bs=1', `seek=${offset}`, 'conv=notrunc', 'status=none'],
        {
          input: text,
        },
      )
    // Where data begins and ends at no block's border.
    for (const [at, text] of [
      [5, 'first'],
      [100_001, 'second'],
      [700_000, 'x'.repeat(1000)],
    ] as const)
      put(at, text)
    run('truncate', ['-s', '900001', cli.at('d/odd')])
    run('truncate', ['-s', '200000', cli.at('d/hole')])
    const [sparse, plain] = [join(cli.root, 'sparse.tar'), join(cli.root, 'plain.tar')]
    cli.json('export', cli.at('d'), sparse, '-r', '--format', 'tar')
    cli.json('export', cli.at('d'), plain, '-r', '--format', 'tar', '--no-holes')
    t.ok(statSync(sparse).size < 30_000)
    t.ok(statSync(plain).size > 1_100_000)
    for (const [name, program, ...args] of [
      ['gnu', 'tar', '-xf', sparse],
      ['bsd', 'bsdtar', '-xf', sparse],
      ['busybox', 'busybox', 'tar', '-xf', plain],
      ['plain', 'tar', '-xf', plain],
    ] as const) {
      const out = cli.folder(name)
      run(program, args, { cwd: out })
      for (const file of ['odd', 'hole'])
        t.ok(
          readFileSync(join(out, 'd', file)).equals(readFileSync(cli.at(`d/${file}`))),
          `${name} ${file}`,
        )
    }
    cli.json('import', sparse, cli.at('again'), '--format', 'tar')
    t.equal(differences(cli.at('d'), cli.at('again/d')), '')
    const other = cli.failure('export', cli.at('d'), join(cli.root, 'out'), '-r', '--no-holes')
    t.match(other, { status: 2 })
    t.end()
  },
)
