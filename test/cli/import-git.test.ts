// avfs import --git: as of the time of a commit, the vault shows what git checks out of that
// commit.

import { spawn } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { avfsProgram, isAlive, until } from '../support/mount.ts'
import { needProgram, run } from '../support/program.ts'
import { historyCli } from './history.ts'

// Each run of a command takes a while on a busy machine.
t.setTimeout(240_000)
needProgram('git')

/** A repository of six commits, a day apart, with all that can happen to a file. */
function makeRepository(root: string): { git(...args: string[]): string; days: number[] } {
  const at = (path: string): string => join(root, path)
  const days: number[] = []
  const author = ['-c', 'user.name=n', '-c', 'user.email=e', '-c', 'commit.gpgSign=false']
  const git = (...args: string[]): string => {
    const when = `@${1_600_000_000 + days.length * 86_400} +0000`
    const env = { GIT_AUTHOR_DATE: when, GIT_COMMITTER_DATE: when, HOME: root }
    return run('git', ['-C', root, ...author, ...args], { env })
  }
  const commit = (message: string): void => {
    git('add', '-A')
    git('commit', '-q', '-m', message)
    days.push(1_600_000_000 + days.length * 86_400)
  }
  git('init', '-q', '-b', 'main')
  mkdirSync(at('src/deep'), { recursive: true })
  writeFileSync(at('src/a.txt'), 'first\n'.repeat(100))
  writeFileSync(at('src/deep/b'), 'b')
  writeFileSync(at('large'), Buffer.alloc(300_000, 'large'))
  symlinkSync('src/a.txt', at('link'))
  commit('one')
  git('tag', 'v1')
  writeFileSync(at('src/a.txt'), `${'first\n'.repeat(100)}second\n`)
  chmodSync(at('src/deep/b'), 0o755)
  commit('two')
  renameSync(at('src/a.txt'), at('moved.txt'))
  rmSync(at('src/deep'), { recursive: true })
  commit('three')
  git('tag', '-a', '-m', 'annotated', 'pkg/v2')
  // A directory where a file was, and the other way round.
  rmSync(at('link'))
  mkdirSync(at('link'))
  writeFileSync(at('link/inside'), 'inside')
  commit('four')
  git('checkout', '-q', '-b', 'side', 'HEAD~1')
  writeFileSync(at('side'), 'side')
  git('add', '-A')
  git('commit', '-q', '-m', 'on the side')
  git('tag', 'aside')
  git('checkout', '-q', 'main')
  git('merge', '-q', '--no-ff', '-m', 'merge', 'side')
  days.push(1_600_000_000 + days.length * 86_400)
  writeFileSync(at('name with\nline feed'), 'odd')
  commit('six')
  return { git, days }
}

t.test('each commit is the state as of its time, and tags are snapshots', (t) => {
  const cli = historyCli(t)
  const repository = cli.folder('repository')
  const { git, days } = makeRepository(repository)
  cli.json('vault', 'create', 'new')
  t.match(cli.avfs('import', '--git', repository, 'new:/'), {
    status: 0,
    stdout: /6 commits, 2 tags as snapshots\n1 tags are not on the line/,
  })
  const hashes = git('log', '--reverse', '--first-parent', '--format=%H').split('\n')
  t.equal(hashes.length, days.length)
  hashes.forEach((hash, index) => {
    const out = join(cli.root, `out${index}`)
    cli.json('export', 'new:/', out, '-r', '--at', `@${days[index]}`)
    git('checkout', '-q', '-f', hash)
    git('clean', '-qfdx')
    const flags = ['-rlpnim', '--checksum', '--delete', '--exclude=/.git', '--exclude=/.cache']
    const told = run('rsync', [...flags, `${repository}/`, `${out}/`])
    t.equal(told.replace(/^\.d.*\n?/gm, ''), '', `commit ${index + 1}`)
  })
  t.match(cli.json('snapshot', 'list', 'new'), [{ name: 'v1' }, { name: 'pkg\u2215v2' }])
  t.match(
    cli.json('log', 'new:/moved.txt'),
    [{ number: 2 }, { number: 1 }],
    'a rename keeps history',
  )
  t.equal(cli.out('cat', 'new:/src/a.txt', '-s', 'v1'), 'first\n'.repeat(100))
  t.match(cli.json('vault', 'check', 'new', '--deep'), { problems: [] })
  t.end()
})

/**
 * A repository with a commit for each date, which git itself would not all write; each adds a file
 * of its number.
 */
function datedRepository(root: string, dates: readonly string[]): void {
  const git = (args: readonly string[], input = ''): string =>
    run('git', ['-C', root, ...args], { input, env: { HOME: root } })
  git(['init', '-q', '-b', 'main'])
  let parent = ''
  dates.forEach((date, at) => {
    writeFileSync(join(root, `${at}`), `${at}`)
    git(['add', '-A'])
    const who = `n <e> ${date} +0000`
    const text = `tree ${git(['write-tree'])}\n${parent}author ${who}\ncommitter ${who}\n\nm\n`
    const hash = git(['hash-object', '-t', 'commit', '-w', '--literally', '--stdin'], text)
    parent = `parent ${hash}\n`
    git(['update-ref', 'refs/heads/main', hash])
  })
}

