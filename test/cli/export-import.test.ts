// avfs import and export between folders and a vault, mounted or not: rsync and stat see no
// difference between the original and the copy.

import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { needProgram, run } from '../support/program.ts'
import { describeTree } from '../support/tree.ts'
import { aSecond, historyCli } from './history.ts'
import { bytesOnDisk, differences, makeOddTree } from './odd-tree.ts'

// Each run of a command takes a while on a busy machine.
t.setTimeout(240_000)
needProgram('rsync', 'setfattr', 'setfacl')

t.test('a tree with everything odd comes back as it was, mounted and not', (t) => {
  const cli = historyCli(t)
  const tree = cli.folder('tree')
  makeOddTree(tree)
  const files = readdirSync(tree, { recursive: true }).length - 4
  t.match(cli.json('import', tree, cli.at('copy')), { files, directories: 5, problems: 0 })
  t.equal(differences(tree, cli.at('copy')), '', 'as the mount shows it')
  t.match(cli.json('export', cli.at('copy'), `${cli.root}/mounted`, '-r'), { files, problems: 0 })
  t.equal(differences(tree, `${cli.root}/mounted`), '')
  cli.unmount()
  t.match(cli.json('vault', 'check', 'one', '--deep'), { problems: [] })
  t.match(cli.json('--vault', 'one', 'import', tree, '/again'), { files, problems: 0 })
  t.match(cli.json('export', 'one:/again', `${cli.root}/plain`, '--recursive'), { problems: 0 })
  t.equal(differences(tree, `${cli.root}/plain`), '')
  t.same(describeTree(`${cli.root}/plain`), describeTree(tree))
  t.match(cli.json('vault', 'check', 'one', '--deep'), { problems: [] })
  t.end()
})

t.test('holes stay holes, on the way in and on the way out', (t) => {
  const cli = historyCli(t)
  const tree = cli.folder('tree')
  run('truncate', ['-s', '1G', join(tree, 'hole')])
  run('truncate', ['-s', '1G', join(tree, 'sparse')])
  const piece = [`of=${join(tree, 'sparse')}`, 'bs=64K', 'conv=notrunc', 'status=none']
  run('dd', ['if=/dev/urandom', ...piece, 'count=2', 'seek=9000'])
  t.match(cli.json('import', tree, cli.at('copy')), { bytes: 131072 })
  t.equal(statSync(cli.at('copy/sparse')).blocks * 512, 131072)
  t.equal(statSync(cli.at('copy/hole')).blocks, 0)
  cli.json('export', cli.at('copy'), `${cli.root}/out`, '-r')
  t.equal(bytesOnDisk(`${cli.root}/out/hole`), 0)
  t.ok(bytesOnDisk(`${cli.root}/out/sparse`) <= bytesOnDisk(`${tree}/sparse`) + 65536)
  t.equal(differences(tree, `${cli.root}/out`), '')
  t.end()
})

t.test('labels are those of the vault: user.xdg.tags outside, avfs tag inside', (t) => {
  const cli = historyCli(t)
  const tree = cli.folder('tree')
  writeFileSync(join(tree, 'a'), 'tagged')
  run('setfattr', ['-n', 'user.xdg.tags', '-v', 'red,blue', join(tree, 'a')])
  cli.json('import', tree, cli.at('d'))
  t.match(cli.out('tag', 'list', cli.at('d/a')), /blue\s+red/)
  cli.out('tag', 'add', cli.at('d/a'), 'green')
  cli.json('export', cli.at('d'), `${cli.root}/out`, '-r')
  const value = ['--only-values', '-n', 'user.xdg.tags', `${cli.root}/out/a`]
  t.equal(run('getfattr', ['--absolute-names', ...value]), 'blue,green,red')
  t.end()
})

