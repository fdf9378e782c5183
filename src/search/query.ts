// The query language, from text to a tree. docs/search.md tells users what it is. What a tree finds
// is in evaluate.ts, what an engine is asked for it in plan.ts. Knows words (analyze.ts), no index.
//
//   query   := any
//   any     := all (OR all)*
//   all     := factor ([AND] factor)*           side by side is AND
//   factor  := [NOT] [field:] primary           with something beside it that is not under NOT
//   primary := word[*] | "phrase"[*] | NEAR(phrases[, distance]) | ( any )
//
// Words of punctuation alone are left out as long as something else is left.

import { type Run, runsOf } from './analyze.ts'
import { QuerySyntaxError, type Token, tokensOf } from './tokens.ts'

export { QuerySyntaxError } from './tokens.ts'

/** A query without a field is for the body or the path. */
type QueryField = 'name' | 'path' | 'body'

/** What stands between spaces, or within quotes, as words: one run or more. */
export interface Term {
  readonly runs: readonly Run[]
  readonly prefix: boolean
}

export type Leaf =
  | { readonly kind: 'phrase'; readonly field: QueryField | undefined; readonly term: Term }
  | {
      readonly kind: 'near'
      readonly field: QueryField | undefined
      readonly terms: readonly Term[]
      readonly distance: number
    }

/**
 * 'and' and 'or' have at least two members. Some leaf that is not excluded holds wherever the tree
 * does.
 */
export type Query =
  | Leaf
  | { readonly kind: 'and' | 'or'; readonly of: readonly Query[] }
  | { readonly kind: 'not'; readonly include: Query; readonly exclude: Query }

/** In characters. */
const QUERY_LENGTH_MAX = 4096
/**
 * Words and phrases: FTS5's limit is 256 nodes deep, and each may be looked for in several forms.
 */
const LEAVES_MAX = 128
/** Each occurrence of its last word may be compared with all of a phrase. */
const PHRASE_WORDS_MAX = 64
/** Trees are walked by recursion, here and in the engines. */
const DEPTH_MAX = 50
const DISTANCE_DEFAULT = 10
const DISTANCE_MAX = 10_000

/** The tree of a query; throws QuerySyntaxError. */
export function parseQuery(text: string): Query {
  const tokens = tokensOf(text, QUERY_LENGTH_MAX)
  if (tokens[0]?.kind === 'end') throw new QuerySyntaxError('the query is empty', text, 0)
  const parser = new Parser(text, tokens)
  return parser.whole()
}

class Parser {
  readonly #text: string
  readonly #tokens: readonly Token[]
  #index = 0
  #leaves = 0

  constructor(text: string, tokens: readonly Token[]) {
    this.#text = text
    this.#tokens = tokens
  }

  whole(): Query {
    const query = this.#any(undefined, 0)
    const token = this.#peek()
    if (token.kind === 'close') throw this.#error('a closing parenthesis too many', token)
    return query
  }

