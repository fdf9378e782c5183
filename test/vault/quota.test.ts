// Quotas against a plain count (quota-model.ts): random operations of several users by seed, each
// of which is refused exactly when it would take its owner or the vault beyond a limit; and the
// counters with which a vault is opened are those of its rows. AVFS_SEED chooses the seed,
// AVFS_STEPS the length.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { CHUNK_BYTES } from '../../src/base/limits.ts'
import { setLog } from '../../src/base/log.ts'
import { createFileSystem } from '../../src/fs/file-system.ts'
import { setting } from '../../src/store/collections.ts'
import { openStore } from '../../src/store/open.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import type { Store } from '../../src/store/store.ts'
import { checkStore } from '../../src/vault/check/check.ts'
import { countUsage, readUsage } from '../../src/vault/check/count-usage.ts'
import { repairStore } from '../../src/vault/check/repair.ts'
import { configure } from '../../src/vault/core/configuration.ts'
import { refreshQuota } from '../../src/vault/core/quota.ts'
import { birthBatch, openVault, Vault } from '../../src/vault/vault.ts'
import { testedBackends } from '../support/engines.ts'
import { noChange } from '../support/no-change.ts'
import { randomFrom, seedOf } from '../support/random.ts'
import { waiting } from '../support/waiting.ts'
import { QuotaModel, USERS } from './quota-model.ts'

setLog('error')
const steps = Number(process.env.AVFS_STEPS ?? 300)
const seed = seedOf('AVFS_SEED')
t.comment(`AVFS_SEED=${seed}`)
const MIB = 1024 * 1024
const root = { uid: 0, gid: 0, pid: 1 }
const over = { message: /EDQUOT/ }
const folder = mkdtempSync(join(tmpdir(), 'avfs-quota-'))
t.teardown(() => rmSync(folder, { recursive: true }))

async function newStore(path: string): Promise<Store> {
  const store = await openStore(path, { create: true })
  await store.commit(birthBatch())
  return store
}

for (const [at, { name, suffix }] of testedBackends.entries())
  t.test(`${name}: what grows is refused exactly where a quota ends`, async (t) => {
    const path = join(folder, `model${suffix}`)
    const store = await newStore(path)
    const vault = await retryUntilLoaded(
      () => new Vault(store, path, { cacheBytes: 400_000, commitMs: 5 }),
    )
    const fs = waiting(await retryUntilLoaded(() => createFileSystem(vault, { readOnly: false })))
    const model = new QuotaModel(vault, fs, randomFrom(seed + at))
    for (let step = 0; step < steps; step++) {
      await model.step()
      if (step % 25 === 0) isCounted(t, vault, model, step)
    }
    t.ok(model.refusals > steps / 100, `${model.refusals} refusals`)
    for (const file of model.held) await fs.forget(file.ino, 1)
    model.held.clear()
    await vault.sync()
    isCounted(t, vault, model, steps)
    t.same((await vault.check({ deep: true })).problems, [])
    await vault.close()

    const again = await openVault(path)
    isCounted(t, again, model, 'the next opening')
    t.same((await again.check({ deep: true })).problems, [])
    await again.close()
  })

/**
 * The counters are those of the model. What is written and not yet stored may count too much until
 * the next commit.
 */
function isCounted(t: Test, vault: Vault, model: QuotaModel, when: number | string): void {
  const { usage, dirty } = vault.core
  const files = (uid: number) => [usage.of(uid).files, model.used(uid).files]
  for (const uid of USERS) {
    const [found, wanted] = files(uid)
    t.equal(found, wanted, `inodes of ${uid} at ${when}`)
    const bytes = model.used(uid).bytes
    const isExact = dirty.size === 0
    if (isExact) t.equal(usage.of(uid).bytes, bytes, `bytes of ${uid} at ${when}`)
    else t.ok(usage.of(uid).bytes >= bytes, `bytes of ${uid} at ${when}`)
  }
}

