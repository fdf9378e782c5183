// Random documents and plans over so few words that much is found. The same generator gives the
// same ones.

import type { FileDocument, Plan, Stretch, TextDocument, Words } from '../../src/search/engine.ts'
import type { Random } from '../support/random.ts'
import { file, text } from './plans.ts'

/** Some are the beginning of others; two are pairs of CJK characters. */
const WORDS = ['a', 'ab', 'abc', 'b', 'ba', 'c1', '\u4e2d\u6587', '\u6587', '\u00e6']
const WHOLES = ['abc', 'abcb', 'bab', 'cab']
const WORDS_MAX = 12
const DEPTH_MAX = 4

type Kind = 'texts' | 'files'

const fields = {
  texts: { ordered: ['body'], whole: ['bodyWhole'] },
  files: { ordered: ['name', 'path'], whole: ['nameWhole', 'pathWhole'] },
} as const

export function randomText(id: number, random: Random): TextDocument {
  const { parts, whole } = randomWords(random)
  return text(id, parts, whole)
}

export function randomFile(ino: number, random: Random): FileDocument {
  return file(ino, randomWords(random), randomWords(random))
}

export function randomStretch(id: number, random: Random): Stretch {
  const first = 1 + random.below(9)
  const start = random.below(1000)
  return {
    ...{ id, ino: 1 + random.below(30), first, last: first + random.below(9) },
    ...{ start, end: start + random.below(1000) },
  }
}

/** A plan of texts or of files. */
export function randomPlan(kind: Kind, random: Random, depth = 0): Plan {
  const member = () => randomPlan(kind, random, depth + 1)
  const choice = random.below(depth < DEPTH_MAX ? 10 : 5)
  if (choice < 5) return randomLeaf(kind, random)
  if (choice === 9) return { kind: 'not', include: member(), exclude: member() }
  const of = Array.from({ length: 1 + random.below(3) }, member)
  return { kind: choice < 7 ? 'and' : 'or', of }
}

function randomLeaf(kind: Kind, random: Random): Plan {
  if (random.below(5) === 0)
    return { kind: 'phrase', field: random.pick(fields[kind].whole), ...randomPhrase(random, 1) }
  const field = random.pick(fields[kind].ordered)
  if (random.below(3) > 0) return { kind: 'phrase', field, ...randomPhrase(random, 3) }
  const phrases = Array.from({ length: 1 + random.below(3) }, () => randomPhrase(random, 2))
  return { kind: 'near', field, phrases, distance: random.below(5) }
}

function randomPhrase(random: Random, longest: number): { words: string[]; prefix: boolean } {
  const length = 1 + random.below(longest)
  const words = Array.from({ length }, () => random.pick([...WORDS, ...WHOLES]))
  return { words, prefix: random.below(3) === 0 }
}

function randomWords(random: Random): Words {
  const some = (from: readonly string[], most: number) =>
    Array.from({ length: random.below(most + 1) }, () => random.pick(from)).join(' ')
  return { parts: some(WORDS, WORDS_MAX), whole: some(WHOLES, 2) }
}
