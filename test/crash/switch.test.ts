// kill -9 at each point of the switch from a vault that is a folder to its copy: under the vault's
// name is one or the other, whole, and the next command completes the switch. Tested with an
// exchange of the names, and for file systems that do not support that.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { setLog } from '../../src/base/log.ts'
import { repairVault } from '../../src/control/offline/repair-vault.ts'
import { finishSwitch } from '../../src/control/vaults/switch-files.ts'
import { existingVault } from '../../src/control/vaults/vault-names.ts'
import { setting } from '../../src/store/collections.ts'
import { backendOf, openStore } from '../../src/store/open.ts'
import { checkStore } from '../../src/vault/check/check.ts'
import { copyStore } from '../../src/vault/transfer/copy-rows.ts'
import { changes } from '../store/rows.ts'
import { testedBackends } from '../support/engines.ts'
import { seedOf } from '../support/random.ts'
import { makeRichVault } from '../vault/rich-vault.ts'

setLog('error')
const seed = seedOf('AVFS_SEED')
t.comment(`AVFS_SEED=${seed}`)

/** Every `reached` of src/control/vaults/switch-files.ts, by the way that is gone. */
const points = {
  exchange: ['noted', 'parted', 'exchanged', 'switched', '-'],
  rename: ['noted', 'parted', 'aside', 'switched', '-'],
}

function child(...args: string[]): { signal: string | null; status: number | null } {
  const program = join(import.meta.dirname, 'switch-child.ts')
  const env = { ...process.env, NODE_NO_WARNINGS: '1' }
  return spawnSync(process.execPath, [program, ...args], { stdio: 'inherit', env })
}

for (const [way, its] of Object.entries(points))
  for (const point of its)
    for (const former of ['one.damaged.leveldb', null])
      t.test(
        `by ${way}, killed at ${point}, what it replaces is ${former ?? 'to go'}`,
        async (t) => {
          const folder = t.testdir()
          const path = join(folder, 'one.leveldb')
          const fresh = `${path}.repaired`
          for (const [at, text] of [
            [path, 'old'],
            [fresh, 'new'],
          ] as const) {
            mkdirSync(at)
            writeFileSync(join(at, 'which'), text)
          }
          const kept = former === null ? '-' : join(folder, former)
          const { signal, status } = child('switch', fresh, path, kept, way, point)
          t.same(
            { signal, status },
            point === '-' ? { signal: null, status: 0 } : { signal: 'SIGKILL', status: null },
          )
          if (point !== 'aside') t.ok(existsSync(path), 'there is a vault at every moment')
          t.equal(existingVault(join(folder, 'one')).path, path)
          const which = readFileSync(join(path, 'which'), 'utf8')
          t.equal(which, point === 'noted' || point === 'parted' ? 'old' : 'new')
          const said = finishSwitch(path)
          t.equal(said === undefined, point === '-', said ?? 'nothing to do')
          t.equal(readFileSync(join(path, 'which'), 'utf8'), which)
          const left = which === 'new' && former !== null ? [former] : []
          t.same(readdirSync(folder).sort(), [...left, 'one.leveldb'].sort())
          if (left.length > 0) t.equal(readFileSync(join(kept, 'which'), 'utf8'), 'old')
          t.equal(finishSwitch(path), undefined, 'and that is all')
        },
      )

for (const { name } of testedBackends)
  t.test(`a repair on ${name} that is killed while it switches is ended by the next`, async (t) => {
    const { suffix } = backendOf('', name)
    for (const point of points.exchange.slice(0, -1)) {
      const folder = join(t.testdir(), 'vaults')
      mkdirSync(folder)
      const path = join(folder, `one${suffix}`)
      const first = join(folder, '../first.avfs')
      await makeRichVault(first, 'sqlite', seed, 60)
      const from = await openStore(first)
      const store = await openStore(path, { create: true, backend: name })
      await copyStore(from, store, { damaged: ({ message }) => t.fail(message) })
      await from.close()
      await store.commit([changes(setting, [{ name: 'inodes', value: '4711' }])])
      await store.close()
      t.equal(child('repair', path, point).signal, 'SIGKILL', point)
      t.equal(existingVault(join(folder, 'one')).path, path)
      const steps: string[] = []
      const onStep = (text: string): void => void steps.push(text)
      const repaired = await repairVault(path, { copy: true, onStep, report: () => undefined })
      t.same(repaired.problems, [])
      const sound = await openStore(path, { readOnly: true })
      t.same((await checkStore(sound, { deep: true })).problems, [])
      await sound.close()
      const original = await openStore(join(folder, `one.damaged${suffix}`), { readOnly: true })
      t.match((await checkStore(original, { deep: true })).problems, [{ code: 'counter-inodes' }])
      await original.close()
      const others = readdirSync(folder).filter(
        (file) => !/^one(\.damaged)?\.[a-z]+(-lock)?$/.test(file),
      )
      t.same(others, [], steps.join('; '))
    }
  })
