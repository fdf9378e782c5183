// Repositories from strangers: programs that their settings name are not run, and no setting makes
// the import fail. Each program that a setting names is a script that leaves a mark.

import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { readGit } from '../../src/archive/git-source.ts'
import { ENTRY, nameOf, recordsIn } from '../../src/archive/records.ts'
import { attempt, needProgram, run } from '../support/program.ts'

needProgram('git')

/**
 * What is sent of a repository: its commits, the names of its files in order, and what was told.
 */
async function readAll(
  repository: string,
): Promise<{ commits: number; snapshots: number; names: string[]; problems: string[] }> {
  const names: string[] = []
  const problems: string[] = []
  const { commits, snapshots } = await readGit(
    repository,
    async (piece) => {
      for (const record of recordsIn(piece))
        if (record.readUInt8(4) === ENTRY) names.push(nameOf(record))
    },
    { problem: (path, message) => problems.push(`${path}: ${message}`), read: () => undefined },
  )
  return { commits, snapshots, names, problems }
}

const whole = { commits: 2, snapshots: 1, names: ['', 'a.txt', 'moved/b.txt'], problems: [] }

interface Stranger {
  readonly root: string
  /** Beside it. */
  readonly folder: string
  git(...args: string[]): string
  config(name: string, value: string): void
}

/** Two commits, the second with a signature of nobody, and a tag. */
function stranger(t: Test): Stranger {
  const folder = t.testdir({ repository: {}, folder: {} })
  const root = join(folder, 'repository')
  const author = ['-c', 'user.name=n', '-c', 'user.email=e', '-c', 'commit.gpgSign=false']
  const env = { HOME: root, GIT_CONFIG_NOSYSTEM: '1' }
  const git = (...args: string[]): string => run('git', ['-C', root, ...author, ...args], { env })
  git('init', '-q', '-b', 'main')
  writeFileSync(join(root, 'a.txt'), 'a\n'.repeat(50))
  git('add', '-A')
  git('commit', '-q', '-m', 'one')
  git('tag', 'v1')
  mkdirSync(join(root, 'moved'))
  writeFileSync(join(root, 'moved/b.txt'), 'b')
  git('add', '-A')
  const head = git('rev-parse', 'HEAD')
  const who = 'n <e> 1700000000 +0000'
  const signed = 'gpgsig -----BEGIN PGP SIGNATURE-----\n \n none\n -----END PGP SIGNATURE-----'
  const text = `tree ${git('write-tree')}\nparent ${head}\nauthor ${who}\ncommitter ${who}\n${signed}\n\nm\n`
  const made = ['-C', root, 'hash-object', '-t', 'commit', '-w', '--stdin']
  git('update-ref', 'refs/heads/main', run('git', made, { input: text, env }))
  const file = join(root, '.git/config')
  return {
    root,
    folder: join(folder, 'folder'),
    git,
    config: (name, value) => void run('git', ['config', '--file', file, name, value], { env }),
  }
}

const hooks = ['post-checkout', 'post-index-change', 'reference-transaction', 'fsmonitor-watchman']

/** A program that leaves a mark, by the name of what runs it. */
function marker(folder: string, name: string): string {
  const path = join(folder, name)
  writeFileSync(path, `#!/bin/sh\n: > '${join(folder, 'marks', name)}'\nexit 1\n`, {
    mode: 0o755,
  })
  return path
}

/** Settings that have a program run, each with its own marker. */
function arm({ root, folder, config }: Stranger): void {
  mkdirSync(join(folder, 'marks'), { recursive: true })
  config('log.showSignature', 'true')
  config('core.repositoryFormatVersion', '1')
  config('extensions.partialClone', 'origin')
  config('remote.origin.promisor', 'true')
  config('remote.origin.partialCloneFilter', 'blob:none')
  config('protocol.allow', 'always')
  config('protocol.ext.allow', 'always')
  config('diff.x.binary', 'true')
  for (const [name, value] of programs) config(name, marker(folder, value))
  config('core.hooksPath', folder)
  for (const hook of hooks) marker(folder, hook)
  writeFileSync(join(root, '.git/info/attributes'), '* diff=x filter=x merge=x\n')
}

