// tags/: labels as directories, with the files themselves in them.

import { linkSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { mountedVault } from '../support/mount.ts'
import { attempt, needProgram, run } from '../support/program.ts'

t.setTimeout(300_000)

function sh(cwd: string, line: string): string {
  return run('sh', ['-c', line], { cwd })
}

t.test('ln, cp and mv into a tag label the file, rm takes the label away and nothing else', (t) => {
  needProgram('getfattr', 'setfattr')
  const { dir, check } = mountedVault(t)
  sh(
    dir,
    'mkdir -p d/e .avfs/tags/red && echo 1 > a && echo 22 > d/b && echo 333 > d/e/c && : > empty',
  )
  sh(
    dir,
    'ln a .avfs/tags/red/ && cp d/b .avfs/tags/red/ && mv d/e/c .avfs/tags/red/ && cp empty .avfs/tags/red/',
  )
  t.equal(sh(dir, 'ls .avfs/tags/red'), 'a\nb\nc\nempty')
  t.equal(sh(dir, 'find . -type f | sort'), './a\n./d/b\n./d/e/c\n./empty')
  for (const [name, path] of [
    ['a', 'a'],
    ['b', 'd/b'],
    ['c', 'd/e/c'],
  ] as const) {
    t.equal(statSync(join(dir, '.avfs/tags/red', name)).ino, statSync(join(dir, path)).ino)
    t.equal(statSync(join(dir, path)).nlink, 1)
  }
  t.equal(sh(dir, 'getfattr -n user.xdg.tags --only-values d/b'), 'red')
  sh(dir, 'rm .avfs/tags/red/b')
  t.equal(sh(dir, 'ls .avfs/tags/red; cat d/b'), 'a\nc\nempty\n22')
  t.equal(sh(dir, 'ls d/.avfs/tags/red'), 'c', 'only what is below')
  // The kernel has counted a link less, and must not believe it.
  sh(dir, 'rm .avfs/tags/red/c && ln d/e/c .avfs/tags/red/ && rm .avfs/tags/red/c')
  t.equal(statSync(join(dir, 'd/e/c')).nlink, 1)
  linkSync(join(dir, 'd/e/c'), join(dir, '.avfs/tags/red/c'))
  sh(dir, 'setfattr -n user.xdg.tags -v red,new d/b')
  t.equal(sh(dir, 'ls .avfs/tags .avfs/tags/new'), '.avfs/tags:\nnew\nred\n\n.avfs/tags/new:\nb')
  check()
  t.end()
})

t.test('entries of a tag are edited in place', (t) => {
  const { dir } = mountedVault(t)
  sh(dir, 'echo one > f && mkdir .avfs/tags/t && ln f .avfs/tags/t/ && echo two >> .avfs/tags/t/f')
  t.equal(sh(dir, 'cat f'), 'one\ntwo')
  sh(dir, 'mv f g && sed -i s/one/1/ g')
  t.equal(
    sh(dir, 'cat .avfs/tags/t/*; ls .avfs/tags/t'),
    '1\ntwo\ng',
    'through rename and save by rename',
  )
  t.end()
})

t.test('editors that save by rename edit an entry of a tag where it lies', (t) => {
  needProgram('perl', 'setpriv')
  const { dir, check } = mountedVault(t)
  sh(dir, 'mkdir d .avfs/tags/t && echo one > d/f && ln d/f .avfs/tags/t/ && cat d/f')
  sh(dir, 'sed -i s/one/two/ .avfs/tags/t/f')
  t.equal(
    sh(dir, 'cat d/f .avfs/tags/t/f; ls . d .avfs/tags/t'),
    'two\ntwo\n.:\nd\n\n.avfs/tags/t:\nf\n\nd:\nf',
  )
  t.equal(sh(dir, 'cat d/.avfs/versions/f/1 d/.avfs/versions/f/2'), 'one\ntwo')
  sh(dir, 'perl -pi -e s/two/three/ .avfs/tags/t/f')
  t.equal(sh(dir, 'cat d/f; ls . .avfs/tags/t'), 'three\n.:\nd\n\n.avfs/tags/t:\nf')
  sh(dir, 'chmod 777 . && chmod 1777 d && mkdir e && echo 4 > e/g && ln e/g .avfs/tags/t/')
  const other = ['--reuid=1234', '--regid=1234', '--clear-groups', 'mv', '-f']
  const { status, stderr } = attempt('setpriv', [...other, '.avfs/tags/t/g', '.avfs/tags/t/f'], {
    cwd: dir,
  })
  t.match({ status, stderr }, { status: 1, stderr: 'Permission denied' }, 'who may not write there')
  t.equal(sh(dir, 'cat d/f e/g'), 'three\n4')
  check()
  t.end()
})

t.test('TAG1/TAG2 is what carries both, and files of one name get names of their own', (t) => {
  const { dir } = mountedVault(t)
  sh(dir, 'mkdir a b .avfs/tags/x .avfs/tags/y && echo 1 > a/f && echo 2 > b/f')
  sh(dir, 'ln a/f .avfs/tags/x/ && ln b/f .avfs/tags/x/any && ln b/f .avfs/tags/y/')
  t.equal(sh(dir, 'cd .avfs/tags/x; ls; cat *'), 'f\nf~2\n1\n2')
  t.equal(sh(dir, 'cat .avfs/tags/x/y/* .avfs/tags/y/x/*'), '2\n2')
  sh(dir, 'rm .avfs/tags/x/y/f')
  t.equal(sh(dir, 'ls .avfs/tags/x .avfs/tags/y'), '.avfs/tags/x:\nf\nf~2\n\n.avfs/tags/y:')
  sh(dir, 'ln a/f .avfs/tags/x/y/')
  t.equal(sh(dir, 'cat .avfs/tags/y/f'), '1')
  sh(dir, 'mkdir .avfs/tags/z && mv .avfs/tags/y/f .avfs/tags/z/')
  t.equal(sh(dir, 'ls .avfs/tags/y; cat .avfs/tags/z/f; cat a/f'), '1\n1')
  t.end()
})

t.test('mkdir makes a tag, mv renames it everywhere, rmdir drops an empty one only', (t) => {
  const { dir } = mountedVault(t)
  sh(dir, 'echo 1 > f && mkdir .avfs/tags/old .avfs/tags/empty && ln f .avfs/tags/old/')
  t.equal(attempt('mkdir', ['.avfs/tags/old'], { cwd: dir }).status, 1)
  t.match(attempt('rmdir', ['.avfs/tags/old'], { cwd: dir }).stderr, /not empty/)
  sh(dir, 'rmdir .avfs/tags/empty && mv .avfs/tags/old .avfs/tags/new')
  t.equal(sh(dir, 'ls .avfs/tags; cat .avfs/tags/new/f; ls .avfs/tags'), 'new\n1\nnew')
  t.equal(sh(dir, 'getfattr -n user.xdg.tags --only-values f'), 'new')
  t.match(attempt('mkdir', ['.avfs/tags/a,b'], { cwd: dir }).stderr, /Invalid argument/)
  t.match(attempt('touch', ['.avfs/tags/file'], { cwd: dir }).stderr, /Read-only file system/)
  t.end()
})

t.test('what is copied into a tag from elsewhere becomes a file of the directory', (t) => {
  const { dir, root } = mountedVault(t)
  sh(root, 'echo from outside > new')
  sh(dir, `mkdir .avfs/tags/t && cp ${root}/new .avfs/tags/t/ && echo made > .avfs/tags/t/made`)
  t.equal(sh(dir, 'ls; cat new made; ls .avfs/tags/t'), 'made\nnew\nfrom outside\nmade\nmade\nnew')
  sh(root, 'echo other > new')
  t.not(attempt('cp', [`${root}/new`, '.avfs/tags/t/sub/'], { cwd: dir }).status, 0)
  t.equal(sh(dir, 'cat new'), 'from outside')
  t.end()
})

t.test('two files with one name of 255 bytes are both reached through a tag', (t) => {
  const { dir } = mountedVault(t)
  const long = 'x'.repeat(255)
  sh(dir, `mkdir a b .avfs/tags/t && echo 1 > a/${long} && echo 2 > b/${long}`)
  sh(dir, `ln a/${long} .avfs/tags/t/ && ln b/${long} .avfs/tags/t/other`)
  t.equal(sh(dir, 'cat .avfs/tags/t/*'), '1\n2')
  t.end()
})

t.test('a labelled directory is a symlink to it', (t) => {
  const { dir } = mountedVault(t)
  sh(dir, 'mkdir -p a/b && echo 1 > a/b/f && setfattr -n user.xdg.tags -v t a/b')
  t.equal(sh(dir, 'readlink .avfs/tags/t/b; cat .avfs/tags/t/b/f'), '../../../a/b\n1')
  t.equal(sh(dir, 'readlink a/.avfs/tags/t/b; cat a/.avfs/tags/t/b/f'), '../../../b\n1')
  t.end()
})

t.test('files whose names are no UTF-8, or those of tags, are labelled as any other', (t) => {
  const { dir, check } = mountedVault(t)
  sh(dir, 'mkdir .avfs/tags/red .avfs/tags/todo && echo o > other && ln other .avfs/tags/todo/')
  for (const [at, label] of ['ln', 'cp', 'mv'].entries()) {
    const line = `echo ${at} > "$n" && ${label} "$n" .avfs/tags/red/ && cmp "$n" ".avfs/tags/red/$n"`
    sh(dir, `n=$(printf 'caf\\351-${at}.txt'); ${line}`)
    sh(dir, `n=todo; rm -f todo; ${line}; rm .avfs/tags/red/todo`)
  }
  t.equal(sh(dir, 'ls .avfs/tags/red | wc -l; ls -d todo'), '3\ntodo')
  const missing = attempt('sh', ['-c', "ls .avfs/tags/red/$(printf '\\351')"], { cwd: dir })
  t.match(missing.stderr, /No such file/)
  sh(dir, 'rm .avfs/tags/red/*')
  t.equal(sh(dir, 'ls .avfs/tags/red; ls | wc -l'), '5')
  check()
  t.end()
})

t.test('nobody sees in a tag what he could not walk to', (t) => {
  needProgram('setpriv')
  const { dir } = mountedVault(t)
  sh(
    dir,
    'chmod 755 . && mkdir shut open && echo 1 > shut/hidden && echo 2 > open/seen && mkdir .avfs/tags/t',
  )
  sh(dir, 'ln shut/hidden .avfs/tags/t/ && ln open/seen .avfs/tags/t/ && chmod 700 shut')
  const as = (line: string) =>
    attempt('setpriv', ['--reuid=1234', '--regid=1234', '--clear-groups', 'sh', '-c', line], {
      cwd: dir,
    })
  t.equal(as('ls .avfs/tags/t').stdout, 'seen\n')
  t.not(as('cat .avfs/tags/t/hidden').status, 0)
  t.not(as('rm -f .avfs/tags/t/seen').status, 0)
  t.equal(sh(dir, 'ls .avfs/tags/t'), 'hidden\nseen')
  t.end()
})
