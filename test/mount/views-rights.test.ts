// What views show to other users of a mount, and what gestures in them may do, as real users: 1001
// and 1002 have no rights to each other's files. test/vault/rights.test.ts tests the rule itself at
// random; this tests it together with the kernel.

import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { mountedVault, until } from '../support/mount.ts'
import { attempt, needProgram, type Outcome, run } from '../support/program.ts'

t.setTimeout(300_000)
needProgram('setpriv', 'setfacl', 'setfattr', 'getfattr')
/** Names that lived for less are left out of deleted/. */
const LIFETIME_MS = 1300

interface Bed {
  readonly dir: string
  /** As root. */
  readonly sh: (line: string) => string
  readonly as: (uid: number, line: string) => Outcome
  /** What somebody read or listed, or why not. */
  readonly told: (uid: number, line: string) => string
  readonly check: () => void
}

function bed(t: Parameters<typeof mountedVault>[0]): Bed {
  const { dir, check } = mountedVault(t)
  const as = (uid: number, line: string): Outcome =>
    attempt('setpriv', [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', 'sh', '-c', line], {
      cwd: dir,
    })
  const told = (uid: number, line: string): string => {
    const { stdout, stderr } = as(uid, line)
    return stdout.trim() || (/[^:]*$/.exec(stderr.trim())?.[0] ?? '').trim()
  }
  const sh = (line: string): string => run('sh', ['-c', line], { cwd: dir })
  sh('chmod 1777 .')
  return { dir, sh, as, told, check }
}

t.test('what was in a directory while it was closed stays closed when it opens', async (t) => {
  const { sh, as, told } = bed(t)
  as(1001, 'mkdir soon; chmod 700 soon; echo 1 > soon/f; chmod 755 soon; echo 2 > soon/f')
  as(1001, 'mkdir d; chmod 700 d; echo SECRETA > d/gone; echo SECRETB > d/kept; chmod 644 d/*')
  await sleep(LIFETIME_MS)
  as(1001, 'rm d/gone; echo public > d/kept')
  await sleep(LIFETIME_MS)
  as(1001, 'chmod 755 d; echo new > d/new')
  await until(() => /SECRETB/.test(sh('cat d/.avfs/search/SECRETB/.all/*')), 'it is found')
  for (const look of [
    'ls d/.avfs/deleted d/.avfs/versions d/.avfs/versions/gone',
    'cat d/.avfs/deleted/gone d/.avfs/versions/*/1 d/.avfs/versions/gone/latest',
    'cat d/.avfs/search/SECRETA/.all/* .avfs/search/SECRETB/.all/*',
    'cat d/.avfs/history.json',
    'for m in $(ls d/.avfs/at .avfs/at); do cat d/.avfs/at/$m/* .avfs/at/$m/d/*; done',
  ]) {
    t.notMatch(as(1002, look).stdout, /SECRET|gone/, look)
    t.match(as(1001, look).stdout, /SECRET|gone/, look)
  }
  t.match(told(1002, 'cat d/.avfs/deleted/gone'), /No such file/)
  t.equal(told(1002, 'cat d/.avfs/versions/kept/latest'), 'public')
  t.match(as(1002, 'cat d/.avfs/history.json').stdout, /"new"/)
  // Of a door that opened within a second no row would be left.
  t.match(told(1002, 'cat soon/.avfs/versions/f/1'), /No such file/)
  t.equal(told(1002, 'cat soon/.avfs/versions/f/2'), '2')
  t.equal(told(1001, 'cat soon/.avfs/versions/f/1'), '1')
  t.end()
})

const closings = [
  ['d1', 'chmod 700 d1', 'chmod 755 d1'],
  ['up/d2', 'chmod 700 up', 'chmod 755 up'],
  ['d3', 'setfacl -m u:1002:- d3', 'setfacl -b d3'],
  ['d4', 'mkdir -m 700 shut; mv d4 shut/', 'mv shut/d4 d4'],
] as const

