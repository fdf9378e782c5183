// What names mean in views: bytes that cannot be a tag, a snapshot, a moment or a query are names
// of nothing, or of files.

import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { EINVAL, ENAMETOOLONG, ENOENT, EOPNOTSUPP, EROFS, FsError } from '../../src/base/errno.ts'
import { setLog } from '../../src/base/log.ts'
import type { FileSystem } from '../../src/fs/file-system.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { list, O_EXCL, open, root, save, textOf, walk } from './view-bed.ts'

setLog('error')

const ODD = [
  'caf\xe9.txt',
  '\xff',
  '\xed\xa0\x80',
  '\xc0\xaf',
  'x\xf0\x9f',
  '\x01',
  'line\nbreak',
  '\x7f',
  '\xc2\x85',
  ' ',
  '%',
  '%25',
  '%2F',
  '"',
  '(',
  '~2',
  'f~0',
  'f~99',
  'f~99999999999999999999',
  '0.txt',
  '@',
  '@GMT-2026.13.40-25.61.61',
  '@99999999999',
  '999999999y',
  '2026-02-30',
  '2026-11-22T10-00-60',
  '2999-01-01T00-00-00',
  'x'.repeat(255),
  '\xe9'.repeat(255),
]
const LONG = ['x'.repeat(256), '\xe9'.repeat(1000)]

/** One of each kind of directory in the views, some entered by a path through another. */
const DIRECTORIES = [
  '.avfs',
  '.avfs/at',
  '.avfs/at/0s',
  '.avfs/at/0s/d',
  '.avfs/deleted',
  '.avfs/search',
  '.avfs/snapshots',
  '.avfs/snapshots/s',
  '.avfs/snapshots/s/d',
  '.avfs/tags',
  '.avfs/tags/red',
  '.avfs/tags/red/blue',
  '.avfs/versions',
  '.avfs/versions/f.txt',
]

/**
 * What has a letter or a digit, and no byte that a text has not, is a query; there is no search
 * here.
 */
function missing(path: string, name: string): number {
  const isQuery = path === '.avfs/search' && /^[ -~]*[a-zA-Z0-9][ -~]*$/.test(name)
  return isQuery && name !== '%25' && name !== '%2F' ? EOPNOTSUPP : ENOENT
}

/** The errno that is answered, or what is instead of one. */
function errnoOf(act: () => unknown): unknown {
  try {
    return act()
  } catch (error) {
    return error instanceof FsError ? error.errno : error
  }
}

async function filled(t: Test): Promise<FileSystem> {
  const fs = await open(t)
  save(fs, ROOT_INO, 'f.txt', 'one')
  fs.mkdir(root, ROOT_INO, 'd', 0o755, 0)
  fs.mkdir(root, walk(fs, '.avfs/snapshots').ino, 's', 0o755, 0)
  for (const tag of ['red', 'blue']) fs.mkdir(root, walk(fs, '.avfs/tags').ino, tag, 0o755, 0)
  return fs
}

t.test('no name is there that is not, whatever its bytes, in any view', async (t) => {
  const fs = await filled(t)
  const gone = fs.mkdir(root, ROOT_INO, 'gone', 0o755, 0)
  save(fs, gone.ino, 'f', 'two')
  await sleep(1100)
  fs.unlink(root, gone.ino, 'f')
  fs.rmdir(root, ROOT_INO, 'gone')
  for (const path of [...DIRECTORIES, '.avfs/deleted/gone']) {
    const { ino } = walk(fs, path)
    const asked = (name: string) => [
      errnoOf(() => fs.lookup(root, ino, name)),
      errnoOf(() => fs.unlink(root, ino, name)),
      errnoOf(() => fs.rename(root, ino, name, ROOT_INO, 'new', 0)),
    ]
    for (const name of ODD) {
      const [found, ...others] = asked(name)
      t.equal(found, missing(path, name), `${path}: ${JSON.stringify(name)}`)
      t.notMatch(others, [EINVAL], `${path}: ${JSON.stringify(name)}`)
    }
    for (const name of LONG) t.equal(asked(name)[0], ENAMETOOLONG, `${path}: ${name.length} bytes`)
  }
  t.equal(walk(fs, 'f.txt').size, 3)
})

