// A plan as an expression of FTS5's MATCH. Knows FTS5's grammar and limits (sqlite.org/fts5.html,
// "Full-text Query Syntax"), and no database.

import { StoreError } from '../store/store.ts'
import type { Field, Phrase, Plan } from './engine.ts'

/** The FTS5 table that holds texts or files. */
export type WordTable = 'search_body' | 'search_path'

export interface Match {
  readonly table: WordTable
  readonly expression: string
}

type Leaf = Extract<Plan, { kind: 'phrase' | 'near' }>

/** FTS5's parser has a stack of fixed size, which some 95 parentheses within each other fill. */
const DEPTH_MAX = 80
/**
 * FTS5 compares each word of a phrase, and each member of an 'or', with all others in places:
 * beyond this it takes seconds.
 */
const WORDS_MAX = 5000
/**
 * Members in a row, between parentheses: without those, joining them takes the square of their
 * number.
 */
const ROW = 100

const columns: Readonly<Record<Field, { readonly table: WordTable; readonly name: string }>> = {
  body: { table: 'search_body', name: 'body' },
  bodyWhole: { table: 'search_body', name: 'body_whole' },
  name: { table: 'search_path', name: 'name' },
  nameWhole: { table: 'search_path', name: 'name_whole' },
  path: { table: 'search_path', name: 'path' },
  pathWhole: { table: 'search_path', name: 'path_whole' },
}

/** Throws StoreError 'io' for a plan that is larger than FTS5 can take. */
export function matchOf(plan: Plan): Match {
  const compiler = new Compiler()
  const expression = compiler.compile(plan, 0)
  if (compiler.table === undefined) throw new TypeError('a plan without words')
  return { table: compiler.table, expression }
}

class Compiler {
  table: WordTable | undefined
  #words = 0

  /** The expression, in parentheses unless it is of one member. */
  compile(plan: Plan, depth: number): string {
    if (depth > DEPTH_MAX)
      throw tooLarge(`holds more than ${DEPTH_MAX} operators within each other`)
    if (plan.kind === 'phrase' || plan.kind === 'near') return this.#leaf(plan)
    if (plan.kind !== 'not') return this.#join(plan.kind, membersOf(plan.kind, plan), depth)
    const { include, excluded } = parts(plan)
    const included = this.compile(include, depth + 1)
    return `(${included} NOT ${this.#join('or', excluded, depth + 1)})`
  }

  #join(kind: 'and' | 'or', members: readonly Plan[], depth: number): string {
    // A chain of members was no level within another, but its words count.
    this.#count(members.length)
    const distinct = [...new Set(members.map((member) => this.compile(member, depth + 1)))]
    if (distinct.length === 0) throw new TypeError(`'${kind}' of nothing`)
    const operator = kind === 'and' ? ' AND ' : ' OR '
    let row = distinct
    while (row.length > ROW) {
      const rows = Array.from({ length: Math.ceil(row.length / ROW) }, (_, i) =>
        row.slice(i * ROW, (i + 1) * ROW),
      )
      row = rows.map((some) => `(${some.join(operator)})`)
    }
    return row.length === 1 ? (row[0] ?? '') : `(${row.join(operator)})`
  }

  #leaf(leaf: Leaf): string {
    const { table, name } = columns[leaf.field]
    this.table ??= table
    if (leaf.kind === 'phrase') return `${name} : ${this.#phrase(leaf)}`
    const phrases = leaf.phrases.map((phrase) => this.#phrase(phrase))
    return `${name} : NEAR(${phrases.join(' ')}, ${leaf.distance})`
  }

  #phrase({ words, prefix }: Phrase): string {
    this.#count(words.length)
    return `"${words.join(' ').replaceAll('"', '""')}"${prefix ? ' *' : ''}`
  }

  #count(words: number): void {
    this.#words += words
    if (this.#words > 2 * WORDS_MAX) throw tooLarge(`has more than ${WORDS_MAX} words`)
  }
}

/** The members of an 'and' of 'and's, or an 'or' of 'or's, as one list, in their order. */
function membersOf(kind: 'and' | 'or', plan: Plan): Plan[] {
  const members: Plan[] = []
  const left = [plan]
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    if (next.kind === kind) for (const member of next.of.toReversed()) left.push(member)
    else members.push(next)
  }
  return members
}

/** (a not b) not c as a, and what must not be: b or c. */
function parts(plan: Plan): { include: Plan; excluded: Plan[] } {
  const excluded: Plan[] = []
  let include = plan
  while (include.kind === 'not') {
    excluded.push(include.exclude)
    include = include.include
  }
  return { include, excluded: excluded.flatMap((member) => membersOf('or', member)) }
}

function tooLarge(why: string): StoreError {
  return new StoreError('io', `the search is too large: it ${why}`)
}