  #any(field: QueryField | undefined, depth: number): Query {
    const members = [this.#all(field, depth)]
    while (this.#peek().kind === 'or') {
      this.#next()
      members.push(this.#all(field, depth))
    }
    return groupOf('or', members)
  }

  #all(field: QueryField | undefined, depth: number): Query {
    const first = this.#peek()
    const wanted: Query[] = []
    const excluded: Query[] = []
    for (let isFirst = true; isFirst || !this.#isEndOfAll(); isFirst = false) {
      if (!isFirst && this.#peek().kind === 'and') this.#next()
      const token = this.#peek()
      if (token.kind !== 'not') wanted.push(...this.#factor(field, depth))
      else {
        this.#next()
        const [query] = this.#factor(field, depth)
        if (query === undefined) throw this.#error(NOTHING_TO_FIND, this.#previous())
        excluded.push(query)
      }
    }
    if (wanted.length > 0) return without(groupOf('and', wanted), excluded)
    if (excluded.length === 0) throw this.#error(NOTHING_TO_FIND, first)
    throw this.#error('NOT alone finds nothing', first, 'say what to find, as in: this NOT that')
  }

  #isEndOfAll(): boolean {
    const { kind } = this.#peek()
    return kind === 'or' || kind === 'close' || kind === 'end'
  }

  /** One query, or none for punctuation. */
  #factor(field: QueryField | undefined, depth: number): Query[] {
    const before = this.#tokens[this.#index - 1]
    const token = this.#next()
    switch (token.kind) {
      case 'text':
        return this.#term(token).map((term) => ({ kind: 'phrase', field, term }))
      case 'near':
        return [this.#near(field, token)]
      case 'open':
        return [this.#group(field, depth, token)]
      case 'field':
        return [this.#ofField(field, depth, token)]
      default:
        throw this.#missing(token, before)
    }
  }

  /** What is wrong where a word or phrase was due. */
  #missing(token: Token, before: Token | undefined): QuerySyntaxError {
    switch (before?.kind) {
      case 'and':
      case 'or':
      case 'not':
        return this.#error(`nothing after ${before.text}`, before, QUOTE_OPERATOR)
      case 'field':
        return this.#error(`nothing after ${before.text}:`, before)
      case 'open':
        if (token.kind === 'end') return this.#error('unclosed parenthesis', before)
        if (token.kind === 'close')
          return this.#error('nothing within the parentheses', before, 'they group words')
        return this.#error(`nothing before ${token.text}`, token, QUOTE_OPERATOR)
      default:
        return this.#error(`nothing before ${token.text}`, token, QUOTE_OPERATOR)
    }
  }

  #term(token: Token): Term[] {
    if (++this.#leaves > LEAVES_MAX)
      throw this.#error(`more than ${LEAVES_MAX} words and phrases`, token)
    const runs = runsOf(token.text)
    const count = runs.reduce((sum, { words }) => sum + words.length, 0)
    if (count > PHRASE_WORDS_MAX)
      throw this.#error(`a phrase of more than ${PHRASE_WORDS_MAX} words`, token, 'shorten it')
    return runs.length === 0 ? [] : [{ runs, prefix: token.prefix }]
  }

  #group(field: QueryField | undefined, depth: number, open: Token): Query {
    if (depth === DEPTH_MAX) throw this.#error(`parentheses more than ${DEPTH_MAX} deep`, open)
    const query = this.#any(field, depth + 1)
    if (this.#next().kind !== 'close') throw this.#error('unclosed parenthesis', open)
    return query
  }

  #ofField(outer: QueryField | undefined, depth: number, token: Token): Query {
    if (outer !== undefined)
      throw this.#error(`${token.text}: within the parentheses of ${outer}:`, token)
    const next = this.#peek()
    if (next.kind === 'field') throw this.#error(`${next.text}: right after ${token.text}:`, next)
    const [query] = this.#factor(token.text as QueryField, depth)
    if (query === undefined) throw this.#error(NOTHING_TO_FIND, next)
    return query
  }

  #near(field: QueryField | undefined, open: Token): Query {
    const terms: Term[] = []
    let token = this.#next()
    for (; token.kind === 'text'; token = this.#next()) terms.push(...this.#term(token))
    if (terms.length === 0 && (token.kind === 'close' || token.kind === 'comma'))
      throw this.#error('nothing within NEAR', open, 'write NEAR(this that, 5)')
    const distance = token.kind === 'comma' ? this.#distance(token) : DISTANCE_DEFAULT
    if (token.kind === 'comma') token = this.#next()
    if (token.kind === 'end') throw this.#error('unclosed parenthesis of NEAR', open)
    if (token.kind !== 'close') throw this.#error('NEAR takes words and phrases only', token)
    return { kind: 'near', field, terms, distance }
  }

  #distance(comma: Token): number {
    const token = this.#peek()
    const distance = Number(token.text)
    if (!/^\d+$/.test(token.text) || token.prefix || distance > DISTANCE_MAX)
      throw this.#error(`NEAR's distance is a number from 0 to ${DISTANCE_MAX}`, comma)
    this.#next()
    return distance
  }

  #peek(): Token {
    return this.#tokens[this.#index] as Token
  }

  /** The end is met again and again. */
  #next(): Token {
    const token = this.#peek()
    if (this.#index < this.#tokens.length - 1) this.#index++
    return token
  }

  #previous(): Token {
    return this.#tokens[this.#index - 1] as Token
  }

  #error(message: string, { position }: Token, hint?: string): QuerySyntaxError {
    return new QuerySyntaxError(message, this.#text, position, hint)
  }
}

const NOTHING_TO_FIND = 'nothing to look for (no letter and no digit)'
const QUOTE_OPERATOR = 'AND, OR and NOT stand between words; to look for one of them, quote it'

function groupOf(kind: 'and' | 'or', members: readonly Query[]): Query {
  const [first, second] = members
  return first !== undefined && second === undefined ? first : { kind, of: members }
}

function without(include: Query, excluded: readonly Query[]): Query {
  return excluded.length === 0
    ? include
    : { kind: 'not', include, exclude: groupOf('or', excluded) }
}
