// What characters are to search, and what is left of them when case, accents and the ways to encode
// the same letter do not count. analyze.ts cuts words with it. Knows single characters with their
// marks, not words.

/**
 * What a character is to a word. Bits, so that a run of characters can be described by one number.
 */
export const SEPARATOR = 0
/** A letter that is lower case, or has no case. */
export const LETTER = 1
export const DIGIT = 2
export const UPPER = 4
/** Joins the parts of an identifier: '_', '$' and their like. */
export const CONNECTOR = 8
/** Belongs to the character before it: accents, vowel signs, characters of no width. */
export const MARK = 16
/** A character of a script that puts no spaces between words. */
export const UNSPACED = 32
/** Stands for characters of several of these classes: a day of the month, a letter in brackets. */
export const MIXED = 64

/**
 * Scripts that are cut into pairs of characters. Korean has spaces, but puts endings to its words:
 * pairs find them without.
 */
const unspacedScripts = [
  ...['Han', 'Hiragana', 'Katakana', 'Bopomofo', 'Hangul', 'Yi'],
  ...['Thai', 'Lao', 'Khmer', 'Myanmar', 'Tai_Le', 'New_Tai_Lue', 'Tai_Tham'],
]

const letter = /^\p{L}$/u
const upper = /^[\p{Lu}\p{Lt}]$/u
const number = /^\p{N}$/u
const decimal = /^\p{Nd}$/u
const connector = /^\p{Pc}$/u
const mark = /^\p{M}$/u
const format = /^\p{Cf}$/u
const wordCharacter = /^[\p{L}\p{N}\p{M}]$/u
const unspaced = new RegExp(
  `^[${unspacedScripts.map((name) => `\\p{scx=${name}}`).join('')}]$`,
  'u',
)
/**
 * Marks that are not written for a reader who knows the word. Others stay: the vowel signs of Indic
 * scripts and of Thai are as good as letters.
 */
const accent = /^(?:\p{sc=Inherited}|\p{Me}|(?=\p{M})[\p{sc=Hebrew}\p{sc=Arabic}\p{sc=Syriac}])$/u

/** Letters that only make a word longer to the eye. */
const STRETCHES = new Set([0x0640, 0x07fa])
/** Signs above a word and no part of it: service mark, trade mark, and their like. */
const RAISED = new Set([0x2120, 0x2122, 0x1f16a, 0x1f16b, 0x1f16c])
/**
 * Letters with a stroke through them, or of two letters, which Unicode does not take apart: they
 * are written so without them.
 */
const plainLetters: ReadonlyMap<string, string> = new Map(
  [
    ...[...'\u0111d \u0142l \u00f8o \u0127h \u0167t \u0180b \u01e5g \u0268i \u023cc'.split(' ')],
    ...[...'\u0247e \u0249j \u024dr \u024fy \u01b6z \u2c65a \u2c66t \u1d7dp \ua741k'.split(' ')],
    ...[...'\u00e6ae \u0153oe \u0195hv \u0223ou \u0238db \u0239qp'.split(' ')],
  ].map((pair) => [pair.slice(0, 1), pair.slice(1)] as const),
)

/** Turn ka into ga and ha into pa: letters of their own, in the two widths. */
const VOICED_MARKS = new Set([0x3099, 0x309a, 0xff9e, 0xff9f])
const ZERO_WIDTH_SPACE = 0x200b

/**
 * The ideographs and the syllables of Hangul that are all letters of their own: each is as it is.
 * There are more of them than of all others, and what follows below takes some microseconds a
 * character.
 */
const plain = [
  [0x3400, 0x4dbf],
  [0x4e00, 0x9fff],
  [0xac00, 0xd7a3],
] as const

function isPlain(codePoint: number): boolean {
  return plain.some(([first, last]) => codePoint >= first && codePoint <= last)
}

/**
 * Class + 1 of each character that was asked for; 0: not yet. Pages that are never touched take no
 * memory.
 */
const classes = new Uint8Array(0x110000)
/**
 * The folded form of characters that fold to one of these 65,535; 0: not yet, or something else.
 */
const singles = new Uint16Array(0x10000)
/** The folded form of others, and of characters with their marks. */
const others = new Map<string, string>()
const OTHERS_MAX = 20_000

/** The class of a code point. A lone surrogate separates. */
export function classOf(codePoint: number): number {
  const known = classes[codePoint] ?? 0
  if (known !== 0) return known - 1
  const found = findClass(codePoint)
  classes[codePoint] = found + 1
  return found
}

/** The classes of ASCII. */
export const asciiClasses = Uint8Array.from({ length: 128 }, (_, code) => classOf(code))

/**
 * The folded code point of a character without marks, if it is one of the Basic Multilingual Plane;
 * else 0, and `foldString` tells.
 */