for (const { name, suffix } of testedBackends)
  t.test(
    `${name}: with quota.history=on a quota is what the vault takes on the disk`,
    async (t) => {
      const path = join(folder, `history${suffix}`)
      await (await newStore(path)).close()
      const vault = await openVault(path, { commitMs: 20 })
      const { core } = vault
      const fs = waiting(await retryUntilLoaded(() => createFileSystem(vault, { readOnly: false })))
      const set = async (changes: Record<string, string>): Promise<void> => {
        await retryUntilLoaded(() => configure(core, changes))
        await retryUntilLoaded(() => refreshQuota(core))
      }
      const { ino } = await fs.create(root, 1, 'f', 0o644, 0, 0o200)
      const random = randomFrom(seed)
      let versions = 0
      const save = async (): Promise<void> => {
        await fs.write(root, ino, 0, random.bytes(MIB), false, false)
        await fs.flush(root, ino)
        versions++
      }
      await save()
      await vault.sync()
      await set({ 'quota.history': 'on', quota: '1T' })
      await set({ quota: String(core.diskSpace.taken + 6 * MIB) })
      t.ok(core.diskSpace.taken >= MIB, 'what is taken is known')
      const full = async (): Promise<void> => {
        for (;;) await save()
      }
      await t.rejects(full(), over)
      t.ok(versions >= 3 && versions < 20, `${versions} versions`)
      const { blocksAvailable, blockSize } = await fs.statfs(root)
      t.ok(blocksAvailable * blockSize < 3 * MIB, 'df says so')
      t.equal(core.usage.total.bytes, MIB, 'of which one is there')
      await t.rejects(fs.write(root, ino, 0, random.bytes(3 * MIB), false, false), over)
      // What frees goes on, and prune makes room.
      await fs.setattr(root, ino, { ...noChange, size: 1000 })
      await fs.flush(root, ino)
      await vault.prune({ rules: { youngerMs: 0 } })
      await vault.compact()
      await save()
      await set({ 'quota.history': 'off' })
      for (let count = 0; count < 12; count++) await save()
      await vault.close()
    },
  )

t.test('bytes count once, from when they are written until nobody has them any more', async (t) => {
  const path = join(folder, 'once.avfs')
  await (await newStore(path)).close()
  const vault = await openVault(path, { commitMs: 1e6 })
  const { core } = vault
  const fs = waiting(createFileSystem(vault, { readOnly: false }))
  const bytes = (): number => core.usage.total.bytes
  const { ino } = await fs.create(root, 1, 'f', 0o644, 0, 0o200)
  await fs.write(root, ino, 0, new Uint8Array(CHUNK_BYTES + 5000).fill(1), false, false)
  t.equal(bytes(), CHUNK_BYTES + 5000, 'as it is written, a whole chunk and a part of one')
  await fs.write(root, ino, CHUNK_BYTES - 100, new Uint8Array(200).fill(2), false, false)
  t.equal(bytes(), CHUNK_BYTES + 5000, 'over what is there')
  await fs.setattr(root, ino, { ...noChange, size: MIB })
  await fs.flush(root, ino)
  t.equal(bytes(), CHUNK_BYTES + 5000, 'with a hole behind it')
  await vault.sync()
  await fs.write(root, ino, MIB - 1000, new Uint8Array(1000), false, false)
  t.equal(bytes(), CHUNK_BYTES + 6000, 'zeros in a hole')
  await fs.flush(root, ino)
  t.equal(bytes(), CHUNK_BYTES + 5000, 'which is then saved as it was')
  await vault.sync()
  t.same((await vault.check({ deep: true })).problems, [])

  await fs.unlink(root, 1, 'f')
  const { ino: nameless } = await fs.tmpfile(root, 1, 0o644, 0)
  await fs.write(root, nameless, 0, new Uint8Array(7000), false, false)
  t.equal(bytes(), CHUNK_BYTES + 12_000, 'what is open without a name')
  await vault.sync()
  t.same((await vault.check({ deep: true })).problems, [], 'is in no row')
  await fs.forget(ino, 1)
  await fs.link(root, nameless, 1, 'g')
  t.equal(bytes(), 7000)
  await vault.sync()
  t.same((await vault.check({ deep: true })).problems, [])
  await vault.close()
})

