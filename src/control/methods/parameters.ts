// Checks parameters of methods as they arrive: other programs than our command line may call, and
// make mistakes.

import type { When } from '../../vault/core/when.ts'
import { ControlError } from '../wire/errors.ts'
import type { Parameters } from './method.ts'

/** Parameters from which one is read by its name. */
type With<K extends string> = { readonly [P in K]?: unknown }

/** A string. Throws ControlError if it is missing or has another type. */
export function stringOf<K extends string>(parameters: With<K>, name: K): string {
  const value = parameters[name]
  if (!isText(value)) throw wrong(name, 'a string')
  return value
}

/**
 * A boolean, by default false. Strict, so that a quoted 'true' does not turn a dry run into a
 * change.
 */
export function flagOf<K extends string>(parameters: With<K>, name: K): boolean {
  const { [name]: value = false } = parameters
  if (typeof value !== 'boolean') throw wrong(name, 'true or false')
  return value
}

/** A name of any bytes but NUL, as a byte string. */
export function bytesOf<K extends string>(parameters: With<K>, name: K): string {
  const value = stringOf(parameters, name)
  if (!isBytes(value) || value.includes('\0')) throw wrong(name, 'a name, a char a byte')
  return value
}

/** A path from the root of the vault, as a byte string. */
export function pathOf<K extends string>(parameters: With<K>, name: K): string {
  const value = stringOf(parameters, name)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: any byte but NUL can be in a name
  if (!/^\/[\x01-\xff]*$/s.test(value)) throw wrong(name, 'a path, a char a byte')
  return value
}

/** A whole number that is not negative. */
export function countOf<K extends string>(parameters: With<K>, name: K): number {
  const value = parameters[name]
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw wrong(name, 'a whole number')
  }
  return value
}

/** An object, by default an empty one. */
export function objectOf<K extends string>(parameters: With<K>, name: K, what: string): Parameters {
  const { [name]: value = {} } = parameters
  if (!isObject(value)) throw wrong(name, what)
  return value
}

/** Whether a value is an object with string keys. */
export function isObject(value: unknown): value is Parameters {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** {ago} or {wall, nth}, in whole microseconds. */
export function whenOf<K extends string>(parameters: With<K>, name: K): When {
  const given = objectOf(parameters, name, 'a time')
  if (given.ago !== undefined) return { ago: countOf(given, 'ago') }
  return { wall: countOf(given, 'wall'), nth: given.nth === undefined ? 1 : countOf(given, 'nth') }
}

/** Strings, at least one. */
export function stringsOf<K extends string>(parameters: With<K>, name: K): string[] {
  const value = parameters[name]
  if (!Array.isArray(value) || value.length === 0) throw wrong(name, 'a list of strings')
  if (!value.every(isText)) throw wrong(name, 'a list of strings')
  return value
}

/** Numbers, at least one. */
export function numbersOf<K extends string>(parameters: With<K>, name: K): number[] {
  const value = parameters[name]
  const isList = Array.isArray(value) && value.length > 0
  if (!isList || !value.every((part) => typeof part === 'number'))
    throw wrong(name, 'a list of numbers')
  return value
}

/** {key: value}, all values strings. */
export function textsOf<K extends string>(parameters: With<K>, name: K): Map<string, string> {
  const texts = new Map<string, string>()
  for (const [key, value] of entriesOf(parameters, name, 'an object of strings')) {
    if (!isText(key) || !isText(value)) throw wrong(name, 'an object of strings')
    texts.set(key, value)
  }
  return texts
}

/** {key: value}, all byte strings, keys without NUL; null marks a key to be removed. */
export function valuesOf<K extends string>(
  parameters: With<K>,
  name: K,
): Map<string, Uint8Array | null> {
  const what = 'an object of byte strings or null'
  const values = new Map<string, Uint8Array | null>()
  for (const [key, value] of entriesOf(parameters, name, what)) {
    if (!isBytes(key) || key.includes('\0') || (value !== null && !isBytes(value)))
      throw wrong(name, what)
    values.set(key, value === null ? null : Buffer.from(value, 'latin1'))
  }
  return values
}

function entriesOf<K extends string>(
  parameters: With<K>,
  name: K,
  what: string,
): [string, unknown][] {
  if (parameters[name] === undefined) throw wrong(name, what)
  return Object.entries(objectOf(parameters, name, what))
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.isWellFormed()
}

function isBytes(value: unknown): value is string {
  return typeof value === 'string' && /^[\0-\xff]*$/.test(value)
}

function wrong(name: string, what: string): ControlError {
  return new ControlError('failed', `parameter ${name} must be ${what}`)
}
