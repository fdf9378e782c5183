// An import and an export on a store whose reads must wait do the same as on one that answers at
// once: a tree, another one over it, and steps of a history. A record that had changed something
// before its read would end the import (src/base/step.ts).

import { hash } from 'node:crypto'
import t, { type Test } from 'tap'
import {
  type Attribute,
  attributesOf,
  BY_PATH,
  contentOf,
  DATA,
  dataOf,
  dataRecord,
  ENTRY,
  type EntryHead,
  endRecord,
  entryRecord,
  headOf,
  LINK,
  leaveRecord,
  nameOf,
  recordsIn,
  stepRecord,
  WHOLE,
} from '../../src/archive/records.ts'
import { setLog } from '../../src/base/log.ts'
import { setting } from '../../src/store/collections.ts'
import { openStore } from '../../src/store/open.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import type { Changes, Store } from '../../src/store/store.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { nobody } from '../../src/vault/core/observer.ts'
import { inodeAt } from '../../src/vault/history/timeline.ts'
import { exportTree } from '../../src/vault/transfer/export.ts'
import { importer } from '../../src/vault/transfer/import.ts'
import { birthBatch, Vault } from '../../src/vault/vault.ts'
import { directoryHead } from '../support/entry-head.ts'
import { faulting } from '../support/faulting.ts'
import { waiting } from '../support/waiting.ts'

const logged: string[] = []
setLog('error', (line) => logged.push(line))

const directory: EntryHead = { ...directoryHead, id: 0, uid: 1, gid: 2, key: '' }
const file: EntryHead = { ...directory, mode: 0o100644 }
const LARGE = 9_000_000

const text = (value: string): Buffer => Buffer.from(value)
const labels = (value: string): Attribute => ({ name: 'user.xdg.tags', value: text(value) })
const attribute = (value: string): Attribute => ({ name: 'user.k', value: text(value) })

function whole(
  parent: number,
  name: string,
  value: string,
  attributes: Attribute[] = [],
  more: Partial<EntryHead> = {},
): Buffer {
  return entryRecord({ ...file, parent, flags: WHOLE, ...more }, name, attributes, [text(value)])
}

/** A file in three pieces with a hole between, of which `last` differs. */
function large(
  parent: number,
  id: number,
  name: string,
  last: string,
  more: Partial<EntryHead> = {},
  between: readonly Buffer[] = [],
): Buffer[] {
  return [
    entryRecord({ ...file, parent, id, size: LARGE, ...more }, name, []),
    dataRecord(id, 0, [Buffer.alloc(500_000, 'abc')]),
    dataRecord(id, 500_000, [Buffer.alloc(500_000, name)]),
    ...between,
    dataRecord(id, 8_800_000, [Buffer.alloc(1000, last)]),
    endRecord(id, LARGE, 0),
  ]
}

const names = { nlink: 3, key: 'names' }
const wide = { nlink: 3, key: 'wide' }

const first = Buffer.concat([
  entryRecord({ ...directory, id: 1 }, '', []),
  whole(1, 'replaced', 'then', [labels('red,blue'), attribute('then')]),
  whole(1, 'same', 'same', [attribute('same')]),
  whole(1, 'altered', 'altered', [attribute('then'), labels('red')]),
  whole(1, 'names', 'names', [], names),
  entryRecord({ ...file, parent: 1, flags: LINK, ...names }, 'names too', []),
  whole(1, 'link', 'target', [], { mode: 0o120777 }),
  entryRecord({ ...directory, parent: 1, id: 2 }, 'dir', [labels('green'), attribute('dir')]),
  whole(2, 'below', 'below'),
  ...large(2, 3, 'grown', 'then'),
  ...large(2, 4, 'kept', 'kept'),
  leaveRecord(2),
  leaveRecord(1),
])

const second = Buffer.concat([
  entryRecord({ ...directory, id: 1, mode: 0o040700 }, '', [labels('top')]),
  whole(1, 'replaced', 'now'),
  whole(1, 'same', 'same', [attribute('same')]),
  whole(1, 'altered', 'altered', [attribute('now'), labels('red,white')]),
  // One of two names goes to another file.
  whole(1, 'names', 'another'),
  whole(1, 'link', 'elsewhere', [], { mode: 0o120777 }),
  whole(1, 'fresh', 'fresh', [attribute('fresh'), labels('red,new')]),
  entryRecord({ ...directory, parent: 1, id: 2 }, 'dir', [attribute('other')]),
  ...large(2, 3, 'grown', 'now'),
  ...large(2, 4, 'kept', 'kept'),
  // Further names come before the file is complete, one of them in the place of a file.
  ...large(2, 5, 'wide', 'wide', wide, [
    entryRecord({ ...file, parent: 2, flags: LINK, ...wide }, 'wide too', []),
    entryRecord({ ...file, parent: 2, flags: LINK, ...wide }, 'below', []),
  ]),
  leaveRecord(2),
  entryRecord({ ...directory, parent: 1, id: 6 }, 'made', []),
  entryRecord({ ...directory, parent: 6, id: 7 }, 'deeper', [labels('green')]),
  whole(7, 'alone', 'alone'),
  leaveRecord(7),
  leaveRecord(6),
  leaveRecord(1),
])

