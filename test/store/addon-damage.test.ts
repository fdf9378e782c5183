// Files of a vault in which bytes were changed: the engines of our own addons report that, never
// return other values for it, and never crash the process. AVFS_SEED repeats the changes.

import { spawnSync } from 'node:child_process'
import {
  closeSync,
  cpSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { BLOCKS, ROWS } from '../../src/store/kv/engine.ts'
import { openRocksdb } from '../../src/store/rocksdb.ts'
import { openSled } from '../../src/store/sled.ts'
import { randomFrom, seedOf } from '../support/random.ts'
import { get, put } from './engine-suite.ts'

const VALUES = 200
const ROUNDS = 12

interface Outcome {
  readonly errors: readonly string[]
  readonly wrong: readonly number[]
  readonly findings: number
}

for (const [name, open] of [
  ['rocksdb', openRocksdb],
  ['sled', openSled],
] as const)
  t.test(`${name}: damage is told and harms nothing else`, async (t) => {
    const seed = seedOf('AVFS_SEED')
    t.comment(`AVFS_SEED=${seed}`)
    const random = randomFrom(seed)
    const dir = t.testdir()
    const whole = join(dir, 'whole')
    const path = join(dir, 'damaged')
    const engine = await open(whole, { create: true, readOnly: false, cacheBytes: 8_000_000 })
    for (let i = 0; i < VALUES; i++)
      await put(
        engine,
        [ROWS, `${i}`, Buffer.alloc(100, i)],
        [BLOCKS, `${i}`, Buffer.alloc(30_000, i)],
      )
    // Into tables, not only the log; a copy of sled's log is as good as the log.
    await engine.compact()
    await engine.close()
    let told = 0
    for (let round = 0; round < ROUNDS; round++) {
      rmSync(path, { recursive: true, force: true })
      cpSync(whole, path, { recursive: true })
      const files = readdirSync(path, { recursive: true, encoding: 'utf8' })
        .map((file) => join(path, file))
        .filter((file) => statSync(file).isFile() && statSync(file).size > 0)
      const file = random.pick(files)
      const fd = openSync(file, 'r+')
      const at = random.below(statSync(file).size)
      writeSync(fd, random.bytes(1 + random.below(64)), 0, undefined, at)
      closeSync(fd)
      const child = spawnSync(
        process.execPath,
        [join(import.meta.dirname, 'damage-child.ts'), path, name, `${VALUES}`],
        { encoding: 'utf8', timeout: 60_000 },
      )
      const place = `${file.slice(path.length)} at ${at}`
      t.equal(child.signal ?? child.status, 0, `${place}: ${child.stderr.slice(0, 2000)}`)
      if (child.status !== 0) continue
      const outcome = JSON.parse(child.stdout) as Outcome
      t.same(outcome.wrong, [], place)
      t.ok(
        outcome.errors.every((kind) => !kind.startsWith('not')),
        `${place}: ${outcome.errors}`,
      )
      if (outcome.errors.length + outcome.findings > 0) told++
    }
    t.ok(told > 0, `${told} of ${ROUNDS} were told`)
  })

t.test(
  'sled: a vault whose CURRENT names another folder is refused, and nothing is removed',
  async (t) => {
    const path = join(t.testdir(), 'vault')
    const options = { create: true, readOnly: false, cacheBytes: 8_000_000 }
    const engine = await openSled(path, options)
    await put(engine, [ROWS, 'a', Buffer.from('1')])
    await engine.close()
    for (const text of ['7\n', '', 'x', '\xff']) {
      writeFileSync(join(path, 'CURRENT'), text, 'latin1')
      await t.rejects(openSled(path, { ...options, create: false }), {
        name: 'StoreError',
        kind: 'corrupt',
      })
      await t.rejects(openSled(path, options), { name: 'StoreError', kind: 'corrupt' })
    }
    writeFileSync(join(path, 'CURRENT'), '1\n')
    const again = await openSled(path, options)
    t.equal(get(again, ROWS, 'a'), '1')
    await again.close()
  },
)
