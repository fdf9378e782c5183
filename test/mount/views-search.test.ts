// search/: what a query finds as a directory, with the files themselves in it, and former versions
// in .all.

import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { mountedVault, until } from '../support/mount.ts'
import { attempt, needProgram, run } from '../support/program.ts'

t.setTimeout(300_000)

function sh(cwd: string, line: string): string {
  return run('sh', ['-c', line], { cwd })
}

/** A listing is good for a moment: longer than that, and what changed shows. */
async function shows(dir: string, line: string, wanted: string): Promise<void> {
  const said = (): string => attempt('sh', ['-c', line], { cwd: dir }).stdout.trimEnd()
  await until(() => said() === wanted, `${line} says ${wanted}; it says ${said()}`).catch(
    (error: Error) => {
      throw new Error(`${error.message}: ${said()}`)
    },
  )
}

t.test('a query is a directory with the files that it finds, the best first', async (t) => {
  const { dir, check } = mountedVault(t)
  sh(dir, 'mkdir -p d/e && echo apple > one.txt && echo apple apple apple > d/two.txt')
  sh(dir, 'echo pear > three.txt && echo "apple pie" > d/e/four.md && mkdir d/apples d/pears')
  await shows(dir, 'ls .avfs/search/pear', '1-three.txt')
  await shows(dir, 'ls .avfs/search/pear*', '1-pears\n2-three.txt')
  t.equal(sh(dir, 'ls .avfs/search/apple | cut -d- -f2 | sort'), 'four.md\none.txt\ntwo.txt')
  t.match(sh(dir, 'ls .avfs/search/apple'), /^1-.*\n2-.*\n3-.*$/)
  t.equal(sh(dir, 'ls .avfs/search/apple | head -n 1'), '1-two.txt', 'which has it most often')
  t.equal(sh(dir, 'cat ".avfs/search/apple pie/1-four.md"'), 'apple pie')
  t.equal(sh(dir, 'ls ".avfs/search/apple NOT pie" | wc -l'), '2')
  t.equal(sh(dir, 'ls ".avfs/search/\\"apple pie\\""'), '1-four.md')
  t.equal(sh(dir, 'ls .avfs/search/nothing'), '')
  const { ino, nlink } = statSync(join(dir, '.avfs/search/pear/1-three.txt'))
  t.same({ ino, nlink }, { ino: statSync(join(dir, 'three.txt')).ino, nlink: 1 })
  t.equal(sh(dir, 'readlink ".avfs/search/name:pears/1-pears"'), '../../../d/pears')
  t.equal(sh(dir, 'stat -Lc %F ".avfs/search/name:pears/1-pears"'), 'directory')
  check()
})

t.test('only what is below a directory is found from there', async (t) => {
  const { dir } = mountedVault(t)
  sh(dir, 'mkdir -p a/b c && echo word > a/f && echo word > a/b/g && echo word > c/h')
  await shows(dir, 'ls .avfs/search/word | wc -l', '3')
  await shows(dir, 'ls a/.avfs/search/word | cut -d- -f2 | sort', 'f\ng')
  await shows(dir, 'ls a/b/.avfs/search/word', '1-g')
  sh(dir, 'mv c/h a/b/')
  await shows(dir, 'ls a/b/.avfs/search/word | wc -l', '2')
  await shows(dir, 'ls c/.avfs/search/word | wc -l', '0')
})

t.test('a result is edited in place, and what changed shows in the next listing', async (t) => {
  const { dir } = mountedVault(t)
  sh(dir, 'echo alpha > f')
  await shows(dir, 'ls .avfs/search/alpha', '1-f')
  sh(dir, 'echo beta >> .avfs/search/alpha/1-f')
  t.equal(sh(dir, 'cat f'), 'alpha\nbeta')
  await shows(dir, 'ls .avfs/search/beta', '1-f')
  sh(dir, 'printf gamma > .avfs/search/alpha/1-f')
  t.equal(readFileSync(join(dir, 'f'), 'utf8'), 'gamma')
  await shows(dir, 'ls .avfs/search/alpha', '')
  await shows(dir, 'ls .avfs/search/gamma', '1-f')
  sh(dir, 'mv f g')
  await shows(dir, 'ls .avfs/search/gamma', '1-g')
  sh(dir, 'rm g')
  await shows(dir, 'ls .avfs/search/gamma', '')
})

