// The text of a query as tokens, for the parser in query.ts, and the error that both throw. What
// has a meaning to the language: spaces, ", (, ), *, :, and a comma within NEAR. All else is part
// of a word, of which analyze.ts takes letters and digits.

/**
 * The query is not of the language. `position` is where, in characters from 0; the message says it
 * from 1.
 */
export class QuerySyntaxError extends Error {
  readonly position: number

  /** `offset` is in UTF-16 units; `hint` says what to do. */
  constructor(message: string, text: string, offset: number, hint = '') {
    const position = [...text.slice(0, offset)].length
    super(`${message} at character ${position + 1}${hint === '' ? '' : `: ${hint}`}`)
    this.name = 'QuerySyntaxError'
    this.position = position
  }
}

type TokenKind =
  | 'text'
  | 'field'
  | 'near'
  | 'open'
  | 'close'
  | 'comma'
  | 'and'
  | 'or'
  | 'not'
  | 'end'

/** `text` is what a text or a field says, `position` its offset in UTF-16 units. */
export interface Token {
  readonly kind: TokenKind
  readonly text: string
  readonly prefix: boolean
  readonly position: number
}

const fields: readonly string[] = ['name', 'path', 'body']
const operators: ReadonlyMap<string, TokenKind> = new Map([
  ['AND', 'and'],
  ['OR', 'or'],
  ['NOT', 'not'],
])

/**
 * All tokens, the last one 'end'. Throws QuerySyntaxError, also for a text of more characters than
 * that.
 */
export function tokensOf(text: string, lengthMax: number): Token[] {
  if (text.length > lengthMax)
    throw new QuerySyntaxError('the query is too long', text, lengthMax, 'cut it here')
  const lexer = new Lexer(text)
  const tokens: Token[] = []
  do tokens.push(lexer.next())
  while (tokens.at(-1)?.kind !== 'end')
  return tokens
}

class Lexer {
  readonly #text: string
  #index = 0
  #isInNear = false

  constructor(text: string) {
    this.#text = text
  }

  next(): Token {
    this.#take(/\s+/y)
    const position = this.#index
    const character = this.#text[position]
    switch (character) {
      case undefined:
        return tokenOf('end', '', position)
      case '(':
        this.#index++
        return tokenOf('open', character, position)
      case ')':
        this.#index++
        this.#isInNear = false
        return tokenOf('close', character, position)
      case '"':
        return this.#quoted(position)
      case '*':
        throw this.#error("'*' belongs at the end of a word", position)
      case ':':
        throw this.#error('no field', position, this.#fieldHint(position))
      default:
        return this.#word(position)
    }
  }

  #word(position: number): Token {
    if (this.#isInNear && this.#take(/,/y) !== '') return tokenOf('comma', ',', position)
    const text = this.#take(this.#isInNear ? /[^\s"()*:,]+/y : /[^\s"()*:]+/y)
    const after = this.#text[this.#index]
    if (after === ':') return this.#field(text, position)
    if (after === '(' && text === 'NEAR') {
      this.#index++
      this.#isInNear = true
      return tokenOf('near', text, position)
    }
    const prefix = this.#star()
    return tokenOf((prefix ? undefined : operators.get(text)) ?? 'text', text, position, prefix)
  }

  #field(text: string, position: number): Token {
    if (!fields.includes(text))
      throw this.#error(`no field '${text}'`, position, this.#fieldHint(position))
    this.#index++
    return tokenOf('field', text, position)
  }

  /** Two quotes within quotes are one, as in FTS5. */
  #quoted(position: number): Token {
    const quoted = this.#take(/"(?:[^"]|"")*"(?!")/y)
    if (quoted === '') throw this.#error('unclosed quote', position)
    const text = quoted.slice(1, -1).replaceAll('""', '"')
    return tokenOf('text', text, position, this.#star())
  }

  /** Takes the star of a prefix. */
  #star(): boolean {
    if (this.#text[this.#index] !== '*') return false
    const after = this.#text[this.#index + 1]
    if (after !== undefined && !/[\s()]/.test(after) && !(after === ',' && this.#isInNear))
      throw this.#error("'*' belongs at the end of a word", this.#index)
    this.#index++
    return true
  }

  /** How to look for what has a colon. */
  #fieldHint(position: number): string {
    const text = /[^\s"()*]*/y
    text.lastIndex = position
    return `fields are name, path and body; for the text itself write "${text.exec(this.#text)?.[0] ?? ''}"`
  }

  /** Takes what the pattern finds here, '' when it finds nothing. */
  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#index
    const [found = ''] = pattern.exec(this.#text) ?? []
    this.#index += found.length
    return found
  }

  #error(message: string, offset: number, hint?: string): QuerySyntaxError {
    return new QuerySyntaxError(message, this.#text, offset, hint)
  }
}

function tokenOf(kind: TokenKind, text: string, position: number, prefix = false): Token {
  return { kind, text, prefix, position }
}
