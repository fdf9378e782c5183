// Random operations on a plain model and on a vault, which have to stay equal.

import { setLog } from '../../src/base/log.ts'
import { openMemory } from '../../src/store/memory.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { birthBatch, Vault } from '../../src/vault/vault.ts'
import { describe, describePlain, difference } from '../vault/describe-tree.ts'
import { Run } from '../vault/random-run.ts'
import type { FuzzInput } from './input.ts'

const STEPS = 400

export const modelInput: FuzzInput = {
  canary: /the trees differ/,
  seeds: 3,
  open: async ({ isBroken }) => ({
    async run(seed) {
      setLog('error')
      const store = openMemory()
      await store.commit(birthBatch())
      const vault = new Vault(store, '/', { commitMs: 5 })
      const run = new Run(vault, seed)
      for (let step = 0; step < STEPS; step++) await run.step()
      // What is wrong in the canary.
      if (isBroken) run.root.names.clear()
      const found = difference(await describe(run.fs, ROOT_INO), describePlain(run.root))
      if (found !== undefined) throw new Error(`the trees differ: ${found}`)
      await vault.sync()
      const { problems } = await vault.check({ deep: true })
      if (problems.length > 0) throw new Error(JSON.stringify(problems.slice(0, 3)))
      await vault.close()
    },
    close: async () => undefined,
  }),
}
