// Files that are open without a name: unlinked, renamed over, or made by O_TMPFILE. A table of
// tests of a directory.

import type { Table } from '../support/table.ts'

export const unlinked: Table = {
  'an open file that was unlinked has nlink 0 and stays writable': (_, { script }) => {
    script(`
      open f O_CREAT,O_RDWR
      write 0 before
      unlink f -> 0
      fstat 0 nlink,size -> 0 6
      write 0 -after -> 6
      pread 0 0 100 -> before-after
      ftruncate 0 3 -> 0
      fstat 0 nlink,size -> 0 3
      fsync 0 -> 0
      stat f ino -> ENOENT
      close 0 -> 0
    `)
  },
  'it still does after the kernel has dropped its caches': (_, { script }) => {
    script(`
      open f O_CREAT,O_RDWR
      noise 0 0 300000 7
      fill 0 100000 5000 k
      unlink f -> 0
      drop_caches 2
      fstat 0 nlink,size -> 0 300000
      drop_caches 3
      same 0 100000 5000 -> 5000 k
      pwrite 0 300000 more -> 4
      fsync 0
      drop_caches 3
      pread 0 300000 10 -> more
      fchmod 0 600 -> 0
      futimens 0 1.5 2.5 -> 0
      fstat 0 mode,nlink,mtime -> 600 0 2.000000005
    `)
  },
  'a new file under the same name is another file': (_, { script }) => {
    script(`
      open f O_CREAT,O_RDWR
      write 0 old
      unlink f
      open f O_CREAT,O_EXCL,O_RDWR
      write 1 new
      pread 0 0 10 -> old
      pread 1 0 10 -> new
      fstat 0 nlink -> 0
      fstat 1 nlink -> 1
    `)
  },
  'a file that was renamed over answers fstat, read and write': (_, { script }) => {
    script(`
      open target O_CREAT,O_RDWR
      write 0 target
      open source O_CREAT,O_RDWR
      write 1 source
      rename source target -> 0
      fstat 0 nlink,size -> 0 6
      fstat 1 nlink,size -> 1 6
      pread 0 0 10 -> target
      pwrite 0 6 -ed -> 3
      drop_caches 2
      pread 0 0 10 -> target-ed
      fstat 0 nlink,size -> 0 9
      open target O_RDONLY
      pread 2 0 10 -> source
    `)
  },
  'a file with one name less counts one link less at once': (_, { script }) => {
    script(`
      open f O_CREAT,O_RDWR
      link f g
      fstat 0 nlink -> 2
      unlink f
      fstat 0 nlink -> 1
      stat g nlink -> 1
      unlink g
      fstat 0 nlink -> 0
    `)
  },
  'O_TMPFILE makes a file without a name that linkat names': (_, { script }) => {
    script(`
      open . O_TMPFILE,O_RDWR 640
      fstat 0 nlink,mode,size -> 0 640 0
      write 0 hidden -> 6
      open . O_RDONLY
      getdents 1 4096 -> . ..|.. .
      linkfd 0 named -> 0
      fstat 0 nlink -> 1
      open named O_RDONLY
      pread 2 0 10 -> hidden
      linkfd 0 named -> EEXIST
      drop_caches 3
      stat named nlink,size -> 1 6
    `)
  },
  'O_TMPFILE with O_EXCL cannot be named, and goes when it is closed': (_, { script }) => {
    script(`
      open . O_TMPFILE,O_RDWR,O_EXCL 600
      write 0 gone
      linkfd 0 named -> ENOENT
      close 0
      open . O_RDONLY
      getdents 1 4096 -> . ..|.. .
    `)
  },
  'an unlinked file cannot be given a name again': (_, { script }) => {
    script(`
      open f O_CREAT,O_RDWR
      unlink f
      linkfd 0 g -> ENOENT
    `)
  },
  'a directory that was removed while it is open is empty and takes nothing': (_, { script }) => {
    script(`
      mkdir d
      open d O_RDONLY
      chdir d
      rmdir ../d -> 0
      fstat 0 nlink -> 0
      open x O_CREAT,O_WRONLY -> ENOENT
      mkdir y -> ENOENT
      cwd -> ENOENT
    `)
  },
  'a program that runs can be unlinked and replaced': (_, { script }) => {
    script(`
      open p O_CREAT,O_WRONLY 755
      write 0 #!/bin/sh%0Aexit%207%0A
      close 0
      exec p -> 7
      open q O_CREAT,O_WRONLY 755
      write 1 #!/bin/sh%0Aexit%208%0A
      close 1
      rename q p
      exec p -> 8
      chmod p 644
      exec p -> EACCES
    `)
  },
}