t.test('a directory that is closed today is so as of then, by chmod, setfacl or mv', async (t) => {
  const { sh, as, told } = bed(t)
  for (const [d] of closings)
    as(1001, `mkdir -p ${d}/sub; echo text > ${d}/f; echo deep > ${d}/sub/g`)
  sh('mkdir .avfs/snapshots/s')
  await sleep(LIFETIME_MS)
  for (const [d, close, open] of closings) {
    const past = `.avfs/snapshots/s/${d}`
    // The kernel keeps all of it now.
    const all = `ls -R ${past}; cat ${past}/f ${past}/sub/g; stat -c %s ${past}/f`
    t.match(told(1002, all), /text\ndeep/, d)
    as(1001, close)
    await sleep(100)
    for (const look of [`cat ${past}/f`, `cat ${past}/sub/g`, `ls ${past}`, `stat ${past}/none`])
      t.match(told(1002, look), /Permission denied/, look)
    t.match(told(1001, all), /text\ndeep/, d)
    as(1001, open)
    await sleep(100)
    t.match(told(1002, all), /text\ndeep/, d)
  }
  t.end()
})

t.test('a directory that may be entered and not listed today is so as of then', async (t) => {
  const { sh, as, told } = bed(t)
  as(1001, 'mkdir d; echo text > d/f')
  sh('mkdir .avfs/snapshots/s')
  await sleep(LIFETIME_MS)
  as(1001, 'rm d/f; chmod 711 d')
  t.match(told(1002, 'ls .avfs/snapshots/s/d'), /Permission denied/)
  t.equal(told(1002, 'cat .avfs/snapshots/s/d/f'), 'text')
  t.match(told(1002, 'ls d/.avfs/deleted d/.avfs/versions'), /Permission denied/)
  t.equal(told(1002, 'cat d/.avfs/deleted/f d/.avfs/versions/f/1'), 'text\ntext')
  t.end()
})

/**
 * Each leads from `shut/N/f` to content that is open; whoever may come there came when `shut/N/f`
 * was empty.
 */
const openings = [
  'mv shut/N/f open/N',
  'ln shut/N/f open/N',
  'mv shut/N/f open/N; rm open/N',
  'ln shut/N/f open/N; rm open/N',
  'mv shut/N open/N; chmod 755 open/N',
  'mv shut/N/in open/N',
  'mv shut/N open/N; setfacl -m u:1002:rx open/N',
  'touch open/N; chmod 600 open/N; swap open/N shut/N/f',
  'setfacl -m u:1001:r shut/N/f; mv shut/N open/N; chmod 755 open/N; setfacl -m u:1002:r open/N/f',
] as const

/** renameat2(2) with RENAME_EXCHANGE. */
const SWAP = `swap() { perl -e 'syscall(316, -100, $ARGV[0], -100, $ARGV[1], 2) == 0 or die "$!"' "$@"; }`

