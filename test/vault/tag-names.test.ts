// The names of files in a tag's directory: looked up one by one, in any order of changes, they are
// what a listing shows.

import t from 'tap'
import { FsError } from '../../src/base/errno.ts'
import { setLog } from '../../src/base/log.ts'
import type { FileSystem } from '../../src/fs/file-system.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { type Random, randomFrom, seedOf } from '../support/random.ts'
import { list, O_EXCL, open, root, walk } from './view-bed.ts'

setLog('error')
const STEPS = Number(process.env.AVFS_TEST_STEPS ?? 400)
const LONG = 'x'.repeat(255)
/**
 * Names that meet when they are numbered: of one beginning, some with numbers of their own, some
 * too long for one.
 */
const NAMES = ['f', 'f~', 'f~2', 'f~3', 'f~2~2', 'f~02', '~2', LONG, `${LONG.slice(2)}~2`]
const ASKED = [
  ...NAMES,
  ...NAMES.flatMap((name) => [2, 3, 4].map((at) => `${name.slice(0, 253)}~${at}`)),
  'g',
]

/** The file with that number, or undefined. */
function found(fs: FileSystem, tag: number, name: string): number | undefined {
  try {
    return fs.lookup(root, tag, name)?.ino
  } catch (error) {
    if (error instanceof FsError) return undefined
    throw error
  }
}

function attempt(change: () => unknown): void {
  try {
    change()
  } catch (error) {
    if (!(error instanceof FsError)) throw error
  }
}

function step(
  fs: FileSystem,
  random: Random,
  directories: readonly number[],
  tags: number[],
): void {
  const [from, to] = [random.pick(directories), random.pick(directories)]
  const [name, other] = [random.pick(NAMES), random.pick(NAMES)]
  const tag = random.pick(tags)
  const file = () => fs.lookup(root, from, name)?.ino ?? 0
  attempt(
    random.pick([
      () => fs.create(root, from, name, 0o100644, 0, O_EXCL),
      () => fs.create(root, from, name, 0o100644, 0, O_EXCL),
      () => fs.link(root, file(), tag, 'any'),
      () => fs.link(root, file(), tag, name),
      () => fs.link(root, file(), to, other),
      () => fs.rename(root, from, name, to, other, 0),
      () => fs.unlink(root, from, name),
      () => fs.unlink(root, tag, random.pick([...list(fs, tag), 'none'])),
      () => fs.rename(root, ROOT_INO, 'b', random.pick(directories), 'c', 0),
      () => fs.rename(root, directories[1] ?? 0, 'c', ROOT_INO, 'b', 0),
    ]),
  )
}

t.test('names that are looked up in a tag lead where a listing says', async (t) => {
  const seed = seedOf('AVFS_TEST_SEED')
  t.comment(`seed ${seed}`)
  const random = randomFrom(seed)
  const fs = await open(t)
  const made = ['a', 'b'].map((name) => fs.mkdir(root, ROOT_INO, name, 0o755, 0).ino)
  const directories = [ROOT_INO, ...made]
  for (const tag of ['red', 'blue']) fs.mkdir(root, walk(fs, '.avfs/tags').ino, tag, 0o755, 0)
  const tags = ['red', 'blue', 'red/blue'].map((path) => walk(fs, `.avfs/tags/${path}`).ino)
  tags.push(walk(fs, 'a/.avfs/tags/red').ino)
  let most = 0
  for (let at = 0; at < STEPS; at++) {
    step(fs, random, directories, tags)
    const tag = random.pick(tags)
    const asked = ASKED.map((name) => [name, found(fs, tag, name)] as const)
    const listed = new Map(list(fs, tag).map((name) => [name, found(fs, tag, name)] as const))
    most = Math.max(most, listed.size)
    const differ = asked.filter(([name, ino]) => listed.get(name) !== ino)
    if (differ.length === 0) continue
    t.same(differ, [], `step ${at}`)
    return
  }
  t.ok(most > 3, 'files were labelled')
})