export function foldSingle(codePoint: number): number {
  if (codePoint > 0xffff) return 0
  const known = singles[codePoint] ?? 0
  if (known !== 0) return known
  if (isPlain(codePoint)) return codePoint
  const folded = foldString(String.fromCharCode(codePoint))
  const single = folded.length === 1 ? folded.charCodeAt(0) : 0
  singles[codePoint] = single
  return single
}

/**
 * The folded form of a character with its marks: compatible forms are one (full width, ligatures),
 * accents are gone, case is folded (sharp s: ss, final sigma: sigma, the Turkish i without a dot:
 * i). Syllables of Hangul and voiced Kana stay, or become, one character each. '' when nothing is
 * left.
 */
export function foldString(character: string): string {
  const known = others.get(character)
  if (known !== undefined) return known
  if (others.size >= OTHERS_MAX) others.clear()
  const folded = [...character.normalize('NFKD')]
    .filter((part) => wordCharacter.test(part) && !isAccent(part) && !isStretch(part))
    .map((part) => plainDigit(part) ?? foldCase(part))
    .join('')
    .normalize('NFC')
  others.set(character, folded)
  return folded
}

/**
 * Down, up and down again: lower case of its own kind (sharp s, final sigma, the i without a dot)
 * becomes that of its upper case.
 */
function foldCase(character: string): string {
  const folded = character.toLowerCase().toUpperCase().toLowerCase()
  return [...folded.normalize('NFKD')]
    .filter((part) => !isAccent(part))
    .map((part) => plainLetters.get(part) ?? part)
    .join('')
}

/** The digit of any script as one of ASCII: each script has its ten in a row. */
function plainDigit(character: string): string | undefined {
  if (!decimal.test(character)) return undefined
  const codePoint = character.codePointAt(0) ?? 0
  let zero = codePoint
  while (codePoint - zero < 9 && decimal.test(String.fromCodePoint(zero - 1))) zero--
  return String(codePoint - zero)
}

function isStretch(character: string): boolean {
  return STRETCHES.has(character.codePointAt(0) ?? 0)
}

/** What a character that stands for several stands for. */
export function expanded(character: string): string {
  return character.normalize('NFKD')
}

function isAccent(character: string): boolean {
  return accent.test(character) && !VOICED_MARKS.has(character.codePointAt(0) ?? 0)
}

function findClass(codePoint: number): number {
  if (isPlain(codePoint)) return UNSPACED
  const character = String.fromCodePoint(codePoint)
  if (isMark(codePoint, character)) return MARK
  if (connector.test(character) || character === '$') return CONNECTOR
  if (letter.test(character)) return classOfLetter(character)
  if (number.test(character)) return classOfNumber(character)
  return classOfSymbol(codePoint, character)
}

/**
 * Symbols that are letters in disguise: radicals of Kangxi, squared words, letters in circles and
 * brackets.
 */
function classOfSymbol(codePoint: number, character: string): number {
  const parts = [...character.normalize('NFKD')]
  if (parts.join('') === character || RAISED.has(codePoint)) return SEPARATOR
  if (!parts.some((part) => letter.test(part) && !isStretch(part))) return SEPARATOR
  return classOfParts(parts)
}

function classOfParts(parts: readonly string[]): number {
  const isMarkOf = (part: string): boolean =>
    mark.test(part) || VOICED_MARKS.has(part.codePointAt(0) ?? 0)
  const letters = parts.filter((part) => !isMarkOf(part))
  if (!letters.every((part) => wordCharacter.test(part))) return MIXED
  const unspacedCount = letters.filter((part) => unspaced.test(part)).length
  if (unspacedCount === 0) return LETTER
  return unspacedCount === letters.length ? UNSPACED : MIXED
}

function isMark(codePoint: number, character: string): boolean {
  if (VOICED_MARKS.has(codePoint) || mark.test(character) || STRETCHES.has(codePoint)) return true
  if (isJoiningHangul(codePoint)) return true
  return format.test(character) && codePoint !== ZERO_WIDTH_SPACE
}

/**
 * The vowels and final consonants that make a syllable with the letter before them, where text
 * comes decomposed.
 */
function isJoiningHangul(codePoint: number): boolean {
  return (
    (codePoint >= 0x1160 && codePoint <= 0x11ff) || (codePoint >= 0xd7b0 && codePoint <= 0xd7ff)
  )
}

function classOfLetter(character: string): number {
  if (foldString(character) === '')
    return [...character.normalize('NFKD')].some(isStretch) ? MARK : SEPARATOR
  if (unspaced.test(character)) return UNSPACED
  return upper.test(character) ? UPPER : LETTER
}

/** Fractions and numbers in brackets separate: a half is not the digits 1 and 2. */
function classOfNumber(character: string): number {
  const parts = [...character.normalize('NFKD')]
  if (!parts.every((part) => wordCharacter.test(part))) return SEPARATOR
  if (parts.every((part) => decimal.test(part))) return DIGIT
  return unspaced.test(character) ? UNSPACED : classOfParts(parts)
}
