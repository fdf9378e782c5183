// Where sockets, logs and mount points are looked for.

import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { logPath, mountPointPath, runtimeDirectory, socketPath } from '../../src/control/paths.ts'

/** t.testdir() is too long a path for a socket. */
function shortDirectory(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'avfs-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  return directory
}

t.test('the directory of sockets is for its owner alone', async (t) => {
  const env = { XDG_RUNTIME_DIR: shortDirectory(t) }
  const directory = runtimeDirectory(env)
  t.equal(statSync(directory).mode & 0o777, 0o700)
  t.match(socketPath('/mnt/x', env), /\/avfs\/[0-9a-f]{24}\.sock$/)
  t.not(socketPath('/mnt/x', env), socketPath('/mnt/y', env))
  mkdirSync(join(env.XDG_RUNTIME_DIR, 'open/avfs'), { recursive: true })
  chmodSync(join(env.XDG_RUNTIME_DIR, 'open/avfs'), 0o777)
  t.throws(
    () => runtimeDirectory({ XDG_RUNTIME_DIR: join(env.XDG_RUNTIME_DIR, 'open') }),
    /nobody else/,
  )
})

t.test('a runtime directory too long for a socket is refused', async (t) => {
  const env = { XDG_RUNTIME_DIR: join(t.testdir(), 'x'.repeat(90)) }
  t.throws(() => socketPath('/mnt/x', env), /too long/)
})

t.test('logs go to XDG_STATE_HOME', async (t) => {
  const home = t.testdir()
  t.equal(logPath('v', { HOME: home }), join(home, '.local/state/avfs/v.log'))
  t.equal(logPath('v', { XDG_STATE_HOME: home }), join(home, 'avfs/v.log'))
})

t.test('a mount point is absolute and free of links', async (t) => {
  const directory = t.testdir({ real: {}, link: t.fixture('symlink', 'real') })
  t.equal(mountPointPath(`${directory}/link`), mountPointPath(`${directory}/real`))
  t.equal(mountPointPath('/'), '/')
  t.equal(
    mountPointPath(`${directory}/link/gone`),
    join(mountPointPath(`${directory}/real`), 'gone'),
  )
})
