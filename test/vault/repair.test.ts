// Repair of every kind of damage that a check can find: each is done to a vault with history by
// changing its rows, found under its code, and repaired so that a deep check finds nothing, the
// vault opens, and what was not damaged is unchanged. AVFS_SEED repeats a run.

import { join } from 'node:path'
import t, { type Test } from 'tap'
import { setLog } from '../../src/base/log.ts'
import {
  block,
  type Collection,
  collections,
  type EntryRow,
  type ExtentRow,
  entry,
  entryPast,
  extent,
  extentPast,
  hardlink,
  type InodeRow,
  inodePast,
  inode as inodes,
  type Key,
  orphan,
  PROVISIONAL,
  setting,
  tag,
  tagging,
  taggingPast,
  version,
} from '../../src/store/collections.ts'
import { openStore } from '../../src/store/open.ts'
import type { Store } from '../../src/store/store.ts'
import { checkStore } from '../../src/vault/check/check.ts'
import type { FindingCode } from '../../src/vault/check/findings.ts'
import { forgetPast } from '../../src/vault/check/remedies-history.ts'
import { repairStore } from '../../src/vault/check/repair.ts'
import { RepairRows } from '../../src/vault/check/repair-rows.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { readCounters } from '../../src/vault/core/settings.ts'
import { copyStore } from '../../src/vault/transfer/copy-rows.ts'
import { Vault } from '../../src/vault/vault.ts'
import { changes, keyOfRow } from '../store/rows.ts'
import { type Random, randomFrom, seedOf } from '../support/random.ts'
import { damagedStore } from './damaged-store.ts'
import { makeRichVault } from './rich-vault.ts'

setLog('error')
const seed = seedOf('AVFS_SEED')
const ALL = 1_000_000
const DIRECTORY = 0o40000

/** A random life has not led to a row of that kind. */
class NoSuchRow extends Error {}

/** Rows of a store at hand, and how they are damaged. */
class Hand {
  readonly store: Store
  readonly random: Random

  constructor(store: Store, random: Random) {
    this.store = store
    this.random = random
  }

  /** One of the rows that are fit. */
  row<R extends object>(collection: Collection<R>, isFit: (row: R) => boolean = () => true): R {
    const fit = this.store.scan(collection, { limit: ALL }).filter(isFit)
    if (fit.length === 0) throw new NoSuchRow(`the vault has no such row of ${collection.name}`)
    return this.random.pick(fit)
  }

  put<R extends object>(collection: Collection<R>, row: R): Promise<void> {
    return this.store.commit([changes(collection, [row])])
  }

  delete<R extends object>(collection: Collection<R>, row: R): Promise<void> {
    const key = keyOfRow(collection as unknown as Collection<object>, row)
    return this.store.commit([changes(collection, [], [key])])
  }

  change<R extends object>(collection: Collection<R>, row: R, fields: Partial<R>): Promise<void> {
    return this.put(collection, { ...row, ...fields })
  }

  get<R extends object>(collection: Collection<R>, key: Key): R | undefined {
    return this.store.get(collection, key)
  }
}

const isFile = ({ mode }: InodeRow) => mode >>> 12 === 8
const isDirectory = ({ mode, ino }: InodeRow) => mode >>> 12 === 4 && ino !== ROOT_INO
const isLive = (hand: Hand) => (row: { ino: number }) => hand.get(inodes, [row.ino]) !== undefined
const isInline = (hand: Hand) => (row: ExtentRow) => row.hash === '' && isLive(hand)(row)

/** What brings each finding about, but for what no row says of itself. */
const damages: Readonly<
  Record<Exclude<FindingCode, 'row-damaged' | 'engine-damaged'>, (hand: Hand) => Promise<void>>
