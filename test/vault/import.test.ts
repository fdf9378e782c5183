// What an import does with streams that nobody sane sent: it refuses them or takes a part, and the vault stays sound.

import t from 'tap'
import {
  dataRecord,
  type EntryHead,
  endRecord,
  entryRecord,
  leaveRecord,
  stepRecord,
  WHOLE,
} from '../../src/archive/records.ts'
import { setLog } from '../../src/base/log.ts'
import { openStore } from '../../src/store/open.ts'
import { type ImportOptions, importer } from '../../src/vault/import.ts'
import { nobody } from '../../src/vault/onlooker.ts'
import { birthBatch, ROOT_INO, Vault } from '../../src/vault/vault.ts'
import { randomFrom, seedOf } from '../support/random.ts'

setLog('error')
const seed = seedOf('AVFS_SEED')
t.comment(`AVFS_SEED=${seed}`)

const options: ImportOptions = {
  parent: ROOT_INO,
  name: '',
  path: '',
  basename: 'file',
  isShared: false,
  ...nobody,
  problem: () => undefined,
  progress: () => undefined,
}

const head: EntryHead = {
  flags: 0,
  parent: 0,
  id: 1,
  mode: 0o040755,
  uid: 0,
  gid: 0,
  nlink: 1,
  rdev: 0,
  size: 0,
  mtime: 1_700_000_000,
  mtimeNs: 1,
  atime: 1_700_000_000,
  atimeNs: 2,
  key: 'k',
}
const rounds = Number(process.env.AVFS_ROUNDS ?? 300)
const value = Buffer.from('value')

/** One record of each kind, more than once. */
function stream(): Buffer {
  const file = { ...head, mode: 0o100644, parent: 1, id: 0 }
  return Buffer.concat([
    entryRecord(head, '', []),
    entryRecord({ ...file, flags: WHOLE }, 'small', [{ name: 'user.k', value }], [value]),
    entryRecord({ ...head, parent: 1, id: 2 }, 'dir', [{ name: 'user.xdg.tags', value }]),
    entryRecord({ ...file, parent: 2, id: 3, size: 300_000 }, 'large', []),
    dataRecord(3, 0, [Buffer.alloc(200_000, 'abc')]),
    dataRecord(3, 250_000, [value]),
    entryRecord({ ...file, flags: WHOLE, nlink: 2, parent: 2 }, 'two', [], [value]),
    entryRecord({ ...file, flags: 4, nlink: 2 }, 'names', []),
    endRecord(3, 300_000, 0),
    stepRecord({ step: 'time' }, 1_600_000_000_000_000),
    stepRecord({ step: 'move', from: 'small', to: 'dir/moved' }),
    stepRecord({ step: 'remove', path: 'names' }),
    entryRecord({ ...file, flags: WHOLE, parent: 0xffffffff }, 'a/b/c', [], [value]),
    leaveRecord(2),
    leaveRecord(1),
  ])
}

async function emptyVault(): Promise<Vault> {
  const store = await openStore('', { create: true, backend: 'memory' })
  await store.commit(birthBatch())
  return new Vault(store, '', {})
}

t.test('the stream itself is taken whole', async (t) => {
  const vault = await emptyVault()
  const problems: string[] = []
  const work = importer(vault, {
    ...options,
    problem: (path, message) => problems.push(`${path}: ${message}`),
  })
  await work.take(stream())
  t.match(await work.finish(), { files: 5, directories: 3, bytes: 200_020 })
  work.end()
  t.same(problems, [])
  t.match(await vault.check({ deep: true }), { problems: [], inodes: 8 })
  await vault.close()
})

t.test('damaged streams are refused or taken in part, and the vault stays sound', async (t) => {
  const random = randomFrom(seed)
  const whole = stream()
  for (let round = 0; round < rounds; round++) {
    const vault = await emptyVault()
    const work = importer(vault, options)
    const damaged = Buffer.from(whole)
    for (let count = random.below(6); count >= 0; count--)
      damaged[random.below(2) === 0 ? random.below(whole.length) : random.below(1200)] =
        random.pick([0, 1, 0x2f, 0x7f, 0x80, 0xff, random.below(256)])
    const cut = random.below(10) === 0 ? random.below(whole.length) : whole.length
    try {
      for (let at = 0; at < cut; at += 5000)
        await work.take(damaged.subarray(at, Math.min(cut, at + 5000)))
      await work.finish()
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
    } finally {
      work.end()
    }
    const { problems } = await vault.check({ deep: true })
    if (problems.length > 0) t.same(problems, [], `round ${round}`)
    await vault.close()
  }
  t.pass(`${rounds} rounds`)
})
