// Where sockets, logs and mount points are looked for.

import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import {
  logPath,
  mountPointPath,
  runtimeDirectory,
  socketCandidates,
  socketPath,
} from '../../src/control/vaults/paths.ts'
import { vaultsDirectory } from '../../src/control/vaults/vault-names.ts'
import { temporaryFolder } from '../support/mount.ts'
import { A, B, folderOf, runAs, sharedFolder } from '../support/users.ts'

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

t.test('without XDG_RUNTIME_DIR sockets go nowhere that others can write', (t) => {
  const root = temporaryFolder(t)
  const shared = sharedFolder(root)
  const url = new URL('../../src/control/vaults/paths.ts', import.meta.url).href
  const code = `const { runtimeDirectory } = await import(${JSON.stringify(url)})
    try { console.log(runtimeDirectory()) } catch (error) { console.log(error.message) }`
  const directoryOf = (env: Record<string, string>): string =>
    runAs(A, process.execPath, ['--input-type=module', '-e', code], {
      cwd: '/',
      env: { XDG_RUNTIME_DIR: '', XDG_STATE_HOME: '', TMPDIR: shared, ...env },
    }).stdout.trim()
  const home = folderOf(A, join(root, 'a'))
  t.equal(directoryOf({ HOME: home }), join(home, '.local/state/avfs/run'))
  t.equal(directoryOf({ HOME: shared }), join(shared, '.local/state/avfs/run'), 'his own below it')
  rmSync(join(shared, '.local'), { recursive: true })
  folderOf(B, join(shared, '.local'), 0o777)
  t.match(directoryOf({ HOME: shared }), /belongs to user 4002.*set XDG_STATE_HOME/)
  folderOf(B, join(shared, 'avfs'), 0o777)
  t.match(directoryOf({ XDG_RUNTIME_DIR: shared }), /belongs to user 4002.*set XDG_RUNTIME_DIR/)
  t.match(directoryOf({ HOME: join(root, 'b') }), /EACCES.*XDG_STATE_HOME/)
  t.same(readdirSync(shared).sort(), ['.local', 'avfs'], 'nothing is made there for it')
  t.equal(socketCandidates('/mnt/x', A, { HOME: home }).some(isInTmp), false)
  t.equal(socketCandidates('/mnt/x', 0, { HOME: home }).some(isInTmp), false)
  t.end()
})

function isInTmp(path: string): boolean {
  return path.startsWith('/tmp/avfs-') && !path.startsWith('/tmp/avfs-test-')
}

t.test('a runtime directory too long for a socket is refused', async (t) => {
  const env = { XDG_RUNTIME_DIR: join(t.testdir(), 'x'.repeat(90)) }
  t.throws(() => socketPath('/mnt/x', env), /too long/)
})

t.test('logs go to XDG_STATE_HOME', async (t) => {
  const home = t.testdir()
  t.equal(logPath('v', { HOME: home }), join(home, '.local/state/avfs/v.log'))
  t.equal(logPath('v', { XDG_STATE_HOME: home }), join(home, 'avfs/v.log'))
})

t.test(
  'a relative directory counts as none, as it may be of whoever owns the current one',
  async (t) => {
    const home = t.testdir()
    const relative = { XDG_RUNTIME_DIR: 'x', XDG_STATE_HOME: 'x', XDG_DATA_HOME: 'x', HOME: home }
    t.equal(logPath('v', relative), join(home, '.local/state/avfs/v.log'))
    t.equal(vaultsDirectory(relative), join(home, '.local/share/avfs/vaults'))
    t.notMatch(socketCandidates('/mnt/x', undefined, relative), /^x/)
    for (const HOME of ['', '.', 'home', undefined])
      t.match(vaultsDirectory({ HOME }), userInfo().homedir, `HOME=${HOME}`)
  },
)

t.test('a mount point is absolute and free of links', async (t) => {
  const directory = t.testdir({ real: {}, link: t.fixture('symlink', 'real') })
  t.equal(mountPointPath(`${directory}/link`), mountPointPath(`${directory}/real`))
  t.equal(mountPointPath('/'), '/')
  t.equal(
    mountPointPath(`${directory}/link/gone`),
    join(mountPointPath(`${directory}/real`), 'gone'),
  )
})
