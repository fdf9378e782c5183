// Long work is done in slices: other users' requests are answered in between, through the session,
// without a kernel. The clock advances at each look, so that slices end after few steps on any
// machine.

import t, { type Test } from 'tap'
import { EAGAIN, ENOENT } from '../../src/base/errno.ts'
import { setLog } from '../../src/base/log.ts'
import { createFileSystem, type FileSystem } from '../../src/fs/file-system.ts'
import { LONG_MAX } from '../../src/fuse/long-work.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { historyOf } from '../../src/vault/history/changes.ts'
import { versionsOf } from '../../src/vault/history/versions.ts'
import { fakeMount, name, request, u32, u64 } from '../support/fuse-wire.ts'
import { randomFrom } from '../support/random.ts'
import { list, openMemory, root, save, textOf } from '../vault/view-bed.ts'

setLog('error')
const FILES = 300
/** More than are read at a time. */
const MANY = 1300
/** A directory that is read in pages. */
const LARGE = 4500
const LOOKUP = 1
const GETATTR = 3
const READDIR = 28
/** More than are counted at a time. */
const SPANS = 1100
const LSEEK = 46
const STEP_MS = 0.05

/** Each look at the clock takes some time until the test is over. */
function slowClock(t: Test, stepMs = STEP_MS): void {
  const { now } = performance
  let ahead = 0
  performance.now = () => {
    ahead += stepMs
    return now.call(performance) + ahead
  }
  t.teardown(() => {
    performance.now = now
  })
}

interface Answered {
  /** Requests of others that were answered before the long one was. */
  readonly between: number
  readonly reply: Buffer
}

/**
 * Sends a request that takes long, and a short one of others at each turn of the event loop until
 * it is answered.
 */
async function askLong(
  mount: ReturnType<typeof fakeMount>,
  long: Buffer,
  meanwhile: () => void = () => undefined,
): Promise<Answered> {
  const { channel, session } = mount
  const short = request(GETATTR, ROOT_INO, '00'.repeat(16))
  const isShort = (text: string): boolean => text.length === SHORT_DIGITS
  channel.replies.length = 0
  channel.send(long)
  let between = 0
  while (session.metrics.waiting > 0) {
    meanwhile()
    channel.send(short)
    between = channel.replies.filter(isShort).length
    await new Promise((resolve) => setImmediate(resolve))
  }
  const [answer = ''] = channel.replies.filter((text) => !isShort(text))
  return { between, reply: Buffer.from(answer, 'hex') }
}

/** fuse_out_header and fuse_attr_out. */
const SHORT_DIGITS = (16 + 104) * 2

async function bed(t: Test, files = FILES) {
  const vault = await openMemory(t, (store) => store)
  const fs = createFileSystem(vault, { readOnly: false })
  const dir = fs.mkdir(root, ROOT_INO, 'dir', 0o777, 0).ino
  for (let at = 0; at < files; at++) save(fs, dir, `name-${at}`, `${at}`)
  await vault.sync()
  const mount = fakeMount(fs)
  const views = fs.lookup(root, dir, '.avfs')?.ino ?? 0
  return { vault, fs, dir, views, mount }
}

function errnoOf(reply: Buffer): number {
  return -reply.readInt32LE(4)
}

function nodeOf(reply: Buffer): number {
  return Number(reply.readBigUInt64LE(16))
}

function historyIn(fs: FileSystem, ino: number): { path: string; what: string }[] {
  return JSON.parse(textOf(fs, fs.getattr(root, ino)))
}

t.test('a long history is made in slices, and others are answered between them', async (t) => {
  const { fs, views, mount } = await bed(t)
  slowClock(t)
  const { between, reply } = await askLong(mount, request(LOOKUP, views, name('history.json')))
  t.ok(between >= 5, `${between} requests of others were answered meanwhile`)
  t.equal(errnoOf(reply), 0)
  t.equal(historyIn(fs, nodeOf(reply)).length, FILES, 'and then all that happened is there')
})

t.test('a time in at/ is looked for in slices', async (t) => {
  const { fs, views, mount } = await bed(t)
  const at = fs.lookup(root, views, 'at')?.ino ?? 0
  slowClock(t)
  const { between, reply } = await askLong(mount, request(LOOKUP, at, name('2026-01-01T00-00-00')))
  t.ok(between >= 5, `${between} requests of others were answered meanwhile`)
  t.equal(errnoOf(reply), ENOENT)
})

