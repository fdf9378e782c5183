// `avfs grep`: the lines of files that fit a regular expression, in a vault as it is or was,
// mounted or not. The vault hands over bytes; lines are cut and tested here, so that a pattern that
// never ends holds up nobody else.

import type { Argv, CommandModule } from 'yargs'
import type { Stretch, Stretches } from '../../control/methods/method-types.ts'
import { toText } from '../../control/wire/byte-strings.ts'
import type { Piece } from '../../control/wire/protocol.ts'
import { basePathOf } from '../base-path.ts'
import { EXIT_NOTHING, EXIT_USAGE, UsageError } from '../errors.ts'
import { lineTest } from '../grep-pattern.ts'
import { FileScan, type ScanEvents, type ScannedLine, type ScanOptions } from '../grep-scan.ts'
import { notice } from '../output.ts'
import { Enough, openResults, type Results, untilEnough } from '../results.ts'
import { bytesShown, shownName } from '../terminal.ts'
import type { CommonArguments } from './common.ts'
import { ask, writtenBack } from './path-call.ts'
import { type MomentArguments, wantedMoment, withMoment } from './state-options.ts'

type Many = string | string[] | undefined

interface GrepArguments extends CommonArguments, MomentArguments {
  _: (string | number)[]
  pattern: string | undefined
  paths: string[] | undefined
  regexp: Many
  'ignore-case': boolean
  'invert-match': boolean
  'word-regexp': boolean
  'fixed-strings': boolean
  'files-with-matches': boolean
  count: boolean
  quiet: boolean
  text: boolean
  'line-number': boolean
  filename: boolean
  'max-count': number | undefined
  'after-context': number | undefined
  'before-context': number | undefined
  context: number | undefined
  include: Many
  exclude: Many
}

export const grepCommand: CommandModule<object, GrepArguments> = {
  command: 'grep [pattern] [paths..]',
  describe: 'find lines by a regular expression, in files as they are or were',
  builder: (yargs) =>
    withOptions(yargs)
      .example('$0 grep "colou?r" ~/myproject', '')
      .example('$0 grep -i -C2 todo myproject:/src --include "*.ts" --at yesterday', '')
      .example('$0 grep -F -e "a[0]" -e "b[0]" -l myproject', 'names of files with either')
      .epilogue(
        'PATTERN is a regular expression of JavaScript, with the flags s and u. Exit codes: 0 found, 1 not found, else an error.',
      ) as Argv<GrepArguments>,
  handler: async (args) => {
    const { patterns, paths } = subjectsOf(args)
    const options = scanOptions(args, patterns)
    const wanted = wantedMoment(args)
    const results = openResults(args.json === true)
    const run: Run = { args, options, results, isFound: false, hasProblem: false, isFirst: true }
    const places = await Promise.all(paths.map(basePathOf))
    for (const { place, show } of places) {
      await writtenBack(place)
      const parameters = {
        path: place.path,
        state: wanted,
        include: listOf(args.include),
        exclude: listOf(args.exclude),
      }
      await untilEnough(ask(place, 'contents', parameters, taker(run, show)))
      if (args.quiet && run.isFound) break
    }
    if (!args.quiet) await results.end()
    process.exitCode = run.hasProblem ? EXIT_USAGE : run.isFound ? 0 : EXIT_NOTHING
  },
}

function withOptions(yargs: Argv): Argv {
  return withMoment(yargs)
    .positional('pattern', { type: 'string', describe: 'what to find; with -e: a PATH' })
    .positional('paths', {
      type: 'string',
      array: true,
      describe: 'in a mounted vault, NAME:/path or NAME; else the current directory',
    })
    .option('regexp', { ...TEXT, alias: 'e', describe: 'a pattern; may be given again' })
    .option('ignore-case', { ...SWITCH, alias: 'i', describe: 'upper and lower case are one' })
    .option('invert-match', { ...SWITCH, alias: 'v', describe: 'lines that do not fit' })
    .option('word-regexp', { ...SWITCH, alias: 'w', describe: 'whole words only' })
    .option('fixed-strings', { ...SWITCH, alias: 'F', describe: 'patterns are plain text' })
    .option('files-with-matches', { ...SWITCH, alias: 'l', describe: 'only names of files' })
    .option('count', { ...SWITCH, alias: 'c', describe: 'only the number of lines of each file' })
    .option('quiet', { ...SWITCH, alias: 'q', describe: 'only the exit code' })
    .option('text', { ...SWITCH, alias: 'a', describe: 'lines of binary files, too' })
    .option('line-number', { ...SWITCH, default: true, alias: 'n', describe: 'line numbers' })
    .option('filename', { ...SWITCH, default: true, alias: 'H', describe: 'names of files' })
    .option('max-count', { ...NUMBER, alias: 'm', describe: 'lines of each file, at most' })
    .option('after-context', { ...NUMBER, alias: 'A', describe: 'lines after, too' })
    .option('before-context', { ...NUMBER, alias: 'B', describe: 'lines before, too' })
    .option('context', { ...NUMBER, alias: 'C', describe: 'lines before and after, too' })
    .option('include', { ...TEXT, describe: 'only files that this GLOB means' })
    .option('exclude', { ...TEXT, describe: 'no files or directories that this GLOB means' })
}

