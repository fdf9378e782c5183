// Globs on paths for work on many of them, given by people who may mean no good: a path is read once, with all places of the
// glob that it may be at, so that no glob takes longer than its length times that of the path. Text in, answers out.
//
//   *        anything but a slash        ?       one character but a slash
//   **       any number of directories   [a-z]   one of these, [!a-z] or [^a-z] none of these
//   {a,b}    either                      \x      x as it is
//
// With a leading slash a glob starts at the top, else anywhere. A directory that is meant brings along all that is below it.

import type { PathRule } from './path-rule.ts'

/** A glob that makes no sense; the message is for people. */
export class GlobError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'GlobError'
  }
}

export type Matcher = (text: string) => boolean

/** Braces multiply: {a,b}{a,b}... */
const ALTERNATIVES_MAX = 1000
const GLOB_LENGTH_MAX = 4096
/** Of all that one glob stands for: they are compiled, and followed with each name, while others wait. */
const ALTERNATIVES_LENGTH_MAX = 65_536

type Token = 'star' | 'directories' | 'rest' | ((char: string) => boolean)

/** Whether a path from the top ('a/b', without a slash before it) or a directory above it is meant by one of the globs. Throws GlobError. */
export function pathMatcher(globs: readonly string[]): Matcher {
  const rule = globRule(globs)
  return (path) => {
    let at = rule.top
    for (const name of path.split('/')) at = rule.enter(at, name)
    return rule.means(at)
  }
}

/** Where a path is in each of the globs that may still mean it, by their number: places among its tokens. */
type GlobPlace = ReadonlyMap<number, ReadonlySet<number>>

const MEANT: GlobPlace = new Map()
const NOT_MEANT: GlobPlace = new Map()
/** Different places that are kept, so that directories which are alike share one. */
const SHARED_MAX = 1000

/** The same a name at a time, for walks; names are text. Throws GlobError. */
export function globRule(globs: readonly string[]): PathRule<GlobPlace> {
  const all = globs.flatMap(alternativesOf).map((glob) => {
    const whole = glob.endsWith('/**') ? glob.slice(0, -3) : glob
    const isAnchored = whole.startsWith('/')
    const tokens = tokensOf(whole === '' ? '**' : isAnchored ? whole.slice(1) : whole)
    return isAnchored ? tokens : ['directories' as const, ...tokens]
  })
  const top: GlobPlace = new Map(all.map((tokens, index) => [index, startOf(tokens)]))
  const known = new Map<string, GlobPlace>()
  return {
    top,
    enter(at, name) {
      const next = new Map<number, ReadonlySet<number>>()
      for (const [index, places] of at) {
        const tokens = all[index] as Token[]
        const found = stepped(tokens, places, at === top ? name : `/${name}`)
        if (found === 'all' || found.has(tokens.length)) return MEANT
        if (found.size > 0) next.set(index, found)
      }
      if (next.size === 0) return at === MEANT ? MEANT : NOT_MEANT
      const key = [...next].map(([index, places]) => `${index}:${[...places].join()}`).join(';')
      const shared = known.get(key)
      if (shared !== undefined) return shared
      if (known.size >= SHARED_MAX) known.clear()
      known.set(key, next)
      return next
    },
    means: (at) => at === MEANT,
  }
}

/** Whether a name without slashes is as one of the globs says. Throws GlobError. */
export function nameMatcher(globs: readonly string[]): Matcher {
  const all = globs.flatMap(alternativesOf).map(tokensOf)
  return (name) =>
    all.some((tokens) => {
      const found = stepped(tokens, startOf(tokens), name)
      return found === 'all' || found.has(tokens.length)
    })
}

/** The globs without braces that a glob stands for. */
function alternativesOf(glob: string): string[] {
  if (glob === '') throw new GlobError('an empty glob means nothing')
  if (glob.length > GLOB_LENGTH_MAX) throw new GlobError('a glob is too long')
  const done: string[] = []
  const waiting = [glob]
  let length = 0
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const choices = firstBraces(next)
    if (choices === undefined) {
      done.push(next)
      length += next.length
    } else waiting.push(...choices.reverse())
    if (done.length + waiting.length > ALTERNATIVES_MAX)
      throw new GlobError(`'${glob}' stands for more than ${ALTERNATIVES_MAX} globs`)
    if (length > ALTERNATIVES_LENGTH_MAX)
      throw new GlobError(
        `'${glob}' stands for globs of more than ${ALTERNATIVES_LENGTH_MAX} characters`,
      )
  }
  return done
}

