// The patterns of `avfs grep`: JavaScript's regular expressions on the text of a line. They run in
// the process of who wrote them, because some take for ever.

import { UsageError } from './errors.ts'

interface PatternOptions {
  /** A line fits when one of them does; a newline in one separates two, as in grep(1). */
  readonly patterns: readonly string[]
  readonly ignoreCase: boolean
  /** The patterns are what to find, as it is. */
  readonly fixed: boolean
  /** Not next to a letter, a digit or an underscore. */
  readonly word: boolean
}

const WORD = '[\\p{L}\\p{N}\\p{M}_]'

/** Tells whether a line fits. Throws UsageError for a pattern that is none. */
export function lineTest({
  patterns,
  ignoreCase,
  fixed,
  word,
}: PatternOptions): (text: string) => boolean {
  // Lines are cut before: within one a dot is any character, a carriage return too.
  const flags = ignoreCase ? 'sui' : 'su'
  const expressions = patterns
    .flatMap((pattern) => pattern.split('\n'))
    .map((pattern) => {
      const source = fixed ? escaped(pattern) : pattern
      // Alone first: the brackets around it must not make sense of what has none.
      const alone = expressionOf(source, flags, pattern)
      if (!word) return alone
      return expressionOf(`(?<!${WORD})(?:${source})(?!${WORD})`, flags, pattern)
    })
  const [only, ...others] = expressions
  if (only !== undefined && others.length === 0) return (text) => only.test(text)
  return (text) => expressions.some((expression) => expression.test(text))
}

function escaped(text: string): string {
  return text.replace(/[\^$\\.*+?()[\]{}|/]/g, '\\$&')
}

function expressionOf(source: string, flags: string, shown: string): RegExp {
  try {
    return new RegExp(source, flags)
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    // 'Invalid regular expression: /x/su: Unterminated group'
    const why = message.slice(message.lastIndexOf(': ') + 2)
    throw new UsageError(
      `'${shown}' is no regular expression: ${why}; -F finds the characters as they are`,
    )
  }
}
