// `avfs search`: what has these words in its text, its name or its path, best first; on request in
// the past too.

import { styleText } from 'node:util'
import type { Argv, CommandModule } from 'yargs'
import { nowMicros } from '../../base/clock.ts'
import type { FoundItem } from '../../control/methods/method-types.ts'
import type { Place } from '../../control/vaults/place.ts'
import { toText } from '../../control/wire/byte-strings.ts'
import { parseQuery, QuerySyntaxError } from '../../search/query.ts'
import type { SearchStatus } from '../../search/searcher.ts'
import type { Fragment } from '../../search/snippet.ts'
import { parseWhen, timeText, type When } from '../../vault/core/when.ts'
import { EXIT_NOTHING, UsageError } from '../errors.ts'
import {
  formatBytes,
  notice,
  printFailure,
  printResult,
  printStyled,
  properties,
  tellLine,
} from '../output.ts'
import { shownText, visible } from '../terminal.ts'
import type { CommonArguments } from './common.ts'
import { ask, vaultOf, writtenBack } from './path-call.ts'

interface SearchArguments extends CommonArguments {
  query: string | undefined
  where: string | undefined
  path: string | undefined
  tag: string | undefined
  since: string | undefined
  limit: number
  'all-versions': boolean
  status: boolean
  rebuild: boolean
}

const LIMIT = 20

export const searchCommand: CommandModule<object, SearchArguments> = {
  command: 'search [query] [where]',
  describe: 'find files by words in them, in their names and paths; in the past too',
  builder: options,
  handler: async (args) => {
    if (args.status || args.rebuild) return await showIndex(args)
    const { query, json } = args
    if (query === undefined) throw new UsageError('say what to search for')
    try {
      parseQuery(query)
    } catch (error) {
      if (!(error instanceof QuerySyntaxError)) throw error
      process.exitCode = refuse(json === true, query, error)
      return
    }
    await find(args, query)
  },
}

function options(yargs: Argv): Argv<SearchArguments> {
  return yargs
    .positional('query', {
      type: 'string',
      describe: 'words, "a phrase", AND OR NOT, prefix*, NEAR(a b, 5), name: path: body:',
    })
    .positional('where', {
      type: 'string',
      describe: 'a directory of a mounted vault, NAME or NAME:/dir [default: here]',
    })
    .option('path', {
      type: 'string',
      requiresArg: true,
      describe: 'only paths that this glob means',
    })
    .option('tag', { type: 'string', requiresArg: true, describe: 'only files with this tag' })
    .option('since', {
      type: 'string',
      requiresArg: true,
      describe: 'only what was saved since WHEN',
    })
    .option('limit', {
      type: 'number',
      alias: 'n',
      default: LIMIT,
      requiresArg: true,
      describe: 'no more than N, the best',
    })
    .option('all-versions', {
      type: 'boolean',
      default: false,
      describe: 'former versions and deleted files too',
    })
    .option('status', { type: 'boolean', default: false, describe: 'how far the index is' })
    .option('rebuild', { type: 'boolean', default: false, describe: 'make the index anew' })
    .example('$0 search "parse* NOT test" ~/myproject', '')
    .example('$0 search lighthouse myproject --all-versions', 'text that is in no file any more')
    .example('$0 search --status myproject', '')
}

async function find(args: SearchArguments, query: string): Promise<void> {
  const { limit, path: glob, tag, 'all-versions': allVersions, json } = args
  if (!Number.isSafeInteger(limit) || limit < 1) throw new UsageError('-n is a whole number from 1')
  const place = await vaultOf(args.where ?? '.')
  await writtenBack(place)
  const items: FoundItem[] = []
  const parameters = {
    query,
    path: place.path,
    limit,
    allVersions,
    ...(glob === undefined ? {} : { glob: Buffer.from(glob, 'utf8').toString('latin1') }),
    ...(tag === undefined ? {} : { tag }),
    ...(args.since === undefined ? {} : { since: sinceOf(args.since) }),
  }
  const { complete } = await ask(place, 'search', parameters, (piece) => {
    if ('item' in piece) items.push(piece.item)
  })
  if (!complete) notice('the index is not up to date; what was saved of late may be missing')
  const text = items.map((item) => textOf(place, item, allVersions)).join('\n')
  printStyled(
    json === true,
    items.map((item) => jsonOf(place, item)),
    text,
  )
  if (items.length === 0) process.exitCode = EXIT_NOTHING
}

function sinceOf(text: string): When {
  const when = parseWhen(text, nowMicros())
  if (when === undefined)
    throw new UsageError(
      `'${text}' is no time: write 2h, 3d, yesterday, 2026-11-22 or 2026-11-22T10:00`,
    )
  return 'ago' in when ? when : { ...when, wall: Math.max(0, when.wall) }
}

function styled(format: Parameters<typeof styleText>[0], text: string): string {
  return styleText(format, visible(text, process.stdout), { stream: process.stdout })
}

function textOf(place: Place, item: FoundItem, allVersions: boolean): string {
  const { path, deleted, versions, fragments } = item
  const lines = [styled('magenta', shownText(place.show(path))) + (deleted ? ' (deleted)' : '')]
  if (allVersions)
    for (const { number, moment, until } of versions) {
      const end = until === null ? 'now' : timeText(until)
      const called = number === null ? 'a version without a number' : `version ${number}`
      lines.push(`${called}: ${timeText(moment)} to ${end}`)
    }
  for (const fragment of fragments)
    lines.push(`${styled('green', String(fragment.line))}: ${marked(fragment)}`)
  return lines.join('\n')
}

function marked({ text, marks, isCutBefore, isCutAfter }: Fragment): string {
  let shown = isCutBefore ? '...' : ''
  let printed = 0
  for (const [start, end] of marks) {
    shown +=
      visible(text.slice(printed, start), process.stdout) +
      styled(['bold', 'red'], text.slice(start, end))
    printed = end
  }
  return shown + visible(text.slice(printed), process.stdout) + (isCutAfter ? '...' : '')
}

function jsonOf(place: Place, { path, versions, fragments, ...item }: FoundItem): object {
  return {
    path: place.show(path),
    vaultPath: toText(path),
    ...item,
    versions: versions.map(({ number, moment, until, size }) => ({
      number,
      size,
      moment,
      from: iso(moment),
      to: until === null ? null : iso(until),
    })),
    fragments: fragments.map(({ line, text, marks }) => ({ line, text, marks })),
  }
}

function iso(moment: number): string {
  return new Date(moment / 1000).toISOString()
}

/** Says what is wrong with a query, and where. */
function refuse(json: boolean, query: string, error: QuerySyntaxError): number {
  const code = printFailure(json, new UsageError(error.message))
  if (!json) tellLine(`  ${query}\n  ${' '.repeat(error.position)}^`)
  return code
}

async function showIndex({ query, where, rebuild, json }: SearchArguments): Promise<void> {
  // Alone, the first argument is where.
  if (query !== undefined && where !== undefined)
    throw new UsageError('--status and --rebuild take no query')
  const place = await vaultOf(where ?? query ?? '.')
  const status = await ask(place, rebuild ? 'searchRebuild' : 'searchStatus', {})
  printResult(json === true, status, statusText(status))
}

function statusText(status: SearchStatus): string {
  if (status.why !== null) return status.why
  const { engine, texts, files, versions, bytes, watermark, waiting } = status
  return properties({
    engine,
    files,
    versions,
    texts,
    'on disk': formatBytes(bytes),
    'up to': watermark === 0 ? 'nothing yet' : timeText(watermark),
    waiting: waiting === null ? 'not known: it looks for what changed' : waiting,
  })
}
