// Archives of other programs that contain what avfs stores differently or cannot store: a stream
// that ends early, attributes of libarchive, access lists that contradict their mode, modes of
// links.

import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { BLOCK_BYTES, encodeHeader, encodePax } from '../../src/archive/tar-header.ts'
import { needProgram, run } from '../support/program.ts'
import { historyCli } from './history.ts'

// Each run of a command takes a while on a busy machine.
t.setTimeout(240_000)
needProgram('bsdtar', 'getfattr', 'setfattr', 'getfacl', 'zstd', 'xz')

const TAR = ['--format', 'tar'] as const

t.test('of an archive that ends too early there is what came before, and that is said', (t) => {
  const cli = historyCli(t)
  const tree = cli.folder('tree')
  mkdirSync(join(tree, 'sub'))
  writeFileSync(join(tree, 'a'), 'a')
  writeFileSync(join(tree, 'sub/b'), 'b'.repeat(200_000))
  writeFileSync(join(tree, 'sub/c'), 'c')
  run('touch', ['-d', '2001-01-01', join(tree, 'sub')])
  const archive = join(cli.root, 'a.tar')
  run('tar', ['-C', tree, '-cf', archive, 'a', 'sub/b', 'sub/c'])
  const bytes = readFileSync(archive)
  const cut = join(cli.root, 'cut')
  for (const to of [cli.at('mounted'), 'two:/d']) {
    if (to === 'two:/d') cli.json('vault', 'create', 'two')
    writeFileSync(cut, bytes.subarray(0, 100_000))
    t.match(cli.failure('import', cut, to, ...TAR), {
      status: 1,
      message: /too early, within sub\/b: imported were the 1 files and 2 directories before/,
    })
  }
  t.same(readdirSync(cli.at('mounted')), ['a', 'sub'])
  t.same(readdirSync(cli.at('mounted/sub')), [])
  writeFileSync(cut, bytes.subarray(0, 202_752))
  t.match(cli.failure('import', cut, cli.at('more'), ...TAR), {
    message: /behind sub\/c: imported were the 3 files/,
  })
  writeFileSync(cut, '')
  t.match(cli.failure('import', cut, cli.at('none'), ...TAR), { message: /nothing was imported/ })
  t.notOk(readdirSync(cli.dir).includes('none'))
  run('xz', ['-k', archive])
  t.match(cli.failure('import', `${archive}.xz`, cli.at('none'), ...TAR), {
    status: 2,
    message: /by xz.*: xz -dc \S+ \| avfs import - DEST --format tar/,
  })
  cli.unmount()
  for (const vault of ['one', 'two'])
    t.match(cli.json('vault', 'check', vault, '--deep'), { problems: [] })
  t.end()
})

t.test('a history is taken whole from an archive or not at all', (t) => {
  const cli = historyCli(t)
  for (const version of ['1', '2']) writeFileSync(cli.at('a'), version)
  const archive = join(cli.root, 'a.tar')
  cli.json('export', cli.dir, archive, '-r', ...TAR, '--with-history')
  const bytes = readFileSync(archive)
  cli.json('vault', 'create', 'two')
  const cut = join(cli.root, 'cut')
  const end = bytes.findLastIndex((byte) => byte !== 0)
  for (const length of [0, 512, 5000, end - 600, end, Math.ceil(end / BLOCK_BYTES) * BLOCK_BYTES]) {
    writeFileSync(cut, bytes.subarray(0, length))
    t.equal(cli.failure('import', cut, 'two:/', ...TAR, '--with-history').status, 1, `${length}`)
    t.match(cli.json('vault', 'stats', 'two'), { files: 0 })
  }
  run('zstd', ['-q', '-k', archive])
  cli.json('import', `${archive}.zst`, 'two:/', ...TAR, '--with-history')
  t.equal(cli.out('cat', 'two:/a', '-v', '1'), cli.out('cat', cli.at('a'), '-v', '1'))
  t.end()
})

