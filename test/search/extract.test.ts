// Which bytes are text.

import t from 'tap'
import { textOf } from '../../src/search/extract.ts'

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)
const utf16 = (text: string): Buffer => Buffer.from(text, 'utf16le')

t.test('UTF-8 is text, with a byte-order mark or without', async (t) => {
  t.equal(textOf(bytes()), '')
  t.equal(textOf(Buffer.from('caf\u00e9 \ud83d\ude00\n')), 'caf\u00e9 \ud83d\ude00\n')
  t.equal(textOf(Buffer.from('\ufeffa')), 'a')
  t.equal(textOf(Buffer.from('a\ufeffb')), 'a\ufeffb')
})

t.test('UTF-16 is text with its byte-order mark only', async (t) => {
  t.equal(textOf(utf16('\ufeffcaf\u00e9\n')), 'caf\u00e9\n')
  t.equal(textOf(utf16('\ufeffcaf\u00e9\n').swap16()), 'caf\u00e9\n')
  t.equal(textOf(utf16('cafe')), undefined)
  t.equal(textOf(bytes(0xff, 0xfe)), '')
  t.equal(textOf(bytes(0xff, 0xfe, 0x41)), undefined, 'half a unit')
  t.equal(textOf(utf16('\ufeff\ud800a')), undefined, 'half a pair')
  t.equal(textOf(utf16('\ufeffa\0b')), undefined)
  t.equal(textOf(bytes(0xff, 0xfe, 0, 0, 0x41, 0, 0, 0)), undefined, 'UTF-32')
  t.equal(textOf(utf16('\ufeff\x01\x02ab')), undefined)
})

t.test('bytes that are no UTF-8 are no text', async (t) => {
  t.equal(textOf(Buffer.from('caf\u00e9', 'latin1')), undefined)
  t.equal(textOf(bytes(0x61, 0xc3)), undefined, 'cut')
  t.equal(textOf(bytes(0xc0, 0x80)), undefined, 'overlong')
  t.equal(textOf(bytes(0xed, 0xa0, 0x80)), undefined, 'a surrogate')
  t.equal(textOf(bytes(0xf5, 0x80, 0x80, 0x80)), undefined)
})

t.test('NUL and many control characters are no text, those of terminals are', async (t) => {
  const text = 'x'.repeat(1000)
  t.equal(textOf(Buffer.from(`${text}\0`)), undefined)
  t.equal(textOf(Buffer.from(text + '\x01'.repeat(32))), text + '\x01'.repeat(32))
  t.equal(textOf(Buffer.from(text + '\x01'.repeat(33))), undefined)
  t.equal(textOf(Buffer.from('\x7f')), undefined)
  t.equal(textOf(Buffer.from('\x1b[31m\f\v\b\t\r\n')), '\x1b[31m\f\v\b\t\r\n')
})
