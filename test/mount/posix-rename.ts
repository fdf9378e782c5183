// rename(2) and renameat2(2). A table of tests of a directory.

import type { Table } from '../support/table.ts'

/** A name of each kind of file, and the DT_* that lstat has to show for it. */
const kinds = `
  open file O_CREAT,O_WRONLY
  mkdir dir
  symlink nowhere link
  mknod fifo fifo 644
  mknod sock sock 644
  mknod null char 666 1 3
`
const types: Record<string, string> = {
  file: '10',
  dir: '4',
  link: '12',
  fifo: '1',
  sock: '14',
  null: '2',
}

export const renames: Table = {
  'rename onto an existing name replaces it in one step': (_, { script }) => {
    script(`
      open a O_CREAT,O_RDWR
      write 0 a
      open b O_CREAT,O_RDWR
      write 1 b
      rename a b -> 0
      stat a ino -> ENOENT
      open b O_RDONLY
      pread 2 0 10 -> a
      stat b nlink -> 1
    `)
  },
  'rename onto a hard link of itself does nothing': (_, { script }) => {
    script(`
      open a O_CREAT,O_WRONLY
      link a b
      rename a b -> 0
      stat a nlink -> 2
      stat b nlink -> 2
    `)
  },
  'rename of a name onto itself does nothing': (_, { script }) => {
    script(`
      open a O_CREAT,O_WRONLY
      rename a a -> 0
      rename missing missing -> ENOENT
      stat a nlink -> 1
    `)
  },
  'a directory goes onto an empty directory only, and never below itself': (_, { script }) => {
    script(`
      mkdir a
      mkdir a/sub
      mkdir empty
      mkdir full
      open full/x O_CREAT,O_WRONLY
      rename a full -> ENOTEMPTY|EEXIST
      rename a a/sub/deeper -> EINVAL
      rename a/sub a -> ENOTEMPTY|EEXIST
      rename full/x empty -> EISDIR
      rename a full/x -> ENOTDIR
      rename a empty -> 0
      stat empty/sub nlink -> 2
      stat a ino -> ENOENT
    `)
  },
  'children are found right after their directory was renamed': (_, { script }) => {
    const turns = Array.from({ length: 20 }, (_, turn) => {
      const from = turn % 2 === 0 ? 'd' : 'e'
      const to = turn % 2 === 0 ? 'e' : 'd'
      return `
        rename ${from} ${to} -> 0
        stat ${to}/sub/child size -> 5
        stat ${from}/sub/child size -> ENOENT
        open ${to}/sub/child O_RDONLY -> ${turn + 1}
        pread ${turn + 1} 0 9 -> child
      `
    })
    script(`
      mkdir d
      mkdir d/sub
      open d/sub/child O_CREAT,O_WRONLY
      write 0 child
      ${turns.join('\n')}
    `)
  },
  'a directory moved to another parent has that parent as ..': (_, { t, script }) => {
    const values = script(`
      mkdir a
      mkdir b
      mkdir a/d
      stat b ino
      rename a/d b/d -> 0
      stat b/d/.. ino
      stat a nlink -> 2
      stat b nlink -> 3
      drop_caches 2
      stat b/d/.. ino
    `)
    t.equal(values[5], values[3])
    t.equal(values[9], values[3])
  },
  'an open file follows its renames': (_, { script }) => {
    script(`
      open a O_CREAT,O_RDWR
      write 0 one
      rename a b
      write 0 two
      mkdir d
      rename b d/c
      write 0 three
      open d/c O_RDONLY
      pread 1 0 100 -> onetwothree
    `)
  },
  'NOREPLACE refuses a taken name, of whatever kind': (_, { script }) => {
    const refused = Object.keys(types).map((kind) => `rename source ${kind} noreplace -> EEXIST`)
    script(`
      ${kinds}
      open source O_CREAT,O_WRONLY
      ${refused.join('\n')}
      rename source fresh noreplace -> 0
      rename fifo fifo2 noreplace -> 0
      lstat fifo2 type -> 1
      stat source ino -> ENOENT
      rename missing other noreplace -> ENOENT
    `)
  },
  'EXCHANGE swaps two names of any kinds': (_, { script }) => {
    const pairs = Object.keys(types).flatMap((a, index, all) =>
      all.slice(index + 1).map((b) => [a, b] as const),
    )
    const steps = pairs.map(
      ([a, b]) => `
        rename ${a} ${b} exchange -> 0
        lstat ${a} type -> ${types[b]}
        lstat ${b} type -> ${types[a]}
        rename ${a} ${b} exchange -> 0
        lstat ${a} type -> ${types[a]}
      `,
    )
    script(`
      ${kinds}
      ${steps.join('\n')}
      rename file missing exchange -> ENOENT
    `)
  },
  'EXCHANGE of directories under two parents keeps .. and the link counts': (_, { t, script }) => {
    const values = script(`
      mkdir p
      mkdir q
      mkdir p/d
      open q/f O_CREAT,O_WRONLY
      rename p/d q/f exchange -> 0
      stat p nlink -> 2
      stat q nlink -> 3
      lstat p/d type -> 10
      stat q ino
      stat q/f/.. ino
      mkdir q/f/below
      rename q/f/below q exchange -> EINVAL|ENOTEMPTY
    `)
    t.equal(values[9], values[8])
  },
  'WHITEOUT leaves the device 0:0 at the old name, which needs no privilege': (_, { script }) => {
    const steps = Object.keys(types).map(
      (kind) => `
        rename ${kind} moved-${kind} whiteout -> 0
        lstat moved-${kind} type -> ${types[kind]}
        lstat ${kind} type,rdev,nlink,mode -> 2 0:0 1 0
      `,
    )
    script(`
      ${kinds}
      ${steps.join('\n')}
      mkdir d
      mkdir d/sub
      stat d nlink -> 3
      rename d/sub sub whiteout -> 0
      stat d nlink -> 2
      rename moved-file moved-link whiteout,noreplace -> EEXIST
      rename moved-file moved-file whiteout -> 0
      lstat moved-file type -> 10
      rename moved-file moved-link whiteout -> 0
      lstat moved-link type -> 10
      lstat moved-file type,rdev -> 2 0:0
      rename moved-link fresh whiteout,noreplace -> 0
      rename moved-dir moved-fifo whiteout -> ENOTDIR
      rename missing other whiteout -> ENOENT
      rename fresh moved-link whiteout,exchange -> EINVAL
      unlink file -> 0
    `)
  },
  'unknown flags and impossible pairs of flags are EINVAL': (_, { script }) => {
    script(`
      open a O_CREAT,O_WRONLY
      open b O_CREAT,O_WRONLY
      rename a b noreplace,exchange -> EINVAL
      rename a b bogus -> EINVAL
      stat a nlink -> 1
    `)
  },
  'special files keep their kind and number through rename and link': (_, { script }) => {
    script(`
      ${kinds}
      rename null null2 -> 0
      lstat null2 type,rdev -> 2 1:3
      link null2 null3 -> 0
      lstat null3 nlink,rdev -> 2 1:3
      rename fifo sock -> 0
      lstat sock type -> 1
      link link link2 -> 0
      lstat link2 type,nlink -> 12 2
    `)
  },
  'rename changes the times of both parents and the ctime of the file': (_, { t, script }) => {
    const values = script(`
      mkdir a
      mkdir b
      open a/f O_CREAT,O_WRONLY
      stat a mtime
      stat b mtime
      stat a/f ctime,mtime
      sleep 30
      rename a/f b/f
      stat a mtime
      stat b mtime
      stat b/f ctime,mtime
    `)
    t.not(values[8], values[3], 'the old parent has a new mtime')
    t.not(values[9], values[4], 'the new parent has a new mtime')
    const before = values[5]?.split(' ')
    const after = values[10]?.split(' ')
    t.not(after?.[0], before?.[0], 'the file has a new ctime')
    t.equal(after?.[1], before?.[1], 'and its old mtime')
  },
}
