// kill -9 of avfs vault compact at random moments, on every engine: the vault is whole, and the
// command can be run again. AVFS_CRASH_ROUNDS sets the kills for each engine; AVFS_SEED repeats a
// run, except for its timing.

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { setLog } from '../../src/base/log.ts'
import { block } from '../../src/store/collections.ts'
import { backendOf, openStore } from '../../src/store/open.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import { hashOf } from '../../src/vault/core/blocks.ts'
import { copyStore, differences } from '../../src/vault/transfer/copy-rows.ts'
import { changes } from '../store/rows.ts'
import { testedBackends } from '../support/engines.ts'
import { avfsProgram } from '../support/mount.ts'
import { randomFrom, seedOf } from '../support/random.ts'
import { makeRichVault } from '../vault/rich-vault.ts'
import { wholeVault } from '../vault/whole-vault.ts'

setLog('error')
const rounds = Number(process.env.AVFS_CRASH_ROUNDS ?? 3)
const seed = seedOf('AVFS_SEED')
const random = randomFrom(seed)
const engines = testedBackends.map(({ name }) => name)

t.setTimeout(120_000 + rounds * engines.length * 10_000)
t.comment(`AVFS_SEED=${seed} AVFS_CRASH_ROUNDS=${rounds}, engines: ${engines.join(' ')}`)

/** Blocks that nothing uses, for compact to free. */
async function addUnused(path: string, count: number): Promise<void> {
  const store = await openStore(path)
  for (let at = 0; at < count; at++) {
    const data = random.bytes(60_000)
    const hash = hashOf(data)
    await store.commit([changes(block, [{ hash, size: data.length, codec: 0, data }])])
  }
  await store.close()
}

/** Runs compact, killed after so many ms unless it is done; resolves to how long it took. */
async function compact(path: string, killMs: number | undefined): Promise<number> {
  const began = performance.now()
  const child = spawn(avfsProgram, ['vault', 'compact', path], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  if (killMs !== undefined) void sleep(killMs).then(() => child.kill('SIGKILL'))
  const [code] = await new Promise<[number | null]>((resolve) =>
    child.once('close', (status) => resolve([status])),
  )
  if (code !== 0 && killMs === undefined) throw new Error(`compact ended with ${code}: ${said}`)
  return performance.now() - began
}

for (const engine of engines)
  await t.test(`compact on ${engine} may be killed anywhere`, async (t) => {
    const folder = t.testdir()
    const first = join(folder, 'first.avfs')
    await makeRichVault(first, 'sqlite', seed, 150)
    const path = join(folder, `one${backendOf('', engine).suffix}`)
    const from = await openStore(first)
    const to = await openStore(path, { create: true, backend: engine })
    await copyStore(from, to, { damaged: ({ message }) => t.fail(message) })
    await from.close()
    await to.close()
    await compact(path, undefined)
    const wanted = (await wholeVault(path)).filter(({ name }) => name !== 'setting')
    await addUnused(path, 30)
    const ms = await compact(path, undefined)
    for (let round = 0; round < rounds; round++) {
      await addUnused(path, 30)
      await compact(path, random.below(Math.ceil(ms)))
      const found = (await wholeVault(path)).filter(({ name }) => name !== 'setting')
      const others = (its: typeof found) => its.filter(({ name }) => name !== 'block')
      t.same(differences(others(wanted), others(found)), [], 'killed, it is whole')
    }
    await compact(path, undefined)
    const last = (await wholeVault(path)).filter(({ name }) => name !== 'setting')
    t.same(differences(wanted, last), [], 'and in the end every unused block is gone')
    const store = await openStore(path, { readOnly: true })
    t.ok((await retryUntilLoaded(() => store.scan(block, { limit: 1 }))).length === 1)
    await store.close()
  })
