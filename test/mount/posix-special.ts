// FIFOs, sockets, device nodes, handles, locks and notification. A table of tests of a directory.

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Table } from '../support/table.ts'

export const special: Table = {
  'a FIFO carries bytes from one process to another': (dir, { t, script }) => {
    script('mknod p fifo 666')
    const { stdout } = spawnSync('sh', ['-c', 'echo through > p & cat p; wait'], {
      cwd: dir,
      encoding: 'utf8',
      timeout: 10_000,
    })
    t.equal(stdout, 'through\n')
    script('lstat p type,mode,size -> 1 644 0')
  },
  'a socket is made by bind and takes connections': (_, { script }) => {
    script(`
      bind s
      lstat s type -> 14
      connect s -> 0
      open s O_RDONLY -> ENXIO
      bind s -> EADDRINUSE
      unlink s -> 0
      connect s -> ENOENT
    `)
  },
  'device nodes keep their numbers and open their device': {
    onlyMounted: 'a temporary folder may be mounted nodev',
    test: (_, { script }) => {
      script(`
        mknod null char 666 1 3
        mknod zero char 666 1 5
        mknod big block 600 259 1048575
        lstat null type,rdev,mode -> 2 1:3 644
        lstat big type,rdev -> 6 259:1048575
        drop_caches 2
        lstat big rdev -> 259:1048575
        open null O_RDWR
        write 0 swallowed -> 9
        pread 0 0 10 -> -
        open zero O_RDONLY
        same 1 0 100 -> 100 %00
        stat null size -> 0
      `)
    },
  },
  'device nodes are for root, regular files by mknod for all': (_, { script }) => {
    script(`
      chmod . 777
      as 2000 2000
      mknod n char 666 1 3 -> EPERM
      mknod f file 644 -> 0
      mknod p fifo 644 -> 0
      lstat f type,size -> 10 0
      mknod f file 644 -> EEXIST
    `)
  },
  'a file is opened by its handle, also after the caches were dropped': (_, { t, script }) => {
    const values = script(`
      mkdir d
      open d/f O_CREAT,O_RDWR
      write 0 handled
      close 0
      stat d/f ino
      handle d/f -> 0
      openhandle . O_RDWR
      fstat 1 ino
      pread 1 0 10 -> handled
      close 1
      drop_caches 2
      openhandle . O_RDWR
      pread 2 0 10 -> handled
      close 2
      rename d/f g
      drop_caches 2
      openhandle . O_RDONLY
      fstat 3 ino
    `)
    t.equal(values[7], values[4])
    t.equal(values[17], values[4])
  },
  'the handle of a directory opens it, and finds its way up': (_, { t, script }) => {
    const values = script(`
      mkdir a
      mkdir a/b
      open a/b/f O_CREAT,O_WRONLY
      handle a/b -> 0
      stat a/b ino
      drop_caches 2
      openhandle . O_RDONLY
      fstat 1 ino
      getdents 1 4096
    `)
    t.equal(values[7], values[4])
    t.match(values[8], /\bf\b/)
  },
  'the handle of a file that is gone is ESTALE': (_, { script }) => {
    // Twice: what the kernel is just being told of an inode keeps it for that long.
    script(`
      open f O_CREAT,O_WRONLY
      handle f
      unlink f
      close 0
      drop_caches 2
      drop_caches 2
      openhandle . O_RDONLY -> ESTALE
    `)
  },
  'flock excludes by open file, and goes with the descriptor': (_, { script }) => {
    script(`
      open f O_CREAT,O_RDWR
      open f O_RDWR
      flock 0 exclusive -> 0
      flock 1 exclusive -> EAGAIN
      flock 1 shared -> EAGAIN
      flock 0 shared -> 0
      flock 1 shared -> 0
      flock 0 exclusive -> EAGAIN
      close 1
      flock 0 exclusive -> 0
      flock 0 none -> 0
    `)
  },
  'fcntl locks exclude other processes by range': (_, { script }) => {
    script(`
      open f O_CREAT,O_RDWR
      setlk 0 write 100 50 -> 0
      setlk 0 read 0 10 -> 0
      fork
      setlk 0 write 120 1 -> EAGAIN|EACCES
      setlk 0 write 150 10 -> 0
      setlk 0 read 0 10 -> 0
      setlk 0 write 0 10 -> EAGAIN|EACCES
      getlk 0 write 0 200 -> read 0 10 parent
      getlk 0 read 0 100 -> free
    `)
  },
  'open file description locks exclude within a process': (_, { script }) => {
    script(`
      open f O_CREAT,O_RDWR
      open f O_RDWR
      ofdlk 0 write 0 100 -> 0
      ofdlk 1 write 50 100 -> EAGAIN
      ofdlk 1 write 100 100 -> 0
      close 0
      ofdlk 1 write 0 100 -> 0
    `)
  },
  'inotify tells of every change made here': (_, { t, script }) => {
    const values = script(`
      watch .
      open f O_CREAT,O_WRONLY
      write 1 x
      close 1
      rename f g
      chmod g 600
      mkdir d
      unlink g
      events 0
    `)
    t.equal(
      values[8],
      'create:f open:f modify:f close_write:f moved_from:f moved_to:g attrib:g create:d delete:g',
    )
  },
  'two processes appending to one file lose nothing': async (dir, { t, beside }) => {
    const outcomes = await Promise.all([
      beside('append f aaaaaaaaa%0A 2000'),
      beside('append f bbbbbbbbb%0A 2000'),
    ])
    t.same(outcomes, [['2000'], ['2000']])
    const lines = readFileSync(join(dir, 'f'), 'utf8').split('\n')
    t.equal(lines.pop(), '')
    t.equal(lines.length, 4000)
    t.equal(lines.filter((line) => line === 'a'.repeat(9)).length, 2000)
    t.equal(lines.filter((line) => line === 'b'.repeat(9)).length, 2000)
  },
  'an ioctl for inode flags is answered, if only by a refusal': (_, { script }) => {
    script(`
      open f O_CREAT,O_RDWR
      getflags 0 -> 0|ENOTTY|EOPNOTSUPP
    `)
  },
}
