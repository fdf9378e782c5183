// Keys in memory: their order, and how to take one from a row. Every engine sorts as compareKeys
// does, however it encodes keys. Knows nothing of engines.

import type { Collection, Key, KeyPart } from './collections.ts'
import type { Range } from './store.ts'

export function keyOf<R extends object>(collection: Collection<R>, row: R): Key {
  const { fields, keyLength } = collection
  const key: KeyPart[] = []
  for (let i = 0; i < keyLength; i++) {
    key.push((row as Record<string, KeyPart>)[fields[i] as string] as KeyPart)
  }
  return key
}

/**
 * The least bound after a key and all keys that begin with it; undefined where there can be none.
 */
export function keyAfter(key: Key): Key | undefined {
  const last = key[key.length - 1]
  if (last === undefined) return undefined
  const above = key.slice(0, -1)
  if (typeof last === 'string') return [...above, `${last}\0`]
  return last < Number.MAX_SAFE_INTEGER ? [...above, numberAfter(last)] : keyAfter(above)
}

/** A number of a damaged row may be so low that there is no next whole one. */
function numberAfter(number: number): number {
  if (number >= Number.MIN_SAFE_INTEGER) return Math.floor(number) + 1
  return Math.max(number * (1 - Number.EPSILON), -Number.MAX_VALUE)
}

/**
 * Negative, 0 or positive as a sorts before, with or after b: component by component, numbers by
 * value, strings by their bytes. A key that is a prefix of another sorts before it.
 */
export function compareKeys(a: Key, b: Key): number {
  const shorter = Math.min(a.length, b.length)
  for (let i = 0; i < shorter; i++) {
    const order = compareParts(a[i] as KeyPart, b[i] as KeyPart)
    if (order !== 0) return order
  }
  return a.length - b.length
}

/** Whether gte <= key < lt. */
export function inRange(key: Key, range: Pick<Range, 'gte' | 'lt'>): boolean {
  if (range.gte !== undefined && compareKeys(key, range.gte) < 0) return false
  return range.lt === undefined || compareKeys(key, range.lt) < 0
}

function compareParts(a: KeyPart, b: KeyPart): number {
  if (a === b) return 0
  if (typeof a === 'number' && typeof b === 'number') return a - b
  return compareStrings(a as string, b as string)
}

// A byte string sorts by its chars. Text sorts by its UTF-8, which is code point order; UTF-16
// order differs only for surrogates, which stand for code points above all others.
function compareStrings(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length)
  for (let i = 0; i < shorter; i++) {
    const left = a.charCodeAt(i)
    const right = b.charCodeAt(i)
    if (left !== right) return rank(left) - rank(right)
  }
  return a.length - b.length
}

function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit
}
