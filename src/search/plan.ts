// What an engine is asked for a leaf of a query, and for the part of a query that bodies alone can
// answer. Stands between the language (query.ts) and the engines (engine.ts); how the answers are
// put together is in evaluate.ts.
//
//   fooBar   foo bar, side by side, or foobar, as a word or as the joined form of an identifier
//   foobar   as a word, or as the joined form of an identifier
//   c1c2c3   pairs: c1c2 c2c3; the text may go on after c3. c1 alone: any pair that it begins

import { CONTEXT_WORDS, type Field, type Phrase, type Plan } from './engine.ts'
import type { Leaf, Query, Term } from './query.ts'

type Column = 'body' | 'name' | 'path'

const wholeOf: Readonly<Record<Column, Field>> = {
  body: 'bodyWhole',
  name: 'nameWhole',
  path: 'pathWhole',
}

/** Where texts have the leaf; undefined when it is of names or paths alone. */
export function bodyPlan(leaf: Leaf): Plan | undefined {
  if (leaf.field === 'name' || leaf.field === 'path') return undefined
  return anyOf(formsOf(leaf, 'body'))
}

/**
 * Which files have the leaf in their path; undefined when it is of bodies alone. A path ends with
 * the name, so asking for the name, too, finds no more: it gives names a higher score.
 */
export function filePlan(leaf: Leaf): Plan | undefined {
  if (leaf.field === 'body') return undefined
  if (leaf.field === 'name') return anyOf(formsOf(leaf, 'name'))
  const inPath = formsOf(leaf, 'path')
  return anyOf(leaf.field === 'path' ? inPath : [...inPath, ...formsOf(leaf, 'name')])
}

/**
 * The texts for which a query can be true by their bodies. `assumed` gives the value that is
 * assumed for a leaf; undefined: ask the body. As long as that errs towards the query being true,
 * no text is missing. Returns true for any text, false for none.
 */
export function textPlan(
  query: Query,
  assumed: (leaf: Leaf) => boolean | undefined,
): Plan | boolean {
  switch (query.kind) {
    case 'phrase':
    case 'near':
      return assumed(query) ?? bodyPlan(query) ?? false
    case 'and':
    case 'or':
      return combined(
        query.kind,
        query.of.map((member) => textPlan(member, assumed)),
      )
    case 'not':
      return difference(textPlan(query.include, assumed), textPlan(query.exclude, assumed))
  }
}

/**
 * Of a plan for a leaf that may hold more words in a row than are sure to be in one piece: what
 * must be in a text for it, each in some piece. Undefined for one that holds fewer: a piece has all
 * of it.
 */
export function partsOf(plan: Plan): Plan[] | undefined {
  const leaf = plan.kind === 'or' ? plan.of[0] : plan
  if (leaf?.kind === 'phrase') return leaf.words.length > CONTEXT_WORDS ? cut(leaf) : undefined
  if (leaf?.kind !== 'near') return undefined
  const { field, phrases, distance } = leaf
  const longest = phrases.reduce((most, { words }) => Math.max(most, words.length), 0)
  if (distance + 2 * longest <= CONTEXT_WORDS) return undefined
  return phrases.flatMap((phrase) => cut({ kind: 'phrase', field, ...phrase }))
}

function cut(phrase: Plan & { kind: 'phrase' }): Plan[] {
  const { words, prefix } = phrase
  const parts: Plan[] = []
  for (let index = 0; index < words.length; index += CONTEXT_WORDS) {
    const end = index + CONTEXT_WORDS
    parts.push({ ...phrase, words: words.slice(index, end), prefix: prefix && end >= words.length })
  }
  return parts
}

/** The words of a term as they must follow each other. */
export function phraseOf({ runs, prefix }: Term): Phrase {
  const words = runs.flatMap((run) => run.words)
  const last = runs.at(-1)
  if (last?.isUnspaced !== true) return { words, prefix }
  // The last character alone is a word only where the run ends.
  return last.words.length === 1
    ? { words, prefix: true }
    : { words: words.slice(0, -1), prefix: false }
}

/** The joined form to look for when a term may be an identifier. */
export function identifierOf({ runs }: Term): string | undefined {
  const [run] = runs
  if (run === undefined || runs.length > 1 || run.isUnspaced) return undefined
  return run.whole ?? run.words[0]
}

function formsOf(leaf: Leaf, field: Column): Plan[] {
  if (leaf.kind === 'near') {
    const { terms, distance } = leaf
    return [{ kind: 'near', field, phrases: terms.map(phraseOf), distance }]
  }
  const { term } = leaf
  const phrase = phraseOf(term)
  const forms: Plan[] = [{ kind: 'phrase', field, ...phrase }]
  const identifier = identifierOf(term)
  if (identifier !== undefined) {
    const joined = { kind: 'phrase', words: [identifier], prefix: term.prefix } as const
    if (phrase.words.length > 1) forms.push({ ...joined, field })
    forms.push({ ...joined, field: wholeOf[field] })
  }
  return forms
}

export function anyOf(plans: readonly Plan[]): Plan {
  const [first, second] = plans
  return first !== undefined && second === undefined ? first : { kind: 'or', of: plans }
}

function combined(kind: 'and' | 'or', members: readonly (Plan | boolean)[]): Plan | boolean {
  const deciding = kind === 'or'
  if (members.includes(deciding)) return deciding
  const plans = members.filter((member) => typeof member !== 'boolean')
  const [first, second] = plans
  if (first === undefined) return !deciding
  return second === undefined ? first : { kind, of: plans }
}

function difference(include: Plan | boolean, exclude: Plan | boolean): Plan | boolean {
  if (include === false || exclude === true) return false
  // All but some: no engine is asked that.
  if (include === true || exclude === false) return include
  return { kind: 'not', include, exclude }
}
