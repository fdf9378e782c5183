// Extended attributes: namespaces, errnos and limits of xattr(7). A table of tests of a directory.

import type { Table } from '../support/table.ts'

export const xattrs: Table = {
  'attributes are set, replaced, listed and removed': (_, { script }) => {
    script(`
      open f O_CREAT,O_WRONLY
      listxattr f -> -
      setxattr f user.one first -> 0
      setxattr f user.two %00%FFbytes%00 -> 0
      getxattr f user.one -> first
      getxattr f user.two -> %00%FFbytes%00
      listxattr f -> user.one user.two
      setxattr f user.one second -> 0
      getxattr f user.one -> second
      setxattr f user.one - -> 0
      getxattr f user.one -> -
      removexattr f user.one -> 0
      listxattr f -> user.two
      drop_caches 2
      getxattr f user.two -> %00%FFbytes%00
    `)
  },
  'the flags and a missing name have their errnos': (_, { script }) => {
    script(`
      open f O_CREAT,O_WRONLY
      getxattr f user.none -> ENODATA
      removexattr f user.none -> ENODATA
      setxattr f user.a x replace -> ENODATA
      setxattr f user.a x create -> 0
      setxattr f user.a y create -> EEXIST
      setxattr f user.a y replace -> 0
      getxattr f user.a -> y
      setxattr missing user.a x -> ENOENT
      setxattr f user. x -> EINVAL|ERANGE
    `)
  },
  'sizes: 0 asks, too small a buffer is ERANGE': (_, { script }) => {
    script(`
      open f O_CREAT,O_WRONLY
      setxattr f user.a 12345
      getxattr f user.a 0 -> 5
      getxattr f user.a 5 -> 5
      getxattr f user.a 4 -> ERANGE
      listxattr f 1 -> ERANGE
    `)
  },
  'names of 255 bytes are the longest': (_, { script }) => {
    const name = `user.${'n'.repeat(250)}`
    script(`
      open f O_CREAT,O_WRONLY
      setxattr f ${name} x -> 0
      getxattr f ${name} -> x
      setxattr f ${name}n x -> ERANGE
      setxattr f user.%C3%A4%FF x -> 0
      listxattr f -> ${name} user.??|${name} user.\u00c3\u00a4\u00ff
    `)
  },
  'values of 64 KiB are the longest': {
    onlyMounted: 'ext4 keeps no more than a block',
    test: (_, { script }) => {
      script(`
        open f O_CREAT,O_WRONLY
        fillxattr f user.big 65536 -> 0
        getxattr f user.big 65536 -> 65536
        fillxattr f user.bigger 65537 -> E2BIG
        fillxattr f user.second 65536 -> 0
        drop_caches 2
        getxattr f user.big 65536 -> 65536
        getxattr f user.second 65536 -> 65536
      `)
    },
  },
  'a list longer than 64 KiB is refused, and what is set stays readable': {
    onlyMounted: 'ext4 keeps no more than a block',
    test: (_, { t, sys }) => {
      const names = Array.from({ length: 300 }, (_, index) => `user.${index}.${'n'.repeat(240)}`)
      const outcomes = sys(
        'open f O_CREAT,O_WRONLY',
        ...names.map((name) => `setxattr f ${name} x`),
        'listxattr f 0',
        `getxattr f ${names[0]}`,
      )
      t.match(outcomes.slice(1, 301).join(' '), /^(0 )+((ENOSPC|E2BIG) ?)*(0 ?)*$/)
      t.match(outcomes.at(-2), /^([0-9]+|E2BIG)$/)
      t.equal(outcomes.at(-1), 'x')
    },
  },
  'user.* is for files and directories only': (_, { script }) => {
    script(`
      mkdir d
      setxattr d user.a x -> 0
      symlink d l
      setxattr l user.a x -> EPERM
      getxattr l user.a -> EPERM|ENODATA
      mknod p fifo 644
      setxattr p user.a x -> EPERM
      setxattr l trusted.a x -> 0
      getxattr l trusted.a -> x
      setxattr p trusted.a x -> 0
    `)
  },
  'user.* follows the permissions of the file': (_, { script }) => {
    script(`
      open f O_CREAT,O_WRONLY 644
      setxattr f user.a x
      open g O_CREAT,O_WRONLY 600
      setxattr g user.a x
      mkdir t
      chmod t 1777
      as 2000 2000
      getxattr f user.a -> x
      setxattr f user.a y -> EACCES
      removexattr f user.a -> EACCES
      getxattr g user.a -> EACCES
      setxattr t user.a x -> EPERM
    `)
  },
  'trusted.* is for root, who alone sees it': (_, { script }) => {
    script(`
      open f O_CREAT,O_WRONLY 666
      setxattr f trusted.secret x -> 0
      getxattr f trusted.secret -> x
      listxattr f -> trusted.secret
      as 2000 2000
      getxattr f trusted.secret -> ENODATA
      setxattr f trusted.secret y -> EPERM
      listxattr f -> -
    `)
  },
  'a namespace that does not exist is EOPNOTSUPP': (_, { script }) => {
    script(`
      open f O_CREAT,O_WRONLY
      setxattr f bogus.a x -> EOPNOTSUPP
      getxattr f bogus.a -> EOPNOTSUPP
      setxattr f plain x -> EOPNOTSUPP
      setxattr f system.bogus x -> EOPNOTSUPP
    `)
  },
  'file capabilities are kept, and gone after a write': (_, { script }) => {
    // VFS_CAP_REVISION_2 with CAP_NET_RAW permitted and effective.
    const capability = '%01%00%00%02%00%20%00%00%00%00%00%00%00%00%00%00%00%00%00%00'
    script(`
      open f O_CREAT,O_WRONLY 755
      setxattr f security.capability ${capability} -> 0
      getxattr f security.capability 20 -> 20
      write 0 x
      fsync 0
      getxattr f security.capability 20 -> ENODATA
    `)
  },
}
