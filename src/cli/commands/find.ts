// `avfs find`: the paths of a vault, as it is or was, that fulfil conditions, in the spirit of
// find(1).

import type { Argv, CommandModule } from 'yargs'
import {
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
} from '../../base/mode.ts'
import type { FoundEntry, ParametersOf, Range } from '../../control/methods/method-types.ts'
import { toBytes, toText } from '../../control/wire/byte-strings.ts'
import { basePathOf } from '../base-path.ts'
import { UsageError } from '../errors.ts'
import { type Condition, conditionOf, holds } from '../meta-condition.ts'
import { Enough, openResults, untilEnough } from '../results.ts'
import { bytesShown } from '../terminal.ts'
import type { CommonArguments } from './common.ts'
import { ask, writtenBack } from './path-call.ts'
import { type MomentArguments, timeOf, wantedMoment, withMoment } from './state-options.ts'

type Many = string | string[] | undefined

interface FindArguments extends CommonArguments, MomentArguments {
  paths: string[] | undefined
  name: Many
  path: Many
  type: string | undefined
  size: Many
  newer: string | undefined
  older: string | undefined
  tag: Many
  meta: Many
  limit: number | undefined
  print0: boolean
}

const types: Readonly<Record<string, number>> = {
  f: S_IFREG,
  d: S_IFDIR,
  l: S_IFLNK,
  p: S_IFIFO,
  s: S_IFSOCK,
  b: S_IFBLK,
  c: S_IFCHR,
}

export const findCommand: CommandModule<object, FindArguments> = {
  command: 'find [paths..]',
  describe: 'list what is or was in a vault, by name, size, time, tags and values',
  builder: (yargs) =>
    withConditions(yargs)
      .example('$0 find ~/myproject --name "*.{jpg,png}" --size +1M', '')
      .example('$0 find myproject --type f --newer 2d --tag urgent', '')
      .example(
        '$0 find myproject:/src --at yesterday --meta "rating>3"',
        '',
      ) as Argv<FindArguments>,
  handler: async (args) => {
    const conditions = listOf(args.meta).map(conditionOf)
    const parameters = { ...conditionParameters(args, conditions), state: wantedMoment(args) }
    const limit = limitOf(args.limit)
    const paths = args.paths ?? []
    const places = await Promise.all((paths.length === 0 ? ['.'] : paths).map(basePathOf))
    const results = openResults(args.json === true)
    let left = limit
    for (const { place, show } of places) {
      if (left === 0) break
      await writtenBack(place)
      const take = (entry: FoundEntry): void => {
        if (!fulfils(conditions, entry)) return
        const path = show(entry.path)
        if (args.json === true) results.item(jsonOf(path, entry))
        else if (args.print0) results.bytes(Buffer.from(`${path}\0`, 'latin1'))
        else results.bytes(bytesShown(path, '\n'))
        if (--left === 0) throw new Enough()
      }
      const asked = ask(place, 'find', { ...parameters, path: place.path }, (piece) => {
        if ('item' in piece) for (const its of piece.item.entries) take(its)
        return results.relieve()
      })
      await untilEnough(asked)
    }
    await results.end()
  },
}

const TEXT = { type: 'string', nargs: 1 } as const

function withConditions(yargs: Argv): Argv {
  return withMoment(yargs)
    .positional('paths', {
      type: 'string',
      array: true,
      describe: 'in a mounted vault, NAME:/path or NAME; else the current directory',
    })
    .option('name', { ...TEXT, describe: 'a GLOB that the name fits' })
    .option('path', { ...TEXT, describe: 'a GLOB that means the path below PATH' })
    .option('type', { ...TEXT, describe: 'f, d, l, p, s, b or c; more with commas' })
    .option('size', { ...TEXT, describe: '+10M: larger, -1k: smaller, 0: just so many bytes' })
    .option('newer', { ...TEXT, describe: 'changed after WHEN, by its mtime' })
    .option('older', { ...TEXT, describe: 'changed before WHEN, by its mtime' })
    .option('tag', { ...TEXT, describe: 'carries this tag; given again: all of them' })
    .option('meta', { ...TEXT, describe: 'a condition as avfs meta find takes it' })
    .option('limit', { type: 'number', nargs: 1, describe: 'no more than so many' })
    .option('print0', {
      type: 'boolean',
      alias: '0',
      default: false,
      describe: 'end each path with a NUL, for xargs -0',
    })
}

