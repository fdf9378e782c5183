// Invalid values in place of the JSON in the rows of a vault and in the manifest of a history: they
// are ignored or refused with a message.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { backUp } from '../../src/control/offline/backup.ts'
import { setting } from '../../src/store/collections.ts'
import { openMemory } from '../../src/store/memory.ts'
import { openStore } from '../../src/store/open.ts'
import { slicesOf } from '../../src/vault/core/time-slices.ts'
import { dropLabels, notePurging } from '../../src/vault/prune/purge-labels.ts'
import { historyImporter } from '../../src/vault/transfer/import-history.ts'
import { BACKUP_SETTING } from '../../src/vault/transfer/sync-have.ts'
import { birthBatch, createVault, Vault } from '../../src/vault/vault.ts'
import { putBatch } from '../store/rows.ts'

const PURGING = 'purging'
const words = ['', 'x', '{', 'null', '7', '"text"', '[]', '[7, null]', '{"id":7}', '{"rows":null}']

t.test('a manifest that is none is refused', async (t) => {
  for (const text of [
    ...words,
    '{"format":1,"rowFormat":1,"moment":1,"blocks":0,"rows":{"entry":null}}',
  ]) {
    const store = openMemory()
    const importer = historyImporter(store, [])
    const whole = async (): Promise<void> => {
      await importer.take('manifest.json', Buffer.from(text))
      await importer.finish()
    }
    await t.rejects(whole(), { name: 'RangeError', message: /history|rows of/ }, text)
    await store.close()
  }
})

t.test('labels to drop that are none are left', async (t) => {
  for (const value of words) {
    const store = openMemory()
    await store.commit([...birthBatch(), ...putBatch(setting, { name: PURGING, value })])
    const vault = new Vault(store, '/', {})
    await dropLabels(
      vault.core,
      slicesOf(vault.core, () => false),
    )
    notePurging(vault.core, ['red'])
    t.match(vault.core.overlay.get(setting, [PURGING])?.value, /^\["red"\]$|/, value)
    await vault.close()
  }
})

t.test('what says of itself that it is a backup, and no more, is not replaced', async (t) => {
  for (const value of words.slice(0, 5)) {
    const path = join(t.testdir(), 'v.avfs')
    await createVault(path, 'sqlite')
    const store = await openStore(path)
    await store.commit(putBatch(setting, { name: BACKUP_SETTING, value }))
    await store.close()
    const options = {
      id: 'x',
      incremental: true,
      notice: () => undefined,
      onProgress: () => undefined,
    }
    const ask = async () => t.fail('nothing is asked')
    await t.rejects(backUp(path, { ...options, ask } as never), { name: 'ControlError' }, value)
    t.ok(existsSync(path))
  }
})
