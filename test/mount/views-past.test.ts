// snapshots/ and at/: a directory and everything below it as it was, read with ordinary programs.

import { lstatSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { mountedVault, type TestVault } from '../support/mount.ts'
import { attempt, needProgram, run } from '../support/program.ts'
import { describeTree, describeXattrs, withoutPrivileges } from '../support/tree.ts'

t.setTimeout(300_000)

function sh(cwd: string, line: string): string {
  return run('sh', ['-c', line], { cwd })
}

/** A tree with something of everything; what is done to it later must not show in the past. */
function fillTree(dir: string): void {
  sh(dir, 'mkdir -p p/q/r && cd p && echo one > f && seq 1 50000 > q/long && ln f hard')
  sh(dir, 'cd p && ln -s q/long soft && mkfifo pipe && chmod 4750 q/long && chown 7:8 f')
  sh(dir, 'cd p && setfattr -n user.note -v hello f && setfacl -m u:2000:r q/long && : > empty')
  sh(
    dir,
    'cd p && touch -d 2001-02-03T04:05:06.789 q/r && truncate -s 300000 sparse && echo end >> sparse',
  )
}

function spoilTree(dir: string): void {
  sh(dir, 'cd p && echo changed > f && echo more >> q/long && rm soft pipe && rmdir q/r')
  sh(dir, 'cd p && setfattr -n user.note -v other f && chmod 777 q && mv q moved && echo new > new')
}

function withoutLinks(lines: readonly string[]): string[] {
  return lines.map((line) => line.replace(/^\. .*/, '.'))
}

function snapshotVault(t: Parameters<typeof mountedVault>[0]): TestVault {
  needProgram('setfattr', 'setfacl')
  const vault = mountedVault(t)
  fillTree(vault.dir)
  return vault
}

t.test('mkdir in snapshots/ keeps this directory and all below it', (t) => {
  const { dir } = snapshotVault(t)
  const before = withoutPrivileges(describeTree(join(dir, 'p')))
  const xattrs = describeXattrs(join(dir, 'p'))
  sh(dir, 'mkdir p/.avfs/snapshots/monday')
  spoilTree(dir)
  for (const at of ['p/.avfs/snapshots/monday', '.avfs/snapshots/monday/p']) {
    t.same(describeTree(join(dir, at)), before, at)
    t.same(describeXattrs(join(dir, at)), xattrs, at)
  }
  t.equal(
    sh(dir, 'ls p/moved/.avfs/snapshots p/.avfs/snapshots .avfs/snapshots | sort -u'),
    ['', '.avfs/snapshots:', 'monday', 'p/.avfs/snapshots:', 'p/moved/.avfs/snapshots:'].join('\n'),
  )
  t.equal(sh(dir, 'mkdir young && ls young/.avfs/snapshots/monday'), '')
  t.end()
})

t.test('mv renames a snapshot, rmdir deletes it, bad names are refused', (t) => {
  const { dir } = mountedVault(t)
  sh(dir, 'echo 1 > f; mkdir .avfs/snapshots/a .avfs/snapshots/b; echo 2 > f')
  sh(dir, 'mv .avfs/snapshots/a .avfs/snapshots/c')
  t.equal(sh(dir, 'ls .avfs/snapshots; cat .avfs/snapshots/c/f'), 'b\nc\n1')
  t.equal(attempt('ls', ['.avfs/snapshots/a'], { cwd: dir }).status, 2)
  t.equal(attempt('mkdir', ['.avfs/snapshots/c'], { cwd: dir }).status, 1)
  sh(dir, 'rmdir .avfs/snapshots/b')
  t.equal(sh(dir, 'ls .avfs/snapshots'), 'c')
  t.equal(attempt('rmdir', ['.avfs/snapshots/b'], { cwd: dir }).status, 1)
  t.match(attempt('mkdir', ['.avfs/snapshots/bad\nname'], { cwd: dir }).stderr, /Invalid argument/)
  t.match(attempt('rm', ['-r', '.avfs/snapshots/c'], { cwd: dir }).stderr, /Read-only file system/)
  t.match(attempt('touch', ['.avfs/snapshots/file'], { cwd: dir }).stderr, /Read-only file system/)
  t.end()
})

t.test('at/WHEN shows any moment, by date, age, seconds and as Samba writes it', async (t) => {
  const vault = snapshotVault(t)
  const { dir } = vault
  await sleep(1500)
  const when = new Date()
  const before = withoutPrivileges(describeTree(join(dir, 'p')))
  await sleep(1500)
  spoilTree(dir)
  const utc = when.toISOString()
  const seconds = Math.floor(when.getTime() / 1000)
  const [day, time] = utc.slice(0, 19).split('T') as [string, string]
  const names = [
    utc,
    `${utc.slice(0, 19).replaceAll(':', '-')}Z`,
    `${day}T${time}Z`,
    sh(dir, `date -d @${seconds} +%Y-%m-%dT%H-%M-%S`),
    `@${seconds}`,
    `@GMT-${day.replaceAll('-', '.')}-${time.replaceAll(':', '.')}`,
  ]
  for (const name of names) {
    t.same(describeTree(join(dir, 'p/.avfs/at', name)), before, name)
    t.same(withoutLinks(describeTree(join(dir, '.avfs/at', name, 'p'))), withoutLinks(before), name)
  }
  t.equal(sh(dir, 'cat p/.avfs/at/2s/f'), 'one')
  await sleep(1100)
  t.equal(sh(dir, 'cat p/.avfs/at/1s/f'), 'changed')
  for (const name of ['2001-01-01', '2099-01-01', 'yesterday', '3d', 'nonsense'])
    t.equal(attempt('ls', [join('.avfs/at', name)], { cwd: dir }).status, 2, name)
  t.match(vault.log(), /at\/2099-01-01 shows nothing: it is in the future/)
  t.match(vault.log(), /at\/2001-01-01 shows nothing: the vault is younger/)
  t.end()
})

t.test(
  'ls at/ lists the moments at which something changed, newest first, each to enter',
  async (t) => {
    const { dir } = mountedVault(t)
    for (const text of ['one', 'two', 'three']) {
      writeFileSync(join(dir, 'f'), text)
      await sleep(1100)
    }
    const names = sh(dir, 'ls -U .avfs/at').split('\n')
    t.ok(names.length >= 3)
    t.same(names, [...names].sort().reverse())
    t.same(
      names.map((name) => sh(dir, `cat .avfs/at/${name}/f`)),
      ['three', 'two', 'one'],
    )
    t.end()
  },
)

t.test('find, du, tar, rsync and cp -a over the past end and are right', (t) => {
  needProgram('rsync', 'tar')
  const { dir, root } = snapshotVault(t)
  sh(dir, 'mkdir .avfs/snapshots/s')
  const wanted = withoutPrivileges(describeTree(join(dir, 'p')))
  const used = sh(dir, 'du -s p | cut -f 1')
  const found = sh(join(dir, 'p'), 'find . | sort')
  spoilTree(dir)
  const past = join(dir, '.avfs/snapshots/s/p')
  t.equal(sh(past, 'find . | sort'), found)
  t.equal(sh(past, 'du -s . | cut -f 1'), used)
  sh(root, `mkdir tar && tar -C ${past} --format=posix --numeric-owner -cf - . | tar -C tar -xpf -`)
  t.same(withoutLinks(describeTree(join(root, 'tar'))), withoutLinks(wanted))
  run('rsync', ['-aHAX', '--modify-window=-1', `${past}/`, `${root}/rsync/`])
  t.same(describeTree(join(root, 'rsync')), wanted)
  sh(dir, `cp -a ${past} back`)
  t.same(describeTree(join(dir, 'back')), wanted)
  t.end()
})

t.test(
  'numbers of views stay the same while mounted, differ from live ones and among trees',
  (t) => {
    const { dir } = snapshotVault(t)
    sh(dir, 'mkdir .avfs/snapshots/s .avfs/snapshots/t')
    const numbers = (): string[] =>
      sh(dir, 'find p/.avfs/snapshots p/.avfs/versions -printf "%i %p\\n"').split('\n')
    const first = numbers()
    sh(dir, 'sync; echo 2 > /proc/sys/vm/drop_caches')
    t.same(numbers(), first)
    const directories = sh(
      dir,
      'find p .avfs/snapshots p/.avfs p/q/.avfs/snapshots -type d -printf "%i\\n"',
    ).split('\n')
    t.equal(new Set(directories).size, directories.length)
    t.ok(first.every((line) => Number(line.split(' ')[0]) >= 2 ** 52))
    const live = lstatSync(join(dir, 'p/f')).ino
    t.ok(live < 2 ** 52)
    const [f, hard] = ['f', 'hard'].map(
      (name) => statSync(join(dir, 'p/.avfs/snapshots/s', name)).ino,
    )
    t.equal(f, hard)
    t.end()
  },
)

t.test('modes and owners of their time are enforced', (t) => {
  needProgram('setpriv')
  const { dir } = mountedVault(t)
  sh(dir, 'chmod 755 . && mkdir d && echo secret > d/f && chmod 600 d/f && mkdir .avfs/snapshots/s')
  sh(dir, 'chmod 644 d/f && echo open > d/f && mkdir -m 700 shut && echo x > shut/g')
  const as = (line: string) =>
    attempt('setpriv', ['--reuid=1234', '--regid=1234', '--clear-groups', 'sh', '-c', line], {
      cwd: dir,
    })
  t.equal(as('cat d/f').stdout, 'open\n')
  t.match(as('cat .avfs/snapshots/s/d/f').stderr, /Permission denied/)
  t.match(as('cat d/.avfs/versions/f/1').stderr, /Permission denied/)
  t.equal(as('cat d/.avfs/versions/f/latest').stdout, 'open\n')
  t.match(as('ls shut/.avfs/versions').stderr, /Permission denied/)
  t.match(as('mkdir .avfs/snapshots/mine').stderr, /Permission denied|not permitted/)
  t.match(as('rmdir .avfs/snapshots/s').stderr, /Permission denied|not permitted/)
  t.end()
})
