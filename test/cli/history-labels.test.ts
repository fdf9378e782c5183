// avfs snapshot, tag and meta, on a mounted vault and on one that is not.

import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { needProgram, run } from '../support/program.ts'
import { bothWays, historyCli } from './history.ts'

// Each run of a command takes a while on a busy machine.
t.setTimeout(240_000)

t.test('a snapshot is taken, listed, read, renamed and deleted', async (t) => {
  const cli = historyCli(t)
  writeFileSync(cli.at('a'), 'then')
  t.match(cli.out('snapshot', 'create', 'first', cli.dir), /^snapshot first is the state of \d{4}-/)
  writeFileSync(cli.at('a'), 'now')
  t.match(cli.failure('snapshot', 'create', 'first', 'one'), { status: 1, errno: 'EEXIST' })
  t.match(cli.failure('snapshot', 'create', 'a/b', 'one'), { status: 2 })
  t.match(cli.failure('snapshot', 'create', 'a\nb', 'one:/'), { status: 2 })
  t.match(cli.failure('snapshot', 'delete', 'other', 'one'), { status: 13 })
  bothWays(cli, (at) => {
    t.match(cli.json('snapshot', 'list', at('')), [{ name: 'first', moment: Number }])
    t.equal(cli.out('cat', at('a'), '--snapshot', 'first'), 'then')
  })
  cli.json('snapshot', 'create', 'second', 'one')
  t.match(cli.failure('snapshot', 'rename', 'first', 'second', 'one'), { status: 1 })
  cli.out('snapshot', 'rename', 'first', 'old', 'one')
  t.match(cli.out('snapshot', 'list', 'one'), /^state of +snapshot\n.* old\n.* second\n$/)
  cli.out('snapshot', 'delete', 'old', 'one')
  t.match(cli.failure('cat', 'one:/a', '--snapshot', 'old'), { status: 13, message: "'old'" })
})

t.test('tags are put on files, found by, and follow them', async (t) => {
  needProgram('getfattr')
  const cli = historyCli(t)
  mkdirSync(cli.at('d'))
  writeFileSync(cli.at('d/a'), '')
  writeFileSync(cli.at('b'), '')
  t.same(cli.json('tag', 'add', cli.at('d/a'), 'urgent', 'work'), {
    path: cli.at('d/a'),
    tags: ['urgent', 'work'],
  })
  const names = run('getfattr', [
    '--absolute-names',
    '--only-values',
    '-n',
    'user.xdg.tags',
    cli.at('d/a'),
  ])
  t.equal(names, 'urgent,work')
  cli.unmount()
  cli.out('tag', 'add', 'one:/b', 'work')
  cli.mount()
  renameSync(cli.at('d/a'), cli.at('d/c'))
  bothWays(cli, (at) => {
    t.match(cli.json('tag', 'list', at('')), [
      { name: 'urgent', files: 1 },
      { name: 'work', files: 2 },
    ])
    t.equal(cli.out('tag', 'list', at('d/c')), 'urgent\nwork\n')
    t.same(cli.json('tag', 'find', at(''), 'work'), [at('b'), at('d/c')])
    t.same(cli.json('tag', 'find', at(''), 'work', 'urgent'), [at('d/c')])
    t.same(cli.json('tag', 'find', at('d'), 'work'), [at('d/c')])
    t.match(cli.failure('tag', 'find', at(''), 'nothing'), { status: 13 })
    t.match(cli.failure('tag', 'rm', at('b'), 'urgent'), { status: 13 })
    t.match(cli.failure('tag', 'add', at('b'), 'a,b'), { status: 2 })
    t.match(cli.failure('tag', 'add', at('nope'), 'x'), { status: 13 })
  })
  t.same(cli.json('tag', 'rm', 'one:/d/c', 'work'), { path: 'one:/d/c', tags: ['urgent'] })
})

t.test('values are kept as extended attributes, and files found by them', async (t) => {
  needProgram('getfattr', 'setfattr')
  const cli = historyCli(t)
  for (const name of ['a', 'b', 'c']) writeFileSync(cli.at(name), name)
  cli.out('meta', 'set', cli.at('a'), 'rating=5', 'author=Ada Lovelace')
  t.equal(
    run('getfattr', ['--absolute-names', '--only-values', '-n', 'user.author', cli.at('a')]),
    'Ada Lovelace',
  )
  run('setfattr', ['-n', 'user.rating', '-v', '10', cli.at('b')])
  cli.out('meta', 'set', cli.at('c'), 'rating=none', 'user.note=x=y')
  bothWays(cli, (at) => {
    t.equal(cli.out('meta', 'get', at('a'), 'author'), 'Ada Lovelace\n')
    t.equal(cli.out('meta', 'list', at('c')), 'note=x=y\nrating=none\n')
    t.same(cli.json('meta', 'list', at('b')), { rating: '10' })
    const find = (...conditions: string[]): unknown =>
      (cli.json('meta', 'find', at(''), ...conditions) as { path: string }[]).map((its) => its.path)
    t.same(find('rating=5'), [at('a')])
    t.same(find('rating>5'), [at('b'), at('c')], 'what is no number compares as text')
    t.same(find('rating<7'), [at('a')])
    t.same(find('rating~=^\\d+$'), [at('a'), at('b')])
    t.same(find('rating=5', 'author~=Love'), [at('a')])
    t.match(cli.failure('meta', 'find', at(''), 'rating'), { status: 2 })
    t.match(cli.failure('meta', 'find', at(''), 'rating~=('), { status: 2 })
    t.match(cli.failure('meta', 'get', at('a'), 'other'), { status: 13 })
    t.match(cli.failure('meta', 'set', at('a'), 'other='), { status: 13 })
    t.match(cli.failure('meta', 'set', at('a'), 'noequals'), { status: 2 })
  })
  t.same(cli.json('meta', 'set', 'one:/a', 'rating='), { author: 'Ada Lovelace' })
})

t.test('tags of a file that was deleted come back with it', async (t) => {
  const cli = historyCli(t)
  writeFileSync(cli.at('a'), 'tagged')
  cli.out('tag', 'add', cli.at('a'), 'keep')
  cli.out('snapshot', 'create', 's', 'one')
  rmSync(cli.at('a'))
  cli.out('restore', cli.at('a'), '-s', 's')
  t.same(cli.json('tag', 'list', cli.at('a')), [{ name: 'keep' }])
  t.equal(readFileSync(cli.at('a'), 'utf8'), 'tagged')
})
