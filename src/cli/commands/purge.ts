// `avfs purge`: does away for good with what a path ever held, or with some content wherever it
// was. Asks first on a terminal; elsewhere it wants --yes.

import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline/promises'
import type { CommandModule } from 'yargs'
import type { ParametersOf, Purged } from '../../control/methods/method-types.ts'
import type { Place } from '../../control/vaults/place.ts'
import { toText } from '../../control/wire/byte-strings.ts'
import type { Piece } from '../../control/wire/protocol.ts'
import { timeText } from '../../vault/core/when.ts'
import type { PurgedVersion } from '../../vault/prune/purge.ts'
import { EXIT_ERROR, UsageError } from '../errors.ts'
import { formatBytes, printResult, tellLine } from '../output.ts'
import { shownText } from '../terminal.ts'
import type { CommonArguments } from './common.ts'
import { callWithBar, placeOf, vaultOf, writtenBack } from './path-call.ts'

interface PurgeArguments extends CommonArguments {
  path: string | undefined
  'content-of': string | undefined
  'dry-run': boolean
  force: boolean
  current: boolean
  yes: boolean
}

export const purgeCommand: CommandModule<object, PurgeArguments> = {
  command: 'purge [path]',
  describe: 'do away with what a path ever held, for good, and prove that it is gone',
  builder: (yargs) =>
    yargs
      .positional('path', {
        type: 'string',
        describe: 'a path in a mounted vault, or NAME:/path; with --content-of the vault',
      })
      .option('content-of', {
        type: 'string',
        requiresArg: true,
        describe: 'every former content with the bytes of this file in it (- for standard input)',
      })
      .option('dry-run', {
        type: 'boolean',
        alias: 'n',
        default: false,
        describe: 'say what would go and what keeps it, and change nothing',
      })
      .option('force', {
        type: 'boolean',
        alias: 'f',
        default: false,
        describe: 'also what snapshots and holds keep',
      })
      .option('current', {
        type: 'boolean',
        default: false,
        describe: 'also what is there now: it is deleted',
      })
      .option('yes', { type: 'boolean', alias: 'y', default: false, describe: 'do not ask' })
      .example('$0 purge ~/myproject/conf.env --dry-run', 'what its past is, and what keeps it')
      .example('$0 purge myproject --content-of secret.key', 'these bytes, whatever had them'),
  handler: async (args) => {
    const { 'dry-run': dryRun, force, current, json } = args
    const content = contentOf(args['content-of'])
    if (content === undefined && args.path === undefined)
      throw new UsageError('say what is to go: a path, or --content-of FILE')
    const place =
      content === undefined ? await placeOf(args.path ?? '') : await vaultOf(args.path ?? '.')
    await writtenBack(place)
    const wanted = { path: place.path, force, current }
    if (!dryRun && !args.yes && !(await isConfirmed(place, wanted, content))) {
      printResult(json === true, { purged: false }, 'kept it')
      return
    }
    const { result, versions } = await run(place, { ...wanted, dryRun }, content)
    const shown = shownOf(place, result, versions)
    printResult(json === true, shown, textOf(shown, dryRun))
    if (result.refused || (result.proof?.traces.length ?? 0) > 0) process.exitCode = EXIT_ERROR
  },
}

function contentOf(file: string | undefined): Uint8Array | undefined {
  if (file === undefined) return undefined
  return readFileSync(file === '-' ? 0 : file)
}

async function run(
  place: Place,
  parameters: ParametersOf<'purge'>,
  content: Uint8Array | undefined,
): Promise<{ result: Purged; versions: PurgedVersion[] }> {
  const versions: PurgedVersion[] = []
  const receive = (piece: Piece<PurgedVersion>): void => {
    if ('item' in piece) versions.push(piece.item)
  }
  const feed =
    content && (async (send: (piece: Uint8Array) => Promise<void>) => await send(content))
  const result = await callWithBar(place.vaultPath, 'purge', parameters, { receive, feed })
  return { result, versions }
}

