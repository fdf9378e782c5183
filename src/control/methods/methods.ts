// What can be asked of an open vault: one table. The daemon runs it for those who ask over the socket, the command line runs
// it on a vault that nobody holds; neither adds anything. A new method is a row here and a command in src/cli/commands.

import { type CheckOptions, checkStore } from '../../vault/check/check.ts'
import { slicesOf } from '../../vault/core/time-slices.ts'
import { gatherFigures } from '../../vault/figures.ts'
import type { Vault } from '../../vault/vault.ts'
import { assertWanted } from '../wire/method-reply.ts'
import { backupMethods } from './backup.ts'
import { compareMethods } from './compare.ts'
import { findMethods } from './find.ts'
import { historyMethods } from './history.ts'
import { labelMethods } from './labels.ts'
import type { Call, Method, Parameters } from './method.ts'
import { flagOf } from './parameters.ts'
import { purgeMethods } from './purge.ts'
import { assertWritableVault } from './refusal.ts'
import { retentionMethods } from './retention.ts'
import { compactIndex, searchMethods } from './search.ts'
import { transferMethods } from './transfer.ts'

const vaultMethods = {
  info: {
    readOnly: true,
    run: async (vault) => vault.info(),
  },
  stats: {
    readOnly: true,
    run: async (vault, _, { report, isGone, searcher }) => {
      await vault.sync()
      const slices = slicesOf(vault.core, isGone)
      const figures = await gatherFigures(vault.core, slices, (rows) => report(rows, 0))
      return { ...vault.stats(), ...figures, search: await searcher().status() }
    },
  },
  check: {
    readOnly: true,
    run: (vault, parameters, call) => vault.check(checkOptions(parameters, call)),
    runOnStore: (store, parameters, call) => checkStore(store, checkOptions(parameters, call)),
  },
  compact: {
    readOnly: false,
    run: async (vault, _, call) => {
      assertWritableVault(vault)
      return compactVault(vault, call)
    },
  },
  sync: {
    readOnly: false,
    run: async (vault) => {
      try {
        await vault.sync()
        return {}
      } catch (error) {
        // What was refused is nowhere but in memory.
        const isRefused = vault.core.commits.failure !== undefined
        const lost = isRefused ? undefined : await vault.loss()
        if (lost === undefined) throw error
        return { lost }
      }
    },
  },
} satisfies Record<string, Method>

function checkOptions(parameters: Parameters, { report, isGone }: Call): CheckOptions {
  return {
    deep: flagOf(parameters, 'deep'),
    onProgress(done, total) {
      assertWanted(isGone)
      report(done, total)
    },
  }
}

const table = {
  ...vaultMethods,
  ...historyMethods,
  ...compareMethods,
  ...findMethods,
  ...labelMethods,
  ...retentionMethods,
  ...purgeMethods,
  ...transferMethods,
  ...backupMethods,
  ...searchMethods,
}

export type MethodName = keyof typeof table

export const methods: Readonly<Record<MethodName, Method>> = table

/** True for the name of a row of `methods`. */
export function isMethodName(name: string): name is MethodName {
  return Object.hasOwn(methods, name)
}

/** {bytesBefore, bytesAfter, blocks, compacted}: `blocks` nobody used any more; not `compacted` where requests would have to wait. */
async function compactVault(vault: Vault, { kernel, report, searcher }: Call): Promise<object> {
  const bytesBefore = vault.stats().bytes
  const { blocks } = await vault.prune({ rules: {}, tighten: true, onProgress: report })
  await compactIndex(searcher())
  const compacted = kernel === undefined || vault.traits.compactsOnline
  if (compacted) await vault.compact()
  return { bytesBefore, bytesAfter: vault.stats().bytes, blocks, compacted }
}