t.test('what was written over in a closed place is not shown where that opens', async (t) => {
  const { dir, sh, as, told, check } = bed(t)
  needProgram('perl')
  sh('mkdir -m 711 shut open opened; chmod 755 open; chown 1001 shut open opened')
  const files = openings.flatMap((opening, at) =>
    [`${at}`, `${at}w`].map((id) => ({ id, opening: opening.replaceAll('N', id) })),
  )
  for (const { id, opening } of files) {
    const file = opening.includes('/in ') ? `shut/${id}/in/f` : `shut/${id}/f`
    as(1001, `mkdir -p -m 700 ${file.slice(0, -2)} shut/${id}; echo SECRET > ${file}`)
    if (opening.includes('/in ')) as(1001, `chmod 755 shut/${id}/in`)
  }
  as(1001, 'mkdir -m 700 opened/door; echo SECRET > opened/door/f')
  await sleep(LIFETIME_MS)
  const held: number[] = []
  for (const { id, opening } of files) {
    const file = opening.includes('/in ') ? `shut/${id}/in/f` : `shut/${id}/f`
    const fd = openSync(join(dir, file), 'r+')
    ftruncateSync(fd)
    if (id.endsWith('w')) writeSync(fd, 'text')
    held.push(fd)
    const { stderr } = as(1001, `${SWAP}\n${opening}`)
    t.equal(stderr, '', opening)
  }
  as(1001, ': > opened/door/f; chmod 755 opened/door')
  sh('chmod 755 opened')
  await sleep(LIFETIME_MS)
  for (const fd of held) {
    writeSync(fd, 'public')
    closeSync(fd)
  }
  await sleep(LIFETIME_MS)
  const every =
    'open/.avfs/deleted open/.avfs/versions open/*/.avfs/versions opened/door/.avfs/versions'
  const past = 'open/.avfs/at open/*/.avfs/at opened/.avfs/at opened/door/.avfs/at .avfs/at'
  const look = `grep -r SECRET ${every}; for at in ${past}; do for m in $(ls $at); do grep -r SECRET $at/$m; done; done`
  t.equal(as(1002, look).stdout, '')
  t.match(as(1001, look).stdout, /SECRET/)
  t.match(told(1002, 'cat open/0/f open/0'), /public/)
  check()
  t.end()
})

t.test('whence a file came is told to who might see it there', async (t) => {
  const { as } = bed(t)
  as(1001, 'mkdir -m 700 shut; mkdir open out; echo 1 > shut/secret; echo 2 > open/known')
  await sleep(LIFETIME_MS)
  as(1001, 'mv shut/secret out/a; mv open/known out/b')
  await sleep(LIFETIME_MS)
  t.match(as(1001, 'cat out/.avfs/history.json').stdout, /shut\/secret/)
  const { stdout } = as(1002, 'cat out/.avfs/history.json')
  t.notMatch(stdout, /secret|shut/)
  t.match(stdout, /"from": "\/open\/known"/)
  const renamed = (JSON.parse(stdout) as { what: string }[]).filter((its) => its.what === 'renamed')
  t.equal(renamed.length, 2)
  t.match(as(1002, 'cat out/.avfs/versions/a/1').stderr, /./, 'content from there')
  t.equal(as(1002, 'cat out/.avfs/versions/b/1').stdout, '2\n')
  t.end()
})

t.test('access lists of then count, and those of today for computed files', async (t) => {
  const { as, told } = bed(t)
  as(1001, 'mkdir d; setfacl -m u:1002:- d; echo SECRET > d/f')
  await sleep(LIFETIME_MS)
  as(1001, 'rm d/f')
  await sleep(LIFETIME_MS)
  as(1001, 'setfacl -b d')
  t.match(told(1002, 'cat d/.avfs/deleted/f'), /No such file/)
  t.notMatch(as(1002, 'ls d/.avfs/deleted d/.avfs/versions').stdout, /f$/m)
  t.equal(told(1001, 'cat d/.avfs/deleted/f'), 'SECRET')
  as(1001, 'setfacl -m u:1002:x d')
  t.match(told(1002, 'cat d/.avfs/history.json'), /Permission denied/)
  t.match(told(1002, 'ls d/.avfs/versions'), /Permission denied/)
  t.end()
})