t.test("what was just deleted is in nobody's way", async (t) => {
  const path = join(folder, 'deleted.avfs')
  await (await newStore(path)).close()
  const vault = await openVault(path)
  const { core } = vault
  const fs = waiting(createFileSystem(vault, { readOnly: false }))
  const { ino } = await fs.create(root, 1, 'f', 0o644, 0, 0o200)
  configure(core, { 'quota.files': '2' })
  refreshQuota(core)
  await fs.unlink(root, 1, 'f')
  await t.rejects(fs.create(root, 1, 'g', 0o644, 0, 0o200), over, 'somebody has it open')
  await fs.forget(ino, 1)
  const again = await fs.create(root, 1, 'f', 0o644, 0, 0o200)
  await fs.unlink(root, 1, 'f')
  const made = fs.create(root, 1, 'g', 0o644, 0, 0o200)
  await sleep(10)
  await fs.forget(again.ino, 1)
  await t.resolves(made, 'the kernel says a moment later that nobody has')
  await vault.close()
})

t.test('counters that are not those of the last commit are counted anew', async (t) => {
  const path = join(folder, 'older.avfs')
  await (await newStore(path)).close()
  const vault = await openVault(path)
  const fs = waiting(createFileSystem(vault, { readOnly: false }))
  const caller = { uid: 1000, gid: 1000, pid: 1 }
  const { ino } = await fs.create(caller, 1, 'f', 0o644, 0, 0o200)
  await fs.write(caller, ino, 0, new Uint8Array(7000), false, false)
  await vault.close()
  const store = await openStore(path)
  t.same((await readUsage(store)).of(1000), { bytes: 7000, files: 1 })
  const change = (name: string, value: string) =>
    store.commit([{ collection: setting as never, puts: [{ name, value }], deletes: [] }])
  await change('usage', '1')
  await change('usage.1000', '1 1')
  await change('usage.1001', '5 5')
  const usage = await readUsage(store)
  t.same(usage.of(1000), { bytes: 7000, files: 1 })
  t.same(usage.of(1001), { bytes: 0, files: 0 })
  // What no count can come to, with the moment of the last commit: it would be room within each
  // quota.
  for (const [name, value] of [
    ['usage.1000', '-1000000000 -1000'],
    ['usage.1000', '7000 -1'],
    ['usage.1000', '7e3 1'],
    ['usage.1000', '7000'],
    ['usage.1000', '9007199254740993 1'],
    ['usage.', '7000 1'],
    ['usage.-1', '1 1'],
    ['usage.4294967296', '1 1'],
    ['usage.01000', '7000 1'],
  ] as const) {
    await change('usage', store.get(setting, ['moment'])?.value ?? '')
    for (const [key, its] of [
      ['usage.0', '0 1'],
      ['usage.1000', '7000 1'],
      [name, value],
    ] as const)
      await change(key, its)
    const counted = await readUsage(store)
    t.same(counted.of(1000), { bytes: 7000, files: 1 }, `${name} ${value}`)
    t.same(counted.total, { bytes: 7000, files: 2 }, `${name} ${value}`)
    const { problems } = await checkStore(store, { deep: false })
    t.match(problems, [{ code: 'counter-usage' }], `${name} ${value}: found`)
    await repairStore(store, { onStep: () => undefined })
    t.same((await checkStore(store, { deep: false })).problems, [], `${name} ${value}: repaired`)
  }
  await store.close()

  // The first commit puts the rows right, also those of who owns nothing any more.
  const again = await openVault(path)
  await waiting(createFileSystem(again, { readOnly: false })).unlink(caller, 1, 'f')
  await again.close()
  const after = await openStore(path)
  t.same((await readUsage(after)).users(), await countUsage(after))
  t.equal(after.get(setting, ['usage.1001']), undefined)
  t.equal(after.get(setting, ['usage.1000']), undefined)
  await after.close()
})
