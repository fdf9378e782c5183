// Vaults on a file system that cannot be written, closed in order, or as a crash left them. They
// are mounted and read, nothing of them changes, and anything that would change them is refused
// with a message. Also for a user who may read a vault and not write its folder.

import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { commandCalls, fillForCommands } from '../support/command-calls.ts'
import { testedBackends } from '../support/engines.ts'
import { createVault, sizeOf, type TestVault, until } from '../support/mount.ts'
import { attempt, needProgram, type Outcome, run } from '../support/program.ts'

t.setTimeout(280_000)

/** Makes a folder read-only until the end of the test. */
function freeze(t: Test, folder: string): void {
  run('mount', ['--bind', folder, folder])
  run('mount', ['-o', 'remount,ro,bind', folder])
  t.teardown(() => attempt('umount', ['-l', folder]))
}

/** The folders that readers have made for themselves. */
function readingPlaces(): string[] {
  return readdirSync(tmpdir()).filter((name) => name.startsWith('avfs-reading-'))
}

/**
 * A copy of the vault as it lies there now, crash or not, and avfs in whose eyes there is no other.
 */
function mediaOf(vault: TestVault, name: string) {
  const home = join(vault.root, name)
  cpSync(vault.home, home, { recursive: true })
  const avfs = (...args: readonly string[]): Outcome =>
    vault.avfs(args, { env: { AVFS_HOME: home } })
  return { home, avfs }
}

for (const backend of testedBackends)
  t.test(`a vault on read-only media is mounted and read, on ${backend.name}`, async (t) => {
    const vault = createVault(t, backend)
    vault.mount()
    mkdirSync(join(vault.dir, 'd'))
    writeFileSync(join(vault.dir, 'd/old'), 'text of before\n'.repeat(1000))
    t.equal(vault.avfs(['search', 'before', vault.name]).status, 0, 'there is an index')
    vault.unmount()
    const closed = mediaOf(vault, 'closed')
    vault.mount()
    writeFileSync(join(vault.dir, 'd/new'), 'text of late')
    run('sync', ['d/new', 'd'], { cwd: vault.dir })
    await until(() => sizeOf(`${vault.file}-log`) > 0, 'there is a log')
    // When it is used depends on the time that the next commit takes.
    for (let saved = 0; saved < 20; saved++) {
      writeFileSync(join(vault.dir, 'd/last'), `${saved}`)
      run('sync', ['d/last'], { cwd: vault.dir })
    }
    await vault.kill()
    attempt('umount', ['-l', vault.dir])
    const crashed = mediaOf(vault, 'crashed')
    const before = readingPlaces()
    for (const [how, { home, avfs }] of Object.entries({ closed, crashed })) {
      freeze(t, home)
      const names = readdirSync(home)
      t.match(avfs('vault', 'check', vault.name, '--deep'), { status: 0, stdout: 'sound' }, how)
      t.match(avfs('mount', '--read-only', vault.name, vault.dir), { status: 0 }, how)
      t.match(readFileSync(join(vault.dir, 'd/old'), 'utf8'), /^(text of before\n){1000}$/)
      const late = readdirSync(join(vault.dir, 'd')).includes('new')
      t.equal(late, how === 'crashed', 'what fsync acknowledged is there')
      if (late) t.equal(readFileSync(join(vault.dir, 'd/last'), 'utf8'), '19')
      t.throws(() => writeFileSync(join(vault.dir, 'f'), ''), { code: 'EROFS' })
      const found = avfs('search', 'before', vault.name)
      if (how === 'closed') t.match(found.stdout, 'd/old')
      else t.match(found.stdout + found.stderr, /d\/old|has no index|not up to date/)
      t.match(avfs('unmount', vault.dir), { status: 0 }, how)
      t.same(readdirSync(home), names, 'nothing was made there')
    }
    t.same(
      readingPlaces().filter((name) => !before.includes(name)),
      [],
      'and nothing is left elsewhere',
    )
  })

t.test('every command that only looks works on read-only media', async (t) => {
  const vault = createVault(t)
  await fillForCommands(vault)
  t.equal(vault.avfs(['search', 'f1', vault.name]).status, 0, 'there is an index')
  freeze(t, vault.home)
  const refused = vault.avfs(['snapshot', 'create', 'x', vault.name])
  t.match(refused, { status: 1, stderr: 'lies where nothing can be written' })
  const mounted = vault.avfs(['mount', vault.name, vault.dir])
  t.match(mounted, { status: 1, stderr: '--read-only' })
  vault.mount('--read-only')
  t.match(vault.avfs(['vault', 'list']).stdout, vault.dir)
  t.match(vault.avfs(['cat', join(vault.dir, 'd/f0')]).stdout, 'one f0')
  vault.unmount()
  for (const [command, { args, readsOnly, needsMount }] of Object.entries(commandCalls(vault, 1))) {
    if (readsOnly !== true || needsMount === true || command === 'bench') continue
    const { status, stderr } = vault.avfs([...command.split(' '), ...args])
    t.equal(status, 0, `${command}: ${stderr}`)
  }
})

t.test('a user who may not write the folder of a vault reads it', async (t) => {
  needProgram('setpriv')
  const vault = createVault(t)
  vault.mount()
  writeFileSync(join(vault.dir, 'f'), 'text')
  vault.unmount()
  run('chmod', ['-R', 'a+rX', vault.home])
  const own = join(vault.root, 'own')
  mkdirSync(own)
  chmodSync(own, 0o700)
  run('chown', ['65534:65534', own])
  const env = { ...vault.env, HOME: own, XDG_RUNTIME_DIR: own, XDG_STATE_HOME: own }
  const nobody = (...args: readonly string[]): Outcome =>
    attempt('setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', ...args], { env })
  const avfs = join(import.meta.dirname, '../../scripts/avfs')
  t.same(nobody(avfs, 'cat', `${vault.name}:/f`), { status: 0, stdout: 'text', stderr: '' })
  t.match(nobody(avfs, 'tag', 'add', `${vault.name}:/f`, 'x'), {
    status: 1,
    stderr: 'nothing can be written',
  })
  // Whoever writes it now holds it against readers of its files, too.
  vault.mount()
  t.equal(nobody(avfs, 'cat', `${vault.name}:/f`).status, 11)
})
