// The methods of an open vault, in one table. The daemon runs them for callers on its socket, the
// command line runs them on a vault that nobody holds; neither adds anything. A new method is a row
// here, its types in method-types.ts, and a command.

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
import type { Call, Given, Methods } from './method.ts'
import type { Compacted, MethodName } from './method-types.ts'
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
        // A refused commit exists only in memory.
        const isRefused = vault.core.commits.failure !== undefined
        const lost = isRefused ? undefined : await vault.loss()
        if (lost === undefined) throw error
        return { lost }
      }
    },
  },
} satisfies Partial<Methods>

function checkOptions(
  parameters: Given<'check'>,
  { report, isGone }: Pick<Call, 'report' | 'isGone'>,
): CheckOptions {
  return {
    deep: flagOf(parameters, 'deep'),
    onProgress(done, total) {
      assertWanted(isGone)
      report(done, total)
    },
  }
}

export const methods: Methods = {
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

/** Whether `name` is a row of `methods`. */
export function isMethodName(name: string): name is MethodName {
  return Object.hasOwn(methods, name)
}

async function compactVault(
  vault: Vault,
  { kernel, report, searcher }: Pick<Call, 'kernel' | 'report' | 'searcher'>,
): Promise<Compacted> {
  const bytesBefore = vault.stats().bytes
  const { blocks } = await vault.prune({ rules: {}, tighten: true, onProgress: report })
  await compactIndex(searcher())
  const compacted = kernel === undefined || vault.traits.compactsOnline
  if (compacted) await vault.compact()
  return { bytesBefore, bytesAfter: vault.stats().bytes, blocks, compacted }
}