> = {
  'counter-damaged': (hand) => hand.put(setting, { name: 'moment', value: 'noon' }),
  'counter-next': (hand) => hand.put(setting, { name: 'next_ino', value: '2' }),
  'counter-inodes': (hand) => hand.put(setting, { name: 'inodes', value: '1' }),
  'counter-moment': (hand) => hand.put(setting, { name: 'moment', value: '5' }),
  'counter-usage': (hand) => hand.put(setting, { name: 'usage.4711', value: '1000 7' }),
  'tree-root': (hand) =>
    hand.delete(
      inodes,
      hand.row(inodes, ({ ino }) => ino === ROOT_INO),
    ),
  'tree-parent': (hand) => hand.change(inodes, hand.row(inodes, isDirectory), { parent: 4711 }),
  'tree-names': async (hand) => {
    const row = hand.row(inodes, isDirectory)
    await hand.delete(
      entry,
      hand.row(entry, ({ ino }) => ino === row.ino),
    )
  },
  'tree-reach': async (hand) => {
    const [a, b] = [await directory(hand, 'ring'), await directory(hand, 'other')]
    await hand.delete(entry, a.name)
    await hand.put(entry, { ...a.name, parent: b.row.ino })
    await hand.change(inodes, a.row, { parent: b.row.ino })
    await hand.delete(entry, b.name)
    await hand.put(entry, { ...b.name, parent: a.row.ino })
    await hand.change(inodes, b.row, { parent: a.row.ino })
  },
  'tree-orphan': (hand) => hand.put(orphan, { ino: hand.row(inodes, isFile).ino }),
  'entry-parent': async (hand) => {
    const { row } = await directory(hand, 'lost')
    const file = hand.row(entry, ({ type }) => type === 8)
    await hand.put(entry, { ...file, parent: row.ino, name: 'kept', ino: await fileIn(hand) })
    await hand.delete(inodes, row)
  },
  'entry-target': (hand) => hand.delete(inodes, hand.row(inodes, isFile)),
  'entry-type': (hand) => hand.change(entry, hand.row(entry), { type: 6 }),
  'links-hardlink': (hand) => hand.put(hardlink, { ino: 4711, parent: 1, name: 'x' }),
  'links-size': (hand) => hand.change(inodes, hand.row(inodes, isDirectory), { size: 777 }),
  'links-count': (hand) => {
    const row = hand.row(inodes, isFile)
    return hand.change(inodes, row, { nlink: row.nlink + 1 })
  },
  'links-homes': (hand) => hand.change(inodes, hand.row(inodes, isFile), { name: 'elsewhere' }),
  'extent-overlap': async (hand) => {
    const row = hand.row(extent, (its) => its.length > 10 && isInline(hand)(its))
    await hand.put(extent, { ...row, offset: row.offset + 1 })
  },
  'extent-end': async (hand) => {
    const row = hand.row(extent, isLive(hand))
    const inode = hand.get(inodes, [row.ino]) as InodeRow
    await hand.change(inodes, inode, { size: row.offset })
  },
  'extent-chunk': (hand) =>
    hand.change(extent, hand.row(extent, isLive(hand)), { length: 200_000 }),
  'extent-checksum': async (hand) => {
    const row = hand.row(extent, isInline(hand))
    await hand.change(extent, row, { crc: (row.crc ^ 1) >>> 0 })
  },
  'extent-allocated': (hand) => hand.change(inodes, hand.row(inodes, isFile), { allocated: 7 }),
  'block-short': (hand) => rewriteBlock(hand, { size: 3 }),
  'block-codec': (hand) => rewriteBlock(hand, { codec: 9 }),
  'block-content': (hand) => rewriteBlock(hand, { data: Buffer.from('?'), codec: 0 }),
  'block-missing': async (hand) => {
    const used = hand.row(extent, ({ hash }) => hash !== '')
    await hand.delete(
      block,
      hand.row(block, ({ hash }) => hash === used.hash),
    )
  },
  'history-state': async (hand) => {
    const row = hand.row(inodePast)
    await hand.change(inodePast, row, { until: row.since })
  },
  'history-open': async (hand) => {
    const row = hand.row(inodePast, (its) => !isLive(hand)(its) && isLast(hand, its))
    await hand.change(inodePast, row, { until: PROVISIONAL })
  },
  'history-sealed': async (hand) => {
    const row = hand.row(inodePast, (its) => isLive(hand)(its) && isLast(hand, its))
    const present = hand.get(inodes, [row.ino]) as InodeRow
    await hand.change(inodes, present, { since: PROVISIONAL })
  },
  'history-present': async (hand) => {
    const row = hand.row(inodePast, (its) => isLive(hand)(its) && isLast(hand, its))
    const present = hand.get(inodes, [row.ino]) as InodeRow
    await hand.change(inodePast, row, { until: present.since + 1 })
  },
  'history-version': (hand) => hand.change(version, hand.row(version), { size: 12_345_678 }),
  'history-extent': async (hand) => {
    const row = hand.row(extentPast)
    await hand.change(extentPast, row, { until: row.since - 1 })
  },
  'history-end': async (hand) => {
    const began = (its: InodeRow) => {
      const range = { gte: [its.ino], lt: [its.ino + 1], limit: ALL }
      const parts = hand.store.scan(extentPast, range)
      return parts.some(({ since, offset, length }) => since === its.since && offset + length > 1)
    }
    await hand.change(inodePast, hand.row(inodePast, began), { size: 1 })
  },
  'history-covered': async (hand) => {
    const row = hand.row(inodePast, isFile)
    await hand.change(inodePast, row, { allocated: row.allocated + 1 })
  },
  'history-xattrs': (hand) => hand.change(inodes, hand.row(inodes, isFile), { xattrs: 50 }),
  'history-tags': (hand) => hand.change(inodes, hand.row(inodes, isFile), { tags: 50 }),
  'history-tag': async (hand) => {
    const used = hand.row(tagging, isLive(hand))
    await hand.delete(
      tag,
      hand.row(tag, ({ name }) => name === used.tag),
    )
  },
  'history-name': async (hand) => {
    const row = hand.row(entryPast)
    await hand.change(entryPast, row, { until: row.since })
  },
  'history-actor': (hand) => hand.change(inodes, hand.row(inodes, isFile), { actor: 4711 }),
  'history-label': (hand) => hand.put(taggingPast, { ino: 2, tag: 'red', since: 9, until: 9 }),
}

