// What a command removes or replaces can be brought back wherever no history is kept: history off,
// excluded paths, files that are a moment old, and files that a program has open and has not
// finished. Otherwise the command leaves it alone and names it.

import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { testBackend } from '../support/engines.ts'
import { run } from '../support/program.ts'
import { savedTexts } from '../support/saved.ts'
import { aSecond, type HistoryCli, historyCli } from './history.ts'

t.setTimeout(300_000)

interface Effect {
  readonly effect: string
  readonly path: string
}

interface Result {
  readonly dryRun?: boolean
  readonly kept?: number
  readonly removed?: number
  readonly effects?: readonly Effect[]
}

function effectsOf(result: unknown): string[] {
  return ((result as Result).effects ?? []).map(({ effect, path }) => `${effect} ${path}`).sort()
}

/** Every text that was ever saved under a path of the vault. */
async function textsOf(cli: HistoryCli, path: string): Promise<string[]> {
  const texts = await savedTexts(join(cli.home, `one${testBackend.suffix}`), path)
  return texts.sort()
}

function prepared(t: Test): HistoryCli {
  const cli = historyCli(t, testBackend.name)
  mkdirSync(cli.at('dir/skip'), { recursive: true })
  return cli
}

t.test('restore --delete leaves what is excluded also where history is off', async (t) => {
  const cli = prepared(t)
  cli.out('vault', 'config', 'one', 'history=off', 'history.exclude=skip/**, *.tmp')
  await aSecond()
  cli.out('snapshot', 'create', 's', 'one')
  for (const path of ['dir/skip/x', 'dir/b.tmp', 'dir/d']) writeFileSync(cli.at(path), 'only here')
  await aSecond()
  const restore = ['restore', cli.at('dir'), '--snapshot', 's', '--delete']
  const kept = ['dir/b.tmp', 'dir/skip/x'].map((path) => `kept ${cli.at(path)}`)
  const removed = `removed ${cli.at('dir/d')}`
  const planned = effectsOf(cli.json(...restore, '--dry-run'))
  t.same(planned.slice(planned.length - 3), [...kept, removed])
  t.match(cli.json(...restore), { kept: 2, removed: 1 })
  t.ok(existsSync(cli.at('dir/skip/x')) && existsSync(cli.at('dir/b.tmp')))
  t.notOk(existsSync(cli.at('dir/d')))
  cli.unmount()
})

t.test('restore --delete leaves what is excluded, and says so', async (t) => {
  const cli = prepared(t)
  cli.out('vault', 'config', 'one', 'history.exclude=skip/**, *.tmp')
  writeFileSync(cli.at('dir/a'), 'a')
  await aSecond()
  cli.out('snapshot', 'create', 's', 'one')
  writeFileSync(cli.at('dir/skip/x'), 'only here')
  writeFileSync(cli.at('dir/b.tmp'), 'only here')
  mkdirSync(cli.at('dir/new'))
  writeFileSync(cli.at('dir/new/c.tmp'), 'only here')
  writeFileSync(cli.at('dir/new/d'), 'd')
  await aSecond()
  const restore = ['restore', cli.at('dir'), '--snapshot', 's', '--delete']
  const kept = ['dir/b.tmp', 'dir/new/c.tmp', 'dir/skip/x'].map((path) => `kept ${cli.at(path)}`)
  t.same(effectsOf(cli.json(...restore, '--dry-run')), [
    `changed ${cli.at('dir')}`,
    ...kept,
    `removed ${cli.at('dir/new/d')}`,
  ])
  t.ok(existsSync(cli.at('dir/new/d')), 'a dry run changes nothing')
  const result = cli.json(...restore) as Result
  t.match(result, { kept: 3, removed: 1 })
  t.same(effectsOf(result), kept)
  for (const path of ['dir/skip/x', 'dir/b.tmp', 'dir/new/c.tmp'])
    t.equal(readFileSync(cli.at(path), 'utf8'), 'only here')
  t.notOk(existsSync(cli.at('dir/new/d')))
  t.match(cli.out(...restore), /^kept {2}.*skip\/x\n(.*\n)*.*3 kept/)
  cli.unmount()
  t.match(cli.json('vault', 'check', 'one', '--deep'), { problems: [] })
})

for (const setting of ['history=off', 'history.exclude=*.txt', 'history=on'])
  t.test(`what commands remove or replace can be brought back, ${setting}`, async (t) => {
    const cli = prepared(t)
    for (const text of ['then', 'after']) writeFileSync(cli.at('then.txt'), text)
    writeFileSync(cli.at('dir/same.txt'), 'same')
    await aSecond()
    cli.out('snapshot', 'create', 's', 'one')
    cli.out('vault', 'config', 'one', setting)
    for (const name of ['then', 'dir/young', 'dir/replaced', 'dir/a'])
      writeFileSync(cli.at(`${name}.txt`), `${name} of now`)
    mkdirSync(cli.at('was-dir.txt'))
    writeFileSync(cli.at('was-dir.txt/x.txt'), 'below')
    run('setfattr', ['-n', 'user.k', '-v', 'before', cli.at('dir/a.txt')])
    const open = openSync(cli.at('dir/open.txt'), 'w')
    writeSync(open, 'never closed')

    cli.out('restore', cli.at('then.txt'), '-v', '1')
    t.ok((await textsOf(cli, '/then.txt')).includes('then of now'))
    writeFileSync(join(cli.root, 'in.txt'), 'imported')
    cli.out('import', join(cli.root, 'in.txt'), 'one:/dir/replaced.txt')
    t.same(await textsOf(cli, '/dir/replaced.txt'), ['dir/replaced of now', 'imported'])
    cli.out('meta', 'set', cli.at('dir/a.txt'), 'k=after')
    const isExcluded = setting.startsWith('history.exclude')
    const deleting = ['restore', cli.at('dir'), '--snapshot', 's', '--delete']
    const result = cli.json(...deleting) as Result
    if (isExcluded) {
      t.match(result, { kept: 4, removed: 0 })
      t.same(readdirSync(cli.at('dir')).length, 6, 'all of it is there still')
    } else {
      t.match(result, { kept: 0, removed: 4 })
      t.same(readdirSync(cli.at('dir')).sort(), ['same.txt', 'skip'])
      for (const name of ['young', 'open', 'a']) cli.out('undelete', cli.at(`dir/${name}.txt`))
      t.equal(readFileSync(cli.at('dir/young.txt'), 'utf8'), 'dir/young of now')
      t.equal(readFileSync(cli.at('dir/open.txt'), 'utf8'), 'never closed')
      t.match(run('getfattr', ['-d', cli.at('dir/a.txt'), '--absolute-names']), /user.k="after"/)
    }
    closeSync(open)
    cli.unmount()
    t.match(cli.json('vault', 'check', 'one', '--deep'), { problems: [] })
  })

