// fallocate, holes, copy_file_range and statfs. A table of tests of a directory.

import { statfsSync } from 'node:fs'
import type { Table } from '../support/table.ts'

const MIB = 1024 ** 2

export const space: Table = {
  'fallocate makes a file longer, and with KEEP_SIZE does not': (_, { script }) => {
    script(`
      open f O_CREAT,O_RDWR
      write 0 abc
      fallocate 0 allocate 0 100000 -> 0
      stat f size -> 100000
      pread 0 0 5 -> abc%00%00
      fallocate 0 keep 0 1000000 -> 0
      stat f size -> 100000
      fallocate 0 allocate 0 0 -> EINVAL
      fallocate 0 allocate -1 5 -> EINVAL
      open f O_RDONLY
      fallocate 1 allocate 0 5 -> EBADF
    `)
  },
  'PUNCH_HOLE and ZERO_RANGE leave zeros and nothing else': (_, { script }) => {
    script(`
      open f O_CREAT,O_RDWR
      fill 0 0 500000 x
      fallocate 0 punch,keep 100000 150000 -> 0
      same 0 0 100000 -> 100000 x
      same 0 100000 150000 -> 150000 %00
      same 0 250000 250000 -> 250000 x
      fallocate 0 zero 10 10 -> 0
      same 0 10 10 -> 10 %00
      same 0 20 80 -> 80 x
      fallocate 0 zero 499990 100 -> 0
      stat f size -> 500090
      fallocate 0 zero,keep 500000 100000 -> 0
      stat f size -> 500090
      fallocate 0 punch,keep 600000 100 -> 0
      stat f size -> 500090
      fallocate 0 punch 0 10 -> EOPNOTSUPP
      fsync 0
      drop_caches 3
      same 0 100000 150000 -> 150000 %00
      same 0 250000 249990 -> 249990 x
    `)
  },
  'a range that the file system cannot collapse is EOPNOTSUPP or collapsed': (_, { script }) => {
    script(`
      open f O_CREAT,O_RDWR
      fill 0 0 65536 x
      fallocate 0 collapse 0 4096 -> EOPNOTSUPP|0
    `)
  },
  'fallocate, punch and zero by one who does not own the file clear setuid and setgid': (
    _,
    { script },
  ) => {
    for (const mode of ['allocate', 'keep', 'punch,keep', 'zero']) {
      script(`
        open f${mode} O_CREAT,O_RDWR
        fill 0 0 20000 x
        chmod f${mode} 6777
        as 2000 2000
        open f${mode} O_RDWR
        fallocate 1 ${mode} 4096 4096 -> 0
        stat f${mode} mode -> 777
      `)
    }
  },
  'SEEK_DATA and SEEK_HOLE find data and holes': (_, { script }) => {
    script(`
      open f O_CREAT,O_RDWR
      fill 0 ${MIB} 65536 x
      ftruncate 0 ${4 * MIB}
      lseek 0 0 data -> ${MIB}
      lseek 0 0 hole -> 0
      lseek 0 ${MIB} hole -> ${MIB + 65536}
      lseek 0 ${MIB + 10} data -> ${MIB + 10}
      lseek 0 ${2 * MIB} data -> ENXIO
      lseek 0 ${2 * MIB} hole -> ${2 * MIB}
      lseek 0 ${4 * MIB} data -> ENXIO
      lseek 0 ${4 * MIB} hole -> ENXIO
      lseek 0 0 end -> ${4 * MIB}
      fsync 0
      drop_caches 3
      lseek 0 0 data -> ${MIB}
      lseek 0 ${MIB} hole -> ${MIB + 65536}
      lseek 0 -1 data -> ENXIO
    `)
  },
  'a file without holes has its only hole at the end, and an empty one has none': (
    _,
    { script },
  ) => {
    script(`
      open f O_CREAT,O_RDWR
      fill 0 0 10000 x
      lseek 0 0 hole -> 10000
      lseek 0 9999 hole -> 10000
      lseek 0 5 data -> 5
      open g O_CREAT,O_RDWR
      lseek 1 0 data -> ENXIO
      lseek 1 0 hole -> ENXIO
    `)
  },
  'st_blocks falls when a hole is punched': (_, { t, script }) => {
    const values = script(`
      open f O_CREAT,O_RDWR
      noise 0 0 ${4 * MIB} 3
      fsync 0
      drop_caches 3
      stat f blocks
      fallocate 0 punch,keep 0 ${3 * MIB} -> 0
      fsync 0
      drop_caches 3
      stat f blocks
    `)
    t.ok(Number(values[4]) >= (3.9 * MIB) / 512, `${values[4]} sectors of 4 MiB`)
    t.ok(Number(values[8]) <= (1.1 * MIB) / 512, `${values[8]} sectors of the last MiB`)
  },
  'copy_file_range copies within a file and between files': (_, { script }) => {
    script(`
      open a O_CREAT,O_RDWR
      fill 0 0 300000 a
      fill 0 100000 100000 b
      open b O_CREAT,O_RDWR
      copy_file_range 0 50000 1 7 200000 -> 200000
      fstat 1 size -> 200007
      same 1 0 7 -> 7 %00
      same 1 7 50000 -> 50000 a
      same 1 50007 100000 -> 100000 b
      copy_file_range 0 299990 1 0 1000 -> 10
      copy_file_range 0 400000 1 0 10 -> 0
      copy_file_range 0 0 0 1000 5000 -> EINVAL
      copy_file_range 0 100000 0 300000 100000 -> 100000
      same 0 300000 100000 -> 100000 b
      pwrite 0 100000 changed
      pread 0 300000 3 -> bbb
      pread 1 50007 3 -> bbb
    `)
  },
  'copy_file_range copies what is still only in the page cache': (_, { script }) => {
    script(`
      open a O_CREAT,O_RDWR
      open b O_CREAT,O_RDWR
      write 0 not-yet-written
      write 1 ----------------
      copy_file_range 0 0 1 4 7 -> 7
      pread 1 0 20 -> ----not-yet-----
    `)
  },
  'copy_file_range shares blocks, so a copy costs next to nothing': {
    onlyMounted: 'few file systems share blocks between files',
    test: (_, { t, sys, script, vault }) => {
      if (vault === undefined) throw new Error('needs a vault')
      sys('open a O_CREAT,O_RDWR', `noise 0 0 ${32 * MIB} 5`, 'fsync 0', 'syncfs 0')
      const stored = (): number => {
        const { stdout } = vault.avfs(['vault', 'stats', vault.name, '--json'])
        return (JSON.parse(stdout) as { storedBytes: number }).storedBytes
      }
      const before = stored()
      t.ok(before >= 32 * MIB, `${before} bytes in blocks`)
      script(`
        open a O_RDONLY
        open b O_CREAT,O_RDWR
        copy_file_range 0 0 1 0 ${32 * MIB} -> ${32 * MIB}
        fsync 1 -> 0
        drop_caches 3
        fstat 1 size -> ${32 * MIB}
      `)
      // Of blocks, not of files: engines write logs anew, and merge what came before meanwhile. Old
      // blocks may go, too.
      const after = stored()
      t.ok(after < before + MIB, `${before} bytes before, ${after} after`)
    },
  },
  'statfs tells the free space of the host and the number of inodes': {
    onlyMounted: 'a plain folder shares its numbers with whatever else the machine does',
    test: (dir, { t, sys, vault }) => {
      if (vault === undefined) throw new Error('needs a vault')
      const numbers = () => (sys('statfs .')[0] ?? '').split(' ').map(Number)
      const before = numbers()
      sys('many f 100')
      const after = numbers()
      const [blockSize = 0, blocks = 0, free = 0, available = 0, , , nameMax] = after
      const host = statfsSync(vault.home)
      const hostBytes = host.bavail * host.bsize
      t.ok(blockSize >= 512)
      t.ok(blocks >= free && free >= available)
      const off = Math.abs(available * blockSize - hostBytes)
      t.ok(off < hostBytes * 0.05, `${available * blockSize} available here, ${hostBytes} there`)
      t.equal(nameMax, 255)
      const used = (n: number[]) => (n[4] ?? 0) - (n[5] ?? 0)
      t.equal(used(after) - used(before), 100, 'a hundred new inodes are counted')
      t.equal(statfsSync(dir).bsize, blockSize)
    },
  },
}
