// Shows where a text has what a query looks for: lines, or pieces of long lines, with the matched
// words marked. Made from the vault's own text when a result is shown; the index keeps none. Reads
// the text once, whatever its lines, and holds only the best fragments.

import { visitWords } from './analyze.ts'
import type { Phrase } from './engine.ts'
import { classOf, UNSPACED } from './fold.ts'
import { identifierOf, phraseOf } from './plan.ts'
import type { Leaf, Query } from './query.ts'

/**
 * `line` counts from 1. Marks are [start, end) in UTF-16 units of `text`, in order, and do not
 * touch.
 */
export interface Fragment {
  readonly line: number
  /**
   * As in the text, but without characters that would steer a terminal: they are replaced, one by
   * one.
   */
  readonly text: string
  readonly marks: readonly (readonly [number, number])[]
  /** Whether the line begins before, or goes on after. */
  readonly isCutBefore: boolean
  readonly isCutAfter: boolean
}

/** A fragment is at most this long; what is before its first mark, at most that. */
const FRAGMENT_LENGTH_MAX = 200
const BEFORE_LENGTH_MAX = 60
/** So that what is marked together fits. */
const MARKED_LENGTH_MAX = FRAGMENT_LENGTH_MAX - BEFORE_LENGTH_MAX

/** What to look for: words in a row, and the joined form of an identifier. */
interface Target {
  readonly phrase: Phrase
  readonly identifier: string | undefined
}

/** Matched words that fit in one fragment. */
interface Place {
  readonly line: number
  readonly lineStart: number
  readonly marks: [number, number][]
  /** What it has, and how much that counts. */
  readonly targets: Map<Target, number>
}

/**
 * At most `count` fragments of the text, in its order: those with the most of the query, and one
 * for each of its words and phrases as far as there is room. None when the text has nothing of it.
 */
export function snippets(text: string, query: Query, count: number): Fragment[] {
  const targets = wantedLeaves(query).flatMap(targetsOf)
  if (targets.length === 0 || count <= 0) return []
  const best = new BestPlaces(count)
  const matcher = new Matcher(text, targets, best)
  visitWords(text, matcher)
  matcher.end()
  return best.chosen(targets).map((place) => fragmentOf(text, place))
}

/** Those that may be in a body, without what is excluded. */
function wantedLeaves(query: Query): Leaf[] {
  switch (query.kind) {
    case 'phrase':
    case 'near':
      return query.field === undefined || query.field === 'body' ? [query] : []
    case 'and':
    case 'or':
      return query.of.flatMap(wantedLeaves)
    case 'not':
      return wantedLeaves(query.include)
  }
}

function targetsOf(leaf: Leaf): Target[] {
  if (leaf.kind === 'near')
    return leaf.terms.map((term) => ({ phrase: phraseOf(term), identifier: undefined }))
  return [{ phrase: phraseOf(leaf.term), identifier: identifierOf(leaf.term) }]
}

interface Located {
  readonly word: string
  readonly start: number
  readonly end: number
}

/** Follows the words of a text and finds the targets among them. */
class Matcher {
  readonly #text: string
  readonly #best: BestPlaces
  /**
   * By the last word of the phrase; those that end in the beginning of a word are tried at each.
   */
  readonly #byWord = new Map<string, Target[]>()
  readonly #byPrefix: Target[]
  readonly #byIdentifier = new Map<string, Target[]>()
  readonly #identifierPrefixes: Target[]
  /** The last words, as many as the longest phrase has. */
  readonly #recent: Located[] = []
  readonly #recentMax: number
  #line = 1
  #lineStart = 0
  /** The first line feed that is not counted. */
  #nextFeed: number
  #place: Place | undefined

