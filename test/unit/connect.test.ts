// Before a command sends anything to a socket it knows who owns it, and who listens.

import {
  chmodSync,
  chownSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type Server } from 'node:http'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { MOUNT_TYPE } from '../../src/control/host/mount-table.ts'
import { findDaemon } from '../../src/control/vaults/find-daemon.ts'
import { socketCandidates } from '../../src/control/vaults/paths.ts'
import { daemonInfo } from '../../src/control/wire/client.ts'
import { temporaryFolder } from '../support/mount.ts'
import { A, B, folderOf, listenAs, runAs, sharedFolder } from '../support/users.ts'

/** Listens as this user. */
async function listen(t: Test, path: string): Promise<Server> {
  const server = createServer((_, response) => response.end('{"name":"own"}'))
  await new Promise<void>((resolve) => server.listen(path, resolve))
  chmodSync(path, 0o600)
  t.teardown(() => server.close())
  return server
}

const STRANGER = { name: 'StrangerError' }

t.test('an own socket in an own folder is asked', async (t) => {
  const folder = join(temporaryFolder(t), 'own')
  mkdirSync(folder, { mode: 0o700 })
  const path = join(folder, 's')
  await listen(t, path)
  t.same(await daemonInfo(path), { name: 'own' })
  chmodSync(path, 0o666)
  await t.rejects(daemonInfo(path), /open to other users/)
  chmodSync(path, 0o600)
  for (const mode of [0o777, 0o1777, 0o702]) {
    chmodSync(folder, mode)
    await t.rejects(daemonInfo(path), /nobody else can write/, mode.toString(8))
  }
  chmodSync(folder, 0o755)
  t.same(await daemonInfo(path), { name: 'own' })
  symlinkSync(path, join(folder, 'link'))
  await t.rejects(daemonInfo(join(folder, 'link')), /is no socket/)
  await t.rejects(daemonInfo(join(folder, 'none')), /no daemon answers/)
})

t.test('the folder of a socket cannot be exchanged by anybody else', async (t) => {
  const root = temporaryFolder(t)
  const open = join(root, 'open')
  mkdirSync(join(open, 'own'), { recursive: true })
  chmodSync(open, 0o777)
  await listen(t, join(open, 'own/s'))
  await t.rejects(daemonInfo(join(open, 'own/s')), /can be written by other users/)
})

t.test('what another user listens on hears nothing', async (t) => {
  const root = temporaryFolder(t)
  const his = folderOf(B, join(root, 'his'))
  const listener = await listenAs(t, B, join(his, 's'))
  const shared = sharedFolder(root)
  const planted = await listenAs(t, B, join(shared, 's'))
  await t.rejects(daemonInfo(planted.path), STRANGER)
  chownSync(planted.path, 0, 0)
  await t.rejects(daemonInfo(planted.path), STRANGER, "in a folder that is everybody's")
  // The name of a socket says nothing of who listens there.
  const own = join(root, 'own')
  mkdirSync(own, { mode: 0o700 })
  renameSync(listener.path, join(own, 's'))
  chownSync(join(own, 's'), 0, 0)
  await t.rejects(daemonInfo(join(own, 's')), `is answered by user ${B}`)
  t.notOk(listener.isAsked() || planted.isAsked(), 'not a word')
})

t.test('a user asks himself and root, and root whoever has mounted', async (t) => {
  const root = temporaryFolder(t)
  const his = folderOf(B, join(root, 'his'), 0o755)
  const listener = await listenAs(t, B, join(his, 's'))
  t.match(await daemonInfo(listener.path), { path: '/x' }, 'root')
  const url = new URL('../../src/control/wire/client.ts', import.meta.url).href
  const code = `const { daemonInfo } = await import(${JSON.stringify(url)})
    await daemonInfo(process.argv[1]).then(({ path }) => console.log(path), (error) => console.log(error.name))`
  const ask = (uid: number): string =>
    runAs(uid, process.execPath, ['--input-type=module', '-e', code, listener.path]).stdout.trim()
  t.equal(ask(B), '/x')
  t.equal(ask(A), 'StrangerError')
})

t.test('root believes of the daemon of a user what is of that user', async (t) => {
  const root = temporaryFolder(t)
  const his = folderOf(A, join(root, 'his'), 0o755)
  folderOf(A, join(his, 'avfs'))
  const mounted = {
    ...{ device: '0:0', root: '/', mountPoint: '/mnt/none', type: MOUNT_TYPE, source: 'x' },
    userId: A,
  }
  const env = process.env.XDG_RUNTIME_DIR
  process.env.XDG_RUNTIME_DIR = his
  t.teardown(() => {
    if (env === undefined) delete process.env.XDG_RUNTIME_DIR
    else process.env.XDG_RUNTIME_DIR = env
  })
  const [socket = ''] = socketCandidates(mounted.mountPoint, A)
  const vault = join(his, 'v.avfs')
  writeFileSync(vault, '')
  const listener = await listenAs(t, A, socket, vault)
  await t.rejects(findDaemon(mounted), `${vault}, which is not of user ${A}`)
  chownSync(vault, A, A)
  t.match(await findDaemon(mounted), { path: vault, socket })
  t.ok(listener.isAsked())
  rmSync(`${socket}.asked`)
  t.equal(await findDaemon({ ...mounted, userId: B }), undefined, 'not for the mount of another')
  t.notOk(listener.isAsked())
})
