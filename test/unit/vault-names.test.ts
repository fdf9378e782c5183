// Which file or folder a vault's name means, on every engine.

import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import {
  existingVault,
  listVaults,
  newVault,
  vaultPlace,
  vaultsDirectory,
} from '../../src/control/vaults/vault-names.ts'

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
  const place = { name: 'my-project', path: '/own/my-project.avfs', backend: 'sqlite' }
  t.same(vaultPlace('my-project', env), place)
  t.same(vaultPlace('my-project.avfs', env), place)
  t.match(vaultPlace('my-project.lmdb', env), { name: 'my-project', backend: 'lmdb' })
})

t.test('a name with a slash is a path', async (t) => {
  const directory = t.testdir({ plain: '', 'with.avfs': '' })
  t.match(vaultPlace(`${directory}/new`, {}), { name: 'new', path: `${directory}/new.avfs` })
  t.match(vaultPlace(`${directory}/plain`, {}), { name: 'plain', path: `${directory}/plain` })
  t.match(vaultPlace(`${directory}/with`, {}), { name: 'with', path: `${directory}/with.avfs` })
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

t.test('a vault is found by its name whatever engine it has', async (t) => {
  const env = { AVFS_HOME: t.testdir({ 'map.lmdb': '', 'tree.leveldb': {}, 'file.avfs': '' }) }
  t.match(existingVault('map', env), { name: 'map', backend: 'lmdb' })
  t.match(existingVault('tree', env), { name: 'tree', backend: 'leveldb' })
  t.match(existingVault('tree.leveldb', env), { name: 'tree' })
  t.match(existingVault(join(env.AVFS_HOME, 'map'), {}), { name: 'map', backend: 'lmdb' })
  t.match(
    thrownBy(() => existingVault('map.avfs', env)),
    { kind: 'missing' },
  )
  t.same(
    listVaults(env).map(({ name, backend }) => `${name} ${backend}`),
    ['file sqlite', 'map lmdb', 'tree leveldb'],
  )
})

t.test('two vaults of one name are told apart by their ends alone', async (t) => {
  const env = { AVFS_HOME: t.testdir({ 'x.lmdb': '', 'x.avfs': '' }) }
  const told = { kind: 'failed', message: /several vaults named 'x' .*: x\.avfs and x\.lmdb/ }
  t.match(
    thrownBy(() => existingVault('x', env)),
    told,
  )
  t.match(existingVault('x.lmdb', env), { backend: 'lmdb' })
  t.match(existingVault('x.avfs', env), { backend: 'sqlite' })
})

t.test('a name is taken by a vault of any engine, and by a link to one', async (t) => {
  const env = { AVFS_HOME: t.testdir({ 'x.lmdb': '', else: { 'far.lmdb': '' } }) }
  symlinkSync(join(env.AVFS_HOME, 'else/far.lmdb'), join(env.AVFS_HOME, 'far.lmdb'))
  symlinkSync('/does/not/exist', join(env.AVFS_HOME, 'gone.avfs'))
  t.match(
    thrownBy(() => newVault('x', 'sqlite', env)),
    { kind: 'exists', path: /x\.lmdb$/ },
  )
  t.match(
    thrownBy(() => newVault('far', undefined, env)),
    { kind: 'exists' },
  )
  t.match(
    thrownBy(() => newVault('gone', 'lmdb', env)),
    { message: /leads nowhere/ },
  )
  t.match(newVault('new', 'leveldb', env), { path: join(env.AVFS_HOME, 'new.leveldb') })
  t.match(newVault('new.lmdb', undefined, env), { backend: 'lmdb' })
  t.match(
    thrownBy(() => newVault('new.lmdb', 'sqlite', env)),
    { kind: 'name' },
  )
  t.equal(existingVault('far', env).path, join(env.AVFS_HOME, 'else/far.lmdb'))
  mkdirSync(join(env.AVFS_HOME, 'a'))
  t.same(
    listVaults(env).map(({ name }) => name),
    ['far', 'x'],
    'a link that leads nowhere is no vault',
  )
})
