// Short ways to write plans and batches in tests of search, and a fixed set of documents with a
// table of plans and what each finds in them. The words are cut already, as analyze.ts would do it.

import { createHash } from 'node:crypto'
import type {
  Field,
  FileDocument,
  IndexBatch,
  Phrase,
  Plan,
  TextDocument,
  Words,
} from '../../src/search/engine.ts'

/** 'foo bar*': a phrase whose last word is a beginning only. */
function phraseOf(text: string): Phrase {
  const prefix = text.endsWith('*')
  return { words: (prefix ? text.slice(0, -1) : text).split(' '), prefix }
}

/** Words next to each other in a field: 'foo', 'foo bar', 'foo ba*'. */
export function find(field: Field, text: string): Plan {
  return { kind: 'phrase', field, ...phraseOf(text) }
}

/** `find` in the body. */
export function body(text: string): Plan {
  return find('body', text)
}

export function near(distance: number, ...phrases: string[]): Plan {
  return { kind: 'near', field: 'body', distance, phrases: phrases.map(phraseOf) }
}

export function and(...of: Plan[]): Plan {
  return { kind: 'and', of }
}

export function or(...of: Plan[]): Plan {
  return { kind: 'or', of }
}

export function not(include: Plan, exclude: Plan): Plan {
  return { kind: 'not', include, exclude }
}

/** A batch that does nothing but what is given. */
export function batchOf(parts: Partial<IndexBatch>): IndexBatch {
  return {
    texts: [],
    files: [],
    versions: [],
    pieces: [],
    stretches: [],
    removedTexts: [],
    removedFiles: [],
    removedVersions: [],
    watermark: 1,
    ...parts,
  }
}

/** A hash that no other number has. */
export function hashOf(id: number): Buffer {
  return createHash('sha256').update(`${id}`).digest()
}

export function text(id: number, parts: string, whole = ''): TextDocument {
  return { id, hash: hashOf(id), body: { parts, whole } }
}

export function file(ino: number, name: Words, path: Words): FileDocument {
  return { ino, name, path }
}

function plain(parts: string): Words {
  return { parts, whole: '' }
}

const LONG = 'x'.repeat(63)
/** Two letters beyond the first 65,536 characters, four bytes each. */
const GOTHIC = '\u{10330}\u{10331}'

export const texts: readonly TextDocument[] = [
  text(1, 'the quick brown fox jumps over the lazy dog'),
  text(2, 'the quick red fox'),
  text(3, 'quick the fox brown'),
  text(4, 'a b c d e f g h'),
  text(5, 'c x x x x a x b'),
  text(6, 'foo bar baz', 'foobarbaz'),
  text(7, 'foobarbaz'),
  text(8, 'foo baz bar', 'barfoo bazfoo'),
  // CJK, a character beginning each word.
  text(9, '\u4e2d\u6587 \u6587\u5b57 \u5b57'),
  text(10, '\u6587\u4e2d \u4e2d\u5b57 \u5b57 \u4e2d\u6587 \u6587'),
  text(11, `${LONG}x ${LONG}y`),
  text(12, `strasse \u0434\u043e\u043c \u03c3\u03bf\u03c6\u03bf\u03c3 ${GOTHIC} \u4e2d`),
  text(13, 'a a a'),
  text(14, ''),
  text(15, 'and or not near 2024 10 1'),
  text(16, 'p q r p x x x x x x x x r'),
]

export const files: readonly FileDocument[] = [
  file(1, { parts: 'foo bar ts', whole: 'foobar' }, { parts: 'src foo bar ts', whole: 'foobar' }),
  file(2, plain('foo txt'), plain('bar foo txt')),
  file(3, plain('bar'), { parts: 'foo bar bar', whole: 'foobar' }),
  file(1_000_000_007, plain('readme md'), plain('src readme md')),
]

type Case = readonly [plan: Plan, found: readonly number[]]

