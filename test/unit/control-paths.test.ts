// Where vaults, sockets and logs are looked for.

import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import {
  existingVault,
  listVaults,
  logPath,
  mountPointPath,
  runtimeDirectory,
  socketPath,
  vaultPlace,
  vaultsDirectory,
} from '../../src/control/paths.ts'

/** t.testdir() is too long a path for a socket. */
function shortDirectory(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'avfs-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  return directory
}

function thrownBy(action: () => unknown): unknown {
  try {
    return action()
  } catch (error) {
    return error
  }
}

t.test(
  'vaults live in AVFS_HOME, else ~/.avfs/vaults if it exists, else XDG_DATA_HOME',
  async (t) => {
    const home = t.testdir()
    t.equal(vaultsDirectory({ HOME: home }), join(home, '.local/share/avfs/vaults'))
    t.equal(vaultsDirectory({ HOME: home, XDG_DATA_HOME: '/data' }), '/data/avfs/vaults')
    mkdirSync(join(home, '.avfs/vaults'), { recursive: true })
    t.equal(vaultsDirectory({ HOME: home, XDG_DATA_HOME: '/data' }), join(home, '.avfs/vaults'))
    t.equal(vaultsDirectory({ HOME: home, AVFS_HOME: '/own' }), '/own')
  },
)

t.test('a plain name is below the vaults, with or without its suffix', async (t) => {
  const env = { AVFS_HOME: '/own' }
  t.same(vaultPlace('my-project', env), { name: 'my-project', path: '/own/my-project.avfs' })
  t.same(vaultPlace('my-project.avfs', env), { name: 'my-project', path: '/own/my-project.avfs' })
})

t.test('a name with a slash is a path', async (t) => {
  const directory = t.testdir({ plain: '', 'with.avfs': '' })
  t.same(vaultPlace(`${directory}/new`, {}), { name: 'new', path: `${directory}/new.avfs` })
  t.same(vaultPlace(`${directory}/plain`, {}), { name: 'plain', path: `${directory}/plain` })
  t.same(vaultPlace(`${directory}/with`, {}), { name: 'with', path: `${directory}/with.avfs` })
})

t.test('names that a shell or a mount option would trip over are refused', async (t) => {
  for (const name of [
    '',
    '.',
    '..',
    '.hidden',
    '-x',
    'a b',
    'a,b',
    'a\nb',
    'a*',
    'x'.repeat(201),
    'dir/',
  ]) {
    t.match(
      thrownBy(() => vaultPlace(name, { AVFS_HOME: '/own' })),
      { kind: 'name' },
      JSON.stringify(name),
    )
  }
})

t.test('a vault that does not exist is refused with the way to make it', async (t) => {
  const env = { AVFS_HOME: t.testdir() }
  t.match(
    thrownBy(() => existingVault('nope', env)),
    { kind: 'missing', path: `${env.AVFS_HOME}/nope.avfs` },
  )
  t.throws(() => existingVault('nope', env), /create it with: avfs vault create nope/)
})

t.test('the list of vaults is sorted and holds vaults only', async (t) => {
  const env = {
    AVFS_HOME: t.testdir({
      'b.avfs': '',
      'a.avfs': '',
      'a.avfs-wal': '',
      'b.avfs.lock': '',
      '.avfs': '',
    }),
  }
  t.same(
    listVaults(env).map(({ name }) => name),
    ['a', 'b'],
  )
  t.same(listVaults({ AVFS_HOME: '/does/not/exist' }), [])
})

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