const programs = [
  ['gpg.program', 'gpg'],
  ['gpg.x509.program', 'x509'],
  ['gpg.ssh.program', 'ssh-keygen'],
  ['core.sshCommand', 'ssh'],
  ['remote.origin.uploadpack', 'upload-pack'],
  ['uploadpack.packObjectsHook', 'pack-objects'],
  ['core.gitProxy', 'proxy'],
  ['core.askPass', 'askpass'],
  ['credential.helper', 'helper'],
  ['core.fsmonitor', 'fsmonitor'],
  ['core.pager', 'pager'],
  ['pager.log', 'log-pager'],
  ['core.editor', 'editor'],
  ['core.alternateRefsCommand', 'alternates'],
  ['diff.external', 'external-diff'],
  ['diff.x.command', 'driver'],
  ['diff.x.textconv', 'textconv'],
  ['filter.x.smudge', 'smudge'],
  ['filter.x.clean', 'clean'],
  ['filter.x.process', 'process'],
  ['merge.x.driver', 'merge'],
] as const

t.test('nothing that a repository names is run', async (t) => {
  const its = stranger(t)
  arm(its)
  const marks = join(its.folder, 'marks')
  its.config('remote.origin.url', 'ssh://nowhere.invalid/x')
  t.same(await readAll(its.root), whole)
  t.same(readdirSync(marks), [])
  // The settings are such that git would.
  attempt('git', ['-C', its.root, 'log', '--format=%H'])
  t.same(readdirSync(marks), ['gpg'])
})

for (const [url, mark] of [
  ['ssh://nowhere.invalid/x', 'ssh'],
  ['file', 'upload-pack'],
  ['ext', 'helper-of-ext'],
] as const)
  t.test(`what is missing is fetched from nowhere: ${mark}`, async (t) => {
    const its = stranger(t)
    arm(its)
    const other = join(its.folder, 'other')
    its.git('init', '-q', '--bare', other)
    const ext = `ext::${marker(its.folder, 'helper-of-ext')}`
    its.config('remote.origin.url', url === 'file' ? other : url === 'ext' ? ext : url)
    const blob = its.git('rev-parse', 'HEAD:moved/b.txt')
    rmSync(join(its.root, '.git/objects', blob.slice(0, 2), blob.slice(2)))
    writeFileSync(join(its.root, '.git/objects/pack/pack-1.promisor'), '')
    await t.rejects(readAll(its.root), { message: /missing, in commit .* partial clone/ })
    const marks = join(its.folder, 'marks')
    t.same(readdirSync(marks), [])
    attempt('git', ['-C', its.root, 'cat-file', '-p', blob], { env: { GIT_NO_LAZY_FETCH: '0' } })
    t.ok(existsSync(join(marks, mark)), 'git alone would')
  })

/** Settings at which git itself ends. */
const unusable: Readonly<Record<string, string>> = {
  'log.date': 'no-date',
  'log.diffMerges': 'none-of-these',
  'diff.orderFile': '/nowhere/at/all',
  'diff.renames': 'none-of-these',
  'diff.algorithm': 'none-of-these',
  'core.bare': 'perhaps',
  'core.compression': '99',
  'core.repositoryFormatVersion': '99',
  'core.abbrev': 'much',
  'extensions.objectFormat': 'none-of-these',
  'color.ui': 'perhaps',
}

t.test('no setting of a repository ends the reading', async (t) => {
  for (const [name, value] of Object.entries(unusable)) {
    const its = stranger(t)
    its.config(name, value)
    t.same(await readAll(its.root), whole, name)
    const alone = attempt('git', ['-C', its.root, 'log', '--raw', '--date=default', '-M'])
    t.not(alone.status, 0, `${name}: git alone ends`)
  }
  const its = stranger(t)
  writeFileSync(join(its.root, '.git/config'), '[core\nno configuration')
  t.same(await readAll(its.root), whole, 'none that can be read')
  t.not(attempt('git', ['-C', its.root, 'log']).status, 0, 'git alone ends')
  rmSync(join(its.root, '.git/config'))
  run('mkfifo', [join(its.root, '.git/config')])
  t.same(await readAll(its.root), whole, 'a pipe')
})

t.test("the settings and variables of who imports don't count", async (t) => {
  const { root } = stranger(t)
  const variables = {
    GIT_DIR: '/nowhere',
    GIT_EXTERNAL_DIFF: 'false',
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: 'log.date',
    GIT_CONFIG_VALUE_0: 'no-date',
  }
  t.teardown(() => {
    for (const name of Object.keys(variables)) delete process.env[name]
  })
  Object.assign(process.env, variables)
  t.same(await readAll(root), whole)
})