t.test('.all shows each version that was found, also of what is gone', async (t) => {
  const { dir } = mountedVault(t)
  sh(dir, 'mkdir d && echo secret one > letter.md && echo gone secret > d/old.txt')
  await sleep(1300)
  sh(dir, 'echo secret two > letter.md && rm d/old.txt')
  await sleep(1300)
  sh(dir, 'echo open now > letter.md')
  await shows(dir, 'ls .avfs/search/secret', '')
  const names = 'ls .avfs/search/secret/.all | cut -d- -f2- | sort'
  await shows(dir, names, 'v1-letter.md\nv1-old.txt\nv2-letter.md')
  const all = (name: string): string =>
    sh(dir, `cat .avfs/search/secret/.all/*${name}; ls .avfs/search/secret/.all/*${name} >&2`)
  t.equal(all('-v1-letter.md'), 'secret one')
  t.equal(all('-v2-letter.md'), 'secret two')
  t.equal(all('-v1-old.txt'), 'gone secret')
  t.equal(sh(dir, 'cat .avfs/versions/letter.md/2.md'), 'secret two', 'the same numbers')
  t.match(
    attempt('sh', ['-c', 'echo x >> .avfs/search/secret/.all/*-v1-letter.md'], { cwd: dir }).stderr,
    /Read-only file system/,
  )
  t.equal(sh(dir, 'ls d/.avfs/search/secret/.all'), '1-v1-old.txt')
  t.equal(sh(dir, 'ls -a .avfs/search/secret'), '.\n..', 'it is not listed')
  t.equal(attempt('ls', ['.avfs/search/secret/.all/.all'], { cwd: dir }).status, 2)
})

