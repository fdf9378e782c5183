// What an import does with malformed streams: it refuses them or imports a part, and the vault
// stays sound.

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
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { nobody } from '../../src/vault/core/observer.ts'
import { importer } from '../../src/vault/transfer/import.ts'
import { importPlan } from '../../src/vault/transfer/import-plan.ts'
import type { ImportOptions } from '../../src/vault/transfer/import-run.ts'
import { listEntries } from '../../src/vault/tree/directory.ts'
import { birthBatch, Vault } from '../../src/vault/vault.ts'
import { directoryHead } from '../support/entry-head.ts'
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

const head: EntryHead = { ...directoryHead, uid: 0, gid: 0 }
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

/** What no name, no link and no file can be, beside what each record has. */
const refused: readonly (readonly [what: string, record: Buffer])[] = (() => {
  const file = { ...head, mode: 0o100644, parent: 1, id: 0, flags: WHOLE }
  const link = { ...file, mode: 0o120777 }
  const byPath = { ...file, parent: 0xffffffff }
  const names = ['.', '..', 'a/b', '/', '../../x', 'a\0b', '.avfs', 'x'.repeat(256), '']
  const targets = ['', 'a\0b', 'x'.repeat(4096)]
  const steps = names.filter((name) => !/^(a\/b)$/.test(name))
  const kinds = [0, 0o030000, 0o150000, 0o170000]
  return [
    ...names.map((name) => [`name ${name}`, entryRecord(file, name, [], [value])] as const),
    ...names.map((name) => [`link ${name}`, entryRecord(link, name, [], [value])] as const),
    ...names.map(
      (name) =>
        [`directory ${name}`, entryRecord({ ...head, parent: 1, id: 9 }, name, [])] as const,
    ),
    ...steps.map(
      (to) => [`move to ${to}`, stepRecord({ step: 'move', from: 'good', to })] as const,
    ),
    ...steps.map((path) => [`path ${path}`, entryRecord(byPath, path, [], [value])] as const),
    ...['../x', 'dir/..', 'dir/./x', 'good/..'].flatMap((path) => [
      [`path ${path}`, entryRecord(byPath, path, [], [value])] as const,
      [`move to ${path}`, stepRecord({ step: 'move', from: 'good', to: path })] as const,
    ]),
    ...targets.map(
      (its) => [`target ${its}`, entryRecord(link, 'link', [], [Buffer.from(its)])] as const,
    ),
    ['a link in pieces', entryRecord({ ...link, flags: 0, id: 7 }, 'link', [])],
    ...kinds.map(
      (kind) =>
        [
          `kind ${kind.toString(8)}`,
          entryRecord({ ...file, mode: kind | 0o644 }, 'odd', [], [value]),
        ] as const,
    ),
  ]
})()

t.test(
  'what no name, link or kind of file can be is named and left out, and the rest comes',
  async (t) => {
    const file = { ...head, mode: 0o100644, parent: 1, id: 0, flags: WHOLE }
    for (const dryRun of [false, true])
      for (const [what, record] of refused) {
        const vault = await emptyVault()
        const problems: string[] = []
        const problem = (path: string, message: string): void =>
          void problems.push(`${path}: ${message}`)
        const told = { ...options, problem }
        const work = dryRun ? importPlan(vault, told, () => undefined) : importer(vault, told)
        await work.take(
          Buffer.concat([
            entryRecord(head, '', []),
            entryRecord(file, 'good', [], [value]),
            entryRecord({ ...head, parent: 1, id: 2 }, 'dir', []),
            record,
            entryRecord(file, 'last', [], [value]),
            leaveRecord(2),
            leaveRecord(1),
          ]),
        )
        await work.finish()
        work.end()
        t.ok(
          problems.length > 0,
          `${JSON.stringify(what.slice(0, 40))} is told${dryRun ? ' before, too' : ''}`,
        )
        const names = listEntries(vault.core, ROOT_INO).map(({ name }) => name)
        t.same(
          names.sort(),
          dryRun ? [] : ['dir', 'good', 'last'],
          JSON.stringify(what.slice(0, 40)),
        )
        t.match(
          await vault.check({ deep: true }),
          { problems: [] },
          JSON.stringify(what.slice(0, 40)),
        )
        await vault.close()
      }
  },
)
