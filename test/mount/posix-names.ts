// Names as bytes: length, every value, names that look alike and differ. A table of tests of a
// directory.

import {
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { dropCaches } from '../support/caches.ts'
import type { Table } from '../support/table.ts'

function path(dir: string, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${dir}/`), name])
}

function listed(dir: string): string[] {
  return readdirSync(dir, { encoding: 'buffer' })
    .map((name) => Buffer.from(name).toString('latin1'))
    .sort()
}

export const names: Table = {
  'a name of 255 bytes is the longest, of every kind': (_, { script }) => {
    const name = 'n'.repeat(255)
    const umlauts = `${'%C3%A4'.repeat(127)}x`
    script(`
      open ${name} O_CREAT,O_WRONLY
      stat ${name} size -> 0
      open ${name}n O_CREAT,O_WRONLY -> ENAMETOOLONG
      stat ${name}n size -> ENAMETOOLONG
      mkdir ${name}n -> ENAMETOOLONG
      symlink x ${name}n -> ENAMETOOLONG
      link ${name} ${name}n -> ENAMETOOLONG
      rename ${name} ${name}n -> ENAMETOOLONG
      unlink ${name}n -> ENAMETOOLONG
      open ${umlauts} O_CREAT,O_WRONLY
      open ${umlauts}x O_CREAT,O_WRONLY -> ENAMETOOLONG
      unlink ${name} -> 0
      mkdir ${name} -> 0
    `)
  },
  'every byte but / and NUL may stand in a name, and stays as it is': (dir, { t }) => {
    const wanted: string[] = []
    for (let byte = 1; byte < 256; byte++) {
      if (byte === 0x2f) continue
      const name = Buffer.from([0x78, byte, 0x79])
      writeFileSync(path(dir, name), String(byte))
      wanted.push(name.toString('latin1'))
    }
    dropCaches()
    t.same(listed(dir), wanted.sort())
    for (const name of wanted) {
      const bytes = Buffer.from(name, 'latin1')
      t.equal(readFileSync(path(dir, bytes), 'utf8'), String(bytes[1]))
    }
  },
  'names that are not UTF-8 are directories, link targets and rename targets too': (dir, { t }) => {
    const odd = Buffer.from([0xff, 0xfe, 0x80, 0xc3])
    const other = Buffer.from([0xc3, 0x28])
    mkdirSync(path(dir, odd))
    writeFileSync(Buffer.concat([path(dir, odd), Buffer.from('/'), other]), 'inside')
    symlinkSync(odd, path(dir, Buffer.from('link')))
    t.same(readlinkSync(path(dir, Buffer.from('link')), { encoding: 'buffer' }), odd)
    renameSync(path(dir, odd), path(dir, other))
    dropCaches()
    t.same(listed(dir), ['link', other.toString('latin1')])
    const inside = Buffer.concat([path(dir, other), Buffer.from('/'), other])
    t.equal(readFileSync(inside, 'utf8'), 'inside')
  },
  'names that look alike are different names': (dir, { t }) => {
    const composed = '\u00e9'
    const decomposed = 'e\u0301'
    for (const name of [composed, decomposed, 'A', 'a', ' ', '  ', 'a.', 'a ']) {
      writeFileSync(join(dir, name), name)
    }
    t.equal(readdirSync(dir).length, 8)
    t.equal(readFileSync(join(dir, composed), 'utf8'), composed)
    t.equal(readFileSync(join(dir, decomposed), 'utf8'), decomposed)
    t.equal(readFileSync(join(dir, 'A'), 'utf8'), 'A')
  },
  'names of many languages and pictures are kept': (dir, { t }) => {
    const all = [
      '\u65e5\u672c\u8a9e',
      '\u0440\u0443\u0441',
      '\u{1f600}\u{1f468}\u200d\u{1f469}',
      '\u0627\u0644',
    ]
    for (const name of all) writeFileSync(join(dir, name), name)
    dropCaches()
    t.same(readdirSync(dir).sort(), [...all].sort())
  },
  'names that mean something to others mean nothing here': (dir, { t }) => {
    const all = [
      '...',
      '-rf',
      '*',
      '?',
      '\\',
      '"',
      "'",
      '%',
      '$HOME',
      'a;b',
      '#',
      '%00',
      'con',
      '.~lock',
    ]
    for (const name of all) writeFileSync(join(dir, name), name)
    t.same(readdirSync(dir).sort(), [...all].sort())
    for (const name of all) t.equal(readFileSync(join(dir, name), 'utf8'), name)
  },
  'the names . and .. and the empty one cannot be made or removed': (_, { script }) => {
    script(`
      mkdir d
      mkdir d/. -> EEXIST
      mkdir d/.. -> EEXIST
      rmdir d/. -> EINVAL
      rmdir d/.. -> ENOTEMPTY
      unlink d/.. -> EISDIR
      rename d/. x -> EBUSY|EINVAL
      open %00 O_RDONLY -> ENOENT
      open d/ O_CREAT,O_WRONLY -> EISDIR
      open new/ O_CREAT,O_WRONLY -> EISDIR
    `)
  },
  'paths up to PATH_MAX work by steps, and deeper trees by chdir': (_, { script }) => {
    const part = 'p'.repeat(200)
    const down = Array.from({ length: 30 }, () => `mkdir ${part}\n chdir ${part}`).join('\n')
    script(`
      ${down}
      open bottom O_CREAT,O_WRONLY
      write 0 deep
      stat bottom size -> 4
    `)
  },
}