t.test('a slash is written as U+2215 or %2F, and a wrong query is told', async (t) => {
  const vault = mountedVault(t)
  const { dir } = vault
  sh(dir, 'mkdir -p src/lib && echo x > src/lib/tool.c && echo x > tool.c')
  await shows(dir, 'ls ".avfs/search/path:src%2Flib%2ftool"', '1-tool.c')
  await shows(dir, 'ls ".avfs/search/path:src\u2215lib\u2215tool"', '1-tool.c')
  for (const wrong of ['(a', '"a', 'a AND', 'other:a'])
    t.match(
      attempt('ls', [`.avfs/search/${wrong}`], { cwd: dir }).stderr,
      /Invalid argument/,
      wrong,
    )
  t.match(vault.log(), /search\/\(a is no query: .*character/)
  for (const none of ['.git', '%25', ' ', '"'])
    t.match(attempt('ls', [`.avfs/search/${none}`], { cwd: dir }).stderr, /No such file/, none)
})

t.test('ordinary programs work in it, and none walks into it by itself', async (t) => {
  needProgram('rsync')
  const { dir, root } = mountedVault(t)
  sh(dir, 'mkdir -p d && for n in 1 2 3 4 5 6 7 8 9 10 11 12; do echo "term $n" > d/f$n; done')
  await shows(dir, 'ls .avfs/search/term | wc -l', '12')
  t.match(sh(dir, 'ls .avfs/search/term').split('\n')[0], /^01-f\d+$/, 'as wide as their number')
  t.equal(sh(dir, 'ls -a .avfs/search'), '.\n..')
  t.equal(sh(dir, 'ls -l .avfs/search/term | grep -c ^-'), '12')
  t.equal(sh(dir, 'find .avfs/search/term -type f | wc -l'), '12')
  t.equal(sh(dir, 'grep -rl "term 7" .avfs/search/term | cut -d- -f2'), 'f7')
  t.equal(sh(dir, 'cat .avfs/search/term/* | wc -l'), '12')
  sh(dir, `cp -r .avfs/search/term ${join(root, 'copy')} && rsync -a .avfs/search/term/ ${root}/r`)
  t.equal(sh(root, 'cat copy/* | sort'), sh(dir, 'cat d/* | sort'))
  t.equal(sh(root, 'cat r/* | sort'), sh(dir, 'cat d/* | sort'))
  t.equal(sh(dir, 'find .avfs -maxdepth 2 -path "*search*"'), '.avfs/search', 'it ends')
  t.equal(sh(dir, 'grep -rc term . | wc -l; find . -type f | wc -l'), '12\n12')
})

t.test('nothing is made or removed in it', async (t) => {
  const { dir } = mountedVault(t)
  sh(dir, 'echo term > f && echo other > g')
  await shows(dir, 'ls .avfs/search/term', '1-f')
  for (const line of [
    'mkdir .avfs/search/new',
    'rmdir .avfs/search/term',
    'rm .avfs/search/term/1-f',
    'touch .avfs/search/new',
    'touch .avfs/search/term/new',
    'mkdir .avfs/search/term/new',
    'ln -s x .avfs/search/term/new',
    'ln g .avfs/search/term/',
    'mv .avfs/search/term/1-f .avfs/search/term/2-f',
    'mv .avfs/search/term .avfs/search/word',
  ]) {
    const { status, stderr } = attempt('sh', ['-c', line], { cwd: dir })
    t.not(status, 0, line)
    t.match(stderr, /Read-only file system|File exists/, line)
  }
  t.equal(sh(dir, 'ls; cat f g'), 'f\ng\nterm\nother')
})

t.test('nobody finds what he could not have found by walking', async (t) => {
  needProgram('setpriv')
  const { dir } = mountedVault(t)
  const as = (uid: number, line: string): string =>
    attempt('setpriv', [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', 'sh', '-c', line], {
      cwd: dir,
    }).stdout.trimEnd()
  sh(dir, 'chmod 755 . && mkdir open shut dim && echo term > open/all && echo term > open/hers')
  sh(dir, 'echo term > shut/in && echo term > dim/in && echo term > open/gone')
  sh(dir, 'chown 1001 open/hers shut open/gone && chmod 600 open/hers open/gone')
  sh(dir, 'chmod 700 shut && chmod 711 dim')
  await sleep(1300)
  sh(dir, 'rm open/gone')
  const names = 'ls .avfs/search/term | cut -d- -f2 | sort | tr "\\n" " "'
  await shows(dir, names, 'all hers in in')
  t.equal(as(1001, names), 'all hers in')
  t.equal(as(1002, names), 'all')
  const past = 'ls .avfs/search/term/.all | cut -d- -f3 | sort | tr "\\n" " "'
  t.equal(as(1001, past), 'all gone hers in')
  t.equal(as(1002, past), 'all')
  t.equal(as(1002, 'cat .avfs/search/term/*'), 'term')
  sh(dir, 'chmod 600 open/all')
  // Names that were listed a moment ago do not outlive the right to them.
  t.equal(as(1002, 'cat .avfs/search/term/*'), '')
})

t.test('where search is off a query says so, and the directory stays', async (t) => {
  const vault = mountedVault(t)
  const { dir, name } = vault
  sh(dir, 'echo term > f')
  await shows(dir, 'ls .avfs/search/term', '1-f')
  vault.avfs(['vault', 'config', name, 'search=off'])
  t.equal(sh(dir, 'ls .avfs/search'), '')
  await until(
    () => /not supported/.test(attempt('ls', ['.avfs/search/other'], { cwd: dir }).stderr),
    'a query is refused',
  )
  t.match(vault.log(), /search\/other shows nothing.*search is off/)
})

t.test('a read-only mount shows what the index knows', async (t) => {
  const vault = mountedVault(t)
  const { dir } = vault
  sh(dir, 'echo term then > f')
  await sleep(1300)
  sh(dir, 'echo term now > f')
  await shows(dir, 'ls .avfs/search/term/.all | wc -l', '2')
  vault.unmount()
  vault.mount('-o', 'ro')
  await shows(dir, 'ls .avfs/search/term', '1-f')
  await shows(dir, 'cat .avfs/search/term/.all/*', 'term now\nterm then')
})

t.test('a listing has at most a thousand names, and they stay while it is used', async (t) => {
  const { dir } = mountedVault(t)
  const many = join(dir, 'many')
  run('mkdir', [many])
  for (let file = 0; file < 1200; file++) writeFileSync(join(many, `f${file}`), 'term\n')
  await shows(dir, 'ls .avfs/search/term | wc -l', '1000')
  t.match(sh(dir, 'ls .avfs/search/term | head -n 1'), /^0001-f/)
  // Others come and go while the names are read one by one.
  const line = 'for f in .avfs/search/term/00*; do cat $f; echo term > new; rm new; done | wc -l'
  t.equal(sh(dir, line), '99')
})

t.test('a name that leaves no room for its number is cut, and keeps its ending', async (t) => {
  const { dir } = mountedVault(t)
  const name = `${'\u00e9'.repeat(125)}.txt`
  writeFileSync(join(dir, name), 'term')
  await shows(dir, 'ls .avfs/search/term', `1-${'\u00e9'.repeat(124)}.txt`)
  t.equal(sh(dir, 'cat .avfs/search/term/*'), 'term')
})
