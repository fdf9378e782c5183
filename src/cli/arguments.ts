// Arguments as bytes. Node decodes the command line as UTF-8, which loses names that are none; the kernel still has them.

import { readFileSync } from 'node:fs'
import { toBytes } from '../control/byte-strings.ts'

const REPLACEMENT = '\ufffd'

/** The bytes of an argument, as a byte string. */
export function bytesOfArgument(argument: string): string {
  if (!argument.includes(REPLACEMENT)) return toBytes(argument)
  const given = readFileSync('/proc/self/cmdline').toString('latin1').split('\0')
  const found = given.find((bytes) => Buffer.from(bytes, 'latin1').toString('utf8') === argument)
  return found ?? toBytes(argument)
}

/** An argument that may be '-', which yargs takes away. */
export function dashOf(argument: string): string {
  return argument === '' ? '-' : argument
}
