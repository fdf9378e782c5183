// deleted/: deleted files can be read there, and be brought back with ordinary programs.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { mountedVault } from '../support/mount.ts'
import { attempt, needProgram, run } from '../support/program.ts'
import { describeTree, describeXattrs, withoutPrivileges } from '../support/tree.ts'

t.setTimeout(300_000)

/** A name that lives under a second is a temporary one and leaves nothing. */
const LIFETIME_MS = 1200

function sh(cwd: string, line: string): string {
  return run('sh', ['-c', line], { cwd })
}

/** A tree that is worth having back. */
const fill = [
  'mkdir -p p/q/r && echo one > p/f && seq 1 50000 > p/q/long && ln -s q/long p/soft',
  'chmod 4750 p/q/long && chown 7:8 p/f && touch -d 2001-02-03T04:05:06.789 p/f p/q/r',
  'setfattr -n user.note -v hello p/f && setfattr -n user.xdg.tags -v red,blue p/q/long',
].join(' && ')

t.test(
  'a deleted file is listed with its size, time and mode, and goes when it is back',
  async (t) => {
    const { dir } = mountedVault(t)
    sh(dir, 'printf 12345 > f && chmod 640 f && touch -d 2001-02-03T04:05:06 f && echo x > stays')
    await sleep(LIFETIME_MS)
    sh(dir, 'rm f')
    t.equal(sh(dir, 'ls .avfs/deleted'), 'f')
    t.equal(
      sh(dir, 'stat -c "%s %a %Y" .avfs/deleted/f'),
      `5 640 ${Date.UTC(2001, 1, 3, 4, 5, 6) / 1000 + new Date(2001, 1, 3).getTimezoneOffset() * 60}`,
    )
    t.equal(sh(dir, 'cat .avfs/deleted/f'), '12345')
    const deletedAt = Number(sh(dir, 'stat -c %Z .avfs/deleted/f'))
    t.ok(Math.abs(deletedAt - Date.now() / 1000) < 10, 'ctime is when it was deleted')
    t.match(attempt('rm', ['.avfs/deleted/f'], { cwd: dir }).stderr, /Read-only file system/)
    sh(dir, 'cp -a .avfs/deleted/f f')
    t.equal(sh(dir, 'ls .avfs/deleted; cat f'), '12345')
    t.end()
  },
)

t.test('cp -a and mv bring a whole directory back after rm -r, with all that it had', async (t) => {
  needProgram('setfattr')
  const { dir, check } = mountedVault(t)
  sh(dir, fill)
  await sleep(LIFETIME_MS)
  const tree = describeTree(join(dir, 'p'))
  const xattrs = describeXattrs(join(dir, 'p'))
  sh(dir, 'rm -r p')
  t.same(readdirSync(join(dir, '.avfs/deleted')), ['p'])
  sh(dir, 'cp -a .avfs/deleted/p copy')
  t.same(describeTree(join(dir, 'copy')), withoutPrivileges(tree))
  t.same(describeXattrs(join(dir, 'copy')), xattrs)
  sh(dir, 'mv .avfs/deleted/p p')
  t.same(describeTree(join(dir, 'p')), tree)
  t.same(describeXattrs(join(dir, 'p')), xattrs)
  t.same(readdirSync(dir).sort(), ['copy', 'p'])
  t.same(readdirSync(join(dir, '.avfs/deleted')), [])
  sh(dir, 'echo more >> p/f && rm -r p && ls .avfs/deleted/p')
  t.equal(sh(dir, 'getfattr -n user.xdg.tags --only-values copy/q/long'), 'blue,red')
  check()
  t.end()
})

t.test(
  'mv brings a file back under another name and place, and replaces what is there',
  async (t) => {
    const { dir } = mountedVault(t)
    sh(dir, 'mkdir d && echo one > f && echo two > g')
    await sleep(LIFETIME_MS)
    sh(dir, 'rm f g && ls d && echo old > d/h && cat d/h')
    sh(dir, 'mv .avfs/deleted/f d/other && mv -f .avfs/deleted/g d/h')
    t.equal(sh(dir, 'cat d/other d/h; ls d'), 'one\ntwo\nh\nother')
    t.equal(sh(dir, 'cat d/.avfs/versions/h/1'), 'old')
    t.match(attempt('mv', ['.avfs/deleted/nothing', 'x'], { cwd: dir }).stderr, /No such file/)
    t.end()
  },
)

