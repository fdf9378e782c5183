// Fuzzer of vaults with damaged rows, one input for each engine: a vault with history is damaged
// through the engine, then opened, checked, walked through every view, read by every read-only
// method, written to, pruned and repaired. Each of these is done or refused.

import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setLog } from '../../src/base/log.ts'
import { openMemory } from '../../src/store/memory.ts'
import { backendOf, openStore } from '../../src/store/open.ts'
import type { Store } from '../../src/store/store.ts'
import { copyStore } from '../../src/vault/transfer/copy-rows.ts'
import { birthBatch, Vault } from '../../src/vault/vault.ts'
import { type Random, randomFrom } from '../support/random.ts'
import { fillRichVault } from '../vault/rich-vault.ts'
import { damageRows, damageStore } from './damage.ts'
import { type FuzzInput, isMistake, refusable } from './input.ts'
import { useStore } from './use-vault.ts'

const STEPS = 80
const BASE_SEED = 3

/** The rows of vaults on one engine. */
export function rowsInput(backend: string): FuzzInput {
  return {
    canary: /a bug/,
    seeds: 5,
    async open({ folder, isBroken }) {
      const { suffix } = backendOf('', backend)
      const [base, work] = [join(folder, `base${suffix}`), join(folder, `work${suffix}`)]
      await (await copyBase(await openStore(base, { create: true, backend }))).close()
      return {
        run: (seed) =>
          withLog(async () => {
            const random = randomFrom(seed)
            cpSync(base, work, { recursive: true })
            try {
              const damage = await damageRows(work, backend, random)
              const store = await refusable(() => openStore(work))
              if (store !== undefined) await told(damage, () => used(store, work, random, isBroken))
            } finally {
              for (const end of ['', '-wal', '-shm', '-lock'])
                rmSync(`${work}${end}`, { recursive: true, force: true })
            }
          }),
        close: async () => undefined,
      }
    },
  }
}

/** The rows of vaults in memory: nothing is wrong with their bytes, but with what they say. */
export const valuesInput: FuzzInput = {
  canary: /a bug/,
  seeds: 10,
  async open({ isBroken }) {
    const base = await copyBase(openMemory())
    return {
      run: (seed) =>
        withLog(async () => {
          const random = randomFrom(seed)
          const store = await openStore('', { backend: 'memory' })
          await copyStore(base, store, { damaged: () => undefined })
          const damage = await damageStore(store, random)
          await told(damage, () => used(store, '/', random, isBroken))
        }),
      close: () => base.close(),
    }
  },
}

/** A copy of a vault with history that was made in memory. */
async function copyBase(to: Store): Promise<Store> {
  const from = openMemory()
  await from.commit(birthBatch())
  const vault = new Vault(from, '/', { commitMs: 1e9, sealMs: 1e9 })
  await fillRichVault(vault, BASE_SEED, STEPS)
  await vault.sync()
  await copyStore(from, to, { damaged: () => undefined })
  await vault.close()
  return to
}

async function used(store: Store, path: string, random: Random, isBroken: boolean): Promise<void> {
  // What is wrong in the canary.
  if (isBroken && random.below(3) === 0)
    store.stats = () => {
      throw new TypeError('a bug')
    }
  await useStore(store, path, random)
}

/** A failure with what was done to the rows. */
async function told(damage: string, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (cause) {
    throw new Error(`after ${damage}`, { cause })
  }
}

/** Fails when a line of the log has words that only a mistake of the program has. */
async function withLog(work: () => Promise<void>): Promise<void> {
  const lines: string[] = []
  setLog('info', (line) => lines.push(line))
  await work()
  const mistake = lines.find(isMistake)
  if (mistake !== undefined) throw new Error(`in the log: ${mistake}`)
}
