// avfs export --with-history and import --with-history: the second vault equals the first one, at
// every moment.

import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { run } from '../support/program.ts'
import { aSecond, type HistoryCli, historyCli } from './history.ts'
import { differences } from './odd-tree.ts'

// Each run of a command takes a while on a busy machine.
t.setTimeout(240_000)

/**
 * Makes a vault's past: versions, a deletion, a move, labels, attributes, snapshots. Returns
 * moments in it.
 */
async function live(cli: HistoryCli): Promise<string[]> {
  const moments: string[] = []
  const pause = async (): Promise<void> => {
    await aSecond()
    moments.push(`@${Math.floor(Date.now() / 1000)}`)
    await aSecond()
  }
  mkdirSync(cli.at('d/sub'), { recursive: true })
  writeFileSync(cli.at('d/a'), 'first')
  writeFileSync(cli.at('d/large'), Buffer.alloc(400_000, 'abc'))
  writeFileSync(cli.at('d/sub/gone'), 'gone')
  cli.out('tag', 'add', cli.at('d/a'), 'red')
  await pause()
  cli.out('snapshot', 'create', 's1', cli.dir)
  writeFileSync(cli.at('d/a'), 'second')
  rmSync(cli.at('d/sub/gone'))
  run('setfattr', ['-n', 'user.k', '-v', 'v', cli.at('d/large')])
  await pause()
  renameSync(cli.at('d/a'), cli.at('d/moved'))
  cli.out('tag', 'add', cli.at('d/moved'), 'blue')
  cli.out('vault', 'config', 'one', 'keep.versions=50')
  cli.out('snapshot', 'create', 's2', cli.dir)
  return moments
}

for (const format of ['dir', 'tar'] as const)
  t.test(`all of the past goes into a new vault, by ${format}`, async (t) => {
    const cli = historyCli(t)
    const moments = await live(cli)
    const target = join(cli.root, 'exported')
    const how = ['--with-history', '--format', format] as const
    t.match(cli.json('export', cli.dir, target, '-r', ...how), { problems: 0 })
    cli.json('vault', 'create', 'two')
    cli.json('import', target, 'two:/', ...how)
    t.match(cli.json('vault', 'check', 'two', '--deep'), { problems: [] })
    for (const when of [...moments.map((at) => ['--at', at]), ['-s', 's1'], ['-s', 's2'], []]) {
      const [one, two] = [join(cli.root, 'one-tree'), join(cli.root, 'two-tree')]
      cli.json('export', 'one:/', one, '-r', ...when)
      cli.json('export', 'two:/', two, '-r', ...when)
      t.equal(differences(one, two), '', when.join(' '))
      for (const out of [one, two]) rmSync(out, { recursive: true })
    }
    for (const path of ['/d/moved', '/d/large', '/d', '/d/sub'])
      t.same(cli.json('log', `two:${path}`), cli.json('log', `one:${path}`), path)
    t.same(cli.json('snapshot', 'list', 'two'), cli.json('snapshot', 'list', 'one'))
    t.same(cli.json('tag', 'list', 'two'), cli.json('tag', 'list', 'one'))
    t.match(cli.json('vault', 'config', 'two'), { 'keep.versions': '50' })
    t.match(cli.json('undelete', 'two:/d/sub/gone'), { restored: 1 })
    t.equal(cli.out('cat', 'two:/d/sub/gone'), 'gone')
  })

t.test('an export of before a collection was there is imported', async (t) => {
  const cli = historyCli(t)
  await live(cli)
  cli.unmount()
  const target = join(cli.root, 'exported')
  cli.json('export', 'one:/', target, '-r', '--with-history')
  const path = join(target, '.avfs-history/manifest.json')
  const manifest = JSON.parse(readFileSync(path, 'utf8'))
  t.equal(manifest.rows.clock.count, 0)
  delete manifest.rows.clock
  writeFileSync(path, JSON.stringify(manifest))
  cli.json('vault', 'create', 'two')
  cli.json('import', target, 'two:/', '--with-history')
  t.match(cli.json('vault', 'check', 'two', '--deep'), { problems: [] })
})

t.test('a second export is the first, row by row and block by block', async (t) => {
  const cli = historyCli(t)
  await live(cli)
  cli.unmount()
  const [first, second] = [join(cli.root, 'first'), join(cli.root, 'second')]
  cli.json('export', 'one:/', first, '-r', '--with-history')
  cli.json('vault', 'create', 'two')
  cli.json('import', first, 'two:/', '--with-history')
  cli.json('export', 'two:/', second, '-r', '--with-history')
  t.equal(run('diff', ['-r', first, second]), '')
  const id = (name: string): unknown => (cli.json('vault', 'info', name) as { id: string }).id
  t.not(id('one'), id('two'), 'who a vault is, is its own')
})

t.test('a history goes only into an empty vault, whole, and with nothing changed', async (t) => {
  const cli = historyCli(t)
  await live(cli)
  const target = join(cli.root, 'exported')
  cli.json('export', cli.dir, target, '-r', '--with-history')
  const into = (name: string): object =>
    cli.failure('import', target, `${name}:/`, '--with-history')
  t.match(into('one'), { status: 2, message: /unmount it first/ })
  cli.unmount()
  t.match(into('one'), { status: 1, message: /into an empty vault/ })
  cli.json('vault', 'create', 'two')
  const rows = join(target, '.avfs-history/rows/00001.jsonl')
  const text = readFileSync(rows, 'utf8')
  writeFileSync(rows, text.replace('"number":2', '"number":3'))
  t.match(into('two'), { status: 1, message: /rows of version/ })
  writeFileSync(rows, text)
  const blocks = join(target, '.avfs-history/blocks')
  const [prefix = ''] = readdirSync(blocks)
  const [hash = ''] = readdirSync(join(blocks, prefix))
  const block = join(blocks, prefix, hash)
  const bytes = readFileSync(block)
  writeFileSync(block, 'damaged')
  t.match(into('two'), { status: 1, message: /does not hold what its name says/ })
  rmSync(block)
  t.match(into('two'), { status: 1, message: /1 blocks of the history are missing/ })
  writeFileSync(block, bytes)
  t.same(
    readdirSync(cli.home).filter((name) => name.includes('importing')),
    [],
  )
  t.match(cli.json('vault', 'check', 'two'), { problems: [] })
  cli.json('import', target, 'two:/', '--with-history')
  t.ok(existsSync(target))
  t.match(cli.failure('export', 'one:/d', target, '-r', '--with-history'), { status: 1 })
  t.match(cli.failure('export', 'one:/', target, '--with-history'), { status: 2 })
})
