// Everyday programs on a mounted vault: copying there and back, editors, watchers, locks.

import { spawn } from 'node:child_process'
import {
  chmodSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { mountedVault, type TestVault, until } from '../support/mount.ts'
import { attempt, needProgram, run } from '../support/program.ts'
import { syscalls } from '../support/syscalls.ts'
import { describeTree, describeXattrs } from '../support/tree.ts'

t.setTimeout(300_000)

/** A tree with a bit of everything, on the plain file system. */
function sampleTree(vault: TestVault): string {
  const dir = join(vault.root, 'sample')
  mkdirSync(join(dir, 'a/b/c'), { recursive: true })
  for (let index = 0; index < 100; index++) {
    writeFileSync(join(dir, `a/b/f${index}`), `${index} `.repeat(index * 20))
  }
  linkSync(join(dir, 'a/b/f1'), join(dir, 'a/hard'))
  symlinkSync('b/f1', join(dir, 'a/soft'))
  writeFileSync(join(dir, 'sp ace \u00e4'), '')
  chmodSync(join(dir, 'a/b/f2'), 0o4711)
  syscalls(
    dir,
    'mknod fifo fifo 640',
    'mknod null char 666 1 3',
    'open odd%FF%0A O_CREAT,O_WRONLY',
    'open sparse O_CREAT,O_WRONLY',
    'pwrite 1 5000000 end',
    'setxattr a/b/f3 user.comment hello',
    'setxattr a user.empty -',
    'chown a/b/f4 1234 5678',
    'utimens a/b/f5 -5.5 1000000000.123456789',
  )
  run('setfacl', ['-m', 'u:2000:rw', join(dir, 'a/b/f6')])
  run('setfacl', ['-d', '-m', 'g:3000:rx', join(dir, 'a/b/c')])
  return dir
}

// Without the window, rsync takes times within a second for equal and leaves them.
const rsync = ['-aHAX', '--sparse', '--modify-window=-1']

t.test('rsync -aHAX brings a tree there and back unchanged', (t) => {
  needProgram('rsync', 'setfacl', 'getfattr')
  const vault = mountedVault(t)
  const source = sampleTree(vault)
  const back = join(vault.root, 'back')
  run('rsync', [...rsync, `${source}/`, `${vault.dir}/copy/`])
  run('rsync', [...rsync, `${vault.dir}/copy/`, `${back}/`])
  const wanted = describeTree(source)
  t.same(describeTree(join(vault.dir, 'copy')), wanted)
  t.same(describeTree(back), wanted)
  t.same(describeXattrs(join(vault.dir, 'copy')), describeXattrs(source))
  t.same(describeXattrs(back), describeXattrs(source))
  t.equal(
    run('rsync', [...rsync, '-nci', `${source}/`, `${vault.dir}/copy/`]),
    '',
    'nothing is left to do',
  )
  vault.check()
  t.end()
})

t.test('tar and cp -a bring a tree there and back unchanged', (t) => {
  needProgram('tar', 'setfacl', 'getfattr')
  const vault = mountedVault(t)
  const source = sampleTree(vault)
  const flags = ['--acls', '--xattrs', '--xattrs-include=*', '--numeric-owner', '--format=posix']
  const archive = join(vault.dir, 'archive.tar')
  run('tar', ['-c', '-S', ...flags, '-f', archive, '-C', source, '.'])
  mkdirSync(join(vault.dir, 'untarred'))
  run('tar', ['-x', '-p', ...flags, '-f', archive, '-C', join(vault.dir, 'untarred')])
  run('cp', ['-a', join(vault.dir, 'untarred'), join(vault.dir, 'copied')])
  run('cp', ['-a', join(vault.dir, 'copied'), join(vault.root, 'back')])
  const wanted = describeTree(source)
  t.same(describeTree(join(vault.dir, 'untarred')), wanted)
  t.same(describeTree(join(vault.dir, 'copied')), wanted)
  t.same(describeTree(join(vault.root, 'back')), wanted)
  t.same(describeXattrs(join(vault.dir, 'copied')), describeXattrs(source))
  t.end()
})

t.test('setfacl and getfacl agree with a plain folder', (t) => {
  needProgram('setfacl', 'getfacl')
  const vault = mountedVault(t)
  const outcome = (dir: string): string => {
    run('mkdir', ['d'], { cwd: dir })
    run('setfacl', ['-m', 'u:2000:rwx,g:3000:r,m:rx', '-m', 'd:u:2000:rw,d:o::-', 'd'], {
      cwd: dir,
    })
    run('sh', ['-c', 'umask 027; echo x > d/f; mkdir d/sub; chmod g-w d/f'], { cwd: dir })
    run('setfacl', ['-x', 'u:2000', 'd/sub'], { cwd: dir })
    run('setfacl', ['-b', 'd/sub'], { cwd: dir })
    return run('getfacl', ['-R', '-n', 'd'], { cwd: dir })
  }
  const plain = join(vault.root, 'plain')
  mkdirSync(plain)
  t.equal(outcome(vault.dir), outcome(plain))
  t.end()
})

t.test('vim and sed -i save files', (t) => {
  needProgram('vim', 'sed')
  const vault = mountedVault(t)
  const path = join(vault.dir, 'text')
  writeFileSync(path, 'one\ntwo\n', { mode: 0o640 })
  const vim = (...commands: string[]): void => {
    const flags = commands.flatMap((command) => ['-c', command])
    run('vim', ['-Nu', 'NONE', '-es', ...flags, 'text'], { cwd: vault.dir, env: { TERM: 'dumb' } })
  }
  vim('%s/two/three/', 'wq')
  t.equal(readFileSync(path, 'utf8'), 'one\nthree\n')
  vim('set backup backupcopy=no backupskip= undofile', 'normal Gofour', 'wq')
  t.equal(readFileSync(path, 'utf8'), 'one\nthree\nfour\n')
  t.equal(readFileSync(join(vault.dir, 'text~'), 'utf8'), 'one\nthree\n')
  run('sed', ['-i.orig', 's/one/zero/', 'text'], { cwd: vault.dir })
  t.equal(readFileSync(path, 'utf8'), 'zero\nthree\nfour\n')
  t.equal(readFileSync(join(vault.dir, 'text.orig'), 'utf8'), 'one\nthree\nfour\n')
  t.equal(statSync(path).mode & 0o777, 0o640)
  t.same(
    readdirSync(vault.dir).filter((name) => /\.sw.$|^sed/.test(name)),
    [],
  )
  t.end()
})

t.test('find, du, grep, mv and rm -r do what they do on a plain folder', (t) => {
  const vault = mountedVault(t)
  const script = `
    mkdir -p x/y/z && for i in $(seq 200); do echo "line $i" > x/y/f$i; done
    ln x/y/f1 x/hard; ln -s y/f2 x/soft
    find x | sort | sha256sum
    find x -type f -links 2 | sort
    touch -d @1000 x/y/f1
    find x -newer x/y/f1 -name 'f20*' | sort
    find x -size -2 -type f | wc -l
    grep -rl 'line 19' x | sort | wc -l
    du -b --apparent-size x/y/f1 | cut -f 1
    mv x/y/z x/zz && mv -f x/y/f3 x/y/f4 && cat x/y/f4
    sort -R x/y/f* | wc -l
    cmp x/hard x/y/f1 && echo same
    rm -r x/y && ls x && rm -r x && ls
  `
  const plain = join(vault.root, 'plain')
  mkdirSync(plain)
  t.equal(
    run('sh', ['-ec', script], { cwd: vault.dir }),
    run('sh', ['-ec', script], { cwd: plain }),
  )
  t.end()
})

t.test('inotifywait sees what a shell does', async (t) => {
  needProgram('inotifywait')
  const vault = mountedVault(t)
  const watcher = spawn('inotifywait', ['-m', '-q', '--format', '%e %f', vault.dir])
  t.teardown(() => watcher.kill())
  let seen = ''
  watcher.stdout.setEncoding('utf8').on('data', (text: string) => {
    seen += text
  })
  let turn = 0
  // The watch is set some time after the start: touch until it is.
  await until(() => {
    writeFileSync(join(vault.dir, 'ready'), String(turn++))
    return seen.includes('ready')
  }, 'inotifywait watches')
  run('sh', ['-c', 'echo x > f; mv f g; rm g; mkdir d; touch end'], { cwd: vault.dir })
  await until(() => seen.includes('CREATE end'), 'the last event is seen')
  const events = seen.split('\n').filter((line) => / [fgd]$/.test(line))
  for (const event of [
    'CREATE f',
    'MODIFY f',
    'CLOSE_WRITE,CLOSE f',
    'MOVED_FROM f',
    'MOVED_TO g',
    'DELETE g',
    'CREATE,ISDIR d',
  ]) {
    t.ok(events.includes(event), event)
  }
})

t.test('flock(1) keeps a second process out', (t) => {
  needProgram('flock')
  const vault = mountedVault(t)
  const script = `
    flock lock sh -c 'echo first > log; sleep 0.3; echo done >> log' &
    sleep 0.1; flock -n lock true || echo refused >> log; flock lock echo second >> log; wait
  `
  run('sh', ['-c', script], { cwd: vault.dir })
  const lines = readFileSync(join(vault.dir, 'log'), 'utf8').split('\n')
  t.same(lines.slice(0, 4), ['first', 'refused', 'done', 'second'])
  t.end()
})

t.test('a 4 GiB sparse file is copied sparse', (t) => {
  const vault = mountedVault(t)
  const script =
    'truncate -s 4G big && echo end >> big && cp --sparse=always big copy && du -k copy'
  const outcome = attempt('sh', ['-ec', script], { cwd: vault.dir })
  t.equal(outcome.status, 0, outcome.stderr)
  t.ok(Number(outcome.stdout.split('\t')[0]) < 4096, outcome.stdout)
  t.equal(statSync(join(vault.dir, 'copy')).size, 4 * 1024 ** 3 + 4)
  t.end()
})
