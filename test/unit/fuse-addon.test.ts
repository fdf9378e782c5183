// The native addon: what it does with descriptors that are not a mount's, and that improper use
// throws instead of crashing.

import { execFileSync, spawnSync } from 'node:child_process'
import { closeSync, constants, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import t from 'tap'
import { EAGAIN, EBADF, ENOENT } from '../../src/base/errno.ts'
import { addon } from '../../src/base/native.ts'

const native = addon()
/** The addon as JavaScript could call it: with anything. */
const unchecked = native as unknown as Record<string, (...given: unknown[]) => unknown>

function pair(): [number, number] {
  const sockets = native.socketpair()
  if (typeof sockets === 'number') throw new Error(`socketpair: ${sockets}`)
  return sockets
}

t.test('every function throws at arguments of a wrong number, type or range', async (t) => {
  const buffer = new ArrayBuffer(16)
  const room = new ArrayBuffer(8192)
  const path = Buffer.from('/no/such/path')
  const reader = native.directoryReader(path)
  const record = new Uint8Array(96)
  record[0] = 96
  // One that says it has more content than there is, and one that does not lie at a multiple of 8.
  const lying = record.slice()
  lying[88] = 1
  const odd = new Uint8Array(new ArrayBuffer(200), 1, 96)
  odd.set(record)
  const wrong: Record<string, unknown[][]> = {
    mount: [
      [],
      ['a', 'b', 'c', 0],
      [1, 'b', 'c', 0, ''],
      ['a', 'b', 'c', 0.5, ''],
      ['a\0', 'b', '/', 0, ''],
    ],
    unmount: [[], ['/'], [null, 0], ['/', 2], ['x'.repeat(5000), 0]],
    receiveDescriptor: [[], ['0'], [-1], [2 ** 31], [Number.NaN], [undefined]],
    peerUser: [[], [-1], ['1'], [0, 0]],
    flock: [[], [0], [-1, 0], [0, 2], [{}, 0]],
    closeAtExec: [[], ['0'], [-1], [0, 0]],
    exchange: [[], ['/'], ['/', 1], ['/a\0', '/b'], ['/a', 'x'.repeat(5000)]],
    receive: [
      [],
      [0, buffer],
      [-1, buffer, 0],
      [0, {}, 0],
      [0, new Uint8Array(4), 0],
      [0, buffer, 10001],
    ],
    reply: [
      [],
      [0, buffer, 16],
      [0, buffer, 17, []],
      [0, buffer, -1, []],
      [0, buffer, 16, {}],
      [0, buffer, 16, ['a']],
      [0, buffer, 16, [new Uint16Array(2)]],
      [0, buffer, 16, [new Uint8Array(1), null]],
      [0, buffer, 16, new Array(1001).fill(new Uint8Array(1))],
    ],
    notify: [[], [0], [0, 'abc'], [0, buffer], [-1, new Uint8Array(1)]],
    pollStart: [[], [0], [0, {}], [-1, () => {}]],
    pollStop: [[], [{}], [0], [null]],
    socketpair: [],
    coarseTime: [[], [1], [new ArrayBuffer(2)], [new Uint8Array(4)]],
    directoryReader: [[], ['/'], [new Uint8Array(0)], [new Uint8Array(5000)], [Buffer.from('a\0')]],
    readDirectory: [
      [],
      [{}, room, 0],
      [reader, buffer, 0],
      [reader, new Uint8Array(8192), 0],
      [reader, room, -1],
      [native.pollStop, room, 0],
    ],
    readNode: [[], [path], [path, buffer], ['/', room], [Buffer.from('a\0b'), room]],
    seek: [[], [0, 0], [0, -1, 0], [0, 0.5 - 1, 0], [0, 2 ** 60, 0], [0, 0, 2], [-1, 0, 0]],
    makeNode: [[], [path], [path, new Uint8Array(95)], ['/', record], [path, lying], [path, odd]],
    writeAttributes: [[], [path], [path, {}], [path, lying], [path, odd]],
  }
  t.strictSame(Object.keys(wrong).sort(), Object.keys(native).sort())
  for (const [name, calls] of Object.entries(wrong)) {
    for (const given of calls) t.throws(() => unchecked[name]?.(...given), TypeError, name)
  }
  structuredClone(buffer, { transfer: [buffer] })
  t.equal(native.receive(pair()[0], buffer, 0), 0, 'a buffer that was given away has no room')
})

t.test('descriptors that are not open are EBADF', async (t) => {
  t.equal(native.receive(9999, new ArrayBuffer(8), 0), -EBADF)
  t.equal(native.reply(9999, new ArrayBuffer(8), 8, []), -EBADF)
  t.equal(await native.notify(9999, new Uint8Array(8)), -EBADF)
  t.equal(native.peerUser(9999), -EBADF)
  t.equal(native.flock(9999, 1), -EBADF)
  t.equal(native.closeAtExec(9999), -EBADF)
  t.equal(native.receiveDescriptor(9999), -EBADF)
  t.equal(native.seek(9999, 0, 0), -EBADF)
})

t.test(
  'a directory that is not there is told, and one reader reads one batch at a time',
  async (t) => {
    const room = new ArrayBuffer(65536)
    t.equal(native.readNode(Buffer.from('/no/such/path'), room), -ENOENT)
    const missing = native.directoryReader(Buffer.from('/no/such/path'))
    t.equal(await native.readDirectory(missing, room, 0), -ENOENT)
    const reader = native.directoryReader(Buffer.from(import.meta.dirname))
    const first = native.readDirectory(reader, room, 0)
    t.throws(() => native.readDirectory(reader, room, 0), TypeError)
    t.ok((await first) > 0)
    t.equal(await native.readDirectory(reader, room, 0), 0)
  },
)

t.test('a reply gathers the header and the pieces; notices come from another thread', async (t) => {
  const [near, far] = pair()
  const head = Buffer.from('head and more')
  const buffer = head.buffer.slice(head.byteOffset, head.byteOffset + head.length)
  const pieces = [Buffer.from(' one'), new Uint8Array(0), Buffer.from('xx two').subarray(2)]
  t.equal(native.reply(near, buffer, 4, pieces), 12)
  t.equal(await native.notify(near, Buffer.from('!')), 1)
  const into = new ArrayBuffer(64)
  t.equal(native.receive(far, into, 0), 13)
  t.equal(Buffer.from(into, 0, 13).toString(), 'head one two!')
  for (const fd of [near, far]) closeSync(fd)
})

t.test('receive waits as long as it is told, and no longer', async (t) => {
  // Not a socket: those of the addon block.
  const path = join(tmpdir(), `avfs-addon-${process.pid}`)
  execFileSync('mkfifo', [path])
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  t.teardown(() => rmSync(path))
  const began = performance.now()
  t.equal(native.receive(fd, new ArrayBuffer(8), 2000), -EAGAIN)
  t.ok(performance.now() - began >= 2)
  const times: number[] = []
  const handle = native.pollStart(fd, () => {
    times.push(native.receive(fd, new ArrayBuffer(8), 0))
    if (times.length === 2 && typeof handle !== 'number') native.pollStop(handle)
  })
  if (typeof handle === 'number') throw new Error(`pollStart: ${handle}`)
  for (const [count, text] of ['abc', 'de'].entries()) {
    writeSync(fd, text)
    while (times.length === count) await setTimeout(1)
  }
  writeSync(fd, 'f')
  await setTimeout(20)
  t.strictSame(times, [3, 2], 'one call for each, and none after the stop')
  t.equal(native.pollStop(handle), 0, 'a second stop does nothing')
  closeSync(fd)
})

t.test("an exception in a callback is the process's, as any other", async (t) => {
  const script = `
    import { addon } from '${new URL('../../src/base/native.ts', import.meta.url)}'
    const [near, far] = addon().socketpair()
    addon().pollStart(far, () => { throw new Error('on purpose') })
    process.on('uncaughtException', (error) => { console.log(error.message); process.exit(3) })
    addon().reply(near, new ArrayBuffer(1), 1, [])`
  const args = ['--input-type=module', '--eval', script]
  const result = spawnSync(process.execPath, args, { encoding: 'utf8' })
  t.match(result, { status: 3, stdout: 'on purpose\n' })
})

t.test('a process ends although it polls', async (t) => {
  const script = `
    import { Worker } from 'node:worker_threads'
    const code = "const { addon } = await import('${new URL('../../src/base/native.ts', import.meta.url)}');" +
      "addon().pollStart(addon().socketpair()[0], () => {}); postMessage(1)"
    const worker = new Worker(new URL('data:text/javascript,' + encodeURIComponent(
      "import { parentPort } from 'node:worker_threads'; globalThis.postMessage = (x) => parentPort.postMessage(x);" + code)))
    worker.on('message', async () => { await worker.terminate(); console.log('ended') })`
  const args = ['--input-type=module', '--eval', script]
  const result = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 10000 })
  t.match(result, { status: 0, stdout: 'ended\n' })
})

