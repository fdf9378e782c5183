// A folder with one of everything that a copy can lose: odd names, modes, owners, times to the
// nanosecond, links of both kinds, special files, extended attributes, access lists, labels, holes,
// and files of all sizes. Made as root, by plain system tools.

import { randomBytes } from 'node:crypto'
import { chmodSync, lchownSync, linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../support/program.ts'

/** Fills `root`, which exists. */
export function makeOddTree(root: string): void {
  const at = (path: string): string => join(root, path)
  mkdirSync(at('sub/empty'), { recursive: true })
  mkdirSync(at('sub/deep/deeper'), { recursive: true })
  for (const size of [0, 1, 5 * 1024, 5 * 1024 + 1, 65536, 65537, 131072, 131073, 3_000_001])
    writeFileSync(at(`sub/${size}`), randomBytes(size))
  writeFileSync(at('text'), 'the same words again and again\n'.repeat(10_000))
  writeFileSync(
    Buffer.concat([Buffer.from(`${root}/not-utf8-`), Buffer.from([0xff, 0x0a, 0xfe])]),
    'odd',
  )
  writeFileSync(at('n'.repeat(255)), 'a long name')
  writeFileSync(at('sub/two'), 'two names')
  linkSync(at('sub/two'), at('sub/deep/names'))
  linkSync(at('sub/3000001'), at('large-link'))
  symlinkSync('no/where', at('link'))
  symlinkSync('x'.repeat(200), at('long-link'))
  run('mkfifo', [at('fifo')])
  run('mknod', [at('null'), 'c', '1', '3'])
  run('mknod', [at('block'), 'b', '7', '300'])
  for (const path of ['sparse', 'hole']) run('truncate', ['-s', '300M', at(path)])
  const piece = ['if=/dev/urandom', `of=${at('sparse')}`, 'bs=64K', 'conv=notrunc', 'status=none']
  run('dd', [...piece, 'count=3', 'seek=1000'])
  run('setfattr', ['-n', 'user.k', '-v', 'value', at('text')])
  run('setfattr', ['-n', 'trusted.t', '-v', '0x00ff', at('sub')])
  run('setfattr', ['-n', 'user.xdg.tags', '-v', 'blue,green', at('sub/two')])
  run('setfacl', ['-m', 'u:1234:rw,g:77:r', at('text')])
  run('setfacl', ['-d', '-m', 'g:77:rx', at('sub/deep')])
  chmodSync(at('sub/1'), 0o4711)
  chmodSync(at('sub/0'), 0)
  lchownSync(at('link'), 5, 6)
  lchownSync(at('sub/deep'), 1000, 1001)
  const touch = (when: string, ...paths: string[]): void =>
    void run('touch', ['-h', '-d', when, ...paths.map(at)])
  touch('1969-12-31 23:59:58.25', 'hole')
  touch('2001-02-03 04:05:06.123456789', 'text', 'link', 'sub/empty', 'sub/two', 'fifo')
  touch('2040-01-01 00:00:00.000000001', 'sub/deep', 'sub', '.')
}

/**
 * What rsync would do to make `copy` what `original` is; '' when they are the same in all that it
 * knows.
 */
export function differences(original: string, copy: string): string {
  const flags = ['-aHAXSni', '--checksum', '--delete', '--no-inc-recursive', '--numeric-ids']
  return run('rsync', [...flags, `${original}/`, `${copy}/`])
}

/** Bytes on the disk of the host. */
export function bytesOnDisk(path: string): number {
  return Number(run('du', ['-B1', path]).split('\t')[0])
}
