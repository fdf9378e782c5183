// The bytes of every operation, both ways (support/fuse-golden.ts), and the answers that depend on
// the content of a request.

import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import { FsError } from '../../src/base/errno.ts'
import type { Operations, TakeEntry } from '../../src/fs/operations.ts'
import { operationTable } from '../../src/fuse/ops.ts'
import { golden, sample } from '../support/fuse-golden.ts'
import { fakeMount, init, name, reply, request, u32, u64 } from '../support/fuse-wire.ts'
import { noChange } from '../support/no-change.ts'

const caller = { uid: 1000, gid: 100, pid: 42 }

/** Operations that note their calls (with copies of what is reused) and return the result. */
function recorder(result: unknown): { calls: unknown[][]; operations: Partial<Operations> } {
  const calls: unknown[][] = []
  const operations = new Proxy({} as Partial<Operations>, {
    get:
      (_target, key) =>
      (...given: unknown[]) => {
        const take = given.at(-1)
        if (typeof take === 'function') {
          ;(take as TakeEntry)('abcde', sample.ino, 8, 3, given[4] === true ? sample : undefined)
          ;(take as TakeEntry)('..', 1, 4, 4, undefined)
          given.pop()
        }
        calls.push([key, ...structuredClone(given)])
        return result
      },
  })
  return { calls, operations }
}

for (const [operation, exchange] of Object.entries(golden)) {
  t.test(`${operation} is read and answered byte for byte`, async (t) => {
    const { call, result } = exchange
    const { calls, operations } = recorder(result)
    const { channel } = fakeMount(operations)
    channel.replies.length = 0
    channel.send(exchange.request)
    await setImmediate()
    t.strictSame(channel.replies, exchange.reply === undefined ? [] : [exchange.reply])
    const withCaller = call !== undefined && !['forget', 'releasedir'].includes(String(call[0]))
    const expected = withCaller ? [call[0], caller, ...call.slice(1)] : call
    t.strictSame(calls[0], plain(expected))
    t.equal(calls.length, call === undefined ? 0 : 1)
  })

  t.test(
    `${operation} cut short anywhere gets one reply, and uses no byte behind its end`,
    async (t) => {
      const whole = exchange.request
      for (let length = 40; length < whole.length; length++) {
        const { calls, operations } = recorder(exchange.result)
        const { channel } = fakeMount(operations)
        channel.replies.length = 0
        const part = Buffer.from(whole.subarray(0, length))
        part.writeUInt32LE(length, 0)
        channel.send(part)
        await setImmediate()
        t.equal(channel.replies.length, exchange.reply === undefined ? 0 : 1)
        t.notMatch(JSON.stringify(calls), '\xee', 'what the channel leaves behind a request')
      }
    },
  )
}

/** structuredClone makes Uint8Arrays of Buffers. */
function plain(call: readonly unknown[] | undefined): unknown {
  return call?.map((each) => (Buffer.isBuffer(each) ? new Uint8Array(each) : each))
}

t.test('every row of the table has a golden exchange', async (t) => {
  const names = operationTable.flatMap((row) => (row === undefined ? [] : [row.name]))
  const tested = [...Object.keys(golden), 'INIT']
  t.strictSame(names.sort(), tested.sort())
})

t.test('INIT takes from a current kernel what is wanted, and no flag that is not', async (t) => {
  const { channel } = fakeMount({})
  const expected = reply(
    0,
    ...[u32(7), u32(41), u32(131072)], // major, minor, max_readahead
    // ASYNC_READ EXPORT_SUPPORT BIG_WRITES DONT_MASK | DO_READDIRPLUS |
    // WRITEBACK_CACHE NO_OPEN_SUPPORT PARALLEL_DIROPS POSIX_ACL MAX_PAGES CACHE_SYMLINKS |
    // EXPLICIT_INVAL_DATA KILLPRIV_V2 SETXATTR_EXT INIT_EXT
    '7120d772',
    '10000c00', // max_background 16, congestion_threshold 12
    ...[u32(1 << 20), u32(1), '00010000', u32(0), '00'.repeat(28)], // max_write, time_gran, max_pages, flags2
  )
  t.strictSame(channel.replies, [expected])
})

