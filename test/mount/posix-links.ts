// Hard links and symbolic links. A table of tests of a directory.

import type { Table } from '../support/table.ts'

export const links: Table = {
  'hard links are one inode with one content and one set of attributes': (_, { t, script }) => {
    const values = script(`
      open a O_CREAT,O_RDWR
      mkdir d
      link a d/b -> 0
      stat a ino
      stat d/b ino
      stat a nlink -> 2
      write 0 shared
      open d/b O_RDWR
      pread 1 0 10 -> shared
      chmod d/b 600
      stat a mode -> 600
      setxattr d/b user.x y
      getxattr a user.x -> y
      unlink a
      stat d/b nlink,size -> 1 6
      drop_caches 3
      pread 1 0 10 -> shared
    `)
    t.equal(values[3], values[4])
  },
  'a link changes the ctime of the file and the mtime of the directory': (_, { t, script }) => {
    const values = script(`
      open a O_CREAT,O_WRONLY
      stat a ctime
      stat . mtime
      sleep 30
      link a b
      stat a ctime
      stat . mtime
    `)
    t.not(values[5], values[1])
    t.not(values[6], values[2])
  },
  'directories take no hard links, and a taken name is EEXIST': (_, { script }) => {
    script(`
      mkdir d
      open a O_CREAT,O_WRONLY
      link d e -> EPERM
      link a d -> EEXIST
      link missing x -> ENOENT
      link a missing/x -> ENOENT
    `)
  },
  'the 65,001st link of a file is EMLINK': {
    onlyMounted: 'each file system has its own limit, and some have none',
    test: (_, { t, sys, script }) => {
      const [, refusal] = sys('open f O_CREAT,O_WRONLY', 'links f l 65001')
      t.equal(refusal, '65000 EMLINK')
      script('none l 64999 -> 64999\n stat f nlink -> 1')
    },
  },
  'symlink targets of 1 to 4,095 bytes are kept exactly': (_, { script }) => {
    const long = `${'abcdefgh/'.repeat(455)}`
    script(`
      symlink x short
      readlink short -> x
      symlink ${long} long -> 0
      readlink long -> ${long}
      lstat long size,type -> 4095 12
      symlink %FFtarget%20with%0Abytes odd -> 0
      readlink odd -> %FFtarget%20with%0Abytes
      symlink ${long}x longer -> ENAMETOOLONG
      drop_caches 3
      readlink long -> ${long}
    `)
  },
  'symbolic links are followed, and loops are ELOOP': (_, { script }) => {
    script(`
      mkdir d
      open d/f O_CREAT,O_WRONLY
      write 0 x
      symlink d/f l
      stat l size -> 1
      lstat l type -> 12
      open l O_RDONLY,O_NOFOLLOW -> ELOOP
      symlink loop loop
      open loop O_RDONLY -> ELOOP
      symlink d ld
      stat ld/f size -> 1
      symlink missing m
      stat m size -> ENOENT
      open m O_CREAT,O_EXCL,O_WRONLY -> EEXIST
      open m O_CREAT,O_WRONLY
      stat missing size -> 0
      readlink d -> EINVAL
    `)
  },
  'a symlink has an owner and times of its own': (_, { script }) => {
    script(`
      open f O_CREAT,O_WRONLY
      symlink f l
      lchown l 1234 5678 -> 0
      lstat l uid,gid -> 1234 5678
      stat l uid,gid -> 0 0
      utimens l 5.000000001 6.000000002 nofollow -> 0
      lstat l mtime -> 6.000000002
    `)
  },
}