  constructor(text: string, targets: readonly Target[], best: BestPlaces) {
    this.#text = text
    this.#best = best
    this.#nextFeed = text.indexOf('\n')
    for (const target of targets) {
      const last = target.phrase.words.at(-1) ?? ''
      if (!target.phrase.prefix) pushTo(this.#byWord, last, target)
      if (target.identifier !== undefined && !target.phrase.prefix)
        pushTo(this.#byIdentifier, target.identifier, target)
    }
    this.#byPrefix = targets.filter(({ phrase }) => phrase.prefix)
    this.#identifierPrefixes = this.#byPrefix.filter(({ identifier }) => identifier !== undefined)
    this.#recentMax = Math.max(...targets.map(({ phrase }) => phrase.words.length))
  }

  word(word: string, start: number, end: number): void {
    this.#recent.push({ word, start, end })
    if (this.#recent.length > 2 * this.#recentMax) this.#recent.splice(0, this.#recentMax)
    for (const target of this.#byWord.get(word) ?? []) this.#tryPhrase(target)
    for (const target of this.#byPrefix)
      if (word.startsWith(target.phrase.words.at(-1) ?? '')) this.#tryPhrase(target)
    // A word that is not split may be what a split one of the query looks for.
    this.#tryIdentifier(word, start, end)
  }

  run(whole: string | undefined, _isUnspaced: boolean, start: number, end: number): void {
    if (whole !== undefined) this.#tryIdentifier(whole, start, end)
  }

  end(): void {
    this.#leavePlace()
  }

  /** The last word ends the phrase if the others stand before it. */
  #tryPhrase(target: Target): void {
    const { words } = target.phrase
    const recent = this.#recent
    const from = recent.length - words.length
    for (let index = 0; index < words.length - 1; index++)
      if (recent[from + index]?.word !== words[index]) return
    const first = recent[from]
    if (first !== undefined) this.#mark(target, first.start, this.#endOf(target))
  }

  /** Of a pair of characters one may be all that was looked for. */
  #endOf({ phrase }: Target): number {
    const { start, end } = this.#recent.at(-1) as Located
    const sought = phrase.words.at(-1) ?? ''
    const isUnspaced = (classOf(sought.codePointAt(0) ?? 0) & UNSPACED) !== 0
    if (!phrase.prefix || !isUnspaced || lengthOfFirst(sought) < sought.length) return end
    return start + lengthOfFirst(this.#text.slice(start, end))
  }

  #tryIdentifier(word: string, start: number, end: number): void {
    for (const target of this.#byIdentifier.get(word) ?? []) this.#mark(target, start, end)
    for (const target of this.#identifierPrefixes)
      if (word.startsWith(target.identifier ?? '')) this.#mark(target, start, end)
  }

  /** A phrase belongs to the line that it ends on. */
  #mark(target: Target, start: number, end: number): void {
    this.#countLines(this.#recent.at(-1)?.start ?? start)
    const from = Math.max(start, this.#lineStart)
    let place = this.#place
    const first = place?.marks[0]?.[0] ?? from
    if (place?.line !== this.#line || end - first > MARKED_LENGTH_MAX) {
      this.#leavePlace()
      place = { line: this.#line, lineStart: this.#lineStart, marks: [], targets: new Map() }
      this.#place = place
    }
    const worth = from === start ? WHOLE : CUT
    place.targets.set(target, Math.max(worth, place.targets.get(target) ?? 0))
    addMark(place.marks, from, end)
  }

  #countLines(offset: number): void {
    while (this.#nextFeed >= 0 && this.#nextFeed < offset) {
      this.#line++
      this.#lineStart = this.#nextFeed + 1
      this.#nextFeed = this.#text.indexOf('\n', this.#lineStart)
    }
  }

  #leavePlace(): void {
    if (this.#place !== undefined) this.#best.add(this.#place)
    this.#place = undefined
  }
}

/** A phrase that is on one line, and one that begins on a line before. */
const WHOLE = 2
const CUT = 1

/** The places with the most targets, the earlier of equals, and the best of each target. */
class BestPlaces {
  readonly #count: number
  readonly #top: { place: Place; score: number }[] = []
  readonly #ofTarget = new Map<Target, { place: Place; score: number }>()

  constructor(count: number) {
    this.#count = count
  }

  /** Places come in the order of the text. */
  add(place: Place): void {
    const score = [...place.targets.values()].reduce((sum, worth) => sum + worth, 0)
    for (const target of place.targets.keys())
      if (score > (this.#ofTarget.get(target)?.score ?? 0))
        this.#ofTarget.set(target, { place, score })
    if (this.#top.length === this.#count && score <= (this.#top.at(-1)?.score ?? 0)) return
    const index = this.#top.findIndex((other) => other.score < score)
    this.#top.splice(index < 0 ? this.#top.length : index, 0, { place, score })
    this.#top.length = Math.min(this.#top.length, this.#count)
  }

  chosen(targets: readonly Target[]): Place[] {
    const chosen = new Set<Place>()
    const shown = new Set<Target>()
    const choose = (place: Place | undefined): void => {
      if (place === undefined || chosen.size >= this.#count) return
      chosen.add(place)
      for (const target of place.targets.keys()) shown.add(target)
    }
    choose(this.#top[0]?.place)
    for (const target of targets) if (!shown.has(target)) choose(this.#ofTarget.get(target)?.place)
    for (const { place } of this.#top) choose(place)
    return [...chosen].sort((a, b) => a.line - b.line || firstOf(a) - firstOf(b))
  }
}

function fragmentOf(text: string, place: Place): Fragment {
  const { line, lineStart } = place
  const first = firstOf(place)
  // The rest of the line may be long: its end is looked for no further than could be shown.
  const near = text.slice(first, first + FRAGMENT_LENGTH_MAX + 1)
  const feed = near.indexOf('\n')
  const lineEnd = first + (feed < 0 ? near.length : feed)
  const isWhole =
    lineEnd - lineStart <= FRAGMENT_LENGTH_MAX || first - lineStart <= BEFORE_LENGTH_MAX
  let from = isWhole ? lineStart : first - BEFORE_LENGTH_MAX
  let to = Math.min(lineEnd, from + FRAGMENT_LENGTH_MAX)
  const isCutBefore = from > lineStart
  const isCutAfter = to < lineEnd
  if (isCutBefore && isWithinCharacter(text, from)) from++
  if (isCutAfter && isWithinCharacter(text, to)) to--
  const shown = text.slice(from, to)
  if (!isCutBefore) from += shown.length - shown.trimStart().length
  if (!isCutAfter) to -= shown.length - shown.trimEnd().length
  const marks = place.marks
    // The mark of a phrase from the line before begins with this line, maybe with spaces.
    .map(([start, end]) => [Math.max(start, from) - from, Math.min(end, to) - from] as const)
    .filter(([start, end]) => start < end)
  return {
    line,
    text: text.slice(from, to).replaceAll('\t', ' ').replaceAll(steering, REPLACEMENT),
    marks,
    isCutBefore,
    isCutAfter,
  }
}

/**
 * Control characters, line ends of other kinds, what turns the direction of writing, and halves of
 * characters.
 */
const steering = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\p{Cs}]/gu
const REPLACEMENT = '\ufffd'

/** A character with the marks on it, in UTF-16 units. */
function lengthOfFirst(text: string): number {
  return /^.\p{M}*/su.exec(text)?.[0].length ?? 0
}

function isWithinCharacter(text: string, offset: number): boolean {
  return (text.codePointAt(offset - 1) ?? 0) > 0xffff
}

function firstOf(place: Place): number {
  return place.marks[0]?.[0] ?? place.lineStart
}

/** Adds a mark that ends no earlier than those before; marks that meet become one. */
function addMark(marks: [number, number][], start: number, end: number): void {
  let from = start
  for (let last = marks.at(-1); last !== undefined && last[1] >= from; last = marks.at(-1)) {
    from = Math.min(from, last[0])
    marks.pop()
  }
  marks.push([from, end])
}

function pushTo<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const values = map.get(key)
  if (values === undefined) map.set(key, [value])
  else values.push(value)
}