async function isConfirmed(
  place: Place,
  wanted: ParametersOf<'purge'>,
  content: Uint8Array | undefined,
): Promise<boolean> {
  if (!process.stdin.isTTY)
    throw new UsageError('to purge without being asked, add --yes; --dry-run says what would go')
  const { result, versions } = await run(place, { ...wanted, dryRun: true }, content)
  tellLine(textOf(shownOf(place, result, versions), true))
  if (result.refused) return false
  const dialog = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const typed = await dialog.question("This cannot be undone. Type 'purge': ")
    return typed.trim() === 'purge'
  } finally {
    dialog.close()
  }
}

type Shown = ReturnType<typeof shownOf>

/** As people and programs read it: paths as text. */
function shownOf(place: Place, result: Purged, versions: readonly PurgedVersion[]) {
  const show = (path: string): string => (path.startsWith('/') ? place.show(path) : path)
  return {
    ...result,
    holds: result.holds.map(toText),
    living: result.living.map(show),
    open: result.open.map(show),
    removed: result.removed.map(show),
    shared: result.shared.map(({ path, moment }) => ({ path: show(path), moment })),
    proof: result.proof && { ...result.proof, elsewhere: result.proof.elsewhere.map(show) },
    purged: versions.map(({ path, moment, size }) => ({
      path: path === undefined ? null : show(path),
      moment,
      size,
    })),
  }
}

function textOf(shown: Shown, dryRun: boolean): string {
  const { purged, states, names, refused, removed, finished } = shown
  const verb = dryRun || refused ? 'would go' : 'gone'
  const lines = purged.map(
    ({ path, moment, size }) =>
      `${verb}  ${path === null ? '(a file whose name is gone)' : shownText(path)} version of ${timeText(moment)}, ${formatBytes(size)}`,
  )
  for (const path of removed) lines.push(`deleted  ${shownText(path)}`)
  lines.push(`${verb}: ${shown.versions} versions, ${states} past states, ${names} past names`)
  lines.push(...keptLines(shown))
  if (finished) lines.push('a purge that was cut short before is complete now')
  return [...lines, ...proofLines(shown)].join('\n')
}

function keptLines({ snapshots, holds, tags, living, open, shared, refused }: Shown): string[] {
  const lines: string[] = []
  const named = (what: string, names: readonly string[]): void => {
    if (names.length > 0) lines.push(`${what}: ${names.map((name) => shownText(name)).join(', ')}`)
  }
  named('in snapshots', snapshots)
  named('held by', holds)
  named('tagged', tags)
  named('there now', living)
  named('deleted, but open in a program', open)
  for (const { path, moment } of shared)
    lines.push(
      `the same content stays in ${shownText(path)}${moment === null ? ' as it is now' : `, as of ${timeText(moment)}`}`,
    )
  if (!refused) return lines
  lines.push('nothing was changed:')
  if (snapshots.length + holds.length > 0)
    lines.push('  --force takes what snapshots and holds keep, too')
  if (open.length > 0) lines.push('  close what is open')
  if (living.length > 0) lines.push('  --current deletes what is there now; or change it first')
  return lines
}

function proofLines({ proof }: Shown): string[] {
  if (proof === null) return []
  const { bytes, samples, traces, elsewhere } = proof
  const lines = traces.map(({ file, offset }) => `still there: ${file}, byte ${offset}`)
  for (const path of elsewhere)
    lines.push(`some of the same bytes are in ${shownText(path)}, which stays`)
  if (traces.length > 0)
    lines.push('something reads the vault as it was before; run this again when that is done')
  else if (samples === 0)
    lines.push(
      "nothing of it could be looked for in the vault's files: it is short, or stays elsewhere",
    )
  else
    lines.push(
      `searched ${formatBytes(bytes)} of the vault's files for ${samples} samples: nothing is left`,
    )
  return lines
}
