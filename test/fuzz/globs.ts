// Fuzzer of globs: each is refused with a message or compiled, and matches the same as a slow
// reference implementation; escaped characters stand for themselves.

import { GlobError, globRule, nameMatcher, pathMatcher } from '../../src/base/glob.ts'
import { type Random, randomFrom } from '../support/random.ts'
import type { FuzzInput } from './input.ts'
import { textOf } from './mutate.ts'

const GLOBS = 100
const PATHS = 8
/** A slow reading of more would take for ever. */
const SLOW_CHARS = 40
const SLOW_STARS = 4

const pieces = [
  '*',
  '**',
  '**/',
  '/**',
  '/',
  '?',
  '[',
  ']',
  '[a-c]',
  '[!a]',
  '[^b]',
  '[]a]',
  '{',
  '}',
  ',',
  '{a,b}',
  '\\',
  'a',
  'b',
  'c',
  '-',
  '!',
]
const parts = ['a', 'b', 'c', '/', '-', '!', '*', '{', '\u00fc', 'ab']

export const globsInput: FuzzInput = {
  canary: /means otherwise/,
  seeds: 15,
  open: async ({ isBroken }) => ({
    async run(seed) {
      const random = randomFrom(seed)
      for (let at = 0; at < GLOBS; at++) tryGlob(textOf(pieces, random, 9), random, isBroken)
    },
    close: async () => undefined,
  }),
}

function tryGlob(glob: string, random: Random, isBroken: boolean): void {
  const names = Array.from({ length: PATHS }, () => textOf(parts, random, 6))
  for (const name of names) assertEscaped(name.replaceAll('/', ''))
  let matches: (path: string) => boolean
  try {
    const named = nameMatcher([glob])
    for (const name of names) named(name)
    matches = pathMatcher([glob])
    const rule = globRule([glob, 'a/**'])
    for (const name of names) rule.means(rule.enter(rule.top, name))
  } catch (error) {
    if (error instanceof GlobError) return
    throw error
  }
  if (glob.split('*').length > SLOW_STARS + 1) return
  if (glob.length > SLOW_CHARS || /[{}\\[\]]|[\ud800-\udfff]/.test(glob)) return
  for (const path of names) {
    if (path.length > SLOW_CHARS || /^\/|\/\/|\/$|^$|[\ud800-\udfff]/.test(path)) continue
    const wanted = slowly(isBroken ? glob.replaceAll('?', '*') : glob, path)
    if (matches(path) !== wanted)
      throw new Error(
        `${JSON.stringify(glob)} means otherwise: ${JSON.stringify(path)}, not ${wanted}`,
      )
  }
}

function assertEscaped(name: string): void {
  // A text is no sequence of halves of characters.
  if (name === '' || name.length > 500 || !name.isWellFormed()) return
  const glob = [...name].map((char) => `\\${char}`).join('')
  if (!nameMatcher([glob])(name)) throw new Error(`${JSON.stringify(glob)} does not mean itself`)
}

/**
 * Whether a path or a directory above it is meant by a glob without classes, braces and escapes; by
 * the words of docs alone.
 */
function slowly(glob: string, path: string): boolean {
  const names = path.split('/')
  const anchored = glob.startsWith('/')
  let bare = anchored ? glob.slice(1) : glob
  if (glob.endsWith('/**')) bare = glob.slice(anchored ? 1 : 0, -3)
  if (glob === '/**') bare = '**'
  for (let depth = 1; depth <= names.length; depth++)
    for (let from = 0; from < (anchored ? 1 : depth); from++)
      if (isMeant(bare, names.slice(from, depth).join('/'))) return true
  return false
}

function isMeant(glob: string, text: string): boolean {
  const stars = /^\*+/.exec(glob)?.[0]
  if (stars === '**' && glob[2] === '/') {
    const rest = glob.slice(3)
    const starts = [0, ...[...text].flatMap((char, at) => (char === '/' ? [at + 1] : []))]
    return starts.some((at) => isWholeMeant(rest, text.slice(at)))
  }
  return isWholeMeant(glob, text)
}

/** `isWhole`: the glob's next stars stand behind a slash or at its beginning. */
function isWholeMeant(glob: string, text: string, isWhole = true): boolean {
  const [first] = glob
  if (first === undefined) return text === ''
  if (first !== '*') {
    const isFit = text !== '' && (first === '?' ? text[0] !== '/' : text[0] === first)
    return isFit && isWholeMeant(glob.slice(1), text.slice(1), first === '/')
  }
  const stars = /^\*+/.exec(glob)?.[0] ?? ''
  const rest = glob.slice(stars.length)
  if (isWhole && stars === '**' && rest === '') return true
  if (isWhole && stars === '**' && rest[0] === '/') return isMeant(glob, text)
  for (let at = 0; ; at++) {
    if (isWholeMeant(rest, text.slice(at), false)) return true
    if (at >= text.length || text[at] === '/') return false
  }
}
