// Where vaults are: named by a bare path, on media that cannot be written, damaged. Messages name
// the vault and say what to do.

import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { setLog } from '../../src/base/log.ts'
import { createVault } from '../../src/vault/vault.ts'
import { changeVault } from '../support/backup.ts'
import { testedBackends } from '../support/engines.ts'
import { attempt, run } from '../support/program.ts'
import { emptyCli } from './cli.ts'

setLog('error')
t.setTimeout(800_000)

/** A file, and a folder: nothing else of an engine counts here. */
const engines = testedBackends.filter(({ name }) => name === 'sqlite' || name === 'leveldb')

function freeze(t: Test, folder: string): void {
  run('mount', ['--bind', folder, folder])
  run('mount', ['-o', 'remount,ro,bind', folder])
  t.teardown(() => attempt('umount', ['-l', folder]))
}

for (const { name: backend, suffix } of engines) {
  t.test(`${backend}: the path of a vault means its root in every command`, async (t) => {
    const cli = emptyCli(t)
    const path = join(cli.folder('elsewhere'), `v${suffix}`)
    await createVault(path, backend)
    await changeVault(path, 1)
    const calls = [
      ['search', 'word', path],
      ['grep', 'word', path],
      ['find', path, '--name', 'new-1-3'],
      ['log', path, '--all'],
      ['snapshot', 'create', 's', path],
      ['snapshot', 'list', path],
      ['tag', 'list', path],
      ['hold', path],
      ['prune', path, '--keep', '5'],
    ]
    for (const call of calls) {
      const { status, stderr } = cli.avfs(...call)
      t.notMatch(stderr, 'in no mounted vault', call.join(' '))
      const isFound = call[0] !== 'grep' && call[0] !== 'search'
      t.equal(status, isFound ? 0 : 1, `${call.join(' ')}: ${stderr}`)
    }
    t.match(cli.avfs('find', path.slice(0, -suffix.length)).stdout, 'new-1-3')
    t.match(cli.avfs('find', `${path}:/`, '--name', 'new-1-3').stdout, 'new-1-3')
    const other = join(cli.root, `no-vault${suffix}`)
    if (backend === 'sqlite') mkdirSync(other)
    else writeFileSync(other, '')
    t.match(cli.avfs('find', other).stderr, 'in no mounted vault')
  })

  t.test(`${backend}: what changes nothing is answered on read-only media`, async (t) => {
    const cli = emptyCli(t)
    const media = cli.folder('media')
    const path = join(media, `v${suffix}`)
    await createVault(path, backend)
    await changeVault(path, 1)
    await changeVault(path, 2)
    freeze(t, media)
    const source = join(cli.root, 'source')
    writeFileSync(source, 'text')
    const calls = [
      ['restore', `${path}:/new-1-1`, '-v', '1'],
      ['undelete', `${path}:/new-1-2`],
      ['import', source, `${path}:/source`],
      ['prune', path, '--keep', '1'],
      ['purge', `${path}:/new-1-1`],
    ]
    for (const call of calls) {
      const { status, stderr } = cli.avfs(...call, '--dry-run')
      t.equal(status, 0, `${call.join(' ')}: ${stderr}`)
      const real = cli.avfs(...call, ...(call[0] === 'purge' ? ['--yes'] : []))
      t.match(real, { status: 1, stderr: 'lies where nothing can be written' }, call.join(' '))
    }
    const refused = [
      ['vault', 'delete', path, '--yes'],
      ['vault', 'migrate', path, '--to', 'lmdb'],
    ]
    for (const call of refused)
      t.match(cli.avfs(...call), { status: 1, stderr: 'lies where nothing can be written' })
    const output = join(cli.root, 'out.lmdb')
    cli.json('vault', 'migrate', path, '--to', 'lmdb', '--output', output)
    t.match(cli.avfs('vault', 'check', output, '--deep').stdout, 'sound')
    t.same(readdirSync(media), [`v${suffix}`])
  })
}

t.test('a damaged backup or vault is named, with what to do', async (t) => {
  const cli = emptyCli(t)
  const vault = join(cli.home, 'one.leveldb')
  await createVault(vault, 'leveldb')
  await changeVault(vault, 1)
  const dest = join(cli.root, 'mine.leveldb')
  cli.json('vault', 'backup', 'one', dest)
  damage(dest)
  for (const more of [[], ['--incremental']])
    t.match(cli.failure('vault', 'backup', 'one', dest, ...more), {
      status: 1,
      message: new RegExp(`${dest} is damaged: .*choose another place, or remove it`),
    })
  const named = new RegExp(`${dest} is damaged: .*--repair mends`)
  t.match(cli.avfs('export', `${dest}:/`, join(cli.root, 'out'), '-r').stderr, named)
  t.match(cli.avfs('vault', 'restore', dest, 'two').stderr, named)
  t.match(cli.avfs('mount', dest, cli.folder('m'), '--read-only').stderr, named)
  const sound = join(cli.root, 'sound.leveldb')
  cli.json('vault', 'backup', 'one', sound)
  damage(vault)
  const { message } = cli.failure('vault', 'backup', 'one', sound)
  t.match(message, new RegExp(`${vault} is damaged: .*--repair mends`))
})

/** Overwrites the beginning of each table of a LevelDB. */
function damage(path: string): void {
  for (const name of readdirSync(path).filter((name) => name.endsWith('.ldb'))) {
    const file = join(path, name)
    const fd = openSync(file, 'r+')
    const bytes = Math.min(statSync(file).size >> 1, 2000)
    writeSync(fd, Buffer.alloc(bytes, 88), 0, bytes, 10)
    closeSync(fd)
  }
}
