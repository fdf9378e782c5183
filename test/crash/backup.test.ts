// kill -9 of a backup at each point that leaves a different state behind, on every engine: the
// former backup is as good as it was, or the new one exists; the same command completes and leaves
// nothing over. AVFS_SEED makes the vault.

import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { setLog } from '../../src/base/log.ts'
import { backUp as backUpHere } from '../../src/control/offline/backup.ts'
import type { Survey } from '../../src/vault/transfer/copy-rows.ts'
import { askOf, changeVault } from '../support/backup.ts'
import { testedBackends } from '../support/engines.ts'
import { seedOf } from '../support/random.ts'
import { makeRichVault } from '../vault/rich-vault.ts'
import { wholeVault } from '../vault/whole-vault.ts'

setLog('error')
const seed = seedOf('AVFS_SEED')
t.setTimeout(60_000 + testedBackends.length * 150_000)
t.comment(`AVFS_SEED=${seed}`)

/**
 * Every `reached` of src/control/offline/backup.ts, and those of them at which engines may differ.
 */
const allPoints = {
  whole: ['begun', 'copied', 'closed', 'verified'],
  incremental: ['copied', 'proved', 'taken'],
}
const somePoints = { whole: ['verified'], incremental: ['proved', 'taken'] }

function backUp(vault: string, dest: string, how: string, point = '-'): void {
  const program = join(import.meta.dirname, 'backup-child.ts')
  const env = { ...process.env, NODE_NO_WARNINGS: '1' }
  const { signal, status } = spawnSync(process.execPath, [program, vault, dest, how, point], {
    stdio: 'inherit',
    env,
  })
  const ended = point === '-' ? status === 0 : signal === 'SIGKILL'
  if (!ended) throw new Error(`${how} backup, killed at ${point}: ended with ${signal ?? status}`)
}

/**
 * What was there when it was made: settings tell of the backup itself, and blocks may be there in
 * vain.
 */
function content(survey: Survey): Survey {
  return survey.filter(({ name }) => name !== 'setting' && name !== 'block')
}

async function assertIs(t: Test, dest: string, wanted: Survey, what: string): Promise<void> {
  t.same(content(await wholeVault(dest)), content(wanted), what)
}

for (const backend of testedBackends)
  t.test(`${backend.name}: a killed backup costs nothing but its time`, async (t) => {
    const folder = t.testdir({ backups: {} })
    const path = join(folder, `one${backend.suffix}`)
    const dest = join(folder, 'backups', `one${backend.suffix}`)
    const rich = join(folder, 'rich.avfs')
    await makeRichVault(rich, 'sqlite', seed, 120)
    await backUpHere(path, {
      ...(await askOf(rich)),
      ...{ incremental: false, plain: true, notice: () => undefined, onProgress: () => undefined },
    })
    backUp(path, dest, 'whole', 'copied')
    t.notOk(existsSync(dest), 'half a backup does not have its name')
    backUp(path, dest, 'whole')
    let former = await wholeVault(path)
    await assertIs(t, dest, former, 'what was cut short was gone on with')
    let round = 0
    for (const [how, points] of Object.entries(backend.name === 'sqlite' ? allPoints : somePoints))
      for (const point of points) {
        await changeVault(path, ++round)
        backUp(path, dest, how, point)
        const now = await wholeVault(path)
        const expected = point === 'taken' ? now : former
        await assertIs(t, dest, expected, `${how}, killed at ${point}: a good backup`)
        backUp(path, dest, how)
        await assertIs(t, dest, now, 'the next one comes to its end')
        const left = readdirSync(join(folder, 'backups')).filter((name) => !name.endsWith('-lock'))
        t.same(left, [`one${backend.suffix}`], 'nothing is left over')
        former = now
      }
  })
