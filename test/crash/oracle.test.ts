// The oracle of the crash tests, tested on a plain folder: it finds the prefix that exists, and no
// other.

import { appendFileSync, chmodSync, mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { temporaryFolder } from '../support/mount.ts'
import { randomFrom, seedOf } from '../support/random.ts'
import { fileAt, type Model, pathsOf } from './model.ts'
import { apply, nextOperation, perform } from './operations.ts'
import { findPrefix, readTree } from './oracle.ts'

process.umask(0o022)
const seed = seedOf('AVFS_SEED')
t.comment(`AVFS_SEED=${seed}`)

function directoryAfter(root: string, count: number): { dir: string; model: Model } {
  const dir = join(root, `after${count}`)
  mkdirSync(dir)
  const random = randomFrom(seed)
  const model: Model = new Map()
  for (let number = 1; number <= count; number++) {
    const operation = nextOperation(random, model, number)
    perform(dir, operation)
    apply(model, operation)
  }
  return { dir, model }
}

t.test('a directory is found to hold what was done in it', (t) => {
  const root = temporaryFolder(t)
  for (const count of [0, 1, 10, 100, 400]) {
    const { dir } = directoryAfter(root, count)
    const prefix = findPrefix(readTree(dir), seed, 0, count + 50)
    t.ok(prefix.count >= count && !prefix.torn, `${prefix.count} of ${count}`)
    // An operation that changes nothing makes two prefixes alike; the last of them is as good.
    t.same(findPrefix(readTree(dir), seed, count, count), { count, torn: false })
  }
  t.end()
})

t.test('a directory that holds too little is refused', (t) => {
  const { dir } = directoryAfter(temporaryFolder(t), 100)
  t.throws(() => findPrefix(readTree(dir), seed, 110, 150), /no prefix of 110 to 150/)
  t.end()
})

t.test('any damage is noticed', (t) => {
  const root = temporaryFolder(t)
  const { dir, model } = directoryAfter(root, 200)
  const file = pathsOf(model, 'file').find((path) => fileAt(model, path).content.length > 10)
  if (file === undefined) throw new Error('no file to damage')
  const path = join(dir, file)
  const { content, mode } = fileAt(model, file)
  const refuses = (what: string): void => {
    t.throws(() => findPrefix(readTree(dir), seed, 200, 200), /no prefix/, what)
  }
  appendFileSync(path, 'x')
  refuses('a byte more')
  truncateSync(path, content.length - 1)
  refuses('a byte less')
  const other = Buffer.from(content)
  other.writeUInt8(other.readUInt8(5) ^ 1, 5)
  writeFileSync(path, other)
  refuses('another byte')
  writeFileSync(path, content)
  chmodSync(path, mode ^ 0o100)
  refuses('another mode')
  chmodSync(path, mode)
  findPrefix(readTree(dir), seed, 200, 200)
  writeFileSync(join(dir, 'more'), '')
  refuses('a name more')
  rmSync(join(dir, 'more'))
  rmSync(path)
  refuses('a name less')
  t.end()
})

t.test('content that was being written may be half there, and nothing else', (t) => {
  const root = temporaryFolder(t)
  const random = randomFrom(seed)
  const model: Model = new Map()
  for (let number = 1; ; number++) {
    const operation = nextOperation(random, model, number)
    if (number > 50 && operation.kind === 'create' && operation.bytes.length > 5000) {
      const { dir } = directoryAfter(root, number - 1)
      const path = join(dir, operation.path)
      writeFileSync(path, operation.bytes.subarray(0, 4096), { mode: 0o644 })
      t.same(findPrefix(readTree(dir), seed, 0, number), { count: number - 1, torn: true })
      t.throws(() => findPrefix(readTree(dir), seed, number, number), /no prefix/)
      writeFileSync(path, Buffer.alloc(4096, 'wrong'))
      t.throws(() => findPrefix(readTree(dir), seed, number - 1, number), /no prefix/)
      break
    }
    apply(model, operation)
  }
  t.end()
})