t.test('a history is that of when it was asked for, whatever happens meanwhile', async (t) => {
  for (const seed of [1, 2, 3]) {
    const { vault, fs, dir, views, mount } = await bed(t, MANY)
    const random = randomFrom(seed)
    const { moments } = vault.core
    const change = (): void => {
      // No name is a passing one: whether it was is known only later.
      moments.pretend(moments.last + 2e6)
      const name = `name-${random.below(MANY)}`
      const other = `name-${random.below(MANY)}`
      const isThere = fs.lookup(root, dir, name) !== undefined
      if (!isThere || random.below(3) === 0) save(fs, dir, name, 'again')
      else if (random.below(2) === 0) fs.unlink(root, dir, name)
      else fs.rename(root, dir, name, dir, other, 0)
    }
    for (let at = 0; at < 100; at++) change()
    await vault.sync()
    const expected = historyOf(vault.core, dir, 1000)
    // What was found is good until something happens.
    save(fs, ROOT_INO, 'elsewhere', '')
    slowClock(t)
    const long = request(LOOKUP, views, name('history.json'))
    let changes = 0
    const { reply } = await askLong(mount, long, () => {
      for (let at = 0; at < 5; at++) change()
      changes += 5
    })
    t.ok(changes >= 50, `seed ${seed}: ${changes} changes`)
    const found = historyIn(fs, nodeOf(reply)).map(({ path, what }) => ({ path, what }))
    t.strictSame(
      found,
      expected.map(({ path, what }) => ({ path, what })),
      `seed ${seed}`,
    )
  }
})

t.test('a large directory is listed in slices, as it is when that is done', async (t) => {
  const { fs, dir, mount } = await bed(t, LARGE)
  const random = randomFrom(1)
  const there = new Set(list(fs, dir))
  const { handle } = fs.opendir(root, dir)
  slowClock(t, 3)
  const readdir = request(READDIR, dir, u64(handle), u64(0), u32(4096), '00'.repeat(20))
  let changes = 0
  const { between, reply } = await askLong(mount, readdir, () => {
    changes++
    const [from, to] = [`name-${random.below(LARGE)}`, `new-${changes}`]
    if (!there.delete(from)) return
    there.add(to)
    fs.rename(root, dir, from, dir, to, 0)
  })
  t.equal(errnoOf(reply), 0)
  t.ok(between >= 3 && changes >= 3, `${between} requests and ${changes} changes meanwhile`)
  const names: string[] = []
  fs.readdir(root, dir, handle, 2, false, (name) => names.push(name) > 0)
  t.strictSame(names, [...there].sort())
})

t.test('a hole behind many extents is looked for in slices', async (t) => {
  const { vault, fs, dir, mount } = await bed(t)
  const ino = fs.lookup(root, dir, 'name-1')?.ino ?? 0
  const extents = 3000
  const fill = Buffer.alloc(4096, 'x')
  for (let at = 0; at < extents; at++) {
    fs.write(root, ino, at * fill.length, fill, false, false)
    fs.flush(root, ino)
  }
  await vault.sync()
  const notices: number[] = []
  fs.setNotices({
    entryChanged: async () => undefined,
    inodeChanged: async (changed) => void notices.push(changed),
    attributesChanged: () => undefined,
    sent: async () => undefined,
  })
  slowClock(t, 3)
  const lseek = request(LSEEK, ino, u64(0), u64(0), u32(4), u32(0))
  const { between, reply } = await askLong(mount, lseek)
  t.ok(between >= 3, `${between} requests of others were answered meanwhile`)
  t.equal(errnoOf(reply), 0)
  t.equal(nodeOf(reply), extents * fill.length)
  t.strictSame(notices, [ino], 'the kernel writes back once')
})

t.test('a user who asks for too much that takes long is told to ask again', async (t) => {
  const { views, mount } = await bed(t)
  const { channel, session } = mount
  slowClock(t)
  channel.replies.length = 0
  const long = request(LOOKUP, views, name('history.json'))
  for (let at = 0; at < LONG_MAX + 3; at++) channel.send(long)
  const errnos = channel.replies.map((text) => errnoOf(Buffer.from(text, 'hex')))
  t.strictSame(errnos, [EAGAIN, EAGAIN, EAGAIN])
  while (session.metrics.waiting > 0) await new Promise((resolve) => setImmediate(resolve))
  t.equal(channel.replies.length, LONG_MAX + 3)
  t.ok(channel.replies.slice(3).every((text) => errnoOf(Buffer.from(text, 'hex')) === 0))
})

t.test(
  'many versions of a name are counted in slices, whatever happens to it meanwhile',
  async (t) => {
    for (const changesMost of [0, 1, 1000]) {
      const { vault, fs, dir, views, mount } = await bed(t, 1)
      const replace = (): void => {
        save(fs, dir, 'next', 'x')
        fs.rename(root, dir, 'next', dir, 'name-0', 0)
      }
      for (let at = 0; at < SPANS; at++) replace()
      const lists = fs.lookup(root, views, 'versions')?.ino ?? 0
      const versions = fs.lookup(root, lists, 'name-0')?.ino ?? 0
      slowClock(t, 3)
      let changes = 0
      const { between, reply } = await askLong(
        mount,
        request(LOOKUP, versions, name('latest')),
        () => {
          if (changes < changesMost) replace()
          changes++
        },
      )
      t.ok(between >= 1, `${between} requests of others were answered meanwhile`)
      t.equal(errnoOf(reply), 0)
      const latest = fs.readlink(root, nodeOf(reply))
      const counted = versionsOf(vault.core, dir, 'name-0').at(-1)?.number ?? 0
      t.ok(Number(latest) > SPANS && Number(latest) <= counted, `${latest} of ${counted}`)
      if (changesMost < 2) t.equal(Number(latest), counted)
    }
  },
)
