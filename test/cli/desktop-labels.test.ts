// Labels as desktops write them in user.xdg.tags: labels with slashes, odd characters, long ones.
// Valid labels are kept even when invalid ones are set with them.

import { linkSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { needProgram, run } from '../support/program.ts'
import { historyCli } from './history.ts'

// Each run of a command takes a while on a busy machine.
t.setTimeout(240_000)
needProgram('getfattr', 'setfattr', 'sh')

const LONG = 'x'.repeat(700)
/**
 * What KDE and others write: a label within others, a leading dot, spaces, the names of
 * directories, one longer than a name.
 */
const LABELS = ['Projects/2024/R\u00e9sum\u00e9', '.hidden', 'a b', '..', LONG, 'fin']

t.test('labels of desktops are kept, and one that is none takes no others along', (t) => {
  const cli = historyCli(t)
  const write = (path: string, value: Buffer): void =>
    void run('setfattr', ['-n', 'user.xdg.tags', '-v', `0x${value.toString('hex')}`, path])
  const labels = (path: string): string[] =>
    run('getfattr', ['--only-values', '-n', 'user.xdg.tags', path]).split(',').sort()
  const all = [...LABELS].sort()
  writeFileSync(cli.at('f'), 'text')
  const unfit = ['contr\u0007ol', 'y'.repeat(2000), '', ' ']
  const odd = Buffer.concat([
    Buffer.from(`${[...LABELS, ...unfit].join(' ,')},`),
    Buffer.from([0xff, 0xfe]),
  ])
  write(cli.at('f'), odd)
  t.same(labels(cli.at('f')), all)
  t.throws(() => write(cli.at('f'), Buffer.from('contr\u0007ol')), /Invalid argument/)
  t.same(labels(cli.at('f')), all, 'nothing but such a label changes nothing')

  const outside = join(cli.root, 'outside')
  writeFileSync(outside, 'text')
  // The host keeps any bytes.
  write(outside, odd)
  const told = cli.avfs('import', outside, cli.at('imported'))
  t.match(told, { status: 1, stderr: /imported: invalid argument/ })
  t.same(labels(cli.at('imported')), all)

  writeFileSync(cli.at('g'), 'text')
  const added = cli.avfs('tag', 'add', cli.at('g'), 'good', 'ba,d', 'a/b')
  t.match(added, { status: 1, stderr: /"ba,d" can be no tag and was left out/ })
  t.same(labels(cli.at('g')), ['a/b', 'good'])
  t.match(cli.failure('tag', 'add', cli.at('g'), 'b,c'), { status: 2 })
  t.match(cli.failure('tag', 'rm', cli.at('g'), 'good', 'missing'), { status: 13 })
  t.same(labels(cli.at('g')), ['a/b', 'good'], 'no label is taken when one is not there')
  t.same(cli.json('tag', 'find', cli.dir, 'Projects/2024/R\u00e9sum\u00e9'), [
    cli.at('f'),
    cli.at('imported'),
  ])

  const archive = join(cli.root, 'a.tar')
  cli.json('export', cli.at('f'), archive, '-r', '--format', 'tar')
  cli.json('import', archive, cli.at('again'), '--format', 'tar')
  t.same(labels(cli.at('again/f')), all)
  cli.unmount()
  t.match(cli.json('vault', 'check', 'one', '--deep'), { problems: [] })
  t.end()
})

t.test('in the views a label with slashes is one name', (t) => {
  const cli = historyCli(t)
  const tags = (path = ''): string => cli.at(`.avfs/tags/${path}`)
  for (const name of ['f', 'g', 'h']) writeFileSync(cli.at(name), name)
  cli.out('tag', 'add', cli.at('f'), 'a/b', '..', LONG, 'blue')
  t.same(readdirSync(tags()).sort(), ['%2E%2E', 'a\u2215b', 'blue', 'x'.repeat(255)].sort())
  for (const name of readdirSync(tags())) t.same(readdirSync(tags(name)), ['f'], name)
  t.same(readdirSync(tags('a%2fb/blue')), ['f'])
  linkSync(cli.at('g'), tags('a\u2215b/g'))
  t.match(cli.json('tag', 'list', cli.at('g')), [{ name: 'a/b' }])
  mkdirSync(tags('new\u2215one'))
  renameSync(tags('new\u2215one'), tags('new%2Ftwo'))
  linkSync(cli.at('h'), tags('new\u2215two/h'))
  t.match(cli.json('tag', 'list', cli.at('h')), [{ name: 'new/two' }])
  // A label that is spelt like the other is shown.
  cli.out('tag', 'add', cli.at('h'), 'a\u2215b')
  t.same(readdirSync(tags('a\u2215b')), ['h'])
  t.same(readdirSync(tags('a%2Fb')).sort(), ['f', 'g'])
  t.ok(readdirSync(tags()).includes('a%2Fb'))
  t.end()
})
