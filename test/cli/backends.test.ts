// avfs backends, and vaults of every engine through the command line: created, found by name,
// listed, checked, compacted, deleted.

import { existsSync, lstatSync, mkdirSync, readdirSync, statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { testedBackends } from '../support/engines.ts'
import { emptyCli } from './cli.ts'

const hideEngines = {
  NODE_OPTIONS: `--import=${join(import.meta.dirname, '../support/hide-engines.ts')}`,
}

t.test('every engine is listed, with its version', async (t) => {
  const cli = emptyCli(t)
  const found = cli.json('backends') as { name: string; available: boolean; version: string }[]
  t.same(
    found.map(({ name }) => name),
    ['sqlite', 'lmdb', 'leveldb', 'rocksdb', 'sled', 'fts5', 'tantivy'],
  )
  for (const { name, version } of found) t.match(version, /\d+\.\d+/, name)
  t.match(found[0], { isDefault: true, file: 'NAME.avfs', why: null, command: null })
  t.match(found[2], { kind: 'store', isDefault: false, file: 'NAME.leveldb/' })
  t.match(found[6], { kind: 'search', index: 'beside any other vault', why: null })
  const text = cli.avfs('backends').stdout
  t.match(text, /^sqlite \(default\) +NAME\.avfs +yes +SQLite 3/m)
  t.match(text, /^fts5 +within NAME\.avfs +yes +SQLite 3/m)
  t.match(text, /^tantivy +beside any other vault +yes +tantivy 0\.\d+/m)
})

for (const { name, suffix, isFolder } of testedBackends)
  t.test(`a vault of ${name} is made, found, listed, checked, compacted and deleted`, async (t) => {
    const cli = emptyCli(t)
    const path = join(cli.home, `one${suffix}`)
    t.same(cli.json('vault', 'create', 'one', '--backend', name), {
      name: 'one',
      path,
      backend: name,
    })
    t.equal(statSync(path).isDirectory(), isFolder)
    t.equal(statSync(path).mode & 0o077, 0, 'for its owner alone')
    t.match(cli.json('vault', 'list'), [{ name: 'one', path, backend: name, pid: null }])
    t.match(cli.avfs('vault', 'list').stdout, new RegExp(`^one +${name} `, 'm'))
    t.match(cli.json('vault', 'info', 'one'), { name: 'one', path, backend: name })
    t.match(cli.json('vault', 'stats', `one${suffix}`), { inodes: 1, bytes: Number })
    t.match(cli.json('vault', 'check', 'one', '--deep'), { problems: [], inodes: 1 })
    t.match(cli.json('vault', 'compact', 'one'), { bytesBefore: Number, bytesAfter: Number })
    t.match(cli.json('vault', 'check', 'one'), { problems: [] })
    for (const other of testedBackends)
      t.match(cli.failure('vault', 'create', 'one', '--backend', other.name), { errno: 'EEXIST' })
    t.same(cli.json('vault', 'delete', 'one', '--yes'), { name: 'one', path, deleted: true })
    t.same(readdirSync(cli.home), [], 'nothing is left beside it')
  })

t.test('a vault elsewhere has its name by a link', async (t) => {
  const cli = emptyCli(t)
  const path = join(cli.folder('disk'), 'data.lmdb')
  const made = { name: 'far', path, backend: 'lmdb' }
  t.same(cli.json('vault', 'create', 'far', '--backend', 'lmdb', '--path', './disk/data'), made)
  t.ok(lstatSync(join(cli.home, 'far.lmdb')).isSymbolicLink())
  t.match(cli.json('vault', 'info', 'far'), { name: 'far', path })
  t.match(cli.json('vault', 'list'), [{ name: 'far', path, bytes: Number }])
  t.match(
    cli.failure('vault', 'create', 'other', '--path', './disk/data.lmdb', '--backend', 'lmdb'),
    {
      status: 1,
      errno: 'EEXIST',
    },
  )
  t.notOk(existsSync(join(cli.home, 'other.lmdb')))
  t.match(cli.failure('vault', 'create', 'other', '--path', './no/data'), { message: /no folder/ })
  t.match(cli.failure('vault', 'create', './other', '--path', './disk/x'), { status: 2 })
  t.same(cli.json('vault', 'delete', 'far', '--yes'), { name: 'far', path, deleted: true })
  t.same([readdirSync(cli.home), readdirSync(join(cli.root, 'disk'))], [[], []])
})

t.test('a name that two engines have must be said with its end', async (t) => {
  const cli = emptyCli(t)
  cli.json('vault', 'create', 'one')
  mkdirSync(join(cli.root, 'x'))
  cli.json('vault', 'create', './x/one', '--backend', 'lmdb')
  symlinkSync(join(cli.root, 'x/one.lmdb'), join(cli.home, 'one.lmdb'))
  t.match(cli.failure('vault', 'info', 'one'), {
    status: 1,
    message: /several vaults named 'one' .*one\.avfs and one\.lmdb; say which/,
  })
  t.match(cli.json('vault', 'info', 'one.lmdb'), { backend: 'lmdb' })
  t.match(cli.json('vault', 'info', 'one.avfs'), { backend: 'sqlite' })
})

t.test(
  'without what is optional, the default engine works and the others say what they need',
  async (t) => {
    const cli = emptyCli(t)
    const without = (...args: string[]) => cli.avfsUnder(hideEngines, ...args)
    const found = JSON.parse(without('backends', '--json').stdout) as Record<string, unknown>[]
    t.same(
      found.map(({ name, available }) => [name, available]),
      [
        ['sqlite', true],
        ['lmdb', false],
        ['leveldb', false],
        ['rocksdb', false],
        ['sled', false],
        ['fts5', true],
        ['tantivy', false],
      ],
    )
    t.match(found[1], { version: null, why: 'the npm package lmdb is not installed' })
    t.match(found[1]?.command, /^npm install --prefix \S+ --no-save lmdb@3\.5\.6$/)
    t.match(found[3]?.command, /^make -C \S+ rocksdb$/)
    t.match(found[6], { version: null, why: 'its addon is not built' })
    t.match(found[6]?.command, /^make -C \S+ search$/)
    const text = without('backends').stdout
    t.match(text, /^tantivy is not available: its addon is not built; run: make -C \S+ search$/m)
    for (const name of ['lmdb', 'leveldb', 'rocksdb', 'sled']) {
      const { status, stderr } = without('vault', 'create', 'one', '--backend', name)
      t.equal(status, 1)
      const line = stderr.replace(/^avfs: the backend /, '').trimEnd()
      t.ok(text.split('\n').includes(line), `${name}: ${line}`)
    }
    t.same(readdirSync(cli.home), [], 'nothing was touched')
    t.equal(without('vault', 'create', 'one').status, 0)
    t.match(without('vault', 'check', 'one', '--deep').stdout, /^sound/)
    cli.json('vault', 'create', 'two', '--backend', 'lmdb')
    const { status, stderr } = without('vault', 'check', 'two')
    t.equal(status, 8)
    t.match(stderr, /lmdb is not available/)
  },
)
