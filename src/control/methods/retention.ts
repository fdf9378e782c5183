// Methods on what a vault keeps: settings, prune, holds.

import { globRule } from '../../base/glob.ts'
import { bothRules, overBytes, withinRule } from '../../base/path-rule.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import { ConfigurationError, configuration, configure } from '../../vault/core/configuration.ts'
import { refreshQuota } from '../../vault/core/quota.ts'
import { namesOf } from '../../vault/history/paths.ts'
import { addHold, listHolds, releaseHold } from '../../vault/prune/holds.ts'
import type { PruneOptions } from '../../vault/prune/prune.ts'
import type { PrunedVersion } from '../../vault/prune/prune-inode.ts'
import {
  givenRules,
  keepsEverything,
  type Rules,
  storedRules,
} from '../../vault/prune/retention.ts'
import { refreshHistory } from '../../vault/tree/history-recording.ts'
import type { Vault } from '../../vault/vault.ts'
import { toText } from '../wire/byte-strings.ts'
import { ControlError } from '../wire/errors.ts'
import { assertWanted } from '../wire/method-reply.ts'
import type { Call, Given, Methods } from './method.ts'
import type { Pruned } from './method-types.ts'
import { bytesOf, countOf, flagOf, pathOf, stringOf, textsOf } from './parameters.ts'
import { assertWritableVault, isDryRun, refusing, refusingGlobs } from './refusal.ts'
import { toldTo } from './told.ts'

export const retentionMethods = {
  configShow: {
    readOnly: true,
    run: (vault) => retryUntilLoaded(() => configuration(vault.core)),
  },
  /** {changes: {key: value}}; '' resets a key to its default. All or none. */
  configSet: {
    readOnly: false,
    run: async (vault, parameters, { searcher }) => {
      const changes = Object.fromEntries(textsOf(parameters, 'changes'))
      assertWritableVault(vault)
      try {
        await retryUntilLoaded(() => configure(vault.core, changes))
      } catch (error) {
        if (!(error instanceof ConfigurationError)) throw error
        throw new ControlError('name', error.message)
      }
      await retryUntilLoaded(() => refreshHistory(vault.core))
      await retryUntilLoaded(() => refreshQuota(vault.core))
      await vault.sync()
      if (Object.keys(changes).some((key) => key.startsWith('search')))
        await searcher().reconfigure()
      return await retryUntilLoaded(() => configuration(vault.core))
    },
  },
  /**
   * {path, glob?, keep?, olderThan?, dryRun?, explain?}; sends each version that was considered
   * with `explain`, and each that would be removed with `dryRun`.
   */
  prune: { readOnly: false, alsoReadOnly: true, run: prune },
  /** {name}: a path from the root or a snapshot, as a byte string. */
  holdAdd: {
    readOnly: false,
    run: async (vault, parameters) => {
      const name = bytesOf(parameters, 'name')
      assertWritableVault(vault)
      const row = await refusing(name, () => retryUntilLoaded(() => addHold(vault.core, name)))
      if (row === undefined)
        throw new ControlError('absent', `there is no snapshot '${toText(name)}'`)
      await vault.sync()
      return row
    },
  },
  holdRelease: {
    readOnly: false,
    run: async (vault, parameters) => {
      const name = bytesOf(parameters, 'name')
      assertWritableVault(vault)
      if (!(await retryUntilLoaded(() => releaseHold(vault.core, name))))
        throw new ControlError('absent', `${toText(name)} is not held`)
      await vault.sync()
      return { name }
    },
  },
  holdList: {
    readOnly: true,
    run: async ({ core }) => {
      const holds = await retryUntilLoaded(() => listHolds(core))
      // Moment 0 is not a time, but stands for all of a path's history.
      const shown = (moment: number): number => (moment === 0 ? 0 : core.moments.wallOf(moment))
      return { holds: holds.map((its) => ({ ...its, moment: shown(its.moment) })) }
    },
  },
} satisfies Partial<Methods>

async function prune(
  vault: Vault,
  parameters: Given<'prune'>,
  call: Call<PrunedVersion>,
): Promise<Pruned> {
  const dryRun = isDryRun(vault, parameters)
  const rules = await retryUntilLoaded(() => rulesOf(vault, parameters))
  const isAll = flagOf(parameters, 'explain')
  const isTold = isAll || dryRun
  // Sent during the walk: a vault can have more versions than fit in memory.
  const told = toldTo(call.send)
  const explain = (its: PrunedVersion): void => {
    if (isAll || its.why === '')
      told.tell({ ...its, moment: vault.core.moments.wallOf(its.moment) })
  }
  const report = await vault.prune({
    rules,
    ...meantBy(parameters),
    dryRun,
    tighten: true,
    explain: isTold ? explain : undefined,
    onProgress: call.report,
    // Stop removing when the caller has given up.
    between: () => {
      assertWanted(call.isGone)
      return told.sent()
    },
  })
  return { ...report, keptEverything: keepsEverything(rules) }
}

/** Options of the command replace the vault's settings for this run. */
function rulesOf(vault: Vault, parameters: Given<'prune'>): Rules {
  const keep = parameters.keep === undefined ? undefined : countOf(parameters, 'keep')
  const age = parameters.olderThan === undefined ? undefined : stringOf(parameters, 'olderThan')
  if (keep === undefined && age === undefined) return storedRules(vault.core)
  const rules = givenRules(keep, age)
  if (rules === undefined)
    throw new ControlError('name', `'${age}' is no age: write 12h, 30d, 8w or 1y`)
  return rules
}

function meantBy(parameters: Given<'prune'>): Pick<PruneOptions, 'paths'> {
  const top = parameters.path === undefined ? '/' : pathOf(parameters, 'path')
  const glob = parameters.glob === undefined ? undefined : stringOf(parameters, 'glob')
  if (top === '/' && glob === undefined) return {}
  const within = withinRule([namesOf(top)])
  if (glob === undefined) return { paths: within }
  return { paths: bothRules(within, overBytes(refusingGlobs(() => globRule([toText(glob)])))) }
}
