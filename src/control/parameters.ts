// Parameters of methods, checked as they come off the wire. Who writes an own caller makes mistakes; the command line does not.

import type { When } from '../vault/when.ts'
import { ControlError } from './errors.ts'
import type { Parameters } from './methods.ts'

/** A string. Throws ControlError when it is missing or something else. */
export function stringOf(parameters: Parameters, name: string): string {
  const value = parameters[name]
  if (typeof value !== 'string') throw wrong(name, 'a string')
  return value
}

/** A path from the root of the vault, as a byte string. */
export function pathOf(parameters: Parameters, name = 'path'): string {
  const value = stringOf(parameters, name)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: any byte but NUL can be in a name
  if (!/^\/[\x01-\xff]*$/s.test(value)) throw wrong(name, 'a path, a char a byte')
  return value
}

/** A whole number that is not negative. */
export function countOf(parameters: Parameters, name: string): number {
  const value = parameters[name]
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw wrong(name, 'a whole number')
  }
  return value
}

/** {ago} or {wall, nth}, in whole microseconds. */
export function whenOf(parameters: Parameters, name: string): When {
  const value = parameters[name]
  if (typeof value !== 'object' || value === null) throw wrong(name, 'a time')
  const given = value as Parameters
  if (given.ago !== undefined) return { ago: countOf(given, 'ago') }
  return { wall: countOf(given, 'wall'), nth: given.nth === undefined ? 1 : countOf(given, 'nth') }
}

/** Strings, at least one. */
export function stringsOf(parameters: Parameters, name: string): string[] {
  const value = parameters[name]
  if (!Array.isArray(value) || value.length === 0) throw wrong(name, 'a list of strings')
  if (!value.every((part) => typeof part === 'string')) throw wrong(name, 'a list of strings')
  return value
}

function wrong(name: string, what: string): ControlError {
  return new ControlError('failed', `parameter ${name} must be ${what}`)
}
