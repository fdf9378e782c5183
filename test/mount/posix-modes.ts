// Permissions, owners, umask and the three special bits. A table of tests of a directory.

import type { Table } from '../support/table.ts'

export const modes: Table = {
  'umask takes bits away from new files, directories and nodes, not from symlinks': (
    _,
    { script },
  ) => {
    script(`
      umask 027
      open f O_CREAT,O_WRONLY 666
      mkdir d 777
      mknod p fifo 666
      symlink x l
      stat f mode -> 640
      stat d mode -> 750
      stat p mode -> 640
      lstat l mode -> 777
    `)
  },
  'a stranger gets what the third digit gives': (_, { script }) => {
    script(`
      chmod . 755
      open private O_CREAT,O_WRONLY 600
      open public O_CREAT,O_WRONLY 644
      mkdir closed 700
      mkdir blind 733
      open blind/x O_CREAT,O_WRONLY 644
      as 2000 2000
      open private O_RDONLY -> EACCES
      open public O_RDONLY
      open public O_WRONLY -> EACCES
      open new O_CREAT,O_WRONLY -> EACCES
      stat closed/any ino -> EACCES
      open blind O_RDONLY -> EACCES
      open blind/x O_RDONLY
      unlink public -> EACCES
      chmod public 777 -> EPERM
      chown public 2000 2000 -> EPERM
      truncate public 0 -> EACCES
      access public 4 -> 0
      access public 2 -> EACCES
      mkdir d -> EACCES
      rename public other -> EACCES
    `)
  },
  'the owner and the group get their own digits, also when they are less': (_, { script }) => {
    script(`
      open f O_CREAT,O_WRONLY
      chown f 2000 3000
      chmod f 077
      fork
      as 2000 3000
      open f O_RDONLY -> EACCES
    `)
    script(`
      chmod f 707
      as 2001 2001 3000
      open f O_RDONLY -> EACCES
    `)
    script(`
      as 2001 2001
      open f O_RDWR -> 0
    `)
  },
  'files of a user belong to him and his group': (_, { script }) => {
    script(`
      chmod . 777
      as 2000 3000
      open f O_CREAT,O_WRONLY
      mkdir d
      symlink x l
      mknod p fifo 600
      lstat f uid,gid -> 2000 3000
      lstat d uid,gid -> 2000 3000
      lstat l uid,gid -> 2000 3000
      lstat p uid,gid -> 2000 3000
      chown f -1 3000 -> 0
      chown f -1 4000 -> EPERM
    `)
  },
  'a directory with setgid hands on its group, and to directories the bit': (_, { script }) => {
    script(`
      mkdir d
      chown d 0 3000
      chmod d 2777
      as 2000 2000
      open d/f O_CREAT,O_WRONLY 666
      mkdir d/sub
      symlink x d/l
      stat d/f gid,mode -> 3000 644
      stat d/sub gid -> 3000
      stat d/sub mode -> 2755
      lstat d/l gid -> 3000
      mkdir d/sub/deep
      stat d/sub/deep gid,mode -> 3000 2755
    `)
  },
  'setgid of a new file is dropped for one who is not in the group': (_, { script }) => {
    script(`
      mkdir d
      chown d 0 3000
      chmod d 2777
      umask 0
      as 2000 2000
      open d/f O_CREAT,O_WRONLY 2775
      stat d/f mode,gid -> 775 3000
    `)
  },
  'in a sticky directory only the owner removes or renames': (_, { script }) => {
    script(`
      mkdir t
      chmod t 1777
      open t/root O_CREAT,O_WRONLY 666
      open t/his O_CREAT,O_WRONLY 666
      chown t/his 2000 2000
      mkdir t/dir 777
      as 2000 2000
      unlink t/root -> EPERM|EACCES
      rename t/root t/x -> EPERM|EACCES
      rename t/his t/root -> EPERM|EACCES
      rmdir t/dir -> EPERM|EACCES
      rename t/his t/hers -> 0
      unlink t/hers -> 0
    `)
  },
  'a write by one who does not own the file clears setuid and setgid': (_, { script }) => {
    script(`
      open f O_CREAT,O_RDWR
      chmod f 6777
      fork
      as 2000 2000
      open f O_WRONLY
      write 1 x -> 1
      fstat 1 mode -> 777
      close 1
      stat f mode -> 777
    `)
  },
  'a truncation by one who does not own the file clears them too': (_, { script }) => {
    script(`
      open f O_CREAT,O_RDWR
      write 0 hello
      chmod f 6777
      as 2000 2000
      truncate f 2 -> 0
      stat f mode,size -> 777 2
    `)
    script(`
      chmod f 6777
      as 2000 2000
      open f O_WRONLY,O_TRUNC
      stat f mode,size -> 777 0
    `)
  },
  'a write by root keeps them': (_, { script }) => {
    script(`
      open f O_CREAT,O_RDWR
      chmod f 6777
      write 0 x
      fsync 0
      stat f mode -> 6777
    `)
  },
  'chown clears setuid and setgid of a program': (_, { script }) => {
    script(`
      open f O_CREAT,O_WRONLY
      chmod f 6755
      chown f 2000 2000
      stat f mode,uid,gid -> 755 2000 2000
      mkdir d
      chmod d 6755
      chown d 2000 2000
      stat d mode -> 6755
    `)
  },
  'chmod by an owner outside the group drops setgid': (_, { script }) => {
    script(`
      open f O_CREAT,O_WRONLY
      chown f 2000 3000
      as 2000 2000
      chmod f 2755 -> 0
      stat f mode -> 755
      chmod f 4755 -> 0
      stat f mode -> 4755
    `)
  },
  'a mode is one of twelve bits, and all of them are kept': (_, { script }) => {
    script(`
      open f O_CREAT,O_WRONLY
      mkdir d
      chmod f 7777
      chmod d 7777
      stat f mode -> 7777
      stat d mode -> 7777
      chmod f 0
      stat f mode -> 0
      chown f 4000000000 4000000001
      stat f uid,gid -> 4000000000 4000000001
      drop_caches 2
      stat f uid,gid,mode -> 4000000000 4000000001 0
    `)
  },
}
