// Times: exactness, range, and which call changes which. A table of tests of a directory.

import type { Context, Table } from '../support/table.ts'

/** The fields before and after some steps, 30 ms apart so that also coarse clocks move. */
function around({ t, sys }: Context, setup: string[], steps: string[], path: string): string[][] {
  const all = [
    ...setup,
    `lstat ${path} mtime,ctime`,
    'sleep 30',
    ...steps,
    `lstat ${path} mtime,ctime`,
  ]
  const values = sys(...all)
  for (const value of values) t.notMatch(value, /^E[A-Z]+$/)
  return [values[setup.length], values.at(-1)].map((value) => (value ?? '').split(' '))
}

function changes(context: Context, setup: string[], steps: string[], path: string): string {
  const [before, after] = around(context, setup, steps, path)
  const changed = ['mtime', 'ctime'].filter((_, index) => before?.[index] !== after?.[index])
  return changed.join(' ')
}

const file = ['open f O_CREAT,O_RDWR', 'write 0 hello']

export const times: Table = {
  'nanoseconds are kept exactly': (_, { script }) => {
    script(`
      open f O_CREAT,O_WRONLY
      utimens f 1000000000.123456789 1000000001.987654321 -> 0
      stat f atime,mtime -> 1000000000.123456789 1000000001.987654321
      utimens f 0.000000000 0.000000001 -> 0
      drop_caches 2
      stat f atime,mtime -> 0.000000000 0.000000001
      utimens f 1.999999999 2.999999999 -> 0
      drop_caches 2
      stat f atime,mtime -> 1.999999999 2.999999999
    `)
  },
  'times before 1970 and after 2038 are kept exactly': (_, { script }) => {
    script(`
      open f O_CREAT,O_WRONLY
      utimens f -1.999999999 -1000000000.000000001 -> 0
      stat f atime,mtime -> -1.999999999 -1000000000.000000001
      drop_caches 2
      stat f atime,mtime -> -1.999999999 -1000000000.000000001
      utimens f 4294967296.5 15000000000.123456789 -> 0
      drop_caches 2
      stat f atime,mtime -> 4294967296.000000005 15000000000.123456789
      mkdir d
      utimens d -5.5 -6.6
      symlink f l
      utimens l -7.7 -8.8 nofollow
      drop_caches 2
      stat d mtime -> -6.000000006
      lstat l mtime -> -8.000000008
    `)
  },
  'utimensat leaves alone what is UTIME_OMIT and takes the clock for UTIME_NOW': (
    _,
    { t, script },
  ) => {
    const values = script(`
      open f O_CREAT,O_WRONLY
      utimens f 11.5 22.5
      utimens f omit 33.25 -> 0
      stat f atime,mtime -> 11.000000005 33.000000025
      utimens f 44.5 omit -> 0
      stat f atime,mtime -> 44.000000005 33.000000025
      utimens f omit now -> 0
      stat f atime -> 44.000000005
      stat f mtime
      utimens f now omit -> 0
      stat f atime
    `)
    for (const value of [values[8], values[10]]) {
      t.ok(Math.abs(Number(value) - Date.now() / 1000) < 5, `${value} is now`)
    }
  },
  'a stranger may set times to now only where he may write': (_, { script }) => {
    script(`
      open f O_CREAT,O_WRONLY 644
      open g O_CREAT,O_WRONLY
      chmod g 666
      as 2000 2000
      utimens f now now -> EACCES
      utimens g now now -> 0
      utimens g 1.1 2.2 -> EPERM
      utimens f omit omit -> 0
    `)
  },
  'writing and truncating change mtime and ctime, chmod and chown only ctime': (_, context) => {
    const { t } = context
    t.equal(changes(context, file, ['write 0 x', 'fsync 0'], 'f'), 'mtime ctime', 'write')
    t.equal(changes(context, file, ['ftruncate 0 2'], 'f'), 'mtime ctime', 'ftruncate')
    t.equal(changes(context, file, ['chmod f 600'], 'f'), 'ctime', 'chmod')
    t.equal(changes(context, file, ['chown f 1 1'], 'f'), 'ctime', 'chown')
    t.equal(changes(context, file, ['utimens f 1.0 omit'], 'f'), 'ctime', 'utimens')
    t.equal(changes(context, file, ['fallocate 0 punch,keep 0 2'], 'f'), 'mtime ctime', 'punch')
    t.equal(changes(context, file, ['pread 0 0 5', 'open f O_RDONLY', 'close 1'], 'f'), '', 'read')
  },
  'setxattr and removexattr change ctime and not mtime': (_, context) => {
    const { t } = context
    t.equal(changes(context, file, ['setxattr f user.a b'], 'f'), 'ctime')
    t.equal(changes(context, file, ['removexattr f user.a'], 'f'), 'ctime')
    t.equal(changes(context, ['mkdir d'], ['setxattr d user.a b'], 'd'), 'ctime')
  },
  'a change of names changes mtime and ctime of the directory': (_, context) => {
    const { t } = context
    t.equal(changes(context, [], ['open a O_CREAT,O_WRONLY'], '.'), 'mtime ctime', 'create')
    t.equal(changes(context, [], ['unlink a'], '.'), 'mtime ctime', 'unlink')
    t.equal(changes(context, [], ['mkdir b'], '.'), 'mtime ctime', 'mkdir')
    t.equal(changes(context, [], ['rmdir b'], '.'), 'mtime ctime', 'rmdir')
    t.equal(changes(context, [], ['symlink x c'], '.'), 'mtime ctime', 'symlink')
    t.equal(changes(context, [], ['chmod . 755'], '.'), 'ctime', 'chmod')
  },
  'times that were set stay when the file is then closed': (_, { script }) => {
    script(`
      open f O_CREAT,O_RDWR
      write 0 hello
      futimens 0 100.1 200.2 -> 0
      fstat 0 mtime -> 200.000000002
      fsync 0
      close 0
      drop_caches 2
      stat f atime,mtime -> 100.000000001 200.000000002
    `)
  },
  'an atime that was set stays when nobody reads, whoever closes the file': (_, { script }) => {
    script(`
      open f O_CREAT,O_RDWR
      fill 0 0 5000 a
      open f O_RDWR
      futimens 0 100.0 omit -> 0
      fork
      fchmod 0 600 -> 0
      close 0
      stat f atime -> 100.000000000
      open f O_WRONLY
      fill 2 10 5 b
      close 2
      fill 1 4999 5 c
      fsync 1
      close 1
      open f O_RDONLY
      close 3
      stat f atime,size -> 100.000000000 5004
      open f O_RDWR
      fill 4 0 10 d
      close 4
      drop_caches 2
      stat f atime -> 100.000000000
    `)
  },
  'unlinking one of two names changes the ctime of the other': (_, context) => {
    const setup = ['open f O_CREAT,O_WRONLY', 'link f g']
    context.t.equal(changes(context, setup, ['unlink f'], 'g'), 'ctime')
  },
  'statx shows a birth time that no change moves': (_, { t, script }) => {
    const values = script(`
      open f O_CREAT,O_WRONLY
      stat f btime
      sleep 30
      write 0 x
      utimens f 1.1 2.2
      chmod f 600
      rename f g
      drop_caches 2
      stat g btime
    `)
    t.equal(values[8], values[1])
    t.ok(Math.abs(Number(values[1]) - Date.now() / 1000) < 5, `${values[1]} is now`)
  },
  'a read is seen after an atime was set, also of what the kernel had cached': {
    onlyMounted: 'a plain folder may be on a file system that is mounted noatime',
    test: (_, { t, script }) => {
      const values = script(`
        open f O_CREAT,O_RDWR
        fill 0 0 5000 a
        futimens 0 100.0 omit
        close 0
        stat f atime -> 100.000000000
        open f O_RDONLY
        same 1 0 5000 -> 5000 a
        stat f atime
        utimens f 100.0 omit
        open f O_WRONLY
        fill 2 0 5000 b
        close 2
        open f O_RDONLY
        same 3 0 5000 -> 5000 b
        stat f atime
      `)
      t.ok(Number(values[7]) > 100, 'after it was set')
      t.ok(Number(values[14]) > 100, 'and after it was then written')
    },
  },
  'reading moves an old atime once, as relatime does': {
    onlyMounted: 'a plain folder may be on a file system that is mounted noatime',
    test: (_, { t, script }) => {
      const values = script(`
        open f O_CREAT,O_RDWR
        write 0 hello
        fsync 0
        utimens f 1000.0 2000.0
        sleep 30
        drop_caches 3
        open f O_RDONLY
        pread 1 0 5 -> hello
        close 1
        stat f atime,mtime
        sleep 30
        drop_caches 3
        open f O_RDONLY
        pread 2 0 5 -> hello
        stat f atime,mtime
      `)
      // The first pause: an atime of the same tick as ctime counts as old, and moves once more.
      const [atime, mtime] = (values[9] ?? '').split(' ')
      t.ok(Number(atime) > 2000, 'the atime has moved')
      t.equal(Number(mtime), 2000)
      t.equal(values[14], values[9], 'and does not move again')
    },
  },
}
