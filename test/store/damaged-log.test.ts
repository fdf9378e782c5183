// The log of RocksDB and of LevelDB, damaged: what a crash leaves at its end is not damage, damage
// in the middle is reported, and nothing is dropped silently.

import { cpSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type KvEngine, type KvOpenOptions, ROWS } from '../../src/store/kv/engine.ts'
import { openLevel } from '../../src/store/leveldb/leveldb.ts'
import { openRocksdb } from '../../src/store/rocksdb.ts'
import { get, put } from './engine-suite.ts'

const OPTIONS = { create: false, readOnly: false, cacheBytes: 8_000_000 }
const VALUES = 20
/** Longer than a block of the log. */
const VALUE = 'x'.repeat(40_000)

type Open = (path: string, options: KvOpenOptions) => Promise<KvEngine>

/**
 * A vault as a crash leaves it, with values '0' to '19' in its log, each a commit; and the path of
 * the log.
 */
async function crashed(t: Test, open: Open): Promise<{ path: string; log: string }> {
  const dir = t.testdir()
  const whole = join(dir, 'whole')
  const path = join(dir, 'crashed')
  const engine = await open(whole, { ...OPTIONS, create: true })
  for (let i = 0; i < VALUES; i++) await put(engine, [ROWS, `${i}`, Buffer.from(VALUE)])
  cpSync(whole, path, { recursive: true })
  await engine.close()
  const [log, another] = logsOf(path).filter((file) => statSync(file).size > 0)
  if (log === undefined || another !== undefined) throw new Error('there must be one log')
  return { path, log }
}

function logsOf(path: string): string[] {
  const files = readdirSync(path).filter((name) => name.endsWith('.log'))
  return files.map((name) => join(path, name))
}

/** Changes a byte so far from the end. */
function damage(file: string, fromEnd: number): void {
  const bytes = readFileSync(file)
  const at = bytes.length - fromEnd
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
  writeFileSync(file, bytes)
}

const tears: readonly [string, (log: string) => void][] = [
  ['ends in the middle of a commit', (log) => truncateSync(log, statSync(log).size - 100)],
  ['ends in bytes that are none of a commit', (log) => damage(log, 100)],
]

for (const [name, open] of [
  ['rocksdb', openRocksdb],
  ['leveldb', openLevel],
] as const) {
  for (const [what, tear] of tears)
    t.test(`${name}: a log that ${what} is read up to that one`, async (t) => {
      const { path, log } = await crashed(t, open)
      tear(log)
      for (const readOnly of [true, false]) {
        const engine = await open(path, { ...OPTIONS, readOnly })
        t.equal(get(engine, ROWS, `${VALUES - 2}`), VALUE)
        t.equal(get(engine, ROWS, `${VALUES - 1}`), undefined)
        t.same(await engine.verify(), [])
        await engine.close()
      }
    })

  t.test(`${name}: a log that is damaged in its midst is told, every time`, async (t) => {
    const { path, log } = await crashed(t, open)
    damage(log, VALUE.length * 5 + 10_000)
    const before = readFileSync(log)
    await t.rejects(open(path, OPTIONS), { name: 'StoreError', kind: 'corrupt' })
    t.ok(before.equals(readFileSync(log)))
    for (let round = 0; round < 2; round++) {
      const reader = await open(path, { ...OPTIONS, readOnly: true })
      t.match(await reader.verify(), [/^the log .*is damaged/])
      t.equal(get(reader, ROWS, `${VALUES - 7}`), VALUE)
      await reader.close()
      await t.rejects(open(path, OPTIONS), { name: 'StoreError', kind: 'corrupt' })
    }
  })

  t.test(`${name}: a closed vault has nothing in its log`, async (t) => {
    const { path } = await crashed(t, open)
    const engine = await open(path, OPTIONS)
    await put(engine, [ROWS, 'a', Buffer.from('1')])
    await engine.close()
    t.same(
      logsOf(path).filter((file) => statSync(file).size > 0),
      [],
    )
    const again = await open(path, OPTIONS)
    t.equal(get(again, ROWS, 'a'), '1')
    t.equal(get(again, ROWS, `${VALUES - 1}`), VALUE)
    await again.close()
  })
}
