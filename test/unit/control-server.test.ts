// The control socket: both ends over a real Unix socket, with a vault that is not one.

import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { setLog } from '../../src/base/log.ts'
import { callDaemon, daemonInfo, NoDaemonError } from '../../src/control/client.ts'
import { startControlServer } from '../../src/control/server.ts'
import type { Searcher } from '../../src/search/searcher.ts'
import type { Vault } from '../../src/vault/vault.ts'

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