t.test('what comes back right after it was listed is a file like any other', async (t) => {
  const { dir } = mountedVault(t)
  sh(dir, 'for i in 1 2 3; do echo one > f$i; done')
  await sleep(LIFETIME_MS)
  sh(dir, 'rm f*; ls -l .avfs/deleted')
  sh(dir, 'ls -l .avfs/deleted && mv .avfs/deleted/f1 . && echo two >> f1')
  t.equal(sh(dir, 'cat f1; ls .avfs/deleted'), 'one\ntwo\nf2\nf3')
  t.ok(Number(sh(dir, 'stat -c %i f1')) < 2 ** 52)
  sh(dir, 'ls -l .avfs/deleted && echo new > f2 && sleep 0.05')
  t.match(attempt('cat', ['.avfs/deleted/f2'], { cwd: dir }).stderr, /No such file/)
  t.end()
})

t.test(
  'a name deleted twice is NAME and NAME~2, and one that is there again is not listed',
  async (t) => {
    const { dir } = mountedVault(t)
    for (const text of ['first', 'second']) {
      sh(dir, `echo ${text} > f`)
      await sleep(LIFETIME_MS)
      sh(dir, 'rm f')
      await sleep(LIFETIME_MS)
    }
    t.equal(sh(dir, 'cd .avfs/deleted; ls; cat f f~2'), 'f\nf~2\nsecond\nfirst')
    sh(dir, 'echo third > f')
    t.equal(sh(dir, 'ls .avfs/deleted'), '')
    t.end()
  },
)

t.test('names of 255 bytes that were deleted twice can be read and brought back', async (t) => {
  const { dir: cwd, check } = mountedVault(t)
  const long = `${'x'.repeat(239)}${'\u00e4'.repeat(8)}`
  for (const text of ['one', 'two']) {
    sh(cwd, `echo ${text} > ${long} && echo other ${text} > ${long.slice(0, -1)}o`)
    await sleep(LIFETIME_MS)
    sh(cwd, 'rm x*')
  }
  t.equal(sh(cwd, 'cat .avfs/deleted/x* | sort'), 'one\nother one\nother two\ntwo')
  sh(cwd, 'mv "$(grep -lx one .avfs/deleted/*)" back')
  t.equal(sh(cwd, 'cat back'), 'one')
  check()
})

t.test('rm -r of what was just moved aside leaves it to be found', async (t) => {
  const { dir: cwd, check } = mountedVault(t)
  sh(cwd, 'mkdir -p build/obj && echo 1 > build/obj/a && echo 2 > f')
  await sleep(LIFETIME_MS)
  sh(cwd, 'mv build old && rm -r old && mv f g && rm g')
  t.equal(sh(cwd, 'ls .avfs/deleted; cat .avfs/deleted/old/obj/a .avfs/deleted/g'), 'g\nold\n1\n2')
  sh(cwd, 'mv .avfs/deleted/old build')
  t.equal(sh(cwd, 'cat build/obj/a; ls .avfs/deleted'), '1\ng\nold')
  check()
})

t.test('names that came and went within a second do not clutter deleted/', async (t) => {
  const { dir } = mountedVault(t)
  sh(dir, 'echo one > f')
  await sleep(LIFETIME_MS)
  sh(dir, 'sed -i s/one/two/ f; echo x > f.tmp; mv f.tmp f; touch lock; rm lock')
  t.equal(sh(dir, 'ls .avfs/deleted'), '')
  t.end()
})

t.test('ls shows 20,000 deleted names, and a listing can be read in parts', async (t) => {
  const { dir } = mountedVault(t)
  sh(dir, 'mkdir d && cd d && seq -w 1 20000 | xargs touch')
  await sleep(LIFETIME_MS)
  sh(dir, 'cd d && ls | xargs rm')
  const names = sh(dir, 'ls -U d/.avfs/deleted').split('\n')
  t.same(names, [...names].sort())
  t.equal(names.length, 20_000)
  t.equal(sh(dir, 'ls -U d/.avfs/deleted | head -3'), '00001\n00002\n00003')
  t.end()
})
