// Globs on paths and names, interpreted the same way for all commands (docs/search.md describes
// them to users). They may come from an attacker: a text is read once while all positions in the
// globs that it may have reached are tracked, so matching takes at most its length times theirs in
// steps.
//
//   *        anything but a slash        ?       one character but a slash
//   **       any number of directories   [a-z]   one of these, [!a-z] or [^a-z] none of these
//   {a,b}    either                      \x      x as it is
//
// A glob with a leading slash starts at the top, any other anywhere. A directory that matches
// includes everything below it.

import type { PathRule } from './path-rule.ts'

/** An invalid glob; the message is for people. */
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
/**
 * Total characters of all alternatives: compiling them, and matching each name with them, must not
 * block the process.
 */
const ALTERNATIVES_LENGTH_MAX = 16_384

type Token = 'star' | 'directories' | 'rest' | 'end' | ((char: string) => boolean)

/** The positions among the tokens of all globs that a text may have reached, each once. */
type Places = readonly number[]

/**
 * Whether a glob matches a path ('a/b', relative to the top) or a directory above it. Throws
 * GlobError.
 */
export function pathMatcher(globs: readonly string[]): Matcher {
  const rule = globRule(globs)
  return (path) => {
    let at = rule.top
    for (const name of path.split('/')) at = rule.enter(at, name)
    return rule.means(at)
  }
}

const MEANT: Places = []
const NOT_MEANT: Places = []
/** Number of position lists kept for sharing between directories that have the same. */
const SHARED_MAX = 1000

/** `pathMatcher` one name at a time, for walks; names are text. Throws GlobError. */
export function globRule(globs: readonly string[]): PathRule<Places> {
  const followed = new Followed(
    alternativesOf(globs).map((glob) => {
      const whole = glob.endsWith('/**') ? glob.slice(0, -3) : glob
      if (whole.startsWith('/')) return tokensOf(whole.slice(1))
      return ['directories', ...tokensOf(whole === '' ? '**' : whole)]
    }),
  )
  const top = followed.start
  const known = new Map<string, Places>()
  return {
    top,
    enter(at, name) {
      if (at === MEANT) return MEANT
      const places = followed.after(at, at === top ? name : `/${name}`)
      if (followed.isMeant(places)) return MEANT
      if (places.length === 0) return NOT_MEANT
      const key = places.join()
      const shared = known.get(key)
      if (shared !== undefined) return shared
      if (known.size >= SHARED_MAX) known.clear()
      known.set(key, places)
      return places
    },
    means: (at) => at === MEANT,
  }
}

/** Whether a glob matches a name without slashes. Throws GlobError. */
export function nameMatcher(globs: readonly string[]): Matcher {
  const followed = new Followed(alternativesOf(globs).map(tokensOf))
  return (name) => followed.isMeant(followed.after(followed.start, name))
}

/** All alternatives of the globs, without braces. */
function alternativesOf(globs: readonly string[]): string[] {
  const all = globs.flatMap(withoutBraces)
  if (all.reduce((sum, { length }) => sum + length, 0) > ALTERNATIVES_LENGTH_MAX)
    throw new GlobError(
      `${globs.map((its) => `'${its}'`).join(', ')}: that is globs of more than ${ALTERNATIVES_LENGTH_MAX} characters`,
    )
  return all
}

function withoutBraces(glob: string): string[] {
  if (glob === '') throw new GlobError('an empty glob means nothing')
  if (glob.length > GLOB_LENGTH_MAX) throw new GlobError('a glob is too long')
  const done: string[] = []
  const waiting = [glob]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const choices = firstBraces(next)
    if (choices === undefined) done.push(next)
    else waiting.push(...choices.reverse())
    if (done.length + waiting.length > ALTERNATIVES_MAX)
      throw new GlobError(`'${glob}' stands for more than ${ALTERNATIVES_MAX} globs`)
  }
  return done
}

/** The globs that result from expanding the first braces with a comma; undefined without such. */
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

/** The alternatives in the braces that open at `from`; undefined if they do not close. */
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
      if (isWhole && chars[end] === '/') {
        if (tokens.at(-1) !== 'directories') tokens.push('directories')
      } else tokens.push(isWhole && end === chars.length ? 'rest' : 'star')
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

/** The class [...] that opens at `from`; without a closing bracket, a literal '['. */
function classOf(chars: readonly string[], from: number): { token: Token; end: number } {
  const isNegated = chars[from + 1] === '!' || chars[from + 1] === '^'
  const first = from + (isNegated ? 2 : 1)
  // A bracket in first place is a member of the class.
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

/** Matches texts with all globs at once. */
class Followed {
  readonly #tokens: readonly Token[]
  readonly start: Places
  /** By position: the last character that reached it, so that no position is twice in a list. */
  readonly #reached: Float64Array
  #character = 1

  constructor(globs: readonly Token[][]) {
    this.#tokens = globs.flatMap((tokens) => [...tokens, 'end' as const])
    this.#reached = new Float64Array(this.#tokens.length)
    const start: number[] = []
    let at = 0
    for (const tokens of globs) {
      this.#arrive(at, start)
      at += tokens.length + 1
    }
    this.start = start
  }

  /** The positions after a text; MEANT: everything that may follow matches. */
  after(from: Places, text: string): Places {
    let places = from
    for (const char of text) {
      this.#character++
      const next: number[] = []
      for (const place of places) {
        const token = this.#tokens[place]
        if (token === 'rest') return MEANT
        if (token === 'star') {
          if (char !== '/') this.#arrive(place, next)
        } else if (token === 'directories') {
          // A character of a directory's name keeps the position; a slash may end it.
          if (char === '/') this.#arrive(place, next)
          else next.push(place)
        } else if (token !== 'end' && token?.(char)) this.#arrive(place + 1, next)
      }
      if (next.length === 0) return NOT_MEANT
      places = next
    }
    return places
  }

  isMeant(places: Places): boolean {
    return places === MEANT || places.some((place) => this.#tokens[place] === 'end')
  }

  /**
   * Adds a position and those reached from it without a character, of which there are three at
   * most.
   */
  #arrive(place: number, places: number[]): void {
    for (let at = place; this.#reached[at] !== this.#character; at++) {
      this.#reached[at] = this.#character
      places.push(at)
      const token = this.#tokens[at]
      if (token === 'end' || typeof token === 'function') return
    }
  }
}
