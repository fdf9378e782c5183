// git on a mounted vault, with this checkout's own repository.

import { appendFileSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { mountedVault } from '../support/mount.ts'
import { needProgram, run } from '../support/program.ts'

t.setTimeout(300_000)

const checkout = join(import.meta.dirname, '../..')

/** Nothing of the machine's own configuration; the checkout may belong to another user. */
const gitEnv = {
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_COUNT: '2',
  GIT_CONFIG_KEY_0: 'safe.directory',
  GIT_CONFIG_VALUE_0: '*',
  GIT_CONFIG_KEY_1: 'gc.auto',
  GIT_CONFIG_VALUE_1: '0',
  GIT_AUTHOR_NAME: 'a',
  GIT_AUTHOR_EMAIL: 'a@example.org',
  GIT_COMMITTER_NAME: 'a',
  GIT_COMMITTER_EMAIL: 'a@example.org',
}

function git(cwd: string, ...args: string[]): string {
  return run('git', args, { cwd, env: gitEnv })
}

t.test('a repository is cloned, is clean, and passes fsck', (t) => {
  needProgram('git')
  const vault = mountedVault(t)
  git(vault.dir, 'clone', '-q', '--no-local', checkout, 'clone')
  const clone = join(vault.dir, 'clone')
  t.equal(git(clone, 'status', '--porcelain'), '')
  t.equal(git(clone, 'rev-parse', 'HEAD'), git(checkout, 'rev-parse', 'HEAD'))
  git(clone, 'fsck', '--full', '--strict')
  vault.unmount()
  vault.mount()
  t.equal(git(clone, 'status', '--porcelain'), '')
  git(clone, 'fsck', '--full', '--strict')
  vault.check()
  t.end()
})

t.test('commits, branches, merges and gc work', (t) => {
  needProgram('git')
  const vault = mountedVault(t)
  const work = join(vault.dir, 'work')
  mkdirSync(work)
  git(work, 'init', '-q', '-b', 'main')
  for (let index = 0; index < 100; index++) writeFileSync(join(work, `f${index}`), `${index}\n`)
  git(work, 'add', '.')
  git(work, 'commit', '-q', '-m', 'first')
  git(work, 'checkout', '-q', '-b', 'side')
  appendFileSync(join(work, 'f1'), 'side\n')
  renameSync(join(work, 'f2'), join(work, 'moved'))
  git(work, 'add', '-A')
  git(work, 'commit', '-q', '-m', 'side')
  git(work, 'checkout', '-q', 'main')
  t.equal(readFileSync(join(work, 'f1'), 'utf8'), '1\n')
  appendFileSync(join(work, 'f3'), 'main\n')
  git(work, 'commit', '-q', '-a', '-m', 'main')
  git(work, 'merge', '-q', '--no-edit', 'side')
  t.equal(readFileSync(join(work, 'moved'), 'utf8'), '2\n')
  git(work, 'gc', '-q', '--prune=now')
  git(work, 'fsck', '--full', '--strict')
  t.equal(git(work, 'status', '--porcelain'), '')
  t.equal(git(work, 'rev-list', '--count', 'HEAD'), '4')
  appendFileSync(join(work, 'f4'), 'x')
  t.equal(git(work, 'status', '--porcelain'), ' M f4')
  git(work, 'stash', '-q')
  git(work, 'worktree', 'add', '-q', '../tree', 'side')
  t.equal(readFileSync(join(vault.dir, 'tree/f1'), 'utf8'), '1\nside\n')
  rmSync(work, { recursive: true })
  vault.check()
  t.end()
})
