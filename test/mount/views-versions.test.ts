// .avfs itself and versions/: every saved state of a file as a file, with ordinary programs.

import { appendFileSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { createVault, FULL, mountedVault } from '../support/mount.ts'
import { attempt, needProgram, run } from '../support/program.ts'

t.setTimeout(300_000)

/** Runs a line of shell in a folder; throws unless it succeeds. */
function sh(cwd: string, line: string): string {
  return run('sh', ['-c', line], { cwd })
}

t.test('.avfs is found in every directory, listed in none, and not in itself', (t) => {
  const { dir } = mountedVault(t)
  sh(dir, 'mkdir -p a/b && echo x > a/b/f')
  for (const at of ['.', 'a', 'a/b']) {
    t.notMatch(sh(dir, `ls -a ${at}`), /\.avfs/)
    t.equal(
      sh(dir, `ls ${at}/.avfs`),
      'at\ndeleted\nhistory.json\nsearch\nsnapshots\nstats.json\ntags\nversions',
    )
  }
  t.equal(attempt('ls', ['.avfs/.avfs'], { cwd: dir }).status, 2)
  t.equal(sh(dir, 'find . | sort'), '.\n./a\n./a/b\n./a/b/f')
  t.equal(sh(dir, 'grep -r x .'), './a/b/f:x')
  sh(dir, 'cp -r a c && rm -r a && ls c/b')
  t.match(attempt('mkdir', ['.avfs'], { cwd: dir }).stderr, /File exists/)
  t.match(attempt('mv', ['-T', 'c', '.avfs'], { cwd: dir }).status, 1)
  t.end()
})

t.test('avfsdir=visible lists .avfs in the root alone, avfsdir=off has none', (t) => {
  const vault = createVault(t)
  vault.mount(...FULL, '-o', 'avfsdir=visible')
  mkdirSync(join(vault.dir, 'a'))
  t.same(readdirSync(vault.dir).sort(), ['.avfs', 'a'])
  t.equal(sh(vault.dir, 'ls -la | grep -c avfs'), '1')
  t.same(readdirSync(join(vault.dir, 'a')), [])
  vault.unmount()
  vault.mount(...FULL, '-o', 'avfsdir=off')
  t.same(readdirSync(vault.dir), ['a'])
  t.throws(() => statSync(join(vault.dir, '.avfs')), { code: 'ENOENT' })
  mkdirSync(join(vault.dir, 'a/.avfs'))
  t.same(readdirSync(join(vault.dir, 'a')), ['.avfs'])
  t.end()
})

t.test('versions/NAME holds each saved state with its size, mode and time', async (t) => {
  const { dir } = mountedVault(t)
  sh(dir, 'printf one > a.md && chmod 640 a.md')
  const first = statSync(join(dir, 'a.md'))
  await sleep(1100)
  sh(dir, 'printf second > a.md && chmod 600 a.md')
  const second = statSync(join(dir, 'a.md'))
  const versions = join(dir, '.avfs/versions/a.md')
  t.equal(sh(versions, 'ls'), '1.md\n2.md\nlatest')
  t.equal(sh(versions, 'cat 1.md; echo; cat latest'), 'one\nsecond')
  t.equal(sh(versions, 'readlink latest'), '2.md')
  t.equal(
    sh(versions, 'stat -c "%s %Y" 1.md 2.md'),
    [first, second].map((its) => `${its.size} ${Math.floor(its.mtimeMs / 1000)}`).join('\n'),
  )
  t.equal(statSync(join(versions, '1.md')).mtimeMs, first.mtimeMs)
  t.equal(sh(versions, 'stat -c %u 2.md'), String(second.uid))
  t.match(attempt('diff', ['1.md', '../../../a.md'], { cwd: versions }).stdout, /> second/)
  t.equal(attempt('diff', ['2.md', '../../../a.md'], { cwd: versions }).status, 0)
  t.equal(sh(dir, 'ls .avfs/versions'), 'a.md')
  t.equal(attempt('ls', ['.avfs/versions/nothing'], { cwd: dir }).status, 2)
  t.end()
})

t.test('a new version is seen at once by whoever looked before', (t) => {
  const { dir } = mountedVault(t)
  sh(dir, 'echo 1 > f && ls .avfs/versions/f && cat .avfs/versions/f/latest')
  sh(dir, 'echo 22 > f')
  t.equal(sh(dir, 'cat .avfs/versions/f/latest'), '22')
  t.equal(sh(dir, 'ls .avfs/versions/f'), '1\n2\nlatest')
  t.end()
})

t.test('the history goes on through editors that save by rename, sed -i, vim and mv', async (t) => {
  needProgram('vim')
  const { dir } = mountedVault(t)
  sh(dir, 'echo one > a.txt')
  await sleep(1100)
  sh(dir, 'sed -i s/one/two/ a.txt')
  await sleep(1100)
  sh(dir, 'vim -es -u NONE -c "%s/two/three/" -c wq a.txt')
  t.equal(sh(dir, 'cat .avfs/versions/a.txt/*.txt'), 'one\ntwo\nthree')
  await sleep(1100)
  renameSync(join(dir, 'a.txt'), join(dir, 'b.txt'))
  appendFileSync(join(dir, 'b.txt'), 'four\n')
  t.equal(sh(dir, 'cat .avfs/versions/b.txt/latest'), 'three\nfour')
  t.equal(sh(dir, 'cat .avfs/versions/b.txt/1.txt'), 'one')
  await sleep(1100)
  sh(dir, 'rm b.txt')
  await sleep(1100)
  t.match(sh(dir, 'ls .avfs/versions'), /b\.txt/)
  sh(dir, 'echo five > b.txt')
  t.equal(sh(dir, 'cat .avfs/versions/b.txt/1.txt .avfs/versions/b.txt/latest'), 'one\nfive')
  t.end()
})

t.test('versions cannot be changed, and a write that was refused leaves nothing behind', (t) => {
  const { dir } = mountedVault(t)
  sh(dir, 'echo one > f; echo two > f')
  const versions = join(dir, '.avfs/versions/f')
  for (const line of [
    'echo x > 1',
    'rm 1',
    'mv 1 9',
    'touch 1',
    'chmod 777 1',
    'mkdir d',
    'ln 1 9',
    'touch new',
    'dd if=/dev/zero of=1 bs=1 count=1 conv=notrunc',
  ]) {
    const { status, stderr } = attempt('sh', ['-c', line], { cwd: versions })
    t.not(status, 0, line)
    t.match(stderr, /Read-only file system|cross-device/, line)
  }
  attempt('sh', ['-c', 'echo more >> 1'], { cwd: versions })
  t.equal(readFileSync(join(versions, '1'), 'utf8'), 'one\n')
  t.equal(statSync(join(versions, '1')).size, 4)
  t.equal(readFileSync(join(dir, 'f'), 'utf8'), 'two\n')
  t.end()
})

t.test('stats.json and history.json tell of the vault and the directory', (t) => {
  const { dir, avfs, name } = mountedVault(t)
  sh(dir, 'mkdir d && echo 1 > d/f && echo 2 > d/f && echo x > other')
  const stats = JSON.parse(readFileSync(join(dir, '.avfs/stats.json'), 'utf8'))
  const printed = JSON.parse(avfs(['vault', 'stats', name, '--json']).stdout)
  t.same(
    Object.keys(stats).filter((figure) => !(figure in printed)),
    [],
    'the command has all of them, and those that need a walk',
  )
  t.match(stats, { inodes: 4, bytes: Number, engine: { format: 1 } })
  const history = JSON.parse(readFileSync(join(dir, 'd/.avfs/history.json'), 'utf8'))
  t.match(history[0], { path: 'f', what: 'changed', size: 2 })
  t.ok(history.every((event: { path: string }) => event.path === 'f'))
  sh(dir, 'echo 333 > d/f')
  const later = JSON.parse(readFileSync(join(dir, 'd/.avfs/history.json'), 'utf8'))
  t.match(later[0], { path: 'f', size: 4 })
  t.end()
})