function isLast(hand: Hand, row: { ino: number; since: number }): boolean {
  const range = { gte: [row.ino], lt: [row.ino + 1], limit: 1, reverse: true }
  return hand.store.scan(inodePast, range)[0]?.since === row.since
}

async function rewriteBlock(hand: Hand, fields: object): Promise<void> {
  const used = hand.row(extent, (its) => its.hash !== '' && its.length > 3)
  const row = hand.row(block, ({ hash }) => hash === used.hash)
  await hand.delete(block, row)
  await hand.change(block, row, fields)
}

/** A new directory in the root, by its rows; what is counted of it is right. */
async function directory(hand: Hand, name: string): Promise<{ row: InodeRow; name: EntryRow }> {
  const root = hand.row(inodes, ({ ino }) => ino === ROOT_INO)
  const ino = Number(hand.get(setting, ['next_ino'])?.value)
  const row = { ...root, ino, mode: DIRECTORY | 0o755, nlink: 2, size: 0, parent: ROOT_INO, name }
  const named = {
    parent: ROOT_INO,
    name,
    ino,
    type: 4,
    fromParent: 0,
    fromName: '',
    origin: 0,
    actor: 0,
    since: root.since,
  } as const
  const count = Number(hand.get(setting, ['inodes'])?.value)
  await hand.put(setting, { name: 'next_ino', value: `${ino + 1}` })
  await hand.put(setting, { name: 'inodes', value: `${count + 1}` })
  await hand.put(inodes, { ...root, nlink: root.nlink + 1, size: root.size + 1 })
  await hand.put(inodes, row)
  await hand.put(entry, named)
  return { row, name: named }
}

/** The number of a new file that has no name yet. */
async function fileIn(hand: Hand): Promise<number> {
  const like = hand.row(inodes, isFile)
  const ino = Number(hand.get(setting, ['next_ino'])?.value)
  await hand.put(setting, { name: 'next_ino', value: `${ino + 1}` })
  await hand.put(inodes, { ...like, ino, size: 0, allocated: 0, xattrs: 0, tags: 0, versions: 0 })
  return ino
}

function rowsOf(store: Store): Map<string, string> {
  const rows = new Map<string, string>()
  for (const collection of collections)
    for (const row of store.scan(collection, { limit: ALL }))
      rows.set(
        `${collection.name} ${JSON.stringify(keyOfRow(collection, row))}`,
        JSON.stringify(row, (_, value) =>
          value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value,
        ),
      )
  return rows
}