t.test('INIT asks an older kernel for nothing that it does not offer', async (t) => {
  const { channel } = fakeMount({}, {}, 1 << 5)
  t.equal(channel.replies[0]?.slice(32 + 24, 32 + 32), u32(1 << 5))
})

t.test('INIT of a newer major version is answered with ours, and then asked again', async (t) => {
  const { channel } = fakeMount({ statfs: () => t.fail('nothing is answered before') as never })
  channel.replies.length = 0
  channel.send(init(0, 0, 8))
  t.equal(channel.replies[0]?.slice(32, 48), u32(7) + u32(41))
})

t.test('INIT of a kernel that is too old is refused with EPROTO', async (t) => {
  const { channel } = fakeMount({})
  channel.send(init(0, 22))
  t.equal(channel.replies[1], reply(71))
})

t.test('OPEN succeeds without a handle where the kernel cannot do without it', async (t) => {
  const { ask } = fakeMount({}, {}, 0)
  t.equal(ask(request(14, 5, u32(0), u32(0))), reply(0, u64(0), u32(2), u32(0)))
})

t.test('SETXATTR of a kernel without the longer struct is read right', async (t) => {
  const { calls, operations } = recorder(undefined)
  const { ask } = fakeMount(operations, {}, 0)
  t.equal(ask(request(21, 5, u32(1), u32(1), name('user.k'), '61')), reply(0))
  t.match(calls[0], ['setxattr', caller, 5, 'user.k', Uint8Array.of(0x61), 1, false])
})

t.test('a missing name is a negative entry that the kernel may keep', async (t) => {
  const { ask } = fakeMount({ lookup: () => undefined })
  const day = u64(86400)
  t.equal(
    ask(request(1, 1, name('no'))),
    reply(0, u64(0), u64(0), day, u64(0), '00'.repeat(8 + 88)),
  )
})

t.test('a volatile node may not be kept at all', async (t) => {
  const { ask } = fakeMount({ lookup: () => ({ ...sample, volatile: true }) })
  t.equal(ask(request(1, 1, name('now')))?.slice(32 + 32, 32 + 64), u64(0) + u64(0))
})

t.test(
  'a name that soon leads elsewhere is kept as long as it is good, its node for long',
  async (t) => {
    const { ask } = fakeMount({ lookup: () => ({ ...sample, nameMs: 1250.7 }) })
    t.equal(
      ask(request(1, 1, name('1h')))?.slice(32 + 32, 32 + 80),
      u64(1) + u64(86400) + u32(250.7e6) + u32(0),
    )
  },
)

t.test('a directory whose listing changes by itself is not cached', async (t) => {
  const { ask } = fakeMount({ opendir: () => ({ handle: 6, cacheable: false }) })
  t.equal(ask(request(27, 1, u32(0), u32(0))), reply(0, u64(6), u32(0), u32(0)))
})

t.test('SETATTR leaves what is not valid undefined', async (t) => {
  const { calls, operations } = recorder(sample)
  const { ask } = fakeMount(operations)
  ask(request(4, 5, u32(0), 'ff'.repeat(84)))
  // Nanoseconds mean nothing without their seconds.
  const { atimeNs: _, mtimeNs: __, ctimeNs: ___, ...unset } = noChange
  t.match(calls[0]?.[3], unset)
})

t.test('times that no double holds become the farthest that it does', async (t) => {
  const { calls, operations } = recorder(sample)
  const { ask } = fakeMount(operations)
  const times = [u64(2n ** 62n), u64(-(2n ** 62n))]
  ask(request(4, 5, u32(0x30), u32(0), '00'.repeat(24), ...times, '00'.repeat(40)))
  const { MAX_SAFE_INTEGER, MIN_SAFE_INTEGER } = Number
  t.match(calls[0]?.[3], { atime: MAX_SAFE_INTEGER, mtime: MIN_SAFE_INTEGER })
})