const TEXT = { type: 'string', nargs: 1 } as const
const NUMBER = { type: 'number', nargs: 1 } as const
const SWITCH = { type: 'boolean', default: false } as const

function subjectsOf({ pattern, paths, regexp, _ }: GrepArguments): {
  patterns: string[]
  paths: string[]
} {
  // What follows -- is none of the named ones.
  const subjects = [pattern, ...(paths ?? []), ..._.slice(1).map(String)].filter(
    (subject) => subject !== undefined,
  )
  const patterns = listOf(regexp) ?? subjects.splice(0, 1)
  if (patterns.length === 0) throw new UsageError('say what to find: avfs grep PATTERN [PATH]')
  return { patterns, paths: subjects.length === 0 ? ['.'] : subjects }
}

function listOf(value: Many): string[] | undefined {
  return typeof value === 'string' ? [value] : value
}

function scanOptions(args: GrepArguments, patterns: string[]): ScanOptions {
  const both = countOf(args.context, '-C') ?? 0
  const isShort = args.quiet || args['files-with-matches']
  const countMax = countOf(args['max-count'], '-m') ?? Number.MAX_SAFE_INTEGER
  const hasContext = !isShort && !args.count
  const before = countOf(args['before-context'], '-B') ?? both
  const after = countOf(args['after-context'], '-A') ?? both
  return {
    test: lineTest({
      patterns,
      ignoreCase: args['ignore-case'],
      fixed: args['fixed-strings'],
      word: args['word-regexp'],
    }),
    invert: args['invert-match'],
    before: hasContext ? before : 0,
    after: hasContext ? after : 0,
    countMax: isShort ? Math.min(1, countMax) : countMax,
    asText: args.text || args.count || isShort,
  }
}

function countOf(value: number | undefined, option: string): number | undefined {
  if (value === undefined || (Number.isSafeInteger(value) && value >= 0)) return value
  throw new UsageError(`${option} takes a number of lines`)
}

interface Run {
  readonly args: GrepArguments
  readonly options: ScanOptions
  readonly results: Results
  isFound: boolean
  hasProblem: boolean
  /** Nothing was shown yet. */
  isFirst: boolean
}

/** Takes what `contents` hands over: stretches of files, then their bytes. */
function taker(
  run: Run,
  show: (below: string) => string,
): (piece: Piece<Stretches>) => Promise<void> | undefined {
  let stretches: readonly Stretch[] = []
  let scan: FileScan | undefined
  const take = (bytes: Buffer): Promise<void> | undefined => {
    let offset = 0
    for (const { path, bytes: length, isLast, problem } of stretches) {
      const shown = show(path)
      scan ??= new FileScan(run.options, eventsOf(run, shown))
      scan.take(bytes.subarray(offset, offset + length))
      offset += length
      if (problem !== undefined) {
        run.hasProblem = true
        notice(`${shownName(shown, process.stderr)}: ${problem}`)
      }
      if (isLast) {
        scan.end()
        finishFile(run, shown, scan)
        scan = undefined
      }
    }
    return run.results.relieve()
  }
  return (piece) => {
    if (piece instanceof Uint8Array)
      return take(Buffer.from(piece.buffer, piece.byteOffset, piece.length))
    stretches = piece.item.stretches
    return stretches.every(({ bytes }) => bytes === 0) ? take(Buffer.alloc(0)) : undefined
  }
}

function finishFile(run: Run, shown: string, { count }: FileScan): void {
  const { args, results } = run
  if (count > 0) run.isFound = true
  if (args.quiet) {
    if (run.isFound) throw new Enough()
    return
  }
  if (args['files-with-matches']) {
    if (count === 0) return
    if (args.json === true) results.item({ path: toText(shown) })
    else results.bytes(bytesShown(shown, '\n'))
  } else if (args.count) {
    if (args.json === true) results.item({ path: toText(shown), count })
    else if (args.filename) results.bytes(bytesShown(shown, `:${count}\n`))
    else results.bytes(Buffer.from(`${count}\n`))
  }
}

function eventsOf(run: Run, shown: string): ScanEvents {
  const { args, results, options } = run
  if (args.quiet || args['files-with-matches'] || args.count)
    return { line: () => undefined, binary: () => undefined }
  if (args.json === true) {
    const path = toText(shown)
    return {
      line: (line, isMatch) => results.item(jsonOf(path, line, isMatch)),
      binary: () => results.item({ path, binary: true }),
    }
  }
  const hasContext = options.before + options.after > 0
  return {
    line({ number, text, bytes }, isMatch, gap) {
      if (hasContext && gap && !run.isFirst) results.bytes(Buffer.from('--\n'))
      run.isFirst = false
      const mark = isMatch ? ':' : '-'
      if (args.filename) results.bytes(bytesShown(shown, mark))
      if (args['line-number']) results.bytes(Buffer.from(`${number}${mark}`))
      results.bytes(bytes ?? Buffer.from(text))
      results.bytes(Buffer.from('\n'))
    },
    binary: () => results.bytes(bytesShown(shown, ': binary file matches\n')),
  }
}

/** `base64`: the bytes of a line that is no UTF-8. */
function jsonOf(path: string, { number, text, bytes }: ScannedLine, isMatch: boolean): object {
  const exact = bytes === undefined ? {} : { base64: Buffer.from(bytes).toString('base64') }
  return { path, line: number, match: isMatch, text, ...exact }
}