t.test('what is the same is left alone, what differs becomes a new version', (t) => {
  const cli = historyCli(t)
  const tree = cli.folder('tree')
  writeFileSync(join(tree, 'same'), 'same')
  writeFileSync(join(tree, 'small'), 'then')
  writeFileSync(join(tree, 'large'), Buffer.alloc(500_000, 'abc'))
  writeFileSync(join(tree, 'large-same'), Buffer.alloc(500_000, 'def'))
  linkSync(join(tree, 'large-same'), join(tree, 'linked'))
  symlinkSync('then', join(tree, 'link'))
  t.match(cli.json('import', tree, 'one:/d'), { files: 6, unchanged: 0 })
  t.match(cli.json('import', tree, 'one:/d'), { files: 0, unchanged: 6, directories: 0 })
  const inode = statSync(cli.at('d/same')).ino
  const times = statSync(join(tree, 'large'))
  writeFileSync(join(tree, 'small'), 'now, longer')
  const large = Buffer.alloc(500_000, 'abc')
  large.write('here', 300_000)
  writeFileSync(join(tree, 'large'), large)
  // The size and the time do not tell: every byte is compared.
  utimesSync(join(tree, 'large'), times.atime, times.mtime)
  rmSync(join(tree, 'link'))
  symlinkSync('now', join(tree, 'link'))
  chmodSync(join(tree, 'large-same'), 0o640)
  t.match(cli.json('import', tree, 'one:/d'), { files: 4, problems: 0 })
  t.equal(differences(tree, cli.at('d')), '')
  t.equal(statSync(cli.at('d/same')).ino, inode)
  t.match(cli.json('log', 'one:/d/small'), [{ number: 2 }, { number: 1 }])
  t.match(cli.json('log', 'one:/d/large'), [{ number: 2 }, { number: 1 }])
  t.match(cli.json('log', 'one:/d/large-same'), [{ number: 1 }])
  t.equal(cli.out('cat', 'one:/d/small', '-v', '1'), 'then')
  cli.unmount()
  t.match(cli.json('vault', 'check', 'one', '--deep'), { problems: [] })
  t.end()
})

t.test('directories are merged, and neither takes the place of the other kind', (t) => {
  const cli = historyCli(t)
  const tree = cli.folder('tree')
  mkdirSync(join(tree, 'dir'))
  writeFileSync(join(tree, 'dir/new'), 'new')
  writeFileSync(join(tree, 'file'), 'file')
  for (const root of [cli.at('d'), join(cli.root, 'd')]) {
    mkdirSync(join(root, 'file'), { recursive: true })
    writeFileSync(join(root, 'dir'), 'in the way')
    writeFileSync(join(root, 'kept'), 'kept')
  }
  const refused = cli.avfs('import', tree, cli.at('d'))
  t.equal(refused.status, 1)
  t.match(refused.stderr, /d\/dir: not a directory\n/)
  t.match(refused.stderr, /d\/file: illegal operation on a directory\n/)
  t.same(readdirSync(cli.at('d')).sort(), ['dir', 'file', 'kept'])
  rmSync(cli.at('d/dir'))
  rmSync(cli.at('d/file'), { recursive: true })
  t.match(cli.json('import', tree, cli.at('d')), { problems: 0 })
  t.same(readdirSync(cli.at('d')).sort(), ['dir', 'file', 'kept'])
  const out = cli.avfs('export', cli.at('d'), join(cli.root, 'd'), '-r')
  t.match(out.stdout, /\/d: not all of \d+ files/)
  t.equal(out.status, 1)
  t.match(out.stderr, /d\/dir: not a directory\n/)
  t.equal(readFileSync(join(cli.root, 'd/dir'), 'utf8'), 'in the way')
  t.equal(readFileSync(join(cli.root, 'd/kept'), 'utf8'), 'kept')
  t.end()
})

