// Texts by seed: code and prose of many scripts, with sequences that break careless tokenizers.

import type { Random } from '../support/random.ts'

const pieces = [
  ...['foo', 'Bar', 'HTTP', 'x', 'A', '9', '42', '_', '$', '__', 'utf8', 'Decode', 'a'.repeat(70)],
  ...[' ', ' ', ' ', '\n', '\t', '\r\n', '.', '-', '::', '(', '"', '\0', '\x1b', '/'],
  ...['\u00e9', 'e\u0301', '\u00df', '\u1e9e', '\u0130', '\u0131', '\u03a3', '\u03c2', '\ufb01'],
  ...['\u0416\u0443\u043a', '\u0439', '\u05e9\u05b8', '\u0939\u093f\u0902', '\u2019', '\u2014'],
  ...['\u65e5', '\u672c', '\u8a9e', '\u304b\u3099', '\u304c', '\uff76\uff9e', '\u30fc', '\u3002'],
  ...['\ud55c', '\u1112\u1161\u11ab', '\u0e20\u0e32\u0e29\u0e32', '\ud840\udc00', '\ud835\udc00'],
  ...[
    '\u0301',
    '\u00ad',
    '\u200d',
    '\ufeff',
    '\ud83d\ude00',
    '\ud800',
    '\udc00',
    '\u00bd',
    '\u00b2',
  ],
  ...['\uff21\uff42', '\uff3f', '\u2167', '\ufdfa', '\u0301'.repeat(40), '\u00df'.repeat(40)],
] as const

/** As many pieces, one after another. */
export function randomText(random: Random, count: number): string {
  return Array.from({ length: count }, () => random.pick(pieces)).join('')
}
