// The session between a fake kernel and a few operations: malformed, late, interrupted and unknown
// requests.

import { setTimeout } from 'node:timers/promises'
import t from 'tap'
import { FsError } from '../../src/base/errno.ts'
import { setLog } from '../../src/base/log.ts'
import { startSession } from '../../src/fuse/session.ts'
import { sample } from '../support/fuse-golden.ts'
import {
  createFakeChannel,
  fakeMount,
  init,
  name,
  reply,
  request,
  someOperations,
  u32,
  u64,
} from '../support/fuse-wire.ts'

const lines: string[] = []
setLog('debug', (line) => lines.push(line))
t.beforeEach(() => {
  lines.length = 0
})

const lookup = request(1, 1, name('x'))
const flush = request(25, 5, '00'.repeat(24))
const write = request(16, 5, u64(0), u64(0), u32(1), '00'.repeat(20), '61')

/** A promise and what settles it. */
function deferred(): { promise: Promise<void>; resolve: () => void; reject: (e: Error) => void } {
  let resolve = (): void => {}
  let reject = (_error: Error): void => {}
  const promise = new Promise<void>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}

t.test('an unknown opcode is ENOSYS', async (t) => {
  const { ask } = fakeMount({})
  t.equal(ask(request(7, 1)), reply(38))
  t.equal(ask(request(63, 1)), reply(38))
  t.equal(ask(request(4096, 1)), reply(38))
  t.equal(ask(request(0xffffffff, 1)), reply(38))
})

t.test('a name without its NUL is EIO, and logged', async (t) => {
  const { ask } = fakeMount({})
  t.equal(ask(request(1, 1, '616263')), reply(5))
  t.match(lines, [/malformed LOOKUP: a name without its NUL/])
})

t.test('an empty name is EIO', async (t) => {
  const { ask } = fakeMount({})
  t.equal(ask(request(1, 1, '0000')), reply(5))
  t.equal(ask(request(12, 1, u64(9), name('a'), '00')), reply(5))
})

t.test('a header with another length than was read is EIO', async (t) => {
  const { ask } = fakeMount({})
  const lying = Buffer.from(lookup)
  lying.writeUInt32LE(lookup.length + 8, 0)
  t.equal(ask(lying), reply(5))
  t.equal(lines.length, 1)
})

t.test('extensions longer than the request are EIO', async (t) => {
  const { ask } = fakeMount({})
  const lying = Buffer.from(lookup)
  lying.writeUInt16LE(0xffff, 36)
  t.equal(ask(lying), reply(5))
})

t.test('extensions behind the arguments are not read as arguments', async (t) => {
  const { ask } = fakeMount({ lookup: () => t.fail('the name has no NUL of its own') as never })
  const extended = request(1, 1, '61626300'.padStart(16, '6'), '00'.repeat(8))
  extended.writeUInt16LE(1, 36)
  t.equal(ask(Buffer.from(extended).fill('a', 40, 48)), reply(5))
})

t.test('less than a header is logged and left without a reply', async (t) => {
  const { channel, ask } = fakeMount({})
  for (const length of [0, 4, 16, 39]) t.equal(ask(lookup.subarray(0, length)), undefined)
  t.equal(channel.replies.length, 1)
  t.equal(lines.length, 4)
})

t.test('a WRITE of fewer bytes than it says is EIO and writes nothing', async (t) => {
  const { ask } = fakeMount({ write: () => t.fail() as never })
  t.equal(ask(request(16, 5, u64(0), u64(0), u32(9), '00'.repeat(20), '6162')), reply(5))
})

t.test('before INIT everything is EIO', async (t) => {
  const channel = createFakeChannel()
  startSession({ channel, operations: someOperations({}) })
  channel.send(lookup)
  t.strictSame(channel.replies, [reply(5)])
})

t.test(
  'a refusal is its errno and not logged, a bug is EIO and logged with its cause',
  async (t) => {
    const errors = [new FsError(39), new TypeError('undefined is not a node')]
    const { ask, session } = fakeMount({
      rmdir() {
        throw errors.shift()
      },
    })
    t.equal(ask(request(11, 1, name('x'))), reply(39))
    t.equal(lines.length, 0)
    t.equal(ask(request(11, 1, name('x'))), reply(5))
    t.match(lines, [/error RMDIR of inode 1 failed: TypeError: undefined is not a node/])
    t.equal(session.metrics.refusals[11], 2)
  },
)

t.test('a write that must wait delays its own reply only', async (t) => {
  const gate = deferred()
  const { channel, ask, session } = fakeMount({ write: () => gate.promise, flush() {} })
  t.equal(ask(write), undefined)
  t.equal(session.metrics.waiting, 1)
  t.equal(ask(flush), reply(0))
  gate.resolve()
  await setTimeout(1)
  t.equal(channel.replies.at(-1), reply(0, u32(1), u32(0)))
  t.equal(session.metrics.waiting, 0)
})