t.test('an export follows no link that is in its way, and writes through none', (t) => {
  const cli = historyCli(t)
  mkdirSync(cli.at('d/sub'), { recursive: true })
  writeFileSync(cli.at('d/sub/a'), 'from the vault')
  writeFileSync(cli.at('d/b'), 'from the vault')
  const [out, other] = [cli.folder('out'), cli.folder('other')]
  writeFileSync(join(other, 'b'), 'untouched')
  symlinkSync(other, join(out, 'sub'))
  symlinkSync(join(other, 'b'), join(out, 'b'))
  const { status, stderr } = cli.avfs('export', cli.at('d'), out, '-r')
  t.equal(status, 1)
  t.match(stderr, /out\/sub: not a directory/)
  t.same(readdirSync(other), ['b'])
  t.equal(readFileSync(join(other, 'b'), 'utf8'), 'untouched')
  t.equal(readFileSync(join(out, 'b'), 'utf8'), 'from the vault')
  t.end()
})

t.test('an export shows one moment: of now, or of the past', async (t) => {
  const cli = historyCli(t)
  mkdirSync(cli.at('d'))
  writeFileSync(cli.at('d/a'), 'then')
  writeFileSync(cli.at('d/gone'), 'was here')
  linkSync(cli.at('d/gone'), cli.at('d/other'))
  await aSecond()
  cli.out('snapshot', 'create', 's', cli.dir)
  await aSecond()
  writeFileSync(cli.at('d/a'), 'now')
  rmSync(cli.at('d/gone'))
  renameSync(cli.at('d/other'), cli.at('d/moved'))
  cli.json('export', cli.at('d'), `${cli.root}/then`, '-r', '--snapshot', 's')
  t.same(readdirSync(`${cli.root}/then`).sort(), ['a', 'gone', 'other'])
  t.equal(readFileSync(`${cli.root}/then/a`, 'utf8'), 'then')
  t.equal(statSync(`${cli.root}/then/gone`).ino, statSync(`${cli.root}/then/other`).ino)
  cli.json('export', cli.at('d'), `${cli.root}/now`, '-r')
  t.equal(differences(cli.at('d'), `${cli.root}/now`), '')
  t.same(readdirSync(`${cli.root}/now`).sort(), ['a', 'moved'])
  t.match(cli.json('export', cli.at('d/a'), `${cli.root}/one`, '-v', '1'), { files: 1 })
  t.equal(readFileSync(`${cli.root}/one`, 'utf8'), 'then')
})

t.test('single files go where cp would put them; a directory wants --recursive', (t) => {
  const cli = historyCli(t)
  const out = cli.folder('out')
  writeFileSync(join(cli.root, 'a'), 'a')
  t.match(cli.json('import', `${cli.root}/a`, cli.at('b')), { path: cli.at('b'), files: 1 })
  t.equal(readFileSync(cli.at('b'), 'utf8'), 'a')
  t.match(cli.json('import', `${cli.root}/a`, cli.dir), { files: 1 })
  t.same(readdirSync(cli.dir), ['a', 'b'])
  cli.json('export', cli.at('b'), out)
  t.same(readdirSync(out), ['b'])
  t.match(cli.failure('export', cli.dir, `${cli.root}/all`), { status: 1, message: /--recursive/ })
  t.match(cli.failure('import', `${cli.root}/a`, cli.at('no/where')), { status: 13 })
  t.match(cli.failure('import', `${cli.root}/missing`, cli.at('x')), { status: 1 })
  t.match(cli.failure('import', cli.dir, cli.at('into-itself')), { status: 2 })
  t.notOk(existsSync(cli.at('into-itself')))
  t.end()
})

t.test('with one vault a path from its root is enough, as is --vault', (t) => {
  const cli = historyCli(t)
  writeFileSync(cli.at('a'), 'text')
  cli.unmount()
  const out = join(cli.root, 'vault-export')
  t.match(cli.json('export', '/', out, '--recursive'), { files: 1 })
  cli.json('vault', 'create', 'two')
  t.match(cli.json('--vault', 'two', 'import', out, '/'), { files: 1, path: 'two:/' })
  t.equal(cli.out('cat', 'two:/a'), 'text')
  t.match(cli.failure('export', '/', out, '-r'), { status: 10 })
  t.match(cli.failure('export', 'a', out, '--vault', 'two'), { status: 2 })
  const none = cli.failure('import', join(cli.root, 'none'), 'two:/x')
  t.match(none, { status: 1, errno: 'ENOENT', message: /none: no such file or directory$/ })
  t.end()
})

