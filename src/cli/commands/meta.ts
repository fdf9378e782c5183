// `avfs meta ...`: values under keys of a file or directory, which programs see as extended
// attributes user.KEY.

import type { CommandModule } from 'yargs'
import type { Values } from '../../control/methods/method-types.ts'
import { toBytes, toText } from '../../control/wire/byte-strings.ts'
import { ControlError } from '../../control/wire/errors.ts'
import { bytesOfArgument } from '../arguments.ts'
import { UsageError } from '../errors.ts'
import { type Condition, conditionOf, holds } from '../meta-condition.ts'
import { printResult } from '../output.ts'
import { shownText } from '../terminal.ts'
import { ask, type PathArguments, placeOf, vaultOf, withPath } from './path-call.ts'

interface PairsArguments extends PathArguments {
  pairs: string[]
}

const set: CommandModule<object, PairsArguments> = {
  command: 'set <path> <pairs..>',
  describe: 'set values; KEY= alone takes a key away',
  builder: (yargs) =>
    withPath(yargs)
      .positional('pairs', {
        type: 'string',
        array: true,
        demandOption: true,
        describe: 'KEY=VALUE, one or more',
      })
      .example('$0 meta set ~/myproject/plan.md author=Ada rating=5', ''),
  handler: async ({ path, pairs, json }) => {
    const place = await placeOf(path)
    const values = Object.fromEntries(pairs.map(pairOf))
    const result = await ask(place, 'metaSet', { path: place.path, values })
    print(json, result.values)
  },
}

const get: CommandModule<object, PathArguments & { key: string }> = {
  command: 'get <path> <key>',
  describe: 'print the value of a key',
  builder: (yargs) =>
    withPath(yargs)
      .positional('key', { type: 'string', demandOption: true, describe: 'without user.' })
      .example('$0 meta get ~/myproject/plan.md author', ''),
  handler: async ({ path, key, json }) => {
    const place = await placeOf(path)
    const { values } = await ask(place, 'metaList', { path: place.path })
    const value = values[bare(toBytes(key))]
    if (value === undefined) {
      const shown = place.show(place.path)
      throw new ControlError('absent', `${shown} has no ${key}`, shown)
    }
    printResult(
      json === true,
      { key: toText(bare(toBytes(key))), value: toText(value) },
      toText(value),
    )
  },
}

const list: CommandModule<object, PathArguments> = {
  command: 'list <path>',
  describe: 'list keys and values',
  builder: (yargs) => withPath(yargs).example('$0 meta list ~/myproject/plan.md', ''),
  handler: async ({ path, json }) => {
    const place = await placeOf(path)
    const { values } = await ask(place, 'metaList', { path: place.path })
    print(json, values)
  },
}

const find: CommandModule<object, PathArguments & { conditions: string[] }> = {
  command: 'find <path> <conditions..>',
  describe: 'list what fulfils all conditions, at or below a path',
  builder: (yargs) =>
    withPath(yargs)
      .positional('conditions', {
        type: 'string',
        array: true,
        demandOption: true,
        describe: 'KEY=VALUE, KEY<VALUE, KEY>VALUE, KEY~=REGEX; numbers compare as numbers',
      })
      .example('$0 meta find myproject "rating>3" "author~=^A"', ''),
  handler: async (args) => {
    const conditions = args.conditions.map(conditionOf)
    const place = await vaultOf(args.path)
    const keys = [...new Set(conditions.map(({ key }) => bare(toBytes(key))))]
    const found: { path: string; values: Values }[] = []
    await ask(place, 'metaFind', { path: place.path, keys }, (piece) => {
      if (!('item' in piece)) return
      const { path, values } = piece.item
      if (fulfils(conditions, values))
        found.push({ path: place.show(path), values: readable(values) })
    })
    found.sort((a, b) => (a.path < b.path ? -1 : 1))
    printResult(args.json === true, found, found.map(({ path }) => shownText(path)).join('\n'))
  },
}

export const metaCommand: CommandModule = {
  command: 'meta <command>',
  describe: 'keep values with files (extended attributes), and find files by them',
  builder: (yargs) =>
    yargs
      .command(set)
      .command(get)
      .command(list)
      .command(find)
      .demandCommand(1, 'say what to do with values; avfs meta --help lists it')
      .example('$0 meta set ~/myproject/plan.md author=Ada', ''),
  handler: () => undefined,
}

/** getfattr(1) shows the namespace; here it may be left out. */
function bare(key: string): string {
  return key.startsWith('user.') ? key.slice('user.'.length) : key
}

function pairOf(text: string): [string, string | null] {
  const bytes = bytesOfArgument(text)
  const equals = bytes.indexOf('=')
  const key = bare(bytes.slice(0, Math.max(0, equals)))
  if (key === '') throw new UsageError(`write KEY=VALUE, not '${text}'`)
  const value = bytes.slice(equals + 1)
  return [key, value === '' ? null : value]
}

function fulfils(conditions: readonly Condition[], values: Values): boolean {
  return conditions.every((condition) => {
    const value = values[bare(toBytes(condition.key))]
    return value !== undefined && holds(condition, toText(value))
  })
}

function readable(values: Values): Values {
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => [toText(key), toText(value)]),
  )
}

function print(json: boolean | undefined, values: Values): void {
  const shown = readable(values)
  const lines = Object.entries(shown).map(([key, value]) => `${key}=${value}`)
  printResult(json === true, shown, lines.join('\n'))
}