t.test('an fsync that fails says why', async (t) => {
  const errors = [new FsError(28), new Error('the disk is gone')]
  const { channel, ask } = fakeMount({ fsync: () => Promise.reject(errors.shift()) })
  for (const errno of [28, 5]) {
    t.equal(ask(request(20, 5, '00'.repeat(16))), undefined)
    await setTimeout(1)
    t.equal(channel.replies.at(-1), reply(errno))
  }
})

t.test('an operation that faults runs again with its own bytes and its own caller', async (t) => {
  const gates = [deferred(), deferred()]
  const seen: unknown[] = []
  const { channel, ask } = fakeMount({
    mkdir(caller, parent, directory, mode) {
      seen.push([{ ...caller }, parent, directory, mode])
      const gate = gates[seen.length - 1]
      if (gate !== undefined) throw Object.assign(new Error(), { load: () => gate.promise })
      return sample
    },
    flush() {},
  })
  t.equal(ask(request(9, 1, u32(0o700), u32(0), name('slow'))), undefined)
  for (const gate of gates) {
    t.equal(ask(flush), reply(0), 'others go on, over the same buffer')
    gate.resolve()
    await setTimeout(1)
  }
  const call = [{ uid: 1000, gid: 100, pid: 42 }, 1, 'slow', 0o700]
  t.strictSame(seen, [call, call, call])
  t.equal(channel.replies.at(-1)?.slice(8, 16), u32(0))
  t.equal(channel.replies.length, 4)
})

t.test('a load that fails is EIO, and logged', async (t) => {
  const load = (): Promise<void> => Promise.reject(new Error('no route to host'))
  const { channel, ask } = fakeMount({
    getattr() {
      throw Object.assign(new Error(), { load })
    },
  })
  t.equal(ask(request(3, 5, '00'.repeat(16))), undefined)
  await setTimeout(1)
  t.equal(channel.replies.at(-1), reply(5))
  t.match(lines, [/GETATTR of inode 5 failed: Error: no route to host/])
})

t.test(
  'an interrupt of a waiting request has no reply, and the request gets its own',
  async (t) => {
    const gate = deferred()
    const { channel, ask } = fakeMount({ fsync: () => gate.promise })
    t.equal(ask(request(20, 5, '00'.repeat(16))), undefined)
    t.equal(ask(request(36, 0, u64(0x0102030405060708n))), undefined)
    gate.resolve()
    await setTimeout(1)
    t.strictSame(channel.replies.slice(1), [reply(0)])
  },
)

t.test('an entry that did not reach the kernel gives its lookup back', async (t) => {
  const forgotten: unknown[] = []
  const { channel, ask } = fakeMount({
    lookup: (_caller, _parent, wanted) => (wanted === 'x' ? sample : undefined),
    readdir(_caller, _ino, _handle, _cookie, plus, take) {
      take('..', 1, 4, 1, undefined)
      take('first', 7, 8, 2, plus ? { ...sample, ino: 7 } : undefined)
      take('second', 8, 8, 3, plus ? { ...sample, ino: 8 } : undefined)
    },
    forget: (ino, count) => forgotten.push([ino, count]),
  })
  const list = (opcode: number): Buffer =>
    request(opcode, 1, u64(6), u64(0), u32(4096), '00'.repeat(20))
  for (const bytes of [lookup, request(1, 1, name('missing')), list(44), list(28)]) {
    channel.results.push(-2)
    ask(bytes)
  }
  t.strictSame(forgotten, [
    [sample.ino, 1],
    [7, 1],
    [8, 1],
  ])
  t.equal(lines.length, 0, 'that is no error')
})

t.test('a reply that the kernel refuses is logged', async (t) => {
  const { channel, ask } = fakeMount({ flush() {} })
  channel.results.push(-22)
  ask(flush)
  t.match(lines, [/the kernel refused a reply \(FLUSH\): EINVAL/])
})

t.test('requests are answered in slices, so that timers live', async (t) => {
  let answered = 0
  const { now } = performance
  // The clock stands but for what requests take, whatever else the machine does.
  const beganMs = performance.now()
  performance.now = () => beganMs + answered / 2
  t.teardown(() => {
    performance.now = now
  })
  const { channel } = fakeMount({
    flush() {
      const began = now.call(performance)
      while (now.call(performance) - began < 0.5);
      answered++
    },
  })
  channel.send(...Array.from({ length: 100 }, () => flush))
  t.ok(answered > 0 && answered < 50, `the first slice is short: ${answered / 2} ms`)
  await setTimeout(1)
  t.ok(answered < 100, 'a timer fires before all are answered')
  while (answered < 100) await setTimeout(1)
  t.equal(channel.replies.length, 101)
})

