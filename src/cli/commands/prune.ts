// `avfs prune`: lets go of past versions that no rule, snapshot or hold keeps.

import type { CommandModule } from 'yargs'
import type { Pruned } from '../../control/methods/method-types.ts'
import { toText } from '../../control/wire/byte-strings.ts'
import { timeText } from '../../vault/core/when.ts'
import type { PrunedVersion } from '../../vault/prune/prune-inode.ts'
import { bytesOfArgument } from '../arguments.ts'
import { UsageError } from '../errors.ts'
import { formatBytes, printLine, printResult, writeBytes } from '../output.ts'
import { shownName } from '../terminal.ts'
import type { CommonArguments } from './common.ts'
import { ask, vaultOf } from './path-call.ts'

interface PruneArguments extends CommonArguments {
  vault: string
  keep: number | undefined
  'older-than': string | undefined
  path: string | undefined
  'dry-run': boolean
  explain: boolean
}

export const pruneCommand: CommandModule<object, PruneArguments> = {
  command: 'prune [vault]',
  describe: 'let go of past versions that no rule, snapshot or hold keeps',
  builder: (yargs) =>
    yargs
      .positional('vault', {
        type: 'string',
        default: '.',
        describe: 'name of the vault, or a path: then only what is or was there and below',
      })
      .option('keep', {
        type: 'number',
        requiresArg: true,
        describe: 'keep the newest N versions of each file, instead of by the stored rules',
      })
      .option('older-than', {
        type: 'string',
        requiresArg: true,
        describe:
          'keep what is younger than this age (12h, 30d, 1y), instead of by the stored rules',
      })
      .option('path', {
        type: 'string',
        requiresArg: true,
        describe: 'only paths that match this glob, such as "*.log" or "/build/**"',
      })
      .option('dry-run', {
        type: 'boolean',
        alias: 'n',
        default: false,
        describe: 'say which versions would go, and change nothing',
      })
      .option('explain', {
        type: 'boolean',
        default: false,
        describe: 'say of each version why it stays or that it goes',
      })
      .example('$0 prune myproject --dry-run --explain', 'what the stored rules would do')
      .example(
        '$0 prune myproject --keep 10 --older-than 30d',
        'what is old and not among the newest',
      ),
  handler: async ({
    vault,
    keep,
    'older-than': olderThan,
    path,
    'dry-run': dryRun,
    explain,
    json,
  }) => {
    if (keep !== undefined && (!Number.isSafeInteger(keep) || keep < 0))
      throw new UsageError('--keep is a whole number')
    const place = await vaultOf(vault)
    const parameters = {
      path: place.path,
      dryRun,
      explain,
      ...(keep === undefined ? {} : { keep }),
      ...(olderThan === undefined ? {} : { olderThan }),
      ...(path === undefined ? {} : { glob: bytesOfArgument(path) }),
    }
    const explained: object[] = []
    const result = await ask(place, 'prune', parameters, (piece) => {
      if (!('item' in piece)) return undefined
      const its = piece.item
      const shown = { ...its, path: its.path === undefined ? null : toText(its.path) }
      const line = lineOf(its, dryRun)
      if (json === true) explained.push(shown)
      // What is begun is brought to its end, whether somebody reads of it or not.
      else if (!dryRun) printLine(line)
      else return writeBytes(Buffer.from(`${line}\n`))
      return undefined
    })
    const listed = explain ? { explained } : dryRun ? { going: explained } : {}
    printResult(json === true, { ...result, ...listed }, textOf(result, dryRun))
  },
}

const reasons: Readonly<Record<PrunedVersion['why'], string>> = {
  newest: 'it is the newest',
  versions: 'it is among the newest, or its directory is needed',
  age: 'it is young enough, or the rules keep everything',
  moment: 'a snapshot or a rule keeps its time',
  held: 'it is held',
  '': '',
}

/**
 * Without the number: that counts the versions of the file, and those of a name may be of several
 * files.
 */
function lineOf({ path, moment, size, why }: PrunedVersion, dryRun: boolean): string {
  const verdict = why === '' ? (dryRun ? 'would go' : 'gone') : 'stays'
  const where = path === undefined ? '(a file whose name is gone)' : shownName(path)
  const because = why === '' ? '' : `: ${reasons[why]}`
  return `${verdict}  ${where} version of ${timeText(moment)}, ${formatBytes(size)}${because}`
}

function textOf(result: Pruned, dryRun: boolean): string {
  const { versions, states, names, blocks, keptEverything } = result
  const verb = dryRun ? 'would go' : 'gone'
  const lines = [
    `${verb}: ${versions} versions, ${states} past states, ${names} past names`,
    `${dryRun ? 'unused' : 'freed'}: ${blocks} blocks`,
  ]
  if (keptEverything)
    lines.push(
      'no rule is set, so that all versions stay; see avfs vault config, --keep, --older-than',
    )
  else if (!dryRun) lines.push('avfs vault compact gives the space back to the host')
  return lines.join('\n')
}