/** What each plan finds in `texts` or `files`, and why that is worth a look. */
export const table: Readonly<Record<string, readonly Case[]>> = {
  words: [
    [body('quick'), [1, 2, 3]],
    [body('qui'), []],
    [body('quicks'), []],
    [body('nothing'), []],
    [body('1'), [15]],
    [body('2024'), [15]],
  ],
  'words that mean something in a query language of an engine': [
    [and(body('and'), body('or'), body('not'), body('near')), [15]],
    [body('and or not near'), [15]],
  ],
  phrases: [
    [body('the quick'), [1, 2]],
    [body('quick the'), [3]],
    [body('the quick brown fox jumps over the lazy dog'), [1]],
    [body('brown dog'), []],
    [body('dog the'), []],
    [body('a a'), [13]],
    [body('a a a'), [13]],
    [body('a a a a'), []],
    [body('foo bar'), [6]],
  ],
  'beginnings of words': [
    [body('qu*'), [1, 2, 3]],
    [body('quick*'), [1, 2, 3]],
    [body('foo*'), [6, 7, 8]],
    [body('fooo*'), []],
    [body('20*'), [15]],
  ],
  'phrases that end in the beginning of a word': [
    [body('quick b*'), [1]],
    [body('the qu*'), [1, 2]],
    [body('foo ba*'), [6, 8]],
    [body('a b*'), [4]],
    [body('dog x*'), []],
  ],
  near: [
    [near(0, 'a', 'b'), [4]],
    [near(1, 'a', 'b'), [4, 5]],
    [near(0, 'b', 'a'), [4]],
    [near(4, 'a', 'f'), [4]],
    [near(3, 'a', 'f'), []],
    [near(1, 'quick', 'fox'), [1, 2, 3]],
    [near(0, 'quick', 'fox'), []],
    [near(0, 'quick brown', 'fox'), [1]],
    [near(1, 'qu*', 'fo*'), [1, 2, 3]],
    [near(10, 'quick', 'nothing'), []],
  ],
  'near, of one phrase': [
    [near(0, 'the quick'), [1, 2]],
    [near(5, 'dog'), [1]],
  ],
  'near, of three phrases, from the end of the first to the beginning of the last': [
    [near(1, 'a', 'b', 'c'), [4]],
    [near(0, 'a', 'b', 'c'), []],
    [near(5, 'c', 'a', 'b'), [4]],
    [near(6, 'c', 'a', 'b'), [4, 5]],
    [near(5, 'a', 'd', 'g'), [4]],
    [near(4, 'a', 'd', 'g'), []],
    [near(1, 'p', 'q', 'r'), [16]],
    [near(7, 'q', 'r', 'p'), [16]],
  ],
  'near, of phrases that overlap': [
    [near(0, 'the quick', 'quick brown'), [1]],
    [near(0, 'a', 'a'), [4, 5, 13]],
    [near(0, 'a', 'a', 'a', 'a'), [4, 5, 13]],
    [near(0, 'a b c', 'b'), [4]],
    [near(0, 'foo bar', 'foo bar baz'), [6]],
  ],
  and: [
    [and(body('quick')), [1, 2, 3]],
    [and(body('quick'), body('brown')), [1, 3]],
    [and(body('quick'), body('brown'), body('dog')), [1]],
    [and(body('quick'), body('foo')), []],
    [and(body('quick'), body('quick')), [1, 2, 3]],
  ],
  or: [
    [or(body('dog')), [1]],
    [or(body('dog'), body('red')), [1, 2]],
    [or(body('dog'), body('nothing'), body('foo')), [1, 6, 8]],
    [or(body('dog'), body('dog')), [1]],
  ],
  not: [
    [not(body('quick'), body('dog')), [2, 3]],
    [not(body('quick'), body('fox')), []],
    [not(body('quick'), body('nothing')), [1, 2, 3]],
    [not(body('nothing'), body('quick')), []],
    [not(body('quick'), body('quick')), []],
  ],
  'and, or and not within each other': [
    [and(or(body('dog'), body('red')), body('fox')), [1, 2]],
    [or(and(body('dog'), body('red')), body('foo')), [6, 8]],
    [not(not(body('fox'), body('dog')), body('red')), [3]],
    [not(body('fox'), not(body('dog'), body('nothing'))), [2, 3]],
    [not(body('fox'), not(body('fox'), body('dog'))), [1]],
    [and(not(body('fox'), body('red')), not(body('the'), body('lazy'))), [3]],
    [or(not(body('fox'), body('the')), near(1, 'a', 'b'), body('foo b*')), [4, 5, 6, 8]],
    [not(or(body('a'), body('foo')), or(body('bar baz'), body('a a'))), [4, 5, 8]],
    [and(or(and(or(body('dog'), body('red')))), and(or(body('brown')))), [1]],
  ],
  'identifiers as one word, apart from their parts': [
    [find('bodyWhole', 'foobarbaz'), [6]],
    [find('body', 'foobarbaz'), [7]],
    [or(find('body', 'foobarbaz'), find('bodyWhole', 'foobarbaz')), [6, 7]],
    [find('bodyWhole', 'foo*'), [6]],
    [find('bodyWhole', 'ba*'), [8]],
    [find('bodyWhole', 'foo'), []],
    [and(find('bodyWhole', 'barfoo'), find('bodyWhole', 'bazfoo')), [8]],
    [not(find('body', 'foo'), find('bodyWhole', 'barfoo')), [6]],
  ],
  'runs of CJK characters as pairs': [
    [body('\u4e2d\u6587'), [9, 10]],
    [body('\u4e2d\u6587 \u6587\u5b57'), [9]],
    [body('\u6587\u4e2d \u4e2d\u5b57'), [10]],
    [body('\u5b57*'), [9, 10]],
    [body('\u4e2d*'), [9, 10, 12]],
    [body('\u6587*'), [9, 10]],
  ],
  'words of 64 bytes': [
    [body(`${LONG}x`), [11]],
    [body(`${LONG}z`), []],
    [body(LONG), []],
    [body(`${LONG}*`), [11]],
    [body(`${LONG}x ${LONG}y`), [11]],
    [body(`${LONG}y ${LONG}x`), []],
    [body(`${LONG}x${LONG}`), []],
  ],
  'words of other alphabets': [
    [body('\u0434\u043e\u043c'), [12]],
    [body('\u0434*'), [12]],
    [body('strasse \u0434\u043e\u043c \u03c3\u03bf\u03c6\u03bf\u03c3'), [12]],
    [body(GOTHIC), [12]],
    [body('\u{10330}*'), [12]],
    [body('\u{10331}'), []],
  ],
  'the names and paths of files': [
    [find('name', 'foo'), [1, 2]],
    [find('path', 'foo'), [1, 2, 3]],
    [find('path', 'foo bar'), [1, 3]],
    [find('name', 'foo bar'), [1]],
    [find('name', 'bar foo'), []],
    [find('nameWhole', 'foobar'), [1]],
    [find('pathWhole', 'foobar'), [1, 3]],
    [find('pathWhole', 'foo*'), [1, 3]],
    [find('path', 'read*'), [1_000_000_007]],
    [and(find('path', 'src'), find('name', 'md')), [1_000_000_007]],
    [not(find('path', 'foo'), find('name', 'foo')), [3]],
    [or(find('name', 'txt'), find('nameWhole', 'foobar')), [1, 2]],
    [
      {
        kind: 'near',
        field: 'path',
        distance: 0,
        phrases: [phraseOf('bar'), phraseOf('foo')],
      },
      [1, 2, 3],
    ],
  ],
}