t.test('offsets that no double holds are EFBIG, and negative ones EINVAL', async (t) => {
  const { ask } = fakeMount({ read: () => [] })
  const write = (offset: bigint): Buffer =>
    request(16, 5, u64(0), u64(offset), u32(0), u32(0), u64(0), u64(0))
  const allocate = (offset: bigint): Buffer => request(43, 5, u64(0), u64(offset), u64(1), u64(0))
  const truncate = (size: bigint): Buffer =>
    request(4, 5, u32(8), u32(0), u64(0), u64(size), '00'.repeat(64))
  for (const make of [write, allocate, truncate]) {
    t.equal(ask(make(2n ** 53n)), reply(27))
    t.equal(ask(make(2n ** 63n - 1n)), reply(27))
    t.equal(ask(make(-1n)), reply(22))
  }
})

t.test('reading beyond all offsets is end of file, seeking there ENXIO', async (t) => {
  const { ask } = fakeMount({})
  const read = [u64(0), u64(2n ** 62n), u32(4096), u32(0), u64(0), u64(0)]
  t.equal(ask(request(15, 5, ...read)), reply(0))
  t.equal(ask(request(46, 5, u64(0), u64(2n ** 62n), u32(3), u32(0))), reply(6))
})

t.test('xattrs tell their size, ERANGE and ENODATA', async (t) => {
  const { ask } = fakeMount({
    getxattr: (_caller, _ino, key) => (key === 'user.k' ? Buffer.from('value') : undefined),
    listxattr: () => ['user.a', 'user.b'],
  })
  t.equal(ask(request(22, 5, u64(0), name('user.k'))), reply(0, u32(5), u32(0)))
  t.equal(ask(request(22, 5, u64(4), name('user.k'))), reply(34))
  t.equal(ask(request(22, 5, u64(4), name('user.x'))), reply(61))
  t.equal(ask(request(23, 5, u64(0))), reply(0, u32(14), u32(0)))
  t.equal(ask(request(23, 5, u64(13))), reply(34))
})

t.test('a listing stops at the entry that does not fit, and says so', async (t) => {
  const taken: boolean[] = []
  const { ask } = fakeMount({
    readdir(_caller, _ino, _handle, _cookie, _plus, take) {
      taken.push(take('a', 2, 8, 1, undefined), take('bbbbbbbbb', 3, 8, 2, undefined))
    },
  })
  // The first record has 32 bytes, the second 40: one less than both.
  const answer = ask(request(28, 1, u64(6), u64(0), u32(71), u32(0), u64(0), u64(0)))
  t.equal(answer?.length, (16 + 32) * 2)
  t.strictSame(taken, [true, false])
})

t.test('a listing that fails in the middle gives what it has, and then the error', async (t) => {
  const { ask } = fakeMount({
    readdir(_caller, _ino, _handle, cookie, _plus, take) {
      if (cookie === 0) take('a', 2, 8, 1, undefined)
      throw new FsError(5)
    },
  })
  const list = (cookie: number): Buffer =>
    request(28, 1, u64(6), u64(cookie), u32(4096), u32(0), u64(0), u64(0))
  t.equal(ask(list(0))?.slice(8, 16), u32(0))
  t.equal(ask(list(1)), reply(5))
})

t.test('BATCH_FORGET that announces more than it brings forgets nothing', async (t) => {
  const { calls, operations } = recorder(undefined)
  const { channel } = fakeMount(operations)
  channel.send(request(42, 0, u32(2), u32(0), u64(5), u64(2)))
  t.strictSame(calls, [])
  t.equal(channel.replies.length, 1, 'and has no reply')
})
