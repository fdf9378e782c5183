// Reading, writing and sizes of regular files. A table of tests of a directory.

import type { Table } from '../support/table.ts'

const GIB = 1024 ** 3

export const files: Table = {
  'another opener sees what was written before it is closed or synced': (_, { script }) => {
    script(`
      open f O_CREAT,O_WRONLY
      write 0 unflushed -> 9
      open f O_RDONLY
      pread 1 0 100 -> unflushed
      fstat 1 size -> 9
      stat f size -> 9
      pwrite 0 2 FL -> 2
      pread 1 0 100 -> unFLushed
    `)
  },
  'ftruncate and stat agree at once, through the descriptor and the name': (_, { script }) => {
    script(`
      open f O_CREAT,O_RDWR
      fill 0 0 100000 x -> 100000
      ftruncate 0 70000 -> 0
      fstat 0 size -> 70000
      stat f size -> 70000
      ftruncate 0 200000 -> 0
      stat f size -> 200000
      same 0 69999 1 -> 1 x
      same 0 70000 130000 -> 130000 %00
      truncate f 5 -> 0
      fstat 0 size -> 5
      pread 0 0 10 -> xxxxx
    `)
  },
  'bytes cut off by a truncation do not come back when the file grows': (_, { script }) => {
    script(`
      open f O_CREAT,O_RDWR
      fill 0 0 10000 x
      fsync 0
      ftruncate 0 100
      ftruncate 0 10000
      same 0 100 9900 -> 9900 %00
      fsync 0
      drop_caches 3
      same 0 100 9900 -> 9900 %00
      same 0 0 100 -> 100 x
    `)
  },
  'O_TRUNC empties a file and O_EXCL refuses one that exists': (_, { script }) => {
    script(`
      open f O_CREAT,O_WRONLY
      write 0 hello
      close 0
      open f O_WRONLY,O_TRUNC
      stat f size -> 0
      open f O_CREAT,O_EXCL,O_WRONLY -> EEXIST
      open missing O_RDONLY -> ENOENT
      open f/x O_RDONLY -> ENOTDIR
      open f O_DIRECTORY -> ENOTDIR
      open . O_WRONLY -> EISDIR
    `)
  },
  'O_APPEND writes at the end, wherever the descriptor stands': (_, { script }) => {
    script(`
      open f O_CREAT,O_WRONLY
      write 0 one
      open f O_WRONLY,O_APPEND
      open f O_RDWR,O_APPEND
      write 1 two
      write 2 three
      pwrite 2 0 four
      pread 2 0 100 -> onetwothreefour
    `)
  },
  'a write beyond the end leaves a hole that reads as zeros': (_, { script }) => {
    script(`
      open f O_CREAT,O_RDWR
      pwrite 0 1000000 end -> 3
      fstat 0 size -> 1000003
      same 0 0 1000000 -> 1000000 %00
      pread 0 1000000 10 -> end
      pread 0 1000003 10 -> -
    `)
  },
  'a sparse file of 4 GiB costs next to nothing and reads as zeros': (_, { t, script }) => {
    const values = script(`
      open f O_CREAT,O_RDWR
      pwrite 0 ${4 * GIB - 1} z -> 1
      fsync 0 -> 0
      drop_caches 3
      stat f size -> ${4 * GIB}
      same 0 ${2 * GIB} 100000 -> 100000 %00
      pread 0 ${4 * GIB - 1} 10 -> z
      same 0 ${4 * GIB - 5000} 4999 -> 4999 %00
      stat f blocks
    `)
    t.ok(Number(values.at(-1)) < 4096, `it takes ${values.at(-1)} sectors`)
  },
  'a size of 10^15 bytes is EFBIG or sparse, and what comes after works': (
    _,
    { t, sys, script },
  ) => {
    const huge = 10 ** 15
    const [, truncated, size] = sys('open f O_CREAT,O_RDWR', `ftruncate 0 ${huge}`, 'stat f size')
    t.match(truncated, /^(0|EFBIG)$/)
    t.equal(size, truncated === '0' ? String(huge) : '0')
    script(`
      open f O_RDWR
      pwrite 0 0 alive -> 5
      fsync 0 -> 0
      pread 0 0 5 -> alive
      ${truncated === '0' ? `same 0 ${huge - 10} 20 -> 10 %00` : 'ftruncate 0 10'}
      ftruncate 0 5 -> 0
      stat f size -> 5
    `)
  },
  'a write at 2^60 is EFBIG at the latest at fsync, and the file lives on': (
    _,
    { t, sys, script },
  ) => {
    const at = 2 ** 60
    const outcome = sys(
      'open f O_CREAT,O_RDWR',
      `pwrite 0 ${at} x`,
      'fsync 0',
      'ftruncate 0 0',
      'syncfs 0',
    )
    t.match(outcome.slice(1, 3).join(' '), /^(1 0|.*EFBIG.*|1 EIO)$/)
    script(`
      open g O_CREAT,O_RDWR
      pwrite 0 0 alive -> 5
      fsync 0 -> 0
      ftruncate 0 9223372036854775807 -> EFBIG|0
      ftruncate 0 -1 -> EINVAL
      ftruncate 0 2 -> 0
      pread 0 0 5 -> al
    `)
  },
  'O_DIRECT reads and writes, and agrees with reads through the cache': (_, { script }) => {
    script(`
      open f O_CREAT,O_RDWR,O_DIRECT
      fill 0 0 65536 a -> 65536
      fill 0 8192 4096 b -> 4096
      open f O_RDWR
      same 1 8192 4096 -> 4096 b
      same 1 0 8192 -> 8192 a
      fill 1 4096 4096 c -> 4096
      same 0 4096 4096 -> 4096 c
      same 0 12288 53248 -> 53248 a
      fstat 0 size -> 65536
    `)
  },
  'a shared writable mapping and read(2) show the same bytes': (_, { script }) => {
    script(`
      open f O_CREAT,O_RDWR
      ftruncate 0 20000
      mmap 0 20000 -> 0
      poke 0 first
      poke 15000 last
      pread 0 0 5 -> first
      pwrite 0 100 middle
      peek 100 6 -> middle
      peek 1000 3 -> %00%00%00
      msync -> 0
      munmap -> 0
      close 0
      drop_caches 3
      open f O_RDONLY
      pread 1 15000 4 -> last
      pread 1 100 6 -> middle
      fstat 1 size -> 20000
    `)
  },
  'a mapping keeps its bytes without msync, also when the file has lost its name': (
    _,
    { script },
  ) => {
    script(`
      open f O_CREAT,O_RDWR
      ftruncate 0 8192
      mmap 0 8192
      unlink f -> 0
      close 0 -> 0
      poke 5000 here
      drop_caches 3
      peek 5000 4 -> here
      munmap -> 0
    `)
  },
  'reading what was just written works after the caches were dropped': (_, { script }) => {
    script(`
      open f O_CREAT,O_RDWR
      noise 0 0 3000000 1 -> 3000000
      fill 0 1000000 70000 q -> 70000
      close 0
      drop_caches 3
      open f O_RDONLY
      same 1 1000000 70000 -> 70000 q
      fstat 1 size -> 3000000
      same 1 999999 2 -> 2 mixed
    `)
  },
  'a descriptor for reading refuses writes and the other way round': (_, { script }) => {
    script(`
      open f O_CREAT,O_WRONLY
      pread 0 0 1 -> EBADF
      open f O_RDONLY
      write 1 x -> EBADF
      ftruncate 1 0 -> EINVAL
      close 7 -> EBADF
    `)
  },
  'fsync, fdatasync and syncfs answer for files and directories': (_, { script }) => {
    script(`
      open f O_CREAT,O_RDWR
      write 0 x
      fsync 0 -> 0
      fdatasync 0 -> 0
      syncfs 0 -> 0
      open . O_RDONLY
      fsync 1 -> 0
      fdatasync 1 -> 0
    `)
  },
}