t.test('mounting and unmounting where nothing is fails with the errno', async (t) => {
  t.equal(native.unmount('/nonexistent', 0), -ENOENT)
  t.ok(native.mount('x', 'fuse.avfs', '/nonexistent', 0, 'rootmode=40000') < 0)
})

t.test('a lock of one descriptor keeps out another', async (t) => {
  const path = new URL(import.meta.url).pathname
  const [first, second] = [openSync(path, 'r'), openSync(path, 'r')]
  t.equal(native.flock(first, 1), 0)
  t.equal(native.flock(second, 0), -EAGAIN)
  closeSync(first)
  t.equal(native.flock(second, 0), 0)
  closeSync(second)
})

t.test('who is at the other end of a socket is this user', async (t) => {
  const [near] = pair()
  t.equal(native.peerUser(near), process.geteuid?.())
  t.equal(native.peerUser(openSync('/dev/null', 'r')), -88, 'ENOTSOCK')
})

t.test('a descriptor arrives over a socket only if one was sent', async (t) => {
  const [near, far] = pair()
  t.equal(native.receiveDescriptor(far), -EAGAIN)
  native.reply(near, new ArrayBuffer(1), 1, [])
  t.equal(native.receiveDescriptor(far), -EAGAIN, 'bytes alone are none')
  closeSync(near)
  t.equal(native.receiveDescriptor(far), -EAGAIN, 'nor is the end')
  closeSync(far)
})
