// The addons of engines by themselves: arguments of any kind are an error and never a crash, and a
// process or thread may end in the middle of any of their work.

import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { requireAddon } from '../../src/store/kv/addon.ts'
import { ROWS } from '../../src/store/kv/engine.ts'
import { openRocksdb } from '../../src/store/rocksdb.ts'
import { openSled } from '../../src/store/sled.ts'
import { type Random, randomFrom, seedOf } from '../support/random.ts'
import { get } from './engine-suite.ts'

const CALLS = 3000

type Call = (...args: unknown[]) => unknown

/** Values that callers could pass by mistake; what looks like a path leads nowhere. */
function randomArgument(random: Random, handles: readonly unknown[]): unknown {
  return random.pick<() => unknown>([
    () => undefined,
    () => null,
    () =>
      random.pick([-1, 0, 1, 2, 3, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, -(2 ** 40)]),
    () => random.pick(['', 'a', '\0', '/nowhere/at/all']),
    () => random.below(2) === 0,
    () => random.bytes(random.below(40)),
    () => new Uint8Array(random.below(3) * 1000),
    () => new Uint8Array(new ArrayBuffer(16), 4, 8),
    () => new Float64Array(2),
    () => new ArrayBuffer(8),
    () => new DataView(new ArrayBuffer(8)),
    () => ({ length: 5 }),
    () => [1, 2],
    () => () => 1,
    () => Symbol('s'),
    () => 10n,
    () => random.pick(handles),
    () => random.pick(handles),
  ])()
}

/**
 * Calls functions with anything. What they return or throw does not matter: that the process goes
 * on does.
 */
async function hammer(t: Test, calls: readonly Call[], handles: readonly unknown[]): Promise<void> {
  const seed = seedOf('AVFS_SEED')
  t.comment(`AVFS_SEED=${seed}`)
  const random = randomFrom(seed)
  let refused = 0
  for (let i = 0; i < CALLS; i++) {
    const call = random.pick(calls)
    const args = Array.from({ length: random.below(9) }, () => randomArgument(random, handles))
    // Mostly a handle first, to get further.
    if (args.length > 0 && random.below(3) > 0) args[0] = random.pick(handles)
    try {
      await call(...args)
    } catch {
      refused++
    }
  }
  t.ok(refused > CALLS / 2, `${refused} of ${CALLS} calls were refused`)
}

for (const name of ['rocksdb', 'sled'])
  t.test(`${name}: calls with arguments of any kind are refused`, async (t) => {
    const addon = requireAddon<Record<string, Call>>(name)
    const dir = t.testdir()
    const open = addon.open as Call
    const database = await open(join(dir, 'a'), true, false, 1_000_000)
    const other = await open(join(dir, 'b'), true, false, 1_000_000)
    const snapshot = addon.snapshot as Call
    const { get, range, write, release, stats, verify } = addon
    const calls = [open, get, range, write, snapshot, release, stats, verify] as Call[]
    const held = snapshot(database)
    await hammer(t, calls, [database, other, held, snapshot(other)])
    const read = (from: unknown) => (get as Call)(from, held, ROWS, Buffer.of(1), Buffer.alloc(1))
    t.throws(() => read(other), { name: 'TypeError', message: /one of this database/ })
    ;(release as Call)(held)
    t.throws(() => read(database), { name: 'Error', kind: 'closed' })
    for (const each of [database, other]) await (addon.close as Call)(each)
    await t.rejects(async () => (stats as Call)(database), { message: /closed/, kind: 'closed' })
  })

for (const [name, open] of [
  ['rocksdb', openRocksdb],
  ['sled', openSled],
] as const)
  for (const end of ['exit', 'throw', 'terminate', 'leave'])
    t.test(
      `${name}: a process that ends in the middle (${end}) ends, and the vault is whole`,
      async (t) => {
        const path = join(t.testdir(), 'vault')
        const child = spawnSync(
          process.execPath,
          [join(import.meta.dirname, 'addon-child.ts'), path, name, end],
          { encoding: 'utf8', timeout: 60_000 },
        )
        t.equal(child.signal, null, child.stderr)
        t.equal(child.status, end === 'throw' ? 1 : 0, child.stderr)
        t.match(child.stdout, end === 'terminate' ? 'begun\nended\n' : 'begun\n')
        const engine = await open(path, { create: false, readOnly: false, cacheBytes: 8_000_000 })
        t.equal(get(engine, ROWS, 'acknowledged'), 'yes')
        t.same(await engine.verify(), [])
        await engine.close()
      },
    )