function listOf(value: Many): string[] {
  return value === undefined ? [] : typeof value === 'string' ? [value] : value
}

/** The conditions in the form of the method's parameters; undefined ones do not cross. */
function conditionParameters(
  args: FindArguments,
  conditions: readonly Condition[],
): Omit<ParametersOf<'find'>, 'path'> {
  const some = (list: string[]): string[] | undefined => (list.length === 0 ? undefined : list)
  return {
    names: some(listOf(args.name)),
    paths: some(listOf(args.path)),
    types: args.type === undefined ? undefined : args.type.split(',').map(typeOf),
    size: sizesOf(listOf(args.size)),
    mtime: timesOf(args),
    tags: some(listOf(args.tag)),
    keys: some([...new Set(conditions.map(({ key }) => bare(key)))]),
  }
}

function typeOf(letter: string): number {
  const type = types[letter]
  if (type === undefined)
    throw new UsageError(`--type takes f, d, l, p, s, b or c, not '${letter}'`)
  return type
}

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
  t: 1024 ** 4,
}

/** Given more than once, all hold. */
function sizesOf(texts: readonly string[]): Range | undefined {
  if (texts.length === 0) return undefined
  let above = Number.NEGATIVE_INFINITY
  let below = Number.POSITIVE_INFINITY
  for (const text of texts) {
    const [, sign, digits, unit] = /^([+-]?)(\d{1,15})([kmgt]?)(?:i?b)?$/i.exec(text) ?? []
    if (digits === undefined)
      throw new UsageError(`--size takes +10M, -1k or 0, with k, M, G or T; not '${text}'`)
    const size = Number(digits) * (UNITS[(unit ?? '').toLowerCase()] ?? 1)
    if (sign !== '-') above = Math.max(above, sign === '+' ? size : size - 1)
    if (sign !== '+') below = Math.min(below, sign === '-' ? size : size + 1)
  }
  return finite({ above, below })
}

/** In seconds; WHEN is a moment in microseconds. */
function timesOf({ newer, older }: FindArguments): Range | undefined {
  if (newer === undefined && older === undefined) return undefined
  const seconds = (when: string): number => timeOf(when) / 1e6
  return finite({
    above: newer === undefined ? Number.NEGATIVE_INFINITY : seconds(newer),
    below: older === undefined ? Number.POSITIVE_INFINITY : seconds(older),
  })
}

/** JSON knows no infinity. */
function finite({ above, below }: Required<Range>): Range {
  return {
    ...(Number.isFinite(above) ? { above } : {}),
    ...(Number.isFinite(below) ? { below } : {}),
  }
}

function limitOf(limit: number | undefined): number {
  if (limit === undefined) return Number.POSITIVE_INFINITY
  if (Number.isSafeInteger(limit) && limit > 0) return limit
  throw new UsageError('--limit takes a number from 1 on')
}

function fulfils(conditions: readonly Condition[], { values }: FoundEntry): boolean {
  return conditions.every((condition) => {
    const value = values?.[bare(condition.key)]
    return value !== undefined && holds(condition, toText(value))
  })
}

/** A key as the vault keeps it; getfattr(1) shows the namespace, here it may be left out. */
function bare(key: string): string {
  const bytes = toBytes(key)
  return bytes.startsWith('user.') ? bytes.slice('user.'.length) : bytes
}

/** `mtime` in seconds since 1970. */
function jsonOf(path: string, { mode, size, mtime }: FoundEntry): object {
  const type = Object.keys(types).find((letter) => types[letter] === (mode & S_IFMT)) ?? null
  return { path: toText(path), type, mode: mode & 0o7777, size, mtime }
}
