// avfs import and export on every engine: a tree in and out, over existing files, through an
// archive, from git, and a whole history from one engine to the next.

import { appendFileSync, chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { testedBackends } from '../support/engines.ts'
import { needProgram, run } from '../support/program.ts'
import { type Cli, emptyCli } from './cli.ts'
import { differences } from './odd-tree.ts'

// Each run of a command takes a while on a busy machine.
t.setTimeout(280_000)
needProgram('rsync', 'setfattr', 'git')

/**
 * A file of every way to be kept: in a row, in a block, in pieces with a hole, under two names,
 * with attributes and labels.
 */
function makeTree(root: string): void {
  const at = (path: string): string => join(root, path)
  mkdirSync(at('sub/deep'), { recursive: true })
  for (let index = 0; index < 300; index++) writeFileSync(at(`sub/${index}`), `file ${index}`)
  writeFileSync(at('sub/block'), Buffer.alloc(50_000, 'block'))
  writeFileSync(at('sub/large'), Buffer.alloc(2_000_000, 'large'))
  run('truncate', ['-s', '50M', at('sparse')])
  appendFileSync(at('sparse'), 'the end')
  run('ln', [at('sub/large'), at('sub/deep/names')])
  run('ln', ['-s', 'sub/large', at('link')])
  run('setfattr', ['-n', 'user.k', '-v', 'value', at('sub/block')])
  run('setfattr', ['-n', 'user.xdg.tags', '-v', 'red', at('sub/block')])
}

function gitHistory(cli: Cli): string {
  const root = cli.folder('repository')
  const git = (...args: string[]): string =>
    run('git', ['-C', root, '-c', 'user.name=n', '-c', 'user.email=e', ...args])
  git('init', '-q', '-b', 'main')
  mkdirSync(join(root, 'src'))
  writeFileSync(join(root, 'src/a'), 'then\n'.repeat(50))
  git('add', '-A')
  git('commit', '-q', '-m', 'one')
  git('mv', 'src/a', 'b')
  rmSync(join(root, 'src'), { recursive: true, force: true })
  writeFileSync(join(root, 'src'), 'a file now')
  git('add', '-A')
  git('commit', '-q', '-m', 'two')
  return root
}

testedBackends.forEach(({ name, suffix }, index) => {
  const next = testedBackends[(index + 1) % testedBackends.length] ?? { name }
  t.test(`a vault of ${name} takes a tree and gives it back`, async (t) => {
    const cli = emptyCli(t)
    cli.json('vault', 'create', 'one', '--backend', name)
    const tree = cli.folder('tree')
    makeTree(tree)
    const files = 305
    t.match(cli.json('import', tree, 'one:/d'), { files, unchanged: 0, problems: 0 })
    t.match(cli.json('import', tree, 'one:/d'), { files: 0, unchanged: files, problems: 0 })
    const dir = cli.folder('mnt')
    t.equal(cli.avfs('mount', 'one', dir).status, 0)
    t.teardown(() => cli.avfs('unmount', dir))
    t.equal(differences(tree, join(dir, 'd')), '')
    for (let at = 0; at < 20; at++) appendFileSync(join(tree, `sub/${at}`), ' and more')
    appendFileSync(join(tree, 'sub/large'), 'more')
    chmodSync(join(tree, 'sub/block'), 0o600)
    run('setfattr', ['-n', 'user.xdg.tags', '-v', 'blue,red', join(tree, 'sub/block')])
    t.match(cli.json('import', tree, join(dir, 'd')), { files: 23, problems: 0 })
    t.equal(differences(tree, join(dir, 'd')), '')
    t.match(cli.json('log', join(dir, 'd/sub/1')), [{ number: 2 }, { number: 1 }])
    const out = join(cli.root, 'out')
    t.match(cli.json('export', join(dir, 'd'), out, '-r'), { files, problems: 0 })
    t.equal(differences(tree, out), '')
    const archive = join(cli.root, 'a.tar')
    cli.json('export', join(dir, 'd'), archive, '-r', '--format', 'tar')
    t.match(cli.json('import', archive, join(dir, 'tar'), '--format', 'tar'), { problems: 0 })
    t.equal(differences(tree, join(dir, 'tar/d')), '')
    t.match(cli.json('import', '--git', gitHistory(cli), join(dir, 'git')), { problems: 0 })
    t.match(cli.json('log', join(dir, 'git/b')), [{ number: 1 }])
    t.equal(cli.avfs('cat', join(dir, 'git/src')).stdout, 'a file now')
    t.equal(cli.avfs('unmount', dir).status, 0)
    t.match(cli.json('vault', 'check', 'one', '--deep'), { problems: [] })

    const history = join(cli.root, 'history')
    t.match(cli.json('export', 'one:/', history, '-r', '--with-history'), { problems: 0 })
    for (const to of new Set([name, next.name])) {
      cli.json('vault', 'create', `to-${to}`, '--backend', to)
      if (to === name) {
        // What a run leaves that was killed.
        mkdirSync(join(cli.home, `to-${to}${suffix}.importing`))
        writeFileSync(join(cli.home, `to-${to}${suffix}.importing/left`), 'left')
      }
      cli.json('import', history, `to-${to}:/`, '--with-history')
      t.match(cli.json('vault', 'check', `to-${to}`, '--deep'), { problems: [] }, to)
      const again = join(cli.root, 'again')
      cli.json('export', `to-${to}:/`, again, '-r', '--with-history')
      t.equal(run('diff', ['-r', history, again]), '', `${name} to ${to}`)
      rmSync(again, { recursive: true })
    }
    t.equal(run('sh', ['-c', 'ls "$0" | grep -c -e importing -e removed || :', cli.home]), '0')
  })
})
