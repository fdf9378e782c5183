// The past cannot be changed: every operation that could is refused with EROFS, at the first call
// that can return it.

import { closeSync, fsyncSync, openSync, readFileSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { createVault, FULL, mountedVault } from '../support/mount.ts'
import { attempt, needProgram, run } from '../support/program.ts'
import { describeTree } from '../support/tree.ts'

t.setTimeout(300_000)

function sh(cwd: string, line: string): string {
  return run('sh', ['-c', line], { cwd })
}

const places = [
  '.avfs/versions/f',
  '.avfs/snapshots/s',
  '.avfs/deleted',
  '.avfs/at/0s',
  '.avfs',
] as const

t.test('each program that would change the past is told "Read-only file system"', async (t) => {
  needProgram('setfattr')
  const { dir } = mountedVault(t)
  sh(dir, 'echo one > f && echo two > f && echo gone > g && mkdir d && touch d/x')
  await sleep(1300)
  sh(dir, 'rm g && mkdir .avfs/snapshots/s')
  const files = ['1', 'f', 'g', 'f', 'history.json']
  for (const [at, place] of places.entries()) {
    const file = files[at] as string
    const before = readFileSync(join(dir, place, file), 'utf8')
    const { size, mode } = statSync(join(dir, place, file))
    for (const line of [
      `echo more >> ${file}`,
      `echo other > ${file}`,
      `dd if=/dev/zero of=${file} bs=1 count=1 conv=notrunc`,
      `dd if=/dev/zero of=${file} bs=4096 count=1 conv=notrunc oflag=direct`,
      `perl -e 'open F, "+<", "${file}" or die; syswrite(F, "x") or die $!'`,
      `truncate -s 1 ${file}`,
      `chmod 777 ${file}`,
      `chown 5 ${file}`,
      `touch ${file}`,
      `setfattr -n user.a -v b ${file}`,
      `setfattr -n security.capability -v 0x0100000200000000000000000000000000000000 ${file}`,
      'ln -s x new',
      'touch new',
      'mkdir new',
      'mkfifo new',
    ]) {
      const { status, stderr } = attempt('bash', ['-c', line], { cwd: join(dir, place) })
      t.not(status, 0, `${place}: ${line}`)
      t.match(stderr, /Read-only file system/, `${place}: ${line}`)
    }
    t.equal(readFileSync(join(dir, place, file), 'utf8'), before, place)
    t.match(statSync(join(dir, place, file)), { size, mode })
  }
  for (const line of ['rm 1', 'mv 1 9', 'mv 1 ../../../new', 'mv ../../../f 9'])
    t.match(attempt('bash', ['-c', line], { cwd: join(dir, places[0]) }).status, 1, line)
  for (const line of ['rm f', 'mv f e', 'rmdir d', 'rm -r d', 'ln f e'])
    t.match(
      attempt('sh', ['-c', line], { cwd: join(dir, places[1]) }).stderr,
      /Read-only file system|cross-device/,
      line,
    )
  t.equal(readFileSync(join(dir, 'f'), 'utf8'), 'two\n')
  t.end()
})

t.test('write(2) refuses, so that close and fsync have nothing to tell', (t) => {
  const { dir } = mountedVault(t)
  sh(dir, 'echo one > f')
  const path = join(dir, '.avfs/versions/f/1')
  for (const flags of ['r+', 'a', 'as', 'rs+']) {
    const descriptor = openSync(path, flags)
    for (let round = 0; round < 3; round++)
      t.throws(() => writeSync(descriptor, 'x'), { code: 'EROFS' }, flags)
    fsyncSync(descriptor)
    closeSync(descriptor)
  }
  t.equal(readFileSync(path, 'utf8'), 'one\n')
  t.end()
})

t.test('what is written through a mapping is given up with an error, and is not there', (t) => {
  const { dir } = mountedVault(t)
  sh(dir, 'echo one > f')
  const line = [
    'import mmap, os, sys',
    'f = os.open(sys.argv[1], os.O_RDWR)',
    'm = mmap.mmap(f, 4)',
    'm[0:1] = b"X"',
    'try:',
    '  m.flush()',
    'except OSError as error:',
    '  print(error.errno)',
  ].join('\n')
  const said = run('python3', ['-c', line, join(dir, '.avfs/versions/f/1')])
  t.match(said, /^(5|30)$/)
  t.equal(readFileSync(join(dir, '.avfs/versions/f/1'), 'utf8'), 'one\n')
  t.equal(readFileSync(join(dir, 'f'), 'utf8'), 'one\n')
  t.end()
})

t.test('a program of the past runs, and has no capabilities to show', (t) => {
  needProgram('getfattr')
  const { dir } = mountedVault(t)
  sh(dir, 'cp /bin/echo e && chmod 755 e')
  const versions = join(dir, '.avfs/versions/e')
  t.equal(sh(versions, './1 ran'), 'ran')
  t.equal(sh(versions, 'getfattr -m - -d 1'), '')
  const { stderr } = attempt('getfattr', ['-n', 'security.capability', '1'], { cwd: versions })
  t.match(stderr, /No such attribute/)
  t.equal(sh(dir, 'cp -a .avfs/versions/e/1 back && ./back again'), 'again')
  t.end()
})

t.test('views and commands work on a read-only mount, and change nothing', async (t) => {
  needProgram('setpriv')
  const vault = createVault(t)
  const { dir, name } = vault
  vault.mount(...FULL)
  sh(dir, 'mkdir d && echo one > d/f && echo two > d/f && echo gone > d/g && mkdir .avfs/tags/red')
  sh(dir, 'ln d/f .avfs/tags/red/ && mkdir .avfs/snapshots/s')
  await sleep(1300)
  sh(dir, 'rm d/g && echo three > d/f')
  vault.unmount()
  vault.mount(...FULL, '-o', 'ro')
  const before = describeTree(dir)
  t.equal(sh(dir, 'cat d/.avfs/versions/f/1 d/.avfs/versions/f/latest'), 'one\nthree')
  t.equal(sh(dir, 'cat .avfs/snapshots/s/d/f d/.avfs/deleted/g'), 'two\ngone')
  t.equal(sh(dir, 'ls .avfs/tags .avfs/tags/red'), '.avfs/tags:\nred\n\n.avfs/tags/red:\nf')
  t.equal(sh(dir, 'cat "d/.avfs/at/$(ls -U d/.avfs/at | tail -n 1)/f"'), 'one')
  t.match(sh(dir, 'cat d/.avfs/history.json'), /"deleted"/)
  for (const line of [
    'mkdir .avfs/snapshots/new',
    'rmdir .avfs/snapshots/s',
    'mv .avfs/snapshots/s .avfs/snapshots/r',
    'mkdir .avfs/tags/new',
    'rm .avfs/tags/red/f',
    'ln d/f .avfs/tags/new',
    'mv d/.avfs/deleted/g d/',
    'cp /etc/hostname .avfs/tags/red/x',
    'echo x >> .avfs/tags/red/f',
    'echo x >> d/.avfs/versions/f/1',
  ]) {
    const { status, stderr } = attempt('bash', ['-c', line], { cwd: dir })
    t.not(status, 0, line)
    t.match(stderr, /Read-only file system|No such file/, line)
  }
  const f = join(dir, 'd/f')
  t.match(vault.avfs(['log', f]).stdout, /3 .*sh\[/)
  t.equal(vault.avfs(['cat', f, '-v', '2']).stdout, 'two\n')
  t.match(vault.avfs(['diff', f]).stdout, /-two\n\+three/)
  t.match(vault.avfs(['snapshot', 'list', name]).stdout, /s/)
  t.match(vault.avfs(['tag', 'find', `${name}:/`, 'red']).stdout, /d\/f/)
  t.equal(vault.avfs(['vault', 'check', name]).status, 0)
  for (const args of [
    ['restore', f, '-v', '1'],
    ['undelete', join(dir, 'd/g')],
    ['snapshot', 'create', 'new', name],
    ['tag', 'add', f, 'blue'],
    ['meta', 'set', f, 'a=b'],
    ['prune', name, '--keep', '1'],
  ]) {
    const { status, stderr } = vault.avfs(args)
    t.not(status, 0, args.join(' '))
    t.match(stderr, /read-only/i, args.join(' '))
  }
  t.same(describeTree(dir), before)
  vault.unmount()
  vault.mount(...FULL)
  t.same(describeTree(dir), before)
  t.equal(sh(dir, 'ls .avfs/snapshots .avfs/tags'), '.avfs/snapshots:\ns\n\n.avfs/tags:\nred')
  t.end()
})

t.test('who might read a file then may read it as of then, and nobody else', async (t) => {
  needProgram('setpriv')
  const { dir } = mountedVault(t)
  const as = (uid: number, line: string) =>
    attempt('setpriv', [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', 'sh', '-c', line], {
      cwd: dir,
    })
  sh(dir, 'chmod 755 . && mkdir d && echo hers > d/f && chown 1001 d/f && chmod 600 d/f')
  sh(dir, 'mkdir -m 700 shut && echo x > shut/g && chown -R 1001 shut && mkdir .avfs/snapshots/s')
  await sleep(1300)
  sh(dir, 'chown 1002 d/f && echo his > d/f && chown -R 1002 shut')
  const then = '.avfs/snapshots/s/d/f'
  t.equal(as(1001, `cat ${then}`).stdout, 'hers\n')
  t.match(as(1002, `cat ${then}`).stderr, /Permission denied/)
  t.equal(as(1002, 'cat d/.avfs/versions/f/latest').stdout, 'his\n')
  t.match(as(1001, 'cat d/.avfs/versions/f/latest').stderr, /Permission denied/)
  t.match(as(1001, 'cat .avfs/snapshots/s/shut/g').stderr, /Permission denied/)
  t.match(as(1002, 'cat .avfs/snapshots/s/shut/g').stderr, /Permission denied/)
  t.match(as(1001, 'ls shut/.avfs').stderr, /Permission denied/)
  // What one might write then one may not write now.
  t.match(as(1001, `echo x >> ${then}`).stderr, /Read-only file system|I\/O error/)
  t.equal(sh(dir, `cat ${then}; stat -c '%u %a' ${then}`), 'hers\n1001 600')
  t.end()
})
