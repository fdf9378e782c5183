// `avfs vault stats`: the figures of a vault.

import type { CommandModule } from 'yargs'
import type { Stats } from '../../control/methods/method-types.ts'
import { existingVault } from '../../control/vaults/vault-names.ts'
import { formatBytes, printResult, properties } from '../output.ts'
import { type VaultArguments, withVaultName } from './common.ts'
import { callWithBar } from './path-call.ts'

export const vaultStatsCommand: CommandModule<object, VaultArguments> = {
  command: 'stats <name>',
  describe: 'show what a vault holds, what it costs and what it saves',
  builder: (yargs) => withVaultName(yargs).example('$0 vault stats myproject --json', ''),
  handler: async ({ name, json }) => {
    const { path } = existingVault(name)
    const stats = await callWithBar(path, 'stats', {}, { title: 'rows' })
    printResult(json === true, stats, textOf(stats))
  },
}

function textOf(stats: Stats): string {
  const { history, engine, search } = stats
  const about = stats.isEstimated ? 'about ' : ''
  const kept = history.bytes + history.inlineBytes
  const reads = stats.blockHits + stats.blockLoads
  const hits = Math.round((stats.blockHits / Math.max(1, reads)) * 100)
  return properties({
    files: `${stats.files}, and ${stats.directories} directories, ${stats.symlinks} symlinks, ${stats.others} others`,
    'logical size': formatBytes(stats.logicalBytes),
    'on disk': formatBytes(stats.bytes),
    versions: stats.versions,
    blocks: `${stats.blocks} of ${formatBytes(stats.blockBytes)}, ${about}${formatBytes(stats.storedBytes)} as stored`,
    deduplication: `${stats.deduplication.toFixed(2)} x (${formatBytes(stats.referencedBytes)} in present and past)`,
    compression: `${about}${stats.compression.toFixed(2)} x`,
    history: `${history.states} states, ${history.names} names; ${history.blocks} blocks of its own, ${about}${formatBytes(kept)}`,
    unused: `${stats.unusedBlocks} blocks of ${formatBytes(stats.unusedBytes)}`,
    fragmentation: `${stats.extentsPerChunk.toFixed(2)} extents a chunk of 128 KiB`,
    ...(reads === 0 ? {} : { cache: `${hits} % of ${reads} reads of blocks` }),
    search:
      search.why ??
      `${search.texts} texts of ${search.versions} versions, ${search.files} names; ${formatBytes(search.bytes)}`,
    engine,
  })
}
