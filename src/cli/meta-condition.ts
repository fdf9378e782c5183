// Conditions on values, as `avfs meta find` takes them: KEY=VALUE, KEY!=VALUE, KEY<VALUE,
// KEY<=VALUE, KEY>VALUE, KEY>=VALUE, KEY~=REGEX.

import { UsageError } from './errors.ts'

export interface Condition {
  readonly key: string
  readonly operator: string
  readonly value: string
  /** Of ~= alone. */
  readonly pattern: RegExp | undefined
}

const CONDITION = /^([^=<>~!]+)(~=|!=|<=|>=|=|<|>)(.*)$/s

/** Parses a condition. Throws UsageError. */
export function conditionOf(text: string): Condition {
  const [, key, operator, value] = CONDITION.exec(text) ?? []
  if (key === undefined || operator === undefined || value === undefined) {
    throw new UsageError(`'${text}' is no condition: write KEY=VALUE, KEY<5, KEY>5 or KEY~=REGEX`)
  }
  return { key, operator, value, pattern: operator === '~=' ? patternOf(value) : undefined }
}

function patternOf(text: string): RegExp {
  try {
    return new RegExp(text, 'u')
  } catch {
    throw new UsageError(`'${text}' is no regular expression`)
  }
}

/**
 * Whether a value fulfils a condition. What are numbers on both sides is compared as numbers, all
 * else as text.
 */
export function holds({ operator, value, pattern }: Condition, actual: string): boolean {
  if (pattern !== undefined) return pattern.test(actual)
  const order = compare(actual, value)
  if (operator === '=') return order === 0
  if (operator === '!=') return order !== 0
  if (operator === '<') return order < 0
  if (operator === '<=') return order <= 0
  return operator === '>' ? order > 0 : order >= 0
}

function compare(a: string, b: string): number {
  const left = numberOf(a)
  const right = numberOf(b)
  if (left !== undefined && right !== undefined) return left - right
  return a === b ? 0 : a < b ? -1 : 1
}

function numberOf(text: string): number | undefined {
  return /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i.test(text) ? Number(text) : undefined
}
