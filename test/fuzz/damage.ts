// Damage to the rows of a closed vault, done through the engine: bytes of keys and values are
// changed or removed, and values get types and sizes that a program would not write. Anything that
// an attacker could put into a file may occur.

import Database from 'better-sqlite3'
import { collections } from '../../src/store/collections.ts'
import { type Group, type KvEngine, ROWS } from '../../src/store/kv/engine.ts'
import { openLevel } from '../../src/store/leveldb/leveldb.ts'
import { openLmdb } from '../../src/store/lmdb/lmdb.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import { openRocksdb } from '../../src/store/rocksdb.ts'
import { openSled } from '../../src/store/sled.ts'
import type { Store } from '../../src/store/store.ts'
import { all, type Change, put } from '../store/engine-suite.ts'
import { type AnyCollection, changes, keyOfRow, randomValue } from '../store/rows.ts'
import type { Random } from '../support/random.ts'
import { refusable } from './input.ts'
import { mutated } from './mutate.ts'

const DAMAGES_MAX = 3
const ALL = 1_000_000
const GROUPS: readonly Group[] = [0, 1, 2]
const options = { create: false, readOnly: false, cacheBytes: 1024 * 1024 }

type OpenEngine = typeof openLevel

const engines: Readonly<Record<string, OpenEngine>> = {
  lmdb: openLmdb,
  leveldb: openLevel,
  rocksdb: openRocksdb,
  sled: openSled,
}

/** Damages the vault at a path. Resolves to words for what was done. */
export async function damageRows(path: string, backend: string, random: Random): Promise<string> {
  const open = engines[backend]
  if (open === undefined) return damageTables(path, random)
  const engine = await open(path, options)
  try {
    return await damageEntries(engine, random)
  } finally {
    await engine.close()
  }
}

async function damageEntries(engine: KvEngine, random: Random): Promise<string> {
  const done: string[] = []
  const changes = new Map<string, Change>()
  for (let count = 1 + random.below(DAMAGES_MAX); count > 0; count--) {
    const group = random.below(3) > 0 ? ROWS : random.pick(GROUPS)
    const entries = await retryUntilLoaded(() => all(engine, group))
    if (entries.length === 0) continue
    const [key, value] = random.pick(entries)
    const change = randomChange(group, key, value, random)
    // A key occurs once in a batch, and is never empty.
    if (change[1] === '' || change[1].length > 1000) continue
    changes.set(`${change[0]} ${change[1]}`, change)
    done.push(
      `${Buffer.from(key, 'latin1').toString('hex')} -> ${change[1] === key ? '' : `${Buffer.from(change[1], 'latin1').toString('hex')} `}${change[2]?.subarray(0, 100).toString('hex') ?? 'gone'}`,
    )
  }
  await put(engine, ...changes.values())
  return done.join(', ')
}

function randomChange(group: Group, key: string, value: Buffer, random: Random): Change {
  const kind = random.below(10)
  if (kind === 0) return [group, key, undefined]
  if (kind > 1) return [group, key, mutated(value, random, 2)]
  const other = mutated(Buffer.from(key, 'latin1'), random, 1).toString('latin1')
  return [group, other, value]
}

const oddSql = [
  null,
  0,
  1,
  -1,
  2,
  1.5,
  1e300,
  -(2 ** 52),
  2n ** 53n,
  2n ** 63n - 1n,
  -(2n ** 63n),
  '',
  '.',
  '..',
  'a/b',
  'text',
  '9'.repeat(30),
  'a\0b',
  Buffer.alloc(0),
  Buffer.from('00ff', 'hex'),
  Buffer.alloc(3000, 'x'),
]

function damageTables(path: string, random: Random): string {
  const db = new Database(path)
  const done: string[] = []
  try {
    db.pragma('ignore_check_constraints = on')
    for (let count = 1 + random.below(DAMAGES_MAX); count > 0; count--) {
      const { name } = random.pick(collections)
      const columns = (db.pragma(`table_info("${name}")`) as { name: string }[]).map(
        (its) => its.name,
      )
      const rows = db.prepare(`select * from "${name}"`).all() as Record<string, unknown>[]
      if (rows.length === 0) continue
      const row = random.pick(rows)
      const column = random.pick(columns)
      const value = random.pick(oddSql)
      const where = columns.map((each) => `"${each}" is ?`).join(' and ')
      try {
        db.prepare(`update "${name}" set "${column}" = ? where ${where}`).run(
          value,
          ...columns.map((each) => row[each]),
        )
        done.push(`${name}.${column} ${String(row[column])} -> ${String(value).slice(0, 40)}`)
      } catch (error) {
        // A key that is there already, or a value that the table does not take.
        if (!(error instanceof Database.SqliteError)) throw error
      }
    }
  } finally {
    db.close()
  }
  return done.join(', ')
}

/** The same to an open store, by values that fit their columns and make no sense. */
export async function damageStore(store: Store, random: Random): Promise<string> {
  const done: string[] = []
  for (let count = 1 + random.below(DAMAGES_MAX); count > 0; count--) {
    const collection = random.pick(collections) as unknown as AnyCollection
    // What was done before may be refused now.
    const read = () => retryUntilLoaded(() => store.scan(collection, { limit: ALL }))
    const rows = (await refusable(read)) ?? []
    if (rows.length === 0) continue
    const row = random.pick(rows)
    const at = random.below(collection.fields.length)
    const field = (collection.fields as readonly string[])[at] ?? ''
    const type = collection.types[at]
    if (type === undefined) continue
    const other = random.pick(rows) as Record<string, never>
    const value = random.below(3) === 0 ? other[field] : randomValue(type, random)
    const changed = { ...row, [field]: value }
    const key = keyOfRow(collection, row)
    const isMoved = at < collection.keyLength
    // A block never changes: it goes and comes.
    if (isMoved || collection.name === 'block') await store.commit([changes(collection, [], [key])])
    await store.commit([changes(collection, [changed])])
    done.push(`${collection.name} ${JSON.stringify(key)} ${field} = ${String(value).slice(0, 60)}`)
  }
  return done.join(', ')
}
