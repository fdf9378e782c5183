// Content that only a backup has is not overwritten: a backup is replaced only by a vault that
// comes from the state in the backup.

import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { setLog } from '../../src/base/log.ts'
import { setting } from '../../src/store/collections.ts'
import { openStore } from '../../src/store/open.ts'
import { createVault } from '../../src/vault/vault.ts'
import { changeVault } from '../support/backup.ts'
import { testedBackends } from '../support/engines.ts'
import { wholeVault } from '../vault/whole-vault.ts'
import { type Cli, emptyCli } from './cli.ts'

setLog('error')
t.setTimeout(280_000)

interface Bed extends Cli {
  readonly vault: string
  at(name: string): string
  backUp(name: string, ...more: string[]): void
  isRefused(t: Test, name: string): Promise<void>
}

async function bed(t: Test, backend: string, suffix: string): Promise<Bed> {
  const cli = emptyCli(t)
  const vault = join(cli.home, `one${suffix}`)
  await createVault(vault, backend)
  const folder = cli.folder('backups')
  const at = (name: string): string => join(folder, name + suffix)
  return {
    ...cli,
    vault,
    at,
    backUp: (name, ...more) => void cli.json('vault', 'backup', 'one', at(name), ...more),
    async isRefused(t, name) {
      const before = await wholeVault(at(name))
      for (const more of [[], ['--incremental']]) {
        const { status, message } = cli.failure('vault', 'backup', 'one', at(name), ...more)
        t.match({ status, message }, { status: 1, message: /may hold what the vault does not/ })
      }
      t.same(await wholeVault(at(name)), before, 'it is as it was')
    },
  }
}

/** A file, and a folder: nothing else of an engine counts here. */
const engines = testedBackends.filter(({ name }) => name === 'sqlite' || name === 'leveldb')

for (const { name: backend, suffix } of engines) {
  t.test(
    `${backend}: a vault restored from an older backup leaves the newer one alone`,
    async (t) => {
      const { vault, json, at, backUp, isRefused } = await bed(t, backend, suffix)
      await changeVault(vault, 1)
      backUp('monday')
      await changeVault(vault, 2)
      backUp('tuesday')
      json('vault', 'delete', 'one', '--yes')
      json('vault', 'restore', at('monday'), 'one', '--backend', backend)
      await isRefused(t, 'tuesday')
      await changeVault(vault, 3)
      await isRefused(t, 'tuesday')
      backUp('monday', '--incremental')
      backUp('wednesday')
    },
  )

  t.test(`${backend}: a plain copy that goes its own way is told from the vault`, async (t) => {
    const { vault, home, at, backUp, isRefused } = await bed(t, backend, suffix)
    await changeVault(vault, 1)
    backUp('mine')
    const aside = join(home, `aside${suffix}`)
    cpSync(vault, aside, { recursive: true })
    await changeVault(vault, 2)
    backUp('mine', '--incremental')
    const original = join(home, `original${suffix}`)
    cpSync(vault, original, { recursive: true })
    // The same file in place, as it was before.
    for (const rounds of [0, 5]) {
      rmSync(vault, { recursive: true })
      cpSync(aside, vault, { recursive: true })
      for (let round = 0; round < rounds; round++) await changeVault(vault, round + 3)
      await isRefused(t, 'mine')
    }
    rmSync(vault, { recursive: true })
    cpSync(original, vault, { recursive: true })
    backUp('mine', '--incremental')
    await changeVault(vault, 9)
    backUp('mine')
    t.same(
      await wholeVault(at('mine')).then(withoutSettings),
      await wholeVault(vault).then(withoutSettings),
    )
  })

  t.test(
    `${backend}: pruned, purged, compacted, restored from it or on another engine it goes on`,
    async (t) => {
      const { vault, json, avfs, at, backUp } = await bed(t, backend, suffix)
      await changeVault(vault, 1)
      await changeVault(vault, 2)
      backUp('mine')
      avfs('prune', 'one', '--keep', '1', '--older-than', '0s')
      json('purge', 'one:/new-2-1', '--current', '--yes')
      json('vault', 'compact', 'one')
      backUp('mine', '--incremental')
      json('vault', 'delete', 'one', '--yes')
      json('vault', 'restore', at('mine'), 'one', '--backend', backend)
      await changeVault(vault, 3)
      backUp('mine', '--incremental')
      json('vault', 'migrate', 'one', '--to', backend === 'sqlite' ? 'lmdb' : 'sqlite')
      json('vault', 'config', 'one', 'keep.days=10')
      backUp('mine', '--incremental')
      json('vault', 'config', 'one', 'keep.days=11')
      backUp('mine')
      t.equal(avfs('vault', 'check', at('mine')).status, 0)
    },
  )
}

t.test('two that differ in what takes no moment are told apart', async (t) => {
  const { vault, home, json, backUp, isRefused } = await bed(t, 'sqlite', '.avfs')
  cpSync(vault, join(home, 'aside.avfs'))
  json('vault', 'config', 'one', 'keep.days=10')
  backUp('mine')
  cpSync(join(home, 'aside.avfs'), vault)
  await isRefused(t, 'mine')
  json('vault', 'config', 'one', 'keep.days=11')
  await isRefused(t, 'mine')
})

t.test('a vault that was repaired leaves the backups before it alone', async (t) => {
  const { vault, avfs, backUp, isRefused } = await bed(t, 'sqlite', '.avfs')
  await changeVault(vault, 1)
  backUp('before')
  const store = await openStore(vault)
  await store.commit([
    { collection: setting as never, puts: [{ name: 'next_ino', value: '2' }], deletes: [] },
  ])
  await store.close()
  t.equal(avfs('vault', 'check', 'one', '--repair').status, 1)
  await isRefused(t, 'before')
  backUp('after')
  await changeVault(vault, 2)
  backUp('after', '--incremental')
})

function withoutSettings(survey: Awaited<ReturnType<typeof wholeVault>>): unknown {
  return survey.filter(({ name }) => name !== 'setting')
}