t.test('a label that closed files alone carry is not for others to know', async (t) => {
  const { sh, as, told } = bed(t)
  as(1001, 'mkdir -m 700 shut; mkdir -m 711 dim; echo 1 > shut/f; echo 2 > dim/unlisted')
  as(1001, 'mkdir shut/.avfs/tags/secret .avfs/tags/t && ln shut/f .avfs/tags/secret/')
  as(1001, 'ln dim/unlisted .avfs/tags/t/')
  const both = 'stat -c %n .avfs/tags/secret .avfs/tags/t/secret'
  t.match(as(1001, both).stdout, /secret/)
  t.equal(as(1002, both).stdout, '')
  t.match(told(1002, 'stat .avfs/tags/secret'), told(1002, 'stat .avfs/tags/none'))
  t.equal(told(1002, 'ls .avfs/tags'), 't')
  t.equal(as(1002, 'ls .avfs/tags/t').stdout, '')
  t.equal(told(1002, 'cat .avfs/tags/t/unlisted'), '2')
  // He may make one that is called so, without learning that it was there.
  t.equal(as(1002, 'mkdir .avfs/tags/secret && ls .avfs/tags/secret').status, 0)
  t.equal(as(1002, 'rmdir .avfs/tags/secret').status, 0)
  t.match(told(1002, 'stat .avfs/tags/secret'), /No such file/)
  as(1002, 'echo mine > g; mkdir .avfs/tags/secret; ln g .avfs/tags/secret/')
  t.equal(told(1002, 'ls .avfs/tags/secret'), 'g')
  t.equal(sh('ls .avfs/tags/secret'), 'f\ng')
  t.end()
})

t.test('in a sticky directory names of others stay where they are, in its views too', async (t) => {
  const { sh, as, told } = bed(t)
  sh('mkdir d; chmod 1777 d')
  as(1001, 'echo old > d/theirs; echo tagged > d/f; chmod 666 d/f; mkdir .avfs/tags/t')
  as(1001, 'ln d/f d/.avfs/tags/t/')
  await sleep(LIFETIME_MS)
  as(1001, 'rm d/theirs')
  as(1002, 'mkdir mine')
  t.match(told(1002, 'mv d/.avfs/deleted/theirs mine/'), /not permitted/)
  t.match(told(1002, 'rm -f d/.avfs/tags/t/f'), /not permitted/)
  t.equal(as(1002, 'mkdir d/.avfs/tags/own && rmdir d/.avfs/tags/own').status, 0)
  t.equal(as(1001, 'mv d/.avfs/deleted/theirs d/back && rm d/.avfs/tags/t/f').status, 0)
  t.equal(told(1002, 'cat d/back'), 'old')
  t.end()
})

t.test('mv out of deleted/ onto a name is a rename onto that name', async (t) => {
  const { sh, as, check } = bed(t)
  sh('mkdir d; chmod 777 d')
  as(1001, 'echo theirs > d/other; ln d/other d/link; chmod 640 d/other')
  as(1002, 'echo mine > d/f; echo theirs > d/same; chmod 666 d/same')
  await sleep(LIFETIME_MS)
  as(1002, 'rm d/f d/same')
  const before = sh('stat -c "%i %u %a" d/link')
  t.equal(as(1002, 'mv -f d/.avfs/deleted/f d/other').status, 0)
  t.equal(sh('cat d/other; stat -c "%u %a %h" d/other'), 'mine\n1002 644 1')
  t.equal(sh('stat -c "%i %u %a" d/link; cat d/link'), `${before}\ntheirs`)
  t.equal(sh('stat -c %h d/link'), '1')
  // The same bytes are no reason to keep the file that was there.
  t.equal(as(1002, 'mv -f d/.avfs/deleted/same d/link').status, 0)
  t.not(sh('stat -c %i d/link'), before.split(' ')[0])
  t.equal(sh('cat d/link; stat -c "%u %a" d/link'), 'theirs\n1002 666')
  check()
  t.end()
})

t.test('a directory that comes back onto an empty one takes its place', async (t) => {
  const { sh, as, check } = bed(t)
  sh('mkdir w; chmod 777 w')
  as(1002, 'mkdir w/d; echo 1 > w/d/f')
  as(1001, 'mkdir w/empty')
  await sleep(LIFETIME_MS)
  as(1002, 'rm -r w/d')
  const before = sh('stat -c %i w/empty')
  t.equal(as(1002, 'mv -T w/.avfs/deleted/d w/empty').status, 0)
  t.equal(sh('stat -c %u w/empty; cat w/empty/f'), '1002\n1')
  t.not(sh('stat -c %i w/empty'), before)
  as(1002, 'rm -r w/empty; mkdir w/full; echo 2 > w/full/g')
  t.not(as(1002, 'mv -T w/.avfs/deleted/empty w/full').status, 0)
  check()
  t.end()
})

