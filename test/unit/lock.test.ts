// The lock of a vault: it has one holder, others can find out who that is, and it is released when
// the holder dies.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { acquireLock, LockedError, lockHolder, lockPath } from '../../src/control/vaults/lock.ts'

const at = { mountPoint: '/mnt/x', socket: '/run/x.sock' }
const moduleUrl = new URL('../../src/control/vaults/lock.ts', import.meta.url).href

t.test('a held lock names its holder and is gone after release', async (t) => {
  const vault = join(t.testdir(), 'v.avfs')
  const lock = await acquireLock(vault, at)
  t.equal(lock.leftover, undefined)
  t.match(lockHolder(vault), { pid: process.pid, ...at })
  lock.release()
  lock.release()
  t.equal(lockHolder(vault), undefined)
  t.notOk(existsSync(lockPath(vault)), 'the file is removed')
})

t.test('a second holder is refused with pid and mount point', async (t) => {
  const vault = join(t.testdir(), 'v.avfs')
  const lock = await acquireLock(vault, at)
  const refused = await acquireLock(vault, at).catch((error: unknown) => error)
  t.ok(refused instanceof LockedError)
  t.match(String(refused), `process ${process.pid} has it mounted at /mnt/x`)
  lock.release()
})

t.test('the lock file of a process that died is taken over', async (t) => {
  const vault = join(t.testdir(), 'v.avfs')
  const code = `const { acquireLock } = await import(${JSON.stringify(moduleUrl)})
    await acquireLock(${JSON.stringify(vault)}, ${JSON.stringify(at)})
    console.log('held'); setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  t.match(lockHolder(vault), { pid: child.pid })
  child.kill('SIGKILL')
  await once(child, 'exit')
  t.ok(existsSync(lockPath(vault)), 'nobody removed the file')
  t.equal(lockHolder(vault), undefined)
  const lock = await acquireLock(vault, at)
  t.match(lock.leftover, { pid: child.pid, mountPoint: '/mnt/x' })
  t.match(JSON.parse(readFileSync(lockPath(vault), 'utf8')), { pid: process.pid })
  lock.release()
})

t.test('a lock file of any content is no holder by itself', async (t) => {
  const vault = join(t.testdir(), 'v.avfs')
  for (const text of ['', '{', 'null', '{"pid":"1"}', '[]']) {
    writeFileSync(lockPath(vault), text)
    t.equal(lockHolder(vault), undefined)
    const lock = await acquireLock(vault, at)
    t.equal(lock.leftover, undefined)
    lock.release()
  }
})

t.test('looking at a lock does not keep others from taking it', async (t) => {
  const vault = join(t.testdir(), 'v.avfs')
  for (let round = 0; round < 50; round++) {
    const looks = Promise.all(Array.from({ length: 5 }, async () => lockHolder(vault)))
    const lock = await acquireLock(vault, at)
    lock.release()
    await looks
  }
  t.pass('taken every time')
})