const steps = Buffer.concat([
  entryRecord({ ...directory, id: 1 }, '', []),
  stepRecord({ step: 'time' }, 1_600_000_000_000_000),
  whole(BY_PATH, 'a/b/c', 'c'),
  whole(BY_PATH, 'a/b/d', 'd'),
  stepRecord({ step: 'snapshot', name: 'v1' }),
  stepRecord({ step: 'time' }, 1_600_000_100_000_000),
  stepRecord({ step: 'move', from: 'a/b/c', to: 'e/f/g' }),
  stepRecord({ step: 'move', from: 'dir/grown', to: 'replaced' }),
  // A directory where a file is, and one that holds nothing any more.
  whole(BY_PATH, 'same/inside', 'inside'),
  stepRecord({ step: 'remove', path: 'a/b/d' }),
  stepRecord({ step: 'remove', path: 'made/deeper/alone' }),
  // The first of its names.
  stepRecord({ step: 'remove', path: 'dir/wide' }),
  leaveRecord(1),
])

/**
 * What one vault after the other makes of the streams on a store: the tree, and what was refused.
 */
async function led(t: Test, store: Store): Promise<object> {
  const problems: string[] = []
  const reports: object[] = []
  const trees: string[][] = []
  for (const stream of [first, second, steps]) {
    // Another vault has nothing in memory of what the one before put there.
    const options = { commitMs: 60_000, cacheBytes: 1e5 }
    const vault = await retryUntilLoaded(() => new Vault(unclosed(store), '', options))
    const work = waiting(
      importer(vault, {
        parent: ROOT_INO,
        name: '',
        path: '',
        basename: 'file',
        isShared: false,
        ...nobody,
        problem: (path, message) => problems.push(`${path}: ${message}`),
        progress: () => undefined,
      }),
    )
    for (const record of recordsIn(stream)) await work.take(record)
    reports.push(await work.finish())
    await work.end()
    t.same((await vault.check({ deep: true })).problems, [])
    trees.push(await exported(vault))
    await vault.close()
  }
  return { problems, reports, trees }
}

/** All that is there, a line a record. */
async function exported(vault: Vault): Promise<string[]> {
  const { core } = vault
  const row = await retryUntilLoaded(() => inodeAt(core, ROOT_INO, core.moments.last))
  if (row === undefined) throw new Error('there is no root')
  const told: string[] = []
  await exportTree(core, { ...row }, core.moments.last, {
    recursive: true,
    send(piece) {
      for (const record of recordsIn(piece)) told.push(lineOf(record))
    },
    problem: (path, message) => told.push(`${path}: ${message}`),
    progress: () => undefined,
  })
  return told
}

function lineOf(record: Buffer): string {
  if (record.readUInt8(4) === DATA) {
    const { id, offset, bytes } = dataOf(record)
    return `${id} at ${offset}: ${hashOf(bytes)}`
  }
  if (record.readUInt8(4) !== ENTRY) return record.toString('hex')
  const { parent, mode, nlink, size, key, mtime } = headOf(record)
  const attributes = attributesOf(record).map((its) => `${its.name}=${its.value}`)
  // A directory that no record speaks of has the time of its making.
  const time = mtime === file.mtime ? 'then' : 'now'
  const content = hashOf(contentOf(record))
  return [parent, nameOf(record), mode, nlink, size, key, time, attributes, content].join(' ')
}

function hashOf(bytes: Buffer): string {
  return hash('sha256', bytes).slice(0, 16)
}

/** A store for one vault after the other. */
function unclosed(store: Store): Store {
  return new Proxy(store, {
    get(its, name) {
      if (name === 'close') return async () => undefined
      const value: unknown = Reflect.get(its, name)
      return typeof value === 'function' ? value.bind(its) : value
    },
  })
}

async function emptyStore(name: string, value: string): Promise<Store> {
  const store = await openStore('', { create: true, backend: 'memory' })
  const changes: Changes = { collection: setting as never, puts: [{ name, value }], deletes: [] }
  await store.commit([...birthBatch()])
  await store.commit([changes])
  return store
}

for (const [name, value] of [
  ['history', 'on'],
  ['history', 'off'],
  ['history.exclude', 'dir/*'],
] as const)
  t.test(`with ${name}=${value} an import waits and does the same`, async (t) => {
    const wanted = await led(t, await emptyStore(name, value))
    t.match(wanted, { problems: [] })
    for (const gets of [false, true]) {
      const store = faulting(await emptyStore(name, value), { gets })
      const found = await led(t, store)
      t.ok(store.faults > 20, `${store.faults} reads had to wait`)
      t.same(found, wanted, gets ? 'every read waits' : 'scans wait')
    }
    t.same(logged.splice(0), [])
  })