t.test('every kind of repository is found, and no folder is left behind', async (t) => {
  const { root, folder, git } = stranger(t)
  process.env.TMPDIR = folder
  t.teardown(() => delete process.env.TMPDIR)
  t.same(await readAll(join(root, 'moved')), whole, 'within a working tree')
  t.same(await readAll(join(root, '.git')), whole, 'the git folder')
  const at = (name: string): string => join(folder, name)
  git('worktree', 'add', '-q', '--detach', at('tree'))
  t.same(await readAll(at('tree')), whole, 'another working tree')
  git('clone', '-q', '--bare', root, at('bare.git'))
  t.same(await readAll(at('bare.git')), whole, 'a bare one')
  git('clone', '-q', '--shared', root, at('shared'))
  t.same(await readAll(at('shared')), whole, 'one with the objects of another')
  git('clone', '-q', '--separate-git-dir', at('apart'), root, at('pointer'))
  t.same(await readAll(at('pointer')), whole, 'one whose folder is elsewhere')
  git('clone', '-q', '--depth', '1', `file://${root}`, at('shallow'))
  t.match(await readAll(at('shallow')), { commits: 1, problems: [] }, 'the end of one')
  run('git', ['init', '-q', '--object-format=sha256', at('sha256')])
  const author = ['-c', 'user.name=n', '-c', 'user.email=e', '-c', 'commit.gpgSign=false']
  run('git', ['-C', at('sha256'), ...author, 'commit', '-q', '--allow-empty', '-m', 'one'])
  t.match(await readAll(at('sha256')), { commits: 1, problems: [] }, 'with other hashes')
  mkdirSync(at('none'))
  await t.rejects(readAll('/'), { message: /is not in a git repository/ })
  t.same(
    readdirSync(folder).filter((name) => name.startsWith('avfs-git-')),
    [],
  )
})

t.test('what is wrong in a tree or a tag is told or left out, and the rest comes', async (t) => {
  const { root, git } = stranger(t)
  const written = (type: string, input: string | Buffer): string =>
    run('git', ['-C', root, 'hash-object', '-t', type, '-w', '--literally', '--stdin'], {
      input: input as string,
    })
  const blob = git('rev-parse', 'HEAD:a.txt')
  const row = (mode: string, name: string): Buffer =>
    Buffer.concat([Buffer.from(`${mode} ${name}\0`), Buffer.from(blob, 'hex')])
  const rows = [row('100644', '..'), row('100644', 'b'), row('100644', 'x'.repeat(70_000))]
  const tree = written('tree', Buffer.concat(rows))
  const who = 'n <e> 1700000001 +0000'
  const far = `n <e> none +0000\n${'x'.repeat(200_000)}`
  const commit = (end: string): string =>
    written(
      'commit',
      `tree ${tree}\nparent ${git('rev-parse', 'HEAD')}\nauthor ${who}\ncommitter ${end}\n\nm\n`,
    )
  git('update-ref', 'refs/heads/main', commit(far))
  writeFileSync(join(root, '.git/refs/tags/nowhere'), `${'1'.repeat(40)}\n`)
  writeFileSync(join(root, '.git/refs/tags/broken'), 'no hash\n')
  const its = await readAll(root)
  t.match(its, { commits: 3, snapshots: 1 })
  // The other is a move, which the vault refuses.
  t.same(its.names.slice(3), ['b'])
  t.match(its.problems, [/^x+: ENAMETOOLONG$/])
})

t.test('what git would wait for or read without end is refused by its name', async (t) => {
  const pack = `objects/pack/pack-${'1'.repeat(40)}.idx`
  const places = ['packed-refs', 'shallow', 'refs/tags/odd', 'objects/info/alternates', pack]
  for (const place of places) {
    const its = stranger(t)
    const path = join(its.root, '.git', place)
    run('mkfifo', [path])
    const refused = { message: /^git: .* is neither a file nor a directory$/ }
    await t.rejects(readAll(its.root), refused, `${place} is a pipe`)
    rmSync(path)
    symlinkSync('/dev/zero', path)
    await t.rejects(readAll(its.root), refused, `${place} leads to a device`)
    await t.rejects(readAll(its.root), { message: new RegExp(place) })
    rmSync(path)
    t.same(await readAll(its.root), whole)
  }
  const { root, folder, git } = stranger(t)
  const blob = git('rev-parse', 'HEAD:a.txt')
  const other = join(folder, 'other')
  git('clone', '-q', '--shared', root, other)
  const object = join(root, '.git/objects', blob.slice(0, 2), blob.slice(2))
  rmSync(object)
  run('mkfifo', [object])
  for (const repository of [root, other])
    await t.rejects(readAll(repository), { message: new RegExp(blob.slice(2)) }, repository)
  rmSync(object)
  symlinkSync('..', join(root, '.git/refs/tags/circle'))
  await t.rejects(readAll(root), { message: /missing/ }, 'a circle of links has no such file')
})