t.test('the session waits for more after an answer, and not before one', async (t) => {
  const { channel } = fakeMount({ flush() {} })
  channel.waits.length = 0
  channel.send(flush)
  t.strictSame(channel.waits, [0, 50])
})

t.test('waits in vain stop, but for a try now and then', async (t) => {
  const { channel } = fakeMount({ flush() {} })
  for (let i = 0; i < 100; i++) channel.send(flush)
  channel.waits.length = 0
  for (let i = 0; i < 160; i++) channel.send(flush)
  t.equal(channel.waits.filter((wait) => wait > 0).length, 10)
})

t.test('pollUs 0 never waits', async (t) => {
  const { channel } = fakeMount({ flush() {} }, { pollUs: 0 })
  channel.send(flush, flush)
  t.ok(channel.waits.every((wait) => wait === 0))
})

t.test('the session tells when INIT was answered and when the mount is gone', async (t) => {
  const told: string[] = []
  const channel = createFakeChannel()
  startSession({
    channel,
    operations: someOperations({}),
    onInit: ({ minor }) => told.push(`7.${minor} agreed, ${channel.replies.length} reply sent`),
    onDestroy: () => told.push('destroy'),
  })
  channel.send(init())
  channel.unmount()
  channel.unmount()
  t.strictSame(told, ['7.41 agreed, 1 reply sent', 'destroy'])
  t.ok(channel.closed())
})

t.test('stop waits for the replies under way and then closes', async (t) => {
  const gate = deferred()
  const { channel, ask, session } = fakeMount({ fsync: () => gate.promise })
  ask(request(20, 5, '00'.repeat(16)))
  const stopped = session.stop()
  await setTimeout(1)
  t.notOk(channel.closed())
  t.equal(ask(lookup), undefined, 'nothing more is read')
  gate.resolve()
  await stopped
  t.equal(channel.replies.at(-1), reply(0))
  t.ok(channel.closed())
})

t.test('requests, bytes and latencies are counted by opcode', async (t) => {
  const { ask, session } = fakeMount({ flush() {} })
  const { metrics } = session
  const { bytesReceived, bytesSent } = metrics
  ask(flush)
  ask(flush)
  t.equal(metrics.requests[25], 2)
  t.equal(metrics.bytesReceived - bytesReceived, 2 * flush.length)
  t.equal(metrics.bytesSent - bytesSent, 2 * 16)
  const histogram = metrics.latency.subarray(25 * 24, 26 * 24)
  t.equal(
    histogram.reduce((sum, count) => sum + count, 0),
    2,
  )
})

t.test('the trace has a line for each request, with the names of the kernel', async (t) => {
  const traced: string[] = []
  const gate = deferred()
  const { ask } = fakeMount(
    { lookup: () => sample, forget() {}, fsync: () => gate.promise, unlink: () => fails() },
    { trace: (line) => traced.push(line) },
  )
  const fails = (): void => {
    throw new FsError(2)
  }
  ask(request(1, 1, name('na"me')))
  ask(request(10, 1, name('gone')))
  ask(request(2, 5, u64(3)))
  ask(request(20, 5, u64(0), u32(1), u32(0)))
  gate.resolve()
  await setTimeout(1)
  const who = 'uid=1000 gid=100 pid=42'
  const [initLine = '', lookupLine = '', ...others] = traced.map((line) =>
    line.replace(/^\d+ /, ''),
  )
  t.match(initLine, /^INIT .*minor=45.* -> major=7 minor=41 /)
  t.match(lookupLine, `LOOKUP nodeid=1 ${who} "na\\"me" -> nodeid=4294967301 generation=0 `)
  t.match(lookupLine, 'atime=-1 ')
  t.strictSame(others, [
    `UNLINK nodeid=1 ${who} "gone" -> ENOENT`,
    `FORGET nodeid=5 ${who} nlookup=3`,
    `FSYNC nodeid=5 ${who} fh=0 fsync_flags=1 -> ok`,
  ])
})

t.test('a malformed request is traced as far as it goes', async (t) => {
  const traced: string[] = []
  const { ask } = fakeMount({}, { trace: (line) => traced.push(line) })
  t.equal(ask(request(16, 5, u64(0), u32(1))), reply(5))
  t.match(traced[1], /WRITE nodeid=5 .* fh=0 -> EIO$/)
})

t.test('INIT may come again', async (t) => {
  const { ask } = fakeMount({ flush() {} })
  t.equal(ask(init())?.slice(32, 48), u32(7) + u32(41))
  t.equal(ask(flush), reply(0))
})