t.test(
  'dates before 1970, in the far future, in no order and none at all are taken as they can be',
  (t) => {
    const cli = historyCli(t)
    const dates = [
      '-86400',
      '0',
      '1000000000',
      '9100000000',
      '1100000000',
      '5',
      'none',
      '1200000000',
    ]
    const all = [...dates, '99999999999999999999']
    const repository = cli.folder('repository')
    datedRepository(repository, all)
    cli.json('vault', 'create', 'new')
    t.match(cli.json('import', '--git', repository, 'new:/'), { problems: 0, files: all.length })
    const thereAt = (when: string): string => {
      const out = join(cli.root, when)
      cli.json('export', 'new:/', out, '-r', '--at', when)
      return readdirSync(out).join('')
    }
    t.equal(thereAt('@10'), '01')
    t.equal(thereAt('@1050000000'), '012')
    t.equal(thereAt('@1150000000'), '0123456')
    t.equal(thereAt('@1250000000'), '01234567')
    cli.json('export', 'new:/', join(cli.root, 'now'), '-r')
    const mtimes = run('stat', ['-c', '%Y', '0', '1', '3', '5', '6'], {
      cwd: join(cli.root, 'now'),
    })
    t.equal(mtimes, '-86400\n0\n9100000000\n5\n1100000000')
    t.equal(run('git', ['-C', repository, 'rev-list', '--count', 'HEAD']), `${all.length}`)
    t.match(cli.json('vault', 'check', 'new', '--deep'), { problems: [] })
    t.end()
  },
)

t.test('a history that breaks off says where, and what is before is there', (t) => {
  const cli = historyCli(t)
  const repository = cli.folder('repository')
  datedRepository(repository, ['1000000000', '1100000000', '1200000000'])
  const git = (...args: string[]): string => run('git', ['-C', repository, ...args])
  const blob = git('rev-parse', 'HEAD:2')
  rmSync(join(repository, '.git/objects', blob.slice(0, 2), blob.slice(2)))
  cli.json('vault', 'create', 'new')
  t.match(cli.failure('import', '--git', repository, 'new:/'), {
    status: 1,
    message: /missing, in commit [0-9a-f]{40} behind 2 whole ones: imported were the 2 files/,
  })
  t.equal(cli.out('cat', 'new:/1'), '1')
  t.end()
})

t.test('into a vault that has a past, the commits come after it, mounted or not', (t) => {
  const cli = historyCli(t)
  writeFileSync(cli.at('before'), 'before')
  const repository = cli.folder('repository')
  const { git } = makeRepository(repository)
  t.match(cli.json('import', '--git', repository, cli.at('repo')), { problems: 0 })
  const flags = ['-rlpnim', '--checksum', '--delete', '--exclude=/.git', '--exclude=/.cache']
  const told = run('rsync', [...flags, `${repository}/`, `${cli.at('repo')}/`])
  t.equal(told.replace(/^\.d.*\n?/gm, ''), '')
  t.match(cli.json('log', cli.at('repo/moved.txt')), [{ number: 2 }, { number: 1 }])
  t.equal(cli.out('cat', cli.at('repo/src/a.txt'), '-s', 'v1'), `${git('show', 'v1:src/a.txt')}\n`)
  t.equal(cli.out('cat', cli.at('before')), 'before')
  cli.unmount()
  t.match(cli.json('vault', 'check', 'one', '--deep'), { problems: [] })
  t.match(cli.failure('import', '--git', cli.home, 'one:/x'), { status: 1, message: /git: / })
  t.match(cli.failure('import', '--git', repository), { status: 2 })
  t.end()
})

t.test('a signal ends git, however long it takes, and nothing is left behind', async (t) => {
  const cli = historyCli(t)
  const repository = cli.folder('repository')
  datedRepository(repository, ['1000000000'])
  const programs = cli.folder('programs')
  const begun = join(cli.root, 'begun')
  const slow = `#!/bin/sh\n[ "$1" = config ] && exit 1\necho $$ >>'${begun}'\nexec sleep 1000\n`
  writeFileSync(join(programs, 'git'), slow, { mode: 0o755 })
  const env = {
    ...process.env,
    AVFS_HOME: cli.home,
    XDG_RUNTIME_DIR: cli.root,
    XDG_STATE_HOME: cli.root,
    PATH: `${programs}:${process.env.PATH}`,
    TMPDIR: cli.folder('temporary'),
  }
  const ends = async (target: string, signal: 'SIGTERM' | 'SIGINT'): Promise<void> => {
    rmSync(begun, { force: true })
    const child = spawn(avfsProgram, ['import', '--git', repository, target], {
      env,
      stdio: 'pipe',
    })
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    const over = new Promise((resolve) => child.once('close', resolve))
    await until(
      () => existsSync(begun) && readFileSync(begun, 'utf8').endsWith('\n'),
      'git has begun',
    )
    const pids = readFileSync(begun, 'utf8').trim().split('\n').map(Number)
    child.kill(signal)
    t.not(await over, 0, `${target}: ${signal}`)
    t.match(said, /^avfs: git: ended by SIGTERM$/m)
    for (const pid of pids) t.notOk(isAlive(pid), 'git is gone')
    t.same(readdirSync(env.TMPDIR), [])
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) await ends(cli.at('repo'), signal)
  cli.unmount()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) await ends('one:/repo', signal)
  t.match(cli.json('vault', 'check', 'one', '--deep'), { problems: [] })
})