/** How many rows two stores do not share. */
function distance(a: Store, b: Store): number {
  const [rowsA, rowsB] = [rowsOf(a), rowsOf(b)]
  const keys = new Set([...rowsA.keys(), ...rowsB.keys()])
  return [...keys].filter((key) => rowsA.get(key) !== rowsB.get(key)).length
}

/** Random vaults that were made, by seed and steps; nobody changes them. */
const sounds = new Map<string, Store>()
t.teardown(async () => {
  for (const store of sounds.values()) await store.close()
})

async function soundVault(folder: string, at: number, steps: number): Promise<Store> {
  const known = sounds.get(`${at}/${steps}`)
  if (known !== undefined) return known
  const path = join(folder, `v${at}.avfs`)
  await makeRichVault(path, 'sqlite', at, steps)
  const onDisk = await openStore(path, { readOnly: true })
  const sound = await memoryCopy(onDisk)
  await onDisk.close()
  const { problems } = await checkStore(sound, { deep: true })
  if (problems.length > 0)
    throw new Error(`a vault of seed ${at} is not sound: ${problems[0]?.message}`)
  sounds.set(`${at}/${steps}`, sound)
  return sound
}

/**
 * Does `work` on a random vault, and on those of the next seeds for as long as one lacks the rows
 * that it needs.
 */
async function onVault<T>(
  folder: string,
  steps: number,
  work: (hand: Hand, sound: Store) => Promise<T>,
): Promise<T> {
  for (let at = seed; ; at++) {
    const sound = await soundVault(folder, at, steps)
    const store = await memoryCopy(sound)
    try {
      return await work(new Hand(store, randomFrom(at)), sound)
    } catch (error) {
      if (!(error instanceof NoSuchRow) || at - seed > 20) throw error
    } finally {
      await store.close()
    }
  }
}

async function memoryCopy(from: Store): Promise<Store> {
  const to = await openStore('', { backend: 'memory' })
  await copyStore(from, to, { damaged: () => undefined })
  return to
}

async function repaired(t: Test, store: Store, codes: readonly FindingCode[]): Promise<string[]> {
  const found = (await checkStore(store, { deep: true })).problems.map(({ code }) => code)
  for (const code of codes) t.ok(found.includes(code), `${code} is found`)
  const steps: string[] = []
  const report = await repairStore(store, { onStep: (text) => steps.push(text) })
  t.same(report.left.problems, [], `after ${steps.length} steps nothing is left`)
  t.ok(report.found > 0 && report.steps === steps.length && steps.length > 0, steps.join('; '))
  return steps
}

await t.test(
  'each kind of damage is found under its code and repaired, and little else is changed',
  async (t) => {
    t.comment(`AVFS_SEED=${seed}`)
    const folder = t.testdir()
    for (const [code, damage] of Object.entries(damages))
      await onVault(folder, 300, async (hand, sound) => {
        const { store } = hand
        await damage(hand)
        await repaired(t, store, [code as FindingCode])
        const apart = distance(sound, store)
        // A piece of content that is dropped changes every state that had it.
        t.ok(apart < 60, `${code}: ${apart} rows of ${rowsOf(sound).size} differ from before`)
        const vault = new Vault(store, '/tmp/none', { commitMs: 1e9 })
        t.equal(vault.info().format, 1, 'and it opens')
        await vault.close()
      })
  },
)

await t.test('many kinds of damage at once are repaired, in SQLite too', async (t) => {
  t.comment(`AVFS_SEED=${seed}`)
  const folder = t.testdir()
  for (let round = 0; round < 3; round++) {
    const path = join(folder, `v${round}.avfs`)
    await makeRichVault(path, 'sqlite', seed + round, 300)
    const store = await openStore(path)
    const hand = new Hand(store, randomFrom(seed + round))
    for (let count = 0; count < 12; count++) {
      const code = hand.random.pick(Object.keys(damages)) as keyof typeof damages
      // What one damage has left may have no row that is fit for another.
      try {
        await damages[code](hand)
      } catch (error) {
        if (!(error instanceof NoSuchRow)) throw error
      }
    }
    await repaired(t, store, [])
    await store.close()
  }
})

