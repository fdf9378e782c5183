// avfs search, on a mounted vault and on one that is not, on an engine whose index is inside the
// vault and on one where it is beside it.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { backendNamed } from '../support/engines.ts'
import { bothWays, historyCli } from './history.ts'

// Each run of a command takes a while on a busy machine.
t.setTimeout(800_000)

type Found = {
  path: string
  deleted: boolean
  versions: { number: number; from: string; to: string | null }[]
  fragments: { line: number; text: string; marks: [number, number][] }[]
}[]

function test(title: string, check: (t: Test, backend: string) => Promise<void>): void {
  for (const backend of ['sqlite', 'lmdb'])
    t.test(`${title} (${backend})`, (t) => check(t, backend))
}

test('words are found in texts, names and paths, best first', async (t, backend) => {
  const cli = historyCli(t, backend)
  mkdirSync(cli.at('src'))
  writeFileSync(cli.at('src/keeper.ts'), 'one\nfunction lightHouse(keeper) {}\nlast\n')
  writeFileSync(cli.at('src/other.ts'), 'nothing of it\n')
  writeFileSync(cli.at('notes'), `${'padding words '.repeat(50)}\nthe lighthouse\n`)
  bothWays(cli, (at) => {
    t.equal(
      cli.out('search', 'lighthouse', at('')),
      `${at('src/keeper.ts')}\n2: function lightHouse(keeper) {}\n${at('notes')}\n2: the lighthouse\n`,
    )
    t.equal(cli.out('search', 'name:other', at('')), `${at('src/other.ts')}\n`)
    t.equal(cli.out('search', '"light house" AND keeper', at('')).split('\n').length, 3)
    t.equal(cli.out('search', 'lighthouse', at('src')).split('\n').length, 3, 'below a directory')
    t.equal(cli.out('search', 'lighthouse', at(''), '-n', '1').split('\n').length, 3)
    t.equal(
      cli.out('search', 'lighthouse NOT keeper', at('')),
      `${at('notes')}\n2: the lighthouse\n`,
    )
    t.equal(cli.out('search', 'lighthouse', at(''), '--path', '*.ts').split('\n').length, 3)
    const [first] = cli.json('search', 'lighthouse', at('')) as Found
    t.match(first, { path: at('src/keeper.ts'), deleted: false })
    t.match(first?.fragments, [{ line: 2, marks: [[9, 19]] }])
    t.match(first?.versions, [{ to: null }])
  })
})