t.test('an import of commits keeps what it removes and replaces', async (t) => {
  const cli = prepared(t)
  const repository = cli.folder('repository')
  const git = (...args: readonly string[]): string =>
    run('git', ['-C', repository, '-c', 'user.name=n', '-c', 'user.email=e', ...args])
  git('init', '-q')
  const commit = (): void => {
    git('add', '-A')
    git('commit', '-q', '-m', 'm')
  }
  writeFileSync(join(repository, 'a'), 'first')
  writeFileSync(join(repository, 'gone'), 'in the first commit')
  commit()
  writeFileSync(join(repository, 'a'), 'second')
  rmSync(join(repository, 'gone'))
  commit()
  cli.out('vault', 'config', 'one', 'history=off')
  for (const name of ['a', 'gone', 'other']) writeFileSync(cli.at(`dir/${name}`), `${name} of mine`)
  const importing = ['import', '--git', repository, cli.at('dir')]
  t.same(effectsOf(cli.json(...importing, '--dry-run')), [
    `removed ${cli.at('dir/gone')}`,
    `replaced ${cli.at('dir/a')}`,
  ])
  t.equal(readFileSync(cli.at('dir/gone'), 'utf8'), 'gone of mine')
  cli.out(...importing)
  t.same(readdirSync(cli.at('dir')).sort(), ['a', 'other', 'skip'])
  t.ok((await textsOf(cli, '/dir/a')).includes('a of mine'))
  t.ok((await textsOf(cli, '/dir/gone')).includes('gone of mine'))
  cli.unmount()
  t.match(cli.json('vault', 'check', 'one', '--deep'), { problems: [] })
})

t.test('a dry run says what would be done to each path, and does nothing', async (t) => {
  const cli = prepared(t)
  writeFileSync(cli.at('dir/a'), 'a')
  writeFileSync(cli.at('dir/b'), 'b')
  await aSecond()
  rmSync(cli.at('dir'), { recursive: true })
  await aSecond()
  const undeleted = ['undelete', cli.at('dir')]
  const made = ['dir', 'dir/a', 'dir/b', 'dir/skip'].map((path) => `created ${cli.at(path)}`)
  t.match(cli.json(...undeleted, '--dry-run'), { dryRun: true, created: 4 })
  t.same(effectsOf(cli.json(...undeleted, '-n')), made)
  t.match(cli.out(...undeleted, '--dry-run'), /^would create {2}.*\/dir\n(.*\n)*.*4 created\n$/)
  t.notOk(existsSync(cli.at('dir')))
  cli.out(...undeleted)

  const folder = cli.folder('from')
  mkdirSync(join(folder, 'more'))
  writeFileSync(join(folder, 'a'), 'a')
  writeFileSync(join(folder, 'b'), Buffer.alloc(3_000_000, 1))
  writeFileSync(join(folder, 'more/c'), 'c')
  run('cp', ['-p', cli.at('dir/a'), join(folder, 'a')])
  const importing = ['import', folder, cli.at('dir')]
  for (const mounted of [true, false]) {
    if (!mounted) cli.unmount()
    const at = (path: string): string => (mounted ? cli.at(path) : `one:/${path}`)
    const wanted = [
      `changed ${at('dir')}`,
      `created ${at('dir/more')}`,
      `created ${at('dir/more/c')}`,
      `replaced ${at('dir/b')}`,
    ]
    t.same(effectsOf(cli.json('import', folder, at('dir'), '--dry-run')), wanted)
  }
  cli.mount()
  t.match(cli.json(...importing), { files: 2, directories: 1, unchanged: 1 })
  t.same(effectsOf(cli.json(...importing, '--dry-run')), [], 'now it is all the same')
  run('tar', ['-C', folder, '--format=posix', '-cf', join(cli.root, 'x.tar'), 'b', 'more'])
  appendFileSync(cli.at('dir/b'), 'more')
  const archive = ['import', join(cli.root, 'x.tar'), cli.at('dir'), '--format', 'tar']
  t.same(effectsOf(cli.json(...archive, '--dry-run')), [`replaced ${cli.at('dir/b')}`])
  const pruned = cli.json('prune', 'one', '--keep', '1', '--dry-run') as { going: object[] }
  t.ok(pruned.going.length > 0)
  t.match(cli.out('prune', 'one', '--keep', '1', '--dry-run'), /^would go {2}\/dir\/b version of/m)
  t.equal(cli.avfs('import', folder, 'one:/', '--with-history', '--dry-run').status, 2)
})
