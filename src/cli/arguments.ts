// Arguments as they are meant: what follows --, and bytes. Node decodes the command line as UTF-8,
// which loses names that are none; the kernel still has them.

import { readFileSync } from 'node:fs'
import { toBytes } from '../control/wire/byte-strings.ts'

const REPLACEMENT = '\ufffd'

/** The bytes of an argument, as a byte string. */
export function bytesOfArgument(argument: string): string {
  if (!argument.includes(REPLACEMENT)) return toBytes(argument)
  const given = readFileSync('/proc/self/cmdline').toString('latin1').split('\0')
  const found = given.find((bytes) => Buffer.from(bytes, 'latin1').toString('utf8') === argument)
  return found ?? toBytes(argument)
}

/**
 * The command line without `--`, behind which nothing is an option: yargs does not count what
 * stands there among a command's arguments. A path that begins with a dash is written so that it is
 * none. grep takes both by itself, as its pattern is no path.
 */
export function withoutTerminator(args: readonly string[]): string[] {
  const index = args[0] === 'grep' ? -1 : args.indexOf('--')
  if (index < 0) return [...args]
  const behind = args.slice(index + 1)
  return [
    ...args.slice(0, index),
    ...behind.map((argument) => (/^-./.test(argument) ? `./${argument}` : argument)),
  ]
}

/** An argument that may be '-', which yargs takes away. */
export function dashOf(argument: string): string {
  return argument === '' ? '-' : argument
}
