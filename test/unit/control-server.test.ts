// The control socket: both ends over a real Unix socket, with a stand-in for the vault.

import { chmodSync, existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { createServer as createHttpServer, request } from 'node:http'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { setLog } from '../../src/base/log.ts'
import { startControlServer } from '../../src/control/server.ts'
import { callDaemon, daemonInfo, NoDaemonError } from '../../src/control/wire/client.ts'
import { ControlError } from '../../src/control/wire/errors.ts'
import { replyTo } from '../../src/control/wire/method-reply.ts'
import type { Searcher } from '../../src/search/searcher.ts'
import type { Vault } from '../../src/vault/vault.ts'
import { temporaryFolder } from '../support/mount.ts'
import { B, folderOf, outputAs } from '../support/users.ts'

setLog('error', () => undefined)

const info = {
  name: 'v',
  path: '/v.avfs',
  mountPoint: '/mnt/v',
  pid: process.pid,
  version: '0',
  since: '',
  methods: [],
}

function served(vault: Partial<Vault>) {
  return { vault: vault as Vault, searcher: {} as Searcher, info, metrics: () => 'avfs_up 1\n' }
}

function ask(
  socketPath: string,
  method: string,
  path: string,
  body = '',
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, method, path }, async (response) => {
      let text = ''
      for await (const chunk of response) text += chunk
      resolve({ status: response.statusCode ?? 0, body: text })
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

/** t.testdir() is too long a path for a socket. */
function socketIn(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'avfs-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  return join(directory, 's')
}

t.test('the socket is for its owner and goes away with the server', async (t) => {
  const socket = socketIn(t)
  const server = await startControlServer(socket, served({}))
  t.equal(statSync(socket).mode & 0o777, 0o600)
  t.same(await daemonInfo(socket), info)
  await server.close()
  t.notOk(existsSync(socket))
  await t.rejects(daemonInfo(socket), NoDaemonError)
})

t.test('metrics are text', async (t) => {
  const socket = socketIn(t)
  const server = await startControlServer(socket, served({}))
  t.same(await ask(socket, 'GET', '/metrics'), { status: 200, body: 'avfs_up 1\n' })
  await server.close()
})

t.test('a method reports progress and then its result', async (t) => {
  const socket = socketIn(t)
  const report = { problems: [], inodes: 1, blocks: 0, bytes: 0 }
  const server = await startControlServer(
    socket,
    served({
      check: async (options) => {
        options.onProgress?.(1, 2)
        return { ...report, blocks: options.deep ? 7 : 0 }
      },
    }),
  )
  const seen: number[][] = []
  const result = await callDaemon(socket, 'check', { deep: true }, (...progress) =>
    seen.push(progress),
  )
  t.same(result, { ...report, blocks: 7 })
  t.same(seen, [[1, 2]])
  await server.close()
})

t.test('what a method throws reaches the caller', async (t) => {
  const socket = socketIn(t)
  const server = await startControlServer(
    socket,
    served({
      check: () => Promise.reject(new Error('disk on fire')),
    }),
  )
  await t.rejects(
    callDaemon(socket, 'check', {}, () => undefined),
    { message: 'disk on fire', kind: 'failed' },
  )
  await server.close()
})

t.test('requests that make no sense are refused', async (t) => {
  const socket = socketIn(t)
  const server = await startControlServer(socket, served({}))
  t.match(await ask(socket, 'POST', '/nonsense'), { status: 404 })
  t.match(await ask(socket, 'POST', '/toString'), { status: 404 })
  t.match(await ask(socket, 'GET', '/check'), { status: 405 })
  t.match(await ask(socket, 'POST', '/check', '{'), { status: 400 })
  t.match(await ask(socket, 'POST', '/check', '[]'), { status: 400 })
  t.match(await ask(socket, 'POST', '/check', `"${'x'.repeat(2 ** 20)}"`), { status: 400 })
  await server.close()
})

/** All that a server writes on a connection that sends `sent`. */
function rawAnswer(socketPath: string, sent: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = []
    const socket = connect(socketPath)
    socket.on('data', (piece: Buffer) => pieces.push(piece))
    socket.on('error', reject).on('end', () => resolve(Buffer.concat(pieces)))
    socket.end(sent)
  })
}

/** Answers whatever comes with `answer()` and hangs up. */
async function replaying(socketPath: string, answer: () => Buffer): Promise<() => Promise<void>> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined))
    socket.once('data', () => socket.end(answer()))
  })
  await new Promise<void>((resolve) => server.listen(socketPath, resolve))
  chmodSync(socketPath, 0o600)
  return () =>
    new Promise((resolve) => {
      for (const socket of sockets) socket.destroy()
      server.close(() => resolve())
    })
}