test('nothing found is exit code 1, a wrong query 2 with its place', async (t, backend) => {
  const cli = historyCli(t, backend)
  writeFileSync(cli.at('a'), 'words')
  bothWays(cli, (at) => {
    const none = cli.avfs('search', 'nosuchword', at(''))
    t.match(none, { status: 1, stdout: '', stderr: '' })
    t.match(cli.avfs('search', 'nosuchword', at(''), '--json'), { status: 1, stdout: '[]\n' })
    const wrong = cli.avfs('search', 'words AND (', at(''))
    t.equal(wrong.status, 2)
    t.match(wrong.stderr, /^avfs: .* at character \d+.*\n {2}words AND \(\n {2} *\^\n$/)
    t.match(cli.failure('search', '"open', at('')), { status: 2, errno: 'EINVAL' })
    t.match(cli.failure('search', 'words', at(''), '--tag', 'none'), { status: 13 })
    t.match(cli.failure('search', 'words', at(''), '--since', 'sometime'), { status: 2 })
    const beyond = cli.avfs('search', 'words', at(''), '--since', '2999-01-01')
    t.match(beyond, { status: 1, stdout: '', stderr: '' }, 'nothing was saved so late')
    t.match(cli.failure('search', 'words', at(''), '-n', '0'), { status: 2 })
    t.match(cli.failure('search', 'words', at(''), '--path', ''), { status: 2 })
    t.match(cli.failure('search', 'words', at('nowhere')), { status: 13 })
  })
  t.match(cli.failure('search'), { status: 2 })
  t.match(cli.failure('search', 'words', 'nosuchvault:/'), { status: 10 })
})

test('former versions and deleted files are found, with their times', async (t, backend) => {
  const cli = historyCli(t, backend)
  writeFileSync(cli.at('plan'), 'the first lighthouse')
  writeFileSync(cli.at('gone'), 'a deleted lighthouse')
  await sleep(1200)
  writeFileSync(cli.at('plan'), 'something else')
  rmSync(cli.at('gone'))
  bothWays(cli, (at) => {
    t.match(cli.avfs('search', 'lighthouse', at('')), { status: 1, stdout: '' })
    const found = cli.json('search', 'lighthouse', at(''), '--all-versions') as Found
    t.same(found.map(({ path }) => path).sort(), [at('gone'), at('plan')])
    for (const { path, deleted, versions } of found) {
      t.equal(deleted, path === at('gone'))
      t.match(versions, [{ number: 1, to: String }])
      const [{ from, to } = { from: '', to: '' }] = versions
      t.ok(Date.parse(to ?? '') - Date.parse(from) >= 1000, 'it was there for more than a second')
    }
    t.match(
      cli.out('search', 'lighthouse', at(''), '--all-versions'),
      /\/gone \(deleted\)\nversion 1: \d{4}-.* to \d{4}-.*\n1: a deleted lighthouse\n/,
    )
  })
})

test('what programs save by rename has the numbers of its name, and is not deleted', async (t, backend) => {
  const cli = historyCli(t, backend)
  const sh = (line: string): void => {
    const { status, stderr } = spawnSync('sh', ['-c', line], { cwd: cli.dir, encoding: 'utf8' })
    if (status !== 0) throw new Error(`${line}: ${stderr}`)
  }
  sh('echo lighthouse zero > f && echo lighthouse zero > gone && echo lighthouse zero > kept')
  await sleep(1200)
  sh('sed -i s/zero/one/ f && mv kept kept~ && echo lighthouse one > kept && rm kept~ gone')
  await sleep(1200)
  sh('sed -i s/one/two/ f')
  bothWays(cli, (at) => {
    const found = cli.json('search', 'lighthouse', at(''), '--all-versions') as Found
    const numbers = found
      .map(({ path, deleted, versions }) => [path, deleted, versions.map(({ number }) => number)])
      .sort()
    const expected = [
      [at('f'), false, [1, 2, 3]],
      [at('gone'), true, [1]],
      [at('kept'), false, [1, 2]],
    ]
    t.same(numbers, expected, 'one result a path')
    for (const [path, , versions] of expected as [string, boolean, number[]][])
      for (const [index, number] of versions.entries()) {
        const text = cli.out('cat', path, '-v', `${number}`)
        t.equal(text, `lighthouse ${['zero', 'one', 'two'][index]}\n`, `${path} -v ${number}`)
      }
    const log = cli.json('log', at('f')) as { number: number }[]
    t.same(
      log.map(({ number }) => number),
      [3, 2, 1],
    )
    const [{ versions } = { versions: [] }] = cli.json('search', 'two', at('')) as Found
    t.match(versions, [{ number: 3, to: null }], 'without the past, too')
  })
})

test('tags, times, moves and deletions count at once', async (t, backend) => {
  const cli = historyCli(t, backend)
  writeFileSync(cli.at('old'), 'keeper one')
  await sleep(2100)
  writeFileSync(cli.at('young'), 'keeper two')
  cli.out('tag', 'add', cli.at('old'), 'work')
  bothWays(cli, (at) => {
    t.equal(cli.out('search', 'keeper', at(''), '--tag', 'work'), `${at('old')}\n1: keeper one\n`)
  })
  cli.mount()
  const since = cli.out('search', 'keeper', cli.dir, '--since', '1d')
  t.equal(since.split('\n').length, 5)
  const [{ versions } = { versions: [] }] = cli.json('search', 'two', cli.dir) as Found
  const saved = versions[0]?.from.slice(0, 23).replaceAll(':', '-')
  t.equal(
    cli.out('search', 'keeper', cli.dir, '--since', `${saved}Z`),
    `${cli.at('young')}\n1: keeper two\n`,
  )
  mkdirSync(cli.at('d'))
  renameSync(cli.at('old'), cli.at('d/moved'))
  t.equal(cli.out('search', 'path:d keeper', cli.dir), `${cli.at('d/moved')}\n1: keeper one\n`)
  renameSync(cli.at('d'), cli.at('e'))
  t.equal(cli.avfs('search', 'path:d', cli.dir).status, 1)
  t.equal(cli.out('search', 'path:e keeper', cli.dir), `${cli.at('e/moved')}\n1: keeper one\n`)
  rmSync(cli.at('young'))
  t.equal(cli.avfs('search', 'two', cli.dir).status, 1)
  cli.out('undelete', cli.at('young'))
  t.equal(cli.out('search', 'two', cli.dir), `${cli.at('young')}\n1: keeper two\n`)
})

test('the index tells how far it is, is made anew, and goes when search is off', async (t, backend) => {
  const cli = historyCli(t, backend)
  const index = `${cli.home}/one${backendNamed(backend).suffix}.search`
  writeFileSync(cli.at('a'), 'words')
  writeFileSync(cli.at('b'), Buffer.from([1, 0, 2]))
  cli.out('search', 'words', cli.dir)
  bothWays(cli, (at) => {
    const status = { isOn: true, why: null, texts: 1, versions: 2, files: 2, waiting: 0 }
    t.match(cli.json('search', '--status', at('')), status)
    t.match(cli.out('search', '--status', at('')), /^engine +\w+\nfiles +2\n/)
    cli.json('search', '--rebuild', at(''))
    t.equal(cli.avfs('search', 'words', at('')).status, 0)
    t.match(cli.json('search', '--status', at('')), status)
    t.match(cli.json('vault', 'stats', 'one'), { search: { texts: 1 } })
    cli.out('vault', 'config', 'one', 'search=off')
    t.match(cli.failure('search', 'words', at('')), { status: 1, message: /search is off/ })
    t.notOk(existsSync(index))
    t.match(cli.json('search', '--status', at('')), { isOn: false, texts: 0 })
    cli.out('vault', 'config', 'one', 'search=on', 'search.max-text=1KiB')
    t.equal(cli.avfs('search', 'words', at('')).status, 0)
    cli.out('vault', 'compact', 'one')
    t.equal(cli.avfs('search', 'words', at('')).status, 0)
  })
  t.match(cli.failure('vault', 'config', 'one', 'search.max-text=lots'), { status: 2 })
})

test('the index goes with its vault', async (t, backend) => {
  const cli = historyCli(t, backend)
  writeFileSync(cli.at('a'), 'words')
  cli.out('search', 'words', cli.dir)
  cli.unmount()
  const other = backend === 'sqlite' ? 'lmdb' : 'sqlite'
  cli.out('vault', 'migrate', 'one', '--to', other)
  t.equal(cli.avfs('search', 'words', 'one').status, 0)
  cli.out('vault', 'migrate', 'one', '--to', backend)
  t.equal(cli.avfs('search', 'words', 'one').status, 0)
  cli.out('vault', 'delete', 'one', '--yes')
  t.notOk(existsSync(`${cli.home}/one${backendNamed(backend).suffix}.search`))
  t.notOk(existsSync(`${cli.home}/one.lmdb.search`))
})
