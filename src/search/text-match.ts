// Whether one text has what a plan looks for, without an index: for versions of which the index is
// not sure. Follows engine.ts in what a plan means.

import { wordsOf } from './analyze.ts'
import type { Phrase, Plan } from './engine.ts'

/** The words of a text, ready to be asked. */
interface TextWords {
  readonly parts: readonly string[]
  readonly wholes: readonly string[]
}

export function textWords(text: string): TextWords {
  const { parts, whole } = wordsOf(text)
  return { parts: parts.split(' '), wholes: whole.split(' ') }
}

/** A plan of bodies. */
export function isIn(plan: Plan, text: TextWords): boolean {
  switch (plan.kind) {
    case 'phrase':
      return startsOf(plan, plan.field === 'bodyWhole' ? text.wholes : text.parts).length > 0
    case 'near':
      return isNear(plan, text.parts)
    case 'and':
      return plan.of.every((member) => isIn(member, text))
    case 'or':
      return plan.of.some((member) => isIn(member, text))
    case 'not':
      return isIn(plan.include, text) && !isIn(plan.exclude, text)
  }
}

/** Where a phrase begins, in order. */
function startsOf({ words: sought, prefix }: Phrase, words: readonly string[]): number[] {
  const starts: number[] = []
  const last = sought.length - 1
  for (let start = 0; start + last < words.length; start++) {
    let index = 0
    while (index < last && words[start + index] === sought[index]) index++
    const word = words[start + index] ?? ''
    const end = sought[last] ?? ''
    if (index === last && (prefix ? word.startsWith(end) : word === end)) starts.push(start)
  }
  return starts
}

/**
 * Some phrase begins where each begins or began, and the others end no further before it than the
 * distance.
 */
function isNear(near: Plan & { kind: 'near' }, words: readonly string[]): boolean {
  const all = near.phrases.map((phrase) => ({
    length: phrase.words.length,
    starts: startsOf(phrase, words),
    next: 0,
  }))
  const ends = [...new Set(all.flatMap(({ starts }) => starts))].sort((a, b) => a - b)
  return ends.some((end) =>
    all.every((phrase) => {
      while ((phrase.starts[phrase.next] ?? Number.POSITIVE_INFINITY) <= end) phrase.next++
      const nearest = phrase.starts[phrase.next - 1]
      return nearest !== undefined && end - (nearest + phrase.length) <= near.distance
    }),
  )
}
