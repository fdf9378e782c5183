// Notices to the kernel: their bytes, their order, and failures.

import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import { setLog } from '../../src/base/log.ts'
import { createNotices } from '../../src/fuse/notify.ts'
import { createFakeChannel, name, u32, u64 } from '../support/fuse-wire.ts'

const lines: string[] = []
setLog('debug', (line) => lines.push(line))

const entry = (parent: number, of: string): string =>
  // len, code INVAL_ENTRY, unique 0; parent, namelen, flags, name and NUL
  [
    u32(16 + 16 + of.length + 1),
    u32(3),
    u64(0),
    u64(parent),
    u32(of.length),
    u32(0),
    name(of),
  ].join('')
const inode = (ino: number): string =>
  // len, code INVAL_INODE, unique 0; ino, off, len: all of it
  [u32(16 + 24), u32(2), u64(0), u64(ino), u64(0), u64(0)].join('')

t.test('notices have the bytes of the kernel and keep their order', async (t) => {
  const channel = createFakeChannel()
  const notices = createNotices(channel)
  notices.entryChanged(0x1_0000_0001, 'a\xff')
  notices.inodeChanged(5)
  notices.entryChanged(1, 'b')
  t.strictSame(channel.notices, [], 'nothing is sent before the change is complete')
  await setImmediate()
  t.strictSame(channel.notices, [entry(0x1_0000_0001, 'a\xff'), inode(5), entry(1, 'b')])
})

t.test('one notice is under way at a time, and one that waits is not added again', async (t) => {
  const started: Buffer[] = []
  const finish: (() => void)[] = []
  const channel = {
    ...createFakeChannel(),
    notify: (bytes: Uint8Array) =>
      new Promise<number>((resolve) => {
        started.push(Buffer.from(bytes))
        finish.push(() => resolve(0))
      }),
  }
  const notices = createNotices(channel)
  notices.inodeChanged(1)
  await setImmediate()
  notices.inodeChanged(1)
  notices.inodeChanged(2)
  notices.inodeChanged(2)
  await setImmediate()
  t.equal(started.length, 1)
  for (let i = 0; i < 3; i++) {
    finish.shift()?.()
    await setImmediate()
  }
  t.strictSame(
    started.map((bytes) => bytes.toString('hex')),
    [inode(1), inode(1), inode(2)],
  )
})

t.test('what the kernel had not cached is no error; other refusals are logged', async (t) => {
  const results = [-2, -22, -107]
  const channel = { ...createFakeChannel(), notify: async () => results.shift() ?? 0 }
  const notices = createNotices(channel)
  for (const ino of [1, 2, 3, 4]) notices.inodeChanged(ino)
  await setImmediate()
  t.match(lines, [/the kernel refused a notice: EINVAL/])
  t.equal(lines.length, 1)
})

t.test('a notice that throws does not keep the next ones back', async (t) => {
  const sent: number[] = []
  const channel = {
    ...createFakeChannel(),
    async notify() {
      sent.push(1)
      if (sent.length === 1) throw new Error('out of memory')
      return 0
    },
  }
  const notices = createNotices(channel)
  notices.inodeChanged(1)
  notices.inodeChanged(2)
  await setImmediate()
  t.equal(sent.length, 2)
})

t.test('a notice of an inode does not wait behind one of a name', async (t) => {
  const sent: string[] = []
  const channel = {
    ...createFakeChannel(),
    notify(bytes: Uint8Array): Promise<number> {
      sent.push(Buffer.from(bytes).toString('hex'))
      // A directory's lock is held by who waits for a reply.
      return sent.length === 1 ? new Promise<number>(() => {}) : Promise.resolve(0)
    },
  }
  const notices = createNotices(channel)
  void notices.entryChanged(1, 'a')
  await notices.inodeChanged(5)
  t.strictSame(sent, [entry(1, 'a'), inode(5)])
})