await t.test(
  'a directory that is lost is made anew where its name is, with what was in it',
  async (t) => {
    await onVault(t.testdir(), 100, async (hand) => {
      const { store } = hand
      await damages['entry-parent'](hand)
      const steps = await repaired(t, store, ['entry-parent', 'entry-target'])
      t.ok(steps.some((step) => /made directory \d+ anew/.test(step)))
      const lost = hand.row(entry, ({ parent, name }) => parent === ROOT_INO && name === 'lost')
      t.ok(hand.get(entry, [lost.ino, 'kept']), 'under its name')
    })
  },
)

await t.test(
  'rows that the engine cannot read are dropped, and what they leave is repaired',
  async (t) => {
    await onVault(t.testdir(), 200, async (hand) => {
      const inner = hand.store
      const file = hand.row(inodes, isFile)
      const name = hand.row(entryPast)
      const store = damagedStore(
        inner,
        (collection, row) =>
          (collection === inodes.name && (row as InodeRow).ino === file.ino) ||
          (collection === entryPast.name && (row as typeof name).since === name.since),
        false,
      )
      const found = (await checkStore(store, { deep: true })).problems
      t.match(found, [
        { code: 'row-damaged', at: { collection: 'inode', key: [file.ino] } },
        { code: 'row-damaged', at: { collection: 'entry_past' } },
      ])
      await repaired(t, store, ['row-damaged'])
      t.equal(hand.get(inodes, [file.ino]), undefined)
    })
  },
)

await t.test('what the engine says of itself is a finding of a deep check', async (t) => {
  const path = join(t.testdir(), 'one.avfs')
  await makeRichVault(path, 'sqlite', seed, 50)
  const inner = await openStore(path)
  const store = Object.assign(Object.create(inner), {
    traits: inner.traits,
    verify: async () => ['page 7 makes no sense'],
    scan: inner.scan.bind(inner),
    get: inner.get.bind(inner),
    project: inner.project.bind(inner),
  }) as Store
  const { problems } = await checkStore(store, { deep: true })
  t.match(problems, [{ kind: 'engine', code: 'engine-damaged', message: 'page 7 makes no sense' }])
  t.same((await checkStore(store, { deep: false })).problems, [])
  const { left } = await repairStore(store, { onStep: (text) => t.fail(text) })
  t.equal(left.problems.length, 1, 'which nothing in the rows can mend')
  await inner.close()
})

await t.test('what gives up its past keeps its present', async (t) => {
  await onVault(t.testdir(), 200, async (hand, sound) => {
    const { store } = hand
    const { ino } = hand.row(inodePast, (its) => isFile(its) && isLive(hand)(its))
    const rows = new RepairRows(store, readCounters(store), () => undefined)
    await forgetPast(rows, new Set([ino]))
    await rows.flush()
    await rows.close()
    const { left } = await repairStore(store, { onStep: () => undefined })
    t.same(left.problems, [])
    const range = { gte: [ino], lt: [ino + 1], limit: ALL }
    t.same(store.scan(inodePast, range), [])
    t.same(store.scan(extentPast, range), [])
    const since = hand.get(inodes, [ino])?.since
    const former = sound.scan(extent, range).map((row) => ({ ...row, since }))
    t.same(store.scan(extent, range), former)
  })
})

await t.test('a file without a name gets one in /lost+found', async (t) => {
  await onVault(t.testdir(), 200, async (hand) => {
    const { store } = hand
    const file = hand.row(inodes, (row) => isFile(row) && row.nlink === 1)
    await hand.delete(
      entry,
      hand.row(entry, ({ ino }) => ino === file.ino),
    )
    await repaired(t, store, ['links-count'])
    const folder = hand.get(entry, [ROOT_INO, 'lost+found']) as EntryRow
    t.match(hand.get(entry, [folder.ino, `#${file.ino}`]), { ino: file.ino })
    t.match(hand.get(inodes, [file.ino]), { size: file.size, mode: file.mode, nlink: 1 })
  })
})