t.test('extended attributes come as libarchive writes them, in each of its ways', (t) => {
  const cli = historyCli(t)
  const tree = cli.folder('tree')
  writeFileSync(join(tree, 'f'), 'x')
  const names = ['user.note', 'user.\u00fc', 'user.a=b', 'user.100%25', 'trusted.t']
  for (const name of names) run('setfattr', ['-n', name, '-v', '0x00ff0a80', join(tree, 'f')])
  const shown = (path: string): string =>
    run('getfattr', ['-d', '-m', '-', '-e', 'hex', 'f'], { cwd: path })
  for (const kind of ['LIBARCHIVE', 'SCHILY', 'ALL']) {
    const archive = join(cli.root, `${kind}.tar`)
    const options = ['--format=pax', '--xattrs', '--options', `pax:xattrheader=${kind}`]
    run('bsdtar', [...options, '-C', tree, '-cf', archive, 'f'])
    t.match(cli.json('import', archive, cli.at(kind), ...TAR), { problems: 0 })
    t.equal(shown(cli.at(kind)), shown(tree), kind)
  }
  t.end()
})

t.test('links have all permissions, and modes say what access lists say', (t) => {
  const cli = historyCli(t)
  const plain = { uid: 0, gid: 0, mtime: 0, linkname: '', major: 0, minor: 0, size: 0 }
  const member = (name: string, more: object, lists: readonly [string, string][]): Buffer => {
    const pax = encodePax(lists)
    const own = encodeHeader({ ...plain, mode: 0o644, type: '0', ...more, name })
    if (lists.length === 0) return own
    const head = encodeHeader({ ...plain, mode: 0, name: 'x', type: 'x', size: pax.length })
    return Buffer.concat([head, pax, Buffer.alloc(-pax.length & (BLOCK_BYTES - 1)), own])
  }
  const access = (text: string): [string, string][] => [['SCHILY.acl.access', text]]
  const archive = join(cli.root, 'a.tar')
  const members = [
    member('link', { type: '2', linkname: 'x' }, []),
    member('masked', {}, access('user::rw-,user:7:rwx,group::r--,mask::rwx,other::---')),
    member('plain', { mode: 0o4600 }, access('user::rwx,group::r-x,other::r--')),
    member('dir', { type: '5', mode: 0o755 }, [
      ...access('user::rwx,group::---,group:9:rwx,mask::-w-,other::--x'),
      ['SCHILY.acl.default', 'user::rwx,group::r-x,other::---'],
    ]),
    Buffer.alloc(2 * BLOCK_BYTES),
  ]
  writeFileSync(archive, Buffer.concat(members))
  for (const problems of [0, 0])
    t.match(cli.json('import', archive, cli.at('d'), ...TAR), { problems })
  t.match(cli.json('import', archive, cli.at('d'), ...TAR), { files: 0, unchanged: 3 })
  t.equal(
    run('stat', ['-c', '%A %n', 'link', 'masked', 'plain', 'dir'], { cwd: cli.at('d') }),
    'lrwxrwxrwx link\n-rw-rwx--- masked\n-rwsr-xr-- plain\ndrwx-w---x dir',
  )
  t.equal(
    run('getfacl', ['-cn', 'masked', 'plain', 'dir'], { cwd: cli.at('d') }).replace(/\s+/g, ' '),
    'user::rw- user:7:rwx group::r-- mask::rwx other::--- ' +
      'user::rwx group::r-x other::r-- ' +
      'user::rwx group::--- group:9:rwx #effective:-w- mask::-w- other::--x ' +
      'default:user::rwx default:group::r-x default:other::--- ',
  )
  writeFileSync(
    archive,
    Buffer.concat([
      member('unmasked', {}, access('user::rw-,user:7:rwx,group::r--,other::---')),
      Buffer.alloc(2 * BLOCK_BYTES),
    ]),
  )
  t.match(cli.avfs('import', archive, cli.at('d'), ...TAR), { status: 1, stderr: /d\/unmasked: / })
  t.equal(run('stat', ['-c', '%a', cli.at('d/unmasked')]), '644', 'no list, but there')
  symlinkSync('x', join(cli.root, 'l'))
  cli.json('import', join(cli.root, 'l'), cli.at('l'))
  cli.unmount()
  t.match(cli.json('vault', 'check', 'one', '--deep'), { problems: [] })
  t.end()
})