t.test('an answer that is cut off at any byte is told, and none is taken for whole', async (t) => {
  const socket = socketIn(t)
  const report = { problems: [], inodes: 1, blocks: 0, bytes: 0 }
  const check = async (options: { onProgress?: (done: number, total: number) => void }) => {
    options.onProgress?.(1, 2)
    return report
  }
  const server = await startControlServer(socket, served({ check }))
  const head = 'HTTP/1.1\r\nhost: avfs\r\nconnection: close\r\naccept: application/octet-stream\r\n'
  const post = await rawAnswer(socket, `POST /check ${head}content-length: 2\r\n\r\n{}`)
  const get = await rawAnswer(socket, `GET / ${head}\r\n`)
  await server.close()

  let answer: Buffer = Buffer.alloc(0)
  const other = socketIn(t)
  const close = await replaying(other, () => answer)
  const call = (): Promise<object> => callDaemon(other, 'check', {}, () => undefined)
  for (const [whole, ask, result] of [
    [post, call, report],
    [get, () => daemonInfo(other), info],
  ] as const) {
    answer = whole
    t.same(await ask(), result)
    // The result's frame is followed by the end of the chunk and of the chunks.
    const told = whole.length - '\r\n0\r\n\r\n'.length
    for (let length = 0; length < told; length++) {
      answer = whole.subarray(0, length)
      const error = await ask().catch((its: unknown) => its)
      if (!(error instanceof ControlError)) t.fail(`cut at ${length}: ${String(error)}`)
    }
  }
  for (const body of [
    '\0\0\0\0\0\0\0\0',
    '\x0c\0\0\0\0\0\0\0null',
    '\xff\xff\xff\xff',
    'garbage',
  ]) {
    const bytes = Buffer.from(body, 'latin1')
    answer = Buffer.concat([
      Buffer.from(
        `HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: ${bytes.length}\r\n\r\n`,
      ),
      bytes,
    ])
    await t.rejects(call(), ControlError, JSON.stringify(body))
    await t.rejects(daemonInfo(other), ControlError)
  }
  await close()
})

t.test('what a method tells after its answer, and nobody waits for, ends nothing', async (t) => {
  const socket = socketIn(t)
  const lost: unknown[] = []
  const server = createHttpServer((_, response) => {
    const reply = replyTo(response, false)
    reply.end({ result: {} })
    reply.report(1, 2)
    reply.send({ item: {} }).catch((error: unknown) => lost.push(error))
    void reply.send(Buffer.from('x'))
  })
  await new Promise<void>((resolve) => server.listen(socket, resolve))
  t.same(await ask(socket, 'POST', '/'), { status: 200, body: '{"result":{}}\n' })
  t.match(lost, [{ name: 'GoneError' }])
  server.close()
})

t.test('a request for no path is refused, and none that is cut off ends anything', async (t) => {
  const socket = socketIn(t)
  const server = await startControlServer(socket, served({}))
  t.match(await ask(socket, 'GET', '//'), { status: 400 })
  const whole = 'POST /check HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n{}  '
  for (let length = 0; length < whole.length; length++) {
    const client = connect(socket)
    await new Promise<void>((resolve) => client.end(whole.slice(0, length), () => resolve()))
    client.destroy()
  }
  t.same(await daemonInfo(socket), info)
  await server.close()
})

t.test('more callers than a mount can bear are turned away, and it answers again', async (t) => {
  const socket = socketIn(t)
  const server = await startControlServer(socket, served({}))
  const clients = Array.from({ length: 600 }, () => connect(socket).on('error', () => undefined))
  const closed = (client: Socket) => new Promise<void>((done) => client.once('close', done))
  await Promise.all(clients.slice(300).map(closed))
  for (const client of clients) client.destroy()
  t.same(await daemonInfo(socket), info)
  await server.close()
})

t.test('closing waits for what methods do, and cuts their callers off', async (t) => {
  const socket = socketIn(t)
  const ended: string[] = []
  const begun = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  const server = await startControlServer(
    socket,
    served({
      check: async () => {
        begun.resolve()
        await goOn.promise
        ended.push('method')
        return { problems: [], inodes: 1, blocks: 0, bytes: 0 }
      },
    }),
  )
  const call = callDaemon(socket, 'check', {}, () => undefined)
  await begun.promise
  const closing = server.close().then(() => ended.push('server'))
  await t.rejects(call, { message: 'the daemon ended in the middle of its answer' })
  goOn.resolve()
  await closing
  t.same(ended, ['method', 'server'])
})

t.test('a caller that is another user gets no answer, whatever the modes are', async (t) => {
  const folder = folderOf(0, join(temporaryFolder(t), 'own'), 0o755)
  const socket = join(folder, 's')
  const server = await startControlServer(socket, served({}))
  chmodSync(socket, 0o666)
  const ask = `const asking = require('node:http').get({ socketPath: process.argv[1], path: '/' })
    asking.on('response', () => console.log('answered')).on('error', ({ code }) => console.log(code))`
  const outcome = (uid: number): Promise<string> => outputAs(uid, ['-e', ask, socket])
  t.match(await outcome(B), /^ECONNRESET|EPIPE$/)
  t.equal(await outcome(0), 'answered')
  await server.close()
})