/** What the first braces with a comma make of a glob; undefined without such. */
function firstBraces(glob: string): string[] | undefined {
  for (let from = 0; from < glob.length; from++) {
    if (glob[from] === '\\') from++
    else if (glob[from] === '{') {
      const parts = partsOf(glob, from)
      if (parts !== undefined && parts.choices.length > 1)
        return parts.choices.map((its) => glob.slice(0, from) + its + glob.slice(parts.end))
    }
  }
  return undefined
}

/** What is between the commas of the braces that open at `from`; undefined when they do not close. */
function partsOf(glob: string, from: number): { choices: string[]; end: number } | undefined {
  const choices: string[] = []
  let start = from + 1
  for (let at = start, depth = 1; at < glob.length; at++) {
    const char = glob[at]
    if (char === '\\') at++
    else if (char === '{') depth++
    else if (char === '}') depth--
    if (depth === 0 || (depth === 1 && char === ',')) {
      choices.push(glob.slice(start, at))
      start = at + 1
    }
    if (depth === 0) return { choices, end: start }
  }
  return undefined
}

function tokensOf(glob: string): Token[] {
  const chars = [...glob]
  const tokens: Token[] = []
  for (let at = 0; at < chars.length; at++) {
    const char = chars[at] ?? ''
    if (char === '*') {
      let end = at
      while (chars[end] === '*') end++
      const isWhole = end - at === 2 && (at === 0 || chars[at - 1] === '/')
      if (isWhole && chars[end] === '/') tokens.push('directories')
      else tokens.push(isWhole && end === chars.length ? 'rest' : 'star')
      at = isWhole && chars[end] === '/' ? end : end - 1
    } else if (char === '?') tokens.push((its) => its !== '/')
    else if (char === '[') {
      const { token, end } = classOf(chars, at)
      tokens.push(token)
      at = end
    } else {
      if (char === '\\') at++
      const literal = chars[at] ?? '\\'
      tokens.push((its) => its === literal)
    }
  }
  return tokens
}

/** [...] that opens at `from`; what does not close is a bracket. */
function classOf(chars: readonly string[], from: number): { token: Token; end: number } {
  const isNegated = chars[from + 1] === '!' || chars[from + 1] === '^'
  const first = from + (isNegated ? 2 : 1)
  // A bracket in first place is one of the characters.
  const end = chars.indexOf(']', first + 1)
  if (end < 0) return { token: (its) => its === '[', end: from }
  const ranges: [number, number][] = []
  for (let at = first; at < end; at++) {
    const low = codeOf(chars[at])
    const isRange = chars[at + 1] === '-' && at + 2 < end
    ranges.push([low, isRange ? codeOf(chars[at + 2]) : low])
    if (isRange) at += 2
  }
  const isIn = (code: number): boolean => ranges.some(([low, high]) => low <= code && code <= high)
  return { token: (its) => its !== '/' && isIn(codeOf(its)) !== isNegated, end }
}

function codeOf(char: string | undefined): number {
  return char?.codePointAt(0) ?? 0
}

function startOf(tokens: readonly Token[]): Set<number> {
  const places = new Set<number>()
  arrive(tokens, 0, places)
  return places
}

/** Where a text leads from some places; 'all': whatever comes is meant. */
function stepped(
  tokens: readonly Token[],
  from: ReadonlySet<number>,
  text: string,
): ReadonlySet<number> | 'all' {
  let places = from
  for (const char of text) {
    const next = new Set<number>()
    for (const place of places) {
      const token = tokens[place]
      if (token === undefined) continue
      if (token === 'rest') return 'all'
      if (token === 'star') {
        if (char !== '/') arrive(tokens, place, next)
      } else if (token === 'directories') {
        // Within a directory's name it stays; behind the slash it may end.
        if (char === '/') arrive(tokens, place, next)
        else next.add(place)
      } else if (token(char)) arrive(tokens, place + 1, next)
    }
    if (next.size === 0) return next
    places = next
  }
  return places
}

/** Adds a place and those that are reached from it without a character. */
function arrive(tokens: readonly Token[], place: number, places: Set<number>): void {
  for (let at = place; ; at++) {
    places.add(at)
    const token = tokens[at]
    if (token === undefined || typeof token === 'function') return
  }
}
