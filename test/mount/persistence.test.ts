// The content of a vault after it was unmounted and mounted again, and what the sqlite3 shell shows
// of the file.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import { backendNamed } from '../support/engines.ts'
import { createVault, mountedVault, sqliteFile, type TestVault } from '../support/mount.ts'
import { needProgram, run } from '../support/program.ts'
import { runScript } from '../support/syscalls.ts'
import { describeTree, describeXattrs } from '../support/tree.ts'

t.setTimeout(300_000)

/** One of everything that a directory can hold. */
const everything = `
  mkdir d 2775
  open d/f O_CREAT,O_RDWR 6751
  noise 0 0 1000000 1
  fill 0 3000000 10 z
  link d/f hard
  symlink %FF%C3target/%20 l
  mknod p fifo 640
  mknod s sock 604
  mknod null char 666 1 3
  mknod disk block 600 259 1048575
  open ${'n'.repeat(255)} O_CREAT,O_WRONLY
  open odd%FF%01%0A O_CREAT,O_WRONLY
  write 2 inside
  open sparse O_CREAT,O_WRONLY
  ftruncate 3 4294967296000
  setxattr d/f user.a value%00
  setxattr d user.b -
  setxattr l trusted.c x
  setxattr d system.posix_acl_default %02%00%00%00%01%00%07%00%FF%FF%FF%FF%02%00%06%00%D0%07%00%00%04%00%05%00%FF%FF%FF%FF%10%00%07%00%FF%FF%FF%FF%20%00%00%00%FF%FF%FF%FF
  mkdir d/heir
  open d/heir/f O_CREAT,O_WRONLY 666
  chown hard 4000000000 7
  chmod hard 6751
  lchown l 5 6
  close 0
  close 2
  utimens hard -1234567890.123456789 -1.999999999
  utimens l 5.5 15000000000.000000001 nofollow
  utimens d/heir 0.0 1.000000001
  utimens disk 2.2 3.3
`

const times = `
  stat hard atime,mtime,nlink,mode,uid,gid -> -1234567890.123456789 -1.999999999 2 6751 4000000000 7
  lstat l mtime,uid,gid -> 15000000000.000000001 5 6
  stat d/heir mtime -> 1.000000001
  lstat disk mtime,rdev -> 3.000000003 259:1048575
  stat sparse size,blocks -> 4294967296000 0
  getxattr d/f user.a -> value%00
  getxattr d user.b -> -
  getxattr l trusted.c -> x
`

// Read last: reading moves the atime.
const contents = `
  open hard O_RDONLY
  same 0 3000000 10 -> 10 z
  open odd%FF%01%0A O_RDONLY
  pread 1 0 10 -> inside
`

t.test('everything is the same after a remount, to the nanosecond', (t) => {
  needProgram('getfattr')
  const vault = mountedVault(t)
  const made = runScript(vault.dir, everything)
  t.same(made.found, made.wanted)
  const checked = runScript(vault.dir, times)
  t.same(checked.found, checked.wanted)
  rmSync(join(vault.dir, 'sparse'))
  const tree = describeTree(vault.dir)
  const xattrs = describeXattrs(vault.dir)
  const births = () =>
    runScript(vault.dir, 'stat hard btime,ctime,ino\n stat d btime,ctime,ino').values
  const born = births()
  vault.unmount()
  vault.check()
  vault.mount('--allow-other', '-o', 'suid,dev')
  t.same(describeTree(vault.dir), tree)
  t.same(describeXattrs(vault.dir), xattrs)
  t.same(births(), born)
  vault.check()
  t.end()
})

t.test('a huge sparse file is still there after a remount', (t) => {
  const vault = mountedVault(t)
  runScript(vault.dir, everything)
  const made = runScript(vault.dir, times)
  t.same(made.found, made.wanted)
  vault.unmount()
  vault.mount('--allow-other', '-o', 'suid,dev')
  for (const script of [times, contents]) {
    const { found, wanted } = runScript(vault.dir, script)
    t.same(found, wanted)
  }
  t.end()
})

/** Rows of a select on the unmounted vault. */
function select(vault: TestVault, sql: string): unknown[] {
  const database = new Database(sqliteFile(vault), { readonly: true })
  try {
    return database.prepare(sql).raw().all()
  } finally {
    database.close()
  }
}

t.test('the views files and versions tell what was saved', (t) => {
  const vault = createVault(t)
  vault.mount()
  const path = join(vault.dir, 'doc.txt')
  writeFileSync(path, 'one')
  writeFileSync(path, 'second')
  writeFileSync(path, 'the third')
  mkdirSync(join(vault.dir, 'sub'))
  writeFileSync(join(vault.dir, 'sub/other'), 'x')
  vault.unmount()
  t.same(select(vault, "select path, size from files where type = 'file' order by path"), [
    ['/doc.txt', 9],
    ['/sub/other', 1],
  ])
  t.same(
    select(vault, "select number, size from versions where path = '/doc.txt' order by number"),
    [
      [1, 3],
      [2, 6],
      [3, 9],
    ],
  )
  t.end()
})

t.test("a shell's echo makes one version each time, an emptied file is one too", (t) => {
  const vault = createVault(t)
  vault.mount()
  run('sh', ['-c', 'echo a > f; echo bb > f; echo ccc >> f; : > g'], { cwd: vault.dir })
  run('sh', ['-c', ': > f'], { cwd: vault.dir })
  vault.unmount()
  t.same(select(vault, "select size from versions where path = '/f' order by number"), [
    [2],
    [3],
    [7],
    [0],
  ])
  t.same(select(vault, "select size from versions where path = '/g'"), [[0]])
  t.end()
})

t.test('fsync makes no version, and reading makes none', (t) => {
  const vault = createVault(t)
  vault.mount()
  const script = Array.from({ length: 20 }, (_, turn) => `write 0 ${turn}%0A\n fsync 0`).join('\n')
  const { found, wanted } = runScript(vault.dir, `open f O_CREAT,O_RDWR\n${script}\nclose 0`)
  t.same(found, wanted)
  run('cat', ['f'], { cwd: vault.dir })
  vault.unmount()
  t.same(select(vault, "select count(*) from versions where path = '/f'"), [[1]])
  t.end()
})

t.test(
  'a replaced file that the kernel still knows at the unmount leaves nothing to recover',
  (t) => {
    const vault = createVault(t)
    vault.mount()
    const { dir: cwd } = vault
    const script = 'echo 1 > f; mkdir .avfs/tags/t; ln f .avfs/tags/t/; cat .avfs/tags/t/f'
    run('sh', ['-c', `${script}; echo 2 > g; sleep 1.2; mv g f`], { cwd })
    vault.unmount()
    t.same(vault.avfs(['cat', `${vault.name}:/f`]), { status: 0, stdout: '2\n', stderr: '' })
    t.same(select(vault, 'select * from orphan'), [])
    vault.check()
    t.end()
  },
)

t.test('the sqlite3 shell reads a vault of SQLite, also while it is mounted', (t) => {
  needProgram('sqlite3')
  const vault = createVault(t, backendNamed('sqlite'))
  vault.mount()
  writeFileSync(join(vault.dir, 'f'), 'hello', { flush: true })
  const shell = (sql: string) => run('sqlite3', ['-readonly', vault.file, sql])
  t.equal(shell("select path, size from files where type = 'file'"), '/f|5')
  rmSync(join(vault.dir, 'f'))
  vault.unmount()
  t.equal(shell("select count(*) from files where type = 'file'"), '0')
  t.equal(shell("select what from history where path = '/f' order by moment"), 'created\ndeleted')
  t.end()
})