t.test('cp into a tag asks what ln asks, and tells nothing of contents', async (t) => {
  const { sh, as, told } = bed(t)
  sh('mkdir d; chmod 777 d')
  as(1001, 'mkdir .avfs/tags/t; cd d; echo secret > shut; chmod 600 shut; echo open > open')
  as(1001, 'echo blind > d/blind; chmod 622 d/blind')
  const guess = (name: string, text: string): string =>
    told(
      1002,
      `echo ${text} > /tmp/guess.$$; cp /tmp/guess.$$ d/.avfs/tags/t/${name}; rm /tmp/guess.$$`,
    )
  t.match(guess('shut', 'secret'), /not permitted/)
  t.equal(guess('shut', 'wrong!'), guess('shut', 'secret'))
  t.equal(guess('blind', 'blind').replace(/\d+/g, ''), guess('blind', 'wrong').replace(/\d+/g, ''))
  t.match(guess('open', 'open'), /not permitted/)
  t.match(told(1002, 'ln d/open d/.avfs/tags/t/'), /not permitted/)
  t.match(told(1002, 'cp d/open d/.avfs/tags/t/'), /not permitted/)
  t.equal(sh('ls d/.avfs/tags/t'), '')
  t.equal(sh('ls d'), 'blind\nopen\nshut')
  t.equal(as(1001, 'cp d/open d/.avfs/tags/t/').status, 0)
  t.equal(sh('ls d/.avfs/tags/t'), 'open')
  // What is not below is copied as from anywhere else.
  as(1002, 'echo far > far; cp far d/.avfs/tags/t/')
  t.equal(sh('ls d/.avfs/tags/t; cat d/far; ls .avfs/tags/t'), 'far\nopen\nfar\nfar\nopen')
  t.equal(sh('getfattr --only-values -n user.xdg.tags far 2>&1 | grep -c "No such"'), '1')
  t.end()
})

t.test(
  'what ran with rights of its own comes back without, but to who could give them',
  async (t) => {
    const { sh, as, check } = bed(t)
    sh('mkdir d; chmod 777 d; cp /bin/true d/cap')
    sh('setfattr -n security.capability -v 0x0100000200040000000000000000000000000000 d/cap')
    as(1001, 'cp /bin/true d/suid; chmod 6755 d/suid')
    as(1001, 'mkdir d/tree; chmod 777 d/tree; cp -p d/suid d/tree/; chmod 4755 d/tree/suid')
    await sleep(LIFETIME_MS)
    sh('mkdir .avfs/snapshots/s; rm -r d/suid d/cap d/tree')
    const views = 'd/.avfs/deleted/suid d/.avfs/versions/suid/1 .avfs/snapshots/s/d/suid'
    t.equal(sh(`stat -c %a ${views}`), '755\n755\n755')
    t.equal(sh('getfattr -m - -d .avfs/snapshots/s/d/cap d/.avfs/deleted/cap'), '')
    t.equal(
      as(1002, 'mv d/.avfs/deleted/suid d/.avfs/deleted/cap d/.avfs/deleted/tree d/').status,
      0,
    )
    t.equal(sh('stat -c "%u %a" d/suid d/tree/suid d/cap'), '1001 755\n1001 755\n0 755')
    t.equal(sh('getfattr -m - -d d/cap'), '')
    sh('rm -r d/suid d/cap d/tree; mkdir e; chmod 777 e')
    as(1001, 'cp /bin/true e/suid; chmod 6755 e/suid')
    await sleep(LIFETIME_MS)
    as(1001, 'rm e/suid; mv e/.avfs/deleted/suid e/')
    t.equal(sh('stat -c "%u %a" e/suid'), '1001 6755')
    check()
    t.end()
  },
)
