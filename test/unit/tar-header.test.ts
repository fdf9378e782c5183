// The bytes of tar headers and pax records, both ways, and access lists as text.

import t from 'tap'
import { aclFromText, aclToText } from '../../src/archive/acl-text.ts'
import {
  decodeHeader,
  decodePax,
  encodeHeader,
  encodePax,
  number,
  parsePaxTime,
  paxTime,
} from '../../src/archive/tar-header.ts'

const header = {
  name: 'dir/na\xefme',
  mode: 0o4755,
  uid: 1000,
  gid: 100,
  size: 5 * 2 ** 30,
  mtime: 1_700_000_000,
  type: '0',
  linkname: '',
  major: 7,
  minor: 300,
}

t.test('a header says what it was made of', async (t) => {
  const block = encodeHeader(header)
  t.equal(block.length, 512)
  t.equal(block.toString('latin1', 257, 265), 'ustar\x0000')
  t.same(decodeHeader(block), header)
  block[0] = 0x65
  t.throws(() => decodeHeader(block), /no tar archive/)
  t.equal(decodeHeader(Buffer.alloc(512)), undefined)
})

t.test('numbers are octal, or of base 256 where they are large or negative', async (t) => {
  t.equal(number(Buffer.from('0000644\0'), 0, 8), 0o644)
  t.equal(number(Buffer.from('   644 \0'), 0, 8), 0o644)
  t.equal(number(Buffer.from([0x80, 0, 0, 0, 0, 0, 1, 0]), 0, 8), 256)
  t.equal(number(Buffer.alloc(12, 0xff), 0, 12), -1)
})

t.test('a pax record counts its own length, also where that grows by it', async (t) => {
  t.equal(encodePax([['path', 'a']]).toString(), '9 path=a\n')
  for (let length = 0; length < 1100; length++) {
    const records: [string, string][] = [
      ['path', 'x'.repeat(length)],
      ['SCHILY.xattr.user.k', 'a=b\nc\0\xff'],
    ]
    t.same(decodePax(encodePax(records)), records, `${length}`)
  }
  for (const damaged of ['', '5 a=b\n', '99 a=b\n', 'x a=b\n', '0 a=b\n', '6 a=bc'])
    if (damaged !== '') t.throws(() => decodePax(Buffer.from(damaged)), damaged)
})

t.test('times keep their nanoseconds, before 1970 too', async (t) => {
  t.equal(paxTime(1, 5), '1.000000005')
  t.equal(paxTime(-2, 250_000_000), '-1.750000000')
  t.equal(paxTime(-1, 500_000_000), '-0.500000000')
  for (const [sec, ns] of [
    [0, 0],
    [1, 5],
    [-1, 500_000_000],
    [-2, 250_000_000],
    [-5, 0],
  ] as const)
    t.same(parsePaxTime(paxTime(sec, ns)), { sec, ns }, paxTime(sec, ns))
})

t.test('an access list is the same after its text', async (t) => {
  const text = 'user::rw-,user:1234:r--,group::r-x,group:77:---,mask::rwx,other::r--'
  const list = aclFromText(text)
  t.equal(list?.length, 4 + 6 * 8)
  t.equal(aclToText(list ?? new Uint8Array()), text)
  t.equal(
    aclToText(aclFromText('u:root:rw,u::rwx,g::r,o::-') ?? new Uint8Array()),
    'user::rwx,user:0:rw-,group::r--,other::---',
  )
  t.equal(aclFromText('user:nobody-of-this-name:rw-'), undefined)
  t.equal(aclFromText('nonsense'), undefined)
  t.equal(aclToText(new Uint8Array(5)), undefined)
})