t.test('only what can be called so is made, and the rest is refused with its reason', async (t) => {
  const fs = await filled(t)
  for (const path of DIRECTORIES) {
    const { ino } = walk(fs, path)
    const isMade = ['.avfs/snapshots', '.avfs/tags'].includes(path)
    for (const name of ['caf\xe9', 'line\nbreak', '\xc2\x85'])
      t.equal(
        errnoOf(() => fs.mkdir(root, ino, name, 0o755, 0)),
        isMade ? EINVAL : EROFS,
        `${path}: ${JSON.stringify(name)}`,
      )
    for (const name of LONG) {
      t.equal(
        errnoOf(() => fs.mkdir(root, ino, name, 0o755, 0)),
        ENAMETOOLONG,
        path,
      )
      t.equal(
        errnoOf(() => fs.create(root, ino, name, 0o644, 0, O_EXCL)),
        ENAMETOOLONG,
        path,
      )
      t.equal(
        errnoOf(() => fs.link(root, walk(fs, 'f.txt').ino, ino, name)),
        ENAMETOOLONG,
        path,
      )
      t.equal(
        errnoOf(() => fs.rename(root, ROOT_INO, 'f.txt', ino, name, 0)),
        ENAMETOOLONG,
        path,
      )
    }
  }
  for (const path of ['.avfs/snapshots', '.avfs/tags']) {
    const { ino } = walk(fs, path)
    const [name = ''] = list(fs, ino)
    t.equal(
      errnoOf(() => fs.rename(root, ino, 'caf\xe9', ino, 'new', 0)),
      ENOENT,
      path,
    )
    t.equal(
      errnoOf(() => fs.rmdir(root, ino, 'caf\xe9')),
      ENOENT,
      path,
    )
    t.equal(
      errnoOf(() => fs.rename(root, ino, name, ino, 'caf\xe9', 0)),
      EINVAL,
      path,
    )
    t.same(list(fs, ino).includes(name), true, path)
  }
  t.same(list(fs, ROOT_INO).sort(), ['d', 'f.txt'])
})

t.test('a file of any name is labelled by ln and mv, and by cp', async (t) => {
  const fs = await filled(t)
  const red = walk(fs, '.avfs/tags/red').ino
  const names = ODD.filter((name) => !/^0|~/.test(name))
  for (const [at, name] of names.entries()) {
    const ino = save(fs, ROOT_INO, name, `text ${at}`)
    if (at % 3 === 0) fs.link(root, ino, red, name)
    else if (at % 3 === 1) fs.rename(root, ROOT_INO, name, red, name, 0)
    else {
      const copy = fs.create(root, red, name, 0o644, 0, O_EXCL)
      fs.write(root, copy.ino, 0, Buffer.from(`text ${at}`), false, false)
      fs.flush(root, copy.ino)
    }
    t.equal(fs.lookup(root, red, name)?.ino, ino, JSON.stringify(name))
  }
  t.same(list(fs, red).sort(), [...names].sort())
  for (const name of names) fs.unlink(root, red, name)
  t.same(list(fs, red), [])
  t.ok(list(fs, ROOT_INO).includes('caf\xe9.txt'))
})

t.test('a file that is called as a tag is found before the combination of both', async (t) => {
  const fs = await filled(t)
  const red = walk(fs, '.avfs/tags/red').ino
  const { ino } = walk(fs, 'f.txt')
  t.same(list(fs, walk(fs, '.avfs/tags/red/blue').ino), [])
  const blue = save(fs, ROOT_INO, 'blue', 'sky')
  t.equal(
    errnoOf(() => fs.lookup(root, red, 'blue')),
    ENOENT,
    'it is to be labelled',
  )
  fs.link(root, blue, red, 'blue')
  t.equal(fs.lookup(root, red, 'blue')?.ino, blue)
  fs.link(root, ino, walk(fs, '.avfs/tags/blue').ino, 'f.txt')
  fs.link(root, ino, red, 'f.txt')
  t.same(list(fs, walk(fs, '.avfs/tags/blue/red').ino), ['f.txt'], 'the other way round')
  t.same(list(fs, walk(fs, 'd/.avfs/tags/red/blue').ino), [], 'where no file is called so')
})

t.test('a listed moment without fraction and zone is in UTC, another time is local', async (t) => {
  const { TZ } = process.env
  t.teardown(() => {
    if (TZ === undefined) delete process.env.TZ
    else process.env.TZ = TZ
  })
  for (const zone of ['America/New_York', 'Asia/Kolkata']) {
    process.env.TZ = zone
    const fs = await open(t)
    save(fs, ROOT_INO, 'f', 'one')
    await sleep(1100)
    const at = walk(fs, '.avfs/at')
    const shortened = new Set(list(fs, at.ino).map((name) => name.slice(0, 19)))
    save(fs, ROOT_INO, 'f', 'two')
    save(fs, ROOT_INO, 'f', 'three')
    await sleep(1100)
    const [newest = ''] = list(fs, at.ino)
    t.equal(textOf(fs, walk(fs, `.avfs/at/${newest.slice(0, 19)}/f`)), 'three', zone)
    for (const name of shortened) {
      const before = fs.lookup(root, at.ino, name)
      t.equal(before?.nameMs, undefined, 'for good')
      t.equal(textOf(fs, walk(fs, `.avfs/at/${name}/f`)), 'one', `${zone}: ${name}`)
    }
    const now = new Date()
    const local = new Date(now.getTime() - now.getTimezoneOffset() * 60_000)
    const typed = local.toISOString().slice(0, 19).replaceAll(':', '-')
    t.equal(textOf(fs, walk(fs, `.avfs/at/${typed}/f`)), 'three', `${typed} is now`)
  }
})