t.test('what lies deeper than a path may be long is told, and the rest is done', (t) => {
  const cli = historyCli(t)
  const tree = cli.folder('tree')
  const names = Array.from({ length: 19 }, () => 'n'.repeat(200))
  mkdirSync(join(tree, 'a', ...names), { recursive: true })
  writeFileSync(join(tree, 'a', ...names, 'deep'), 'deep')
  writeFileSync(join(tree, 'near'), 'near')
  renameSync(join(tree, 'a'), join(tree, 'l'.repeat(250)))
  const { status, stdout, stderr } = cli.avfs('import', tree, 'one:/d')
  t.equal(status, 1)
  t.match(stderr, /^avfs: .*n\/n+: name too long\n$/)
  t.match(stdout, /1 files and 21 directories/)
  t.equal(readFileSync(cli.at('d/near'), 'utf8'), 'near')
  t.match(cli.failure('import', `${cli.root}${'/x'.repeat(2100)}`, 'one:/e'), { status: 1 })
  t.end()
})

t.test('the files of the vault itself are left out of what is imported into it', (t) => {
  const cli = historyCli(t)
  cli.unmount()
  writeFileSync(join(cli.home, 'other'), 'text')
  t.match(cli.json('import', cli.home, 'one:/home'), { files: 1, problems: 0 })
  cli.mount()
  t.same(readdirSync(cli.at('home')), ['other'])
  t.match(cli.json('vault', 'check', 'one'), { problems: [] })
  t.end()
})

t.test('what cannot be read is told, the rest is done, and the exit code is 1', (t) => {
  const cli = historyCli(t)
  const tree = cli.folder('tree')
  mkdirSync(join(tree, 'closed'))
  for (const name of ['a', 'secret', 'closed/b']) writeFileSync(join(tree, name), name)
  writeFileSync(join(tree, 'large-secret'), Buffer.alloc(200_000))
  for (const name of ['secret', 'large-secret', 'closed']) chmodSync(join(tree, name), 0)
  // An ordinary user's own vault, with the rights of that user.
  const home = cli.folder('user')
  run('chown', ['-R', '1000:1000', tree, home])
  const as = ['--reuid=1000', '--regid=1000', '--clear-groups'] as const
  const env = { AVFS_HOME: home, XDG_RUNTIME_DIR: home, HOME: home }
  const avfs = (...args: string[]): string => {
    const words = [...as, join(import.meta.dirname, '../../scripts/avfs'), ...args]
    return run('sh', ['-c', '"$@" 2>&1; echo "exit $?"', 'sh', 'setpriv', ...words], { env })
  }
  t.match(avfs('vault', 'create', 'mine'), /exit 0/)
  const told = avfs('import', tree, 'mine:/d')
  t.match(told, /tree\/secret: permission denied\n/)
  t.match(told, /tree\/large-secret: permission denied\n/)
  t.match(told, /tree\/closed: permission denied\n/)
  t.match(told, /mine:\/d: 1 files and 2 directories.*\nexit 1$/s)
  run('chown', ['7:7', join(tree, 'a')])
  run('chmod', ['755', join(tree, 'closed')])
  run('chmod', ['4755', join(tree, 'a')])
  run('rm', [join(tree, 'secret'), join(tree, 'large-secret')])
  t.match(avfs('import', tree, 'mine:/d'), /exit 0$/)
  const out = avfs('export', 'mine:/d', join(home, 'out'), '-r')
  t.match(out, /1 belong to you now.*\nexit 0$/s)
  t.equal(statSync(join(home, 'out/a')).mode & 0o7777, 0o755, 'no setuid for whoever unpacks')
  t.equal(statSync(join(home, 'out/a')).uid, 1000)
  t.end()
})
