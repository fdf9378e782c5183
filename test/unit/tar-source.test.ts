// Archives that end too early, are followed by other data, or are damaged: they are read whole, or
// up to an error with everything whole before it.

import { mkdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import t from 'tap'
import { ArchiveError } from '../../src/archive/errors.ts'
import {
  contentOf,
  DATA,
  dataOf,
  END,
  ENTRY,
  endOf,
  FAILED,
  headOf,
  nameOf,
  recordsIn,
  WHOLE,
} from '../../src/archive/records.ts'
import { BLOCK_BYTES, encodeHeader, encodePax } from '../../src/archive/tar-header.ts'
import { readTar } from '../../src/archive/tar-source.ts'
import { CompressionError, unpacked } from '../../src/archive/unpacked.ts'
import { isDirectory } from '../../src/base/mode.ts'
import { temporaryFolder } from '../support/mount.ts'
import { run } from '../support/program.ts'

interface Taken {
  /** Files that came whole, by name, with their content. */
  readonly files: Map<string, string>
  readonly problems: string[]
  readonly failure: unknown
}

async function* inPieces(bytes: Buffer, length: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length)
}

/** Reads an archive that comes in pieces of so many bytes. */
async function take(archive: Buffer, pieceBytes = Number.MAX_SAFE_INTEGER): Promise<Taken> {
  const files = new Map<string, string>()
  const problems: string[] = []
  const open = new Map<number, { name: string; content: Buffer }>()
  const send = async (piece: Buffer): Promise<void> => {
    for (const record of recordsIn(piece)) {
      const kind = record.readUInt8(4)
      if (kind === ENTRY) {
        const { flags, id, size, mode } = headOf(record)
        const name = nameOf(record)
        if ((flags & WHOLE) !== 0) files.set(name, contentOf(record).toString('latin1'))
        else if (!isDirectory(mode)) open.set(id, { name, content: Buffer.alloc(size) })
      } else if (kind === DATA) {
        const { id, offset, bytes } = dataOf(record)
        open.get(id)?.content.set(bytes, offset)
      } else if (kind === END) {
        const { id, flags } = endOf(record)
        const file = open.get(id)
        open.delete(id)
        if (file !== undefined && (flags & FAILED) === 0)
          files.set(file.name, file.content.toString('latin1'))
      }
    }
  }
  const problem = (path: string, message: string): void => void problems.push(`${path}: ${message}`)
  let failure: unknown
  try {
    const plain = await unpacked(inPieces(archive, pieceBytes))
    await readTar(plain, send, { problem, read: () => undefined })
  } catch (error) {
    failure = error
  }
  if (open.size > 0) throw new Error('a file that began was not ended')
  return { files, problems, failure }
}

/** A folder with what tar has a form for each: short, long names, empty, links, holes. */
function makeTree(root: string): string {
  mkdirSync(join(root, 'tree/sub'), { recursive: true })
  writeFileSync(join(root, 'tree/one'), 'one\n')
  writeFileSync(join(root, 'tree/empty'), '')
  writeFileSync(join(root, 'tree/sub', 'long'.repeat(30)), 'two\n'.repeat(20))
  writeFileSync(join(root, 'tree/sub/holes'), 'x')
  truncateSync(join(root, 'tree/sub/holes'), 20_000)
  symlinkSync('long'.repeat(30), join(root, 'tree/sub/link'))
  return join(root, 'tree')
}

function packed(tree: string, ...more: string[]): Buffer {
  const archive = join(tree, '../archive.tar')
  run('tar', ['-C', tree, '-b', '1', '--sort=name', ...more, '-cf', archive, '.'])
  return readFileSync(archive)
}

/** Each file of `some` is in `all`, as it is there. */
function isPart(some: Taken, all: Taken): boolean {
  return [...some.files].every(([name, content]) => all.files.get(name) === content)
}

function isNearBlock(length: number): boolean {
  return (length + 2) % BLOCK_BYTES < 4
}

for (const [step, ...how] of [
  [11, '--format=pax', '-S', '--sparse-version=1.0'],
  [29, '--format=pax', '-S', '--sparse-version=0.1'],
  [29, '--format=gnu', '-S'],
  [1, '--format=ustar', '--exclude=sub'],
] as const)
  t.test(`an archive that is cut at any byte is an error: ${how.join(' ')}`, async (t) => {
    const tree = makeTree(temporaryFolder(t))
    const archive = packed(tree, ...how)
    const whole = await take(archive)
    t.equal(whole.failure, undefined)
    t.ok(whole.files.size >= 2)
    // Of the two blocks of zeros that end it the first says that all was told.
    const told = archive.length - BLOCK_BYTES
    for (let length = 0; length < archive.length; length += isNearBlock(length) ? 1 : step) {
      const cut = await take(archive.subarray(0, length))
      const isSaid = length < told ? cut.failure instanceof ArchiveError : cut.failure === undefined
      const isRight = length < told ? isPart(cut, whole) : cut.files.size === whole.files.size
      if (!isSaid || !isRight) t.fail(`cut at ${length}: ${cut.failure}`)
    }
  })

for (const [name, compress] of [
  ['gzip', gzipSync],
  ['zstd', zstdCompressSync],
] as const)
  t.test(`a stream of several parts by ${name} that is cut at any byte is an error`, async (t) => {
    const archive = packed(makeTree(temporaryFolder(t)), '--format=pax', '-S')
    const third = Math.floor(archive.length / 3)
    const parts = [archive.subarray(0, third), archive.subarray(third, -20), archive.subarray(-20)]
    const stream = Buffer.concat(parts.map((part) => compress(part)))
    const whole = await take(archive)
    for (const pieceBytes of [1, 7, 512, stream.length])
      t.same(await take(stream, pieceBytes), whole, `in pieces of ${pieceBytes}`)
    t.same(await take(Buffer.concat([stream, Buffer.alloc(700)])), whole, 'zeros are padding')
    // The last part holds zeros that are behind the end.
    for (
      let length = 0;
      length < stream.length - compress(archive.subarray(-20)).length;
      length++
    ) {
      const cut = await take(stream.subarray(0, length))
      if (!(cut.failure instanceof ArchiveError) || !isPart(cut, whole))
        t.fail(`cut at ${length}: ${cut.failure}`)
    }
    const more = await take(Buffer.concat([stream, Buffer.from('more')]))
    t.type(more.failure, ArchiveError)
    t.ok(isPart(more, whole))
  })

t.test('skippable frames may stand anywhere in a zstd stream', async (t) => {
  const archive = packed(makeTree(temporaryFolder(t)))
  const skipped = [0x50, 0x57, 0x5f].map((low) =>
    Buffer.concat([Buffer.from([low, 0x2a, 0x4d, 0x18, 5, 0, 0, 0]), Buffer.from('what?')]),
  )
  const [first, second, third] = skipped as [Buffer, Buffer, Buffer]
  const halves = [archive.subarray(0, 700), archive.subarray(700)].map((its) =>
    zstdCompressSync(its),
  )
  const [head, tail] = halves as [Buffer, Buffer]
  const stream = Buffer.concat([first, head, second, third, tail, zstdCompressSync(''), first])
  const whole = await take(archive)
  for (const pieceBytes of [1, 3, 64, stream.length]) t.same(await take(stream, pieceBytes), whole)
  t.type((await take(stream.subarray(0, -1))).failure, ArchiveError)
})

t.test('archives in a row are one', async (t) => {
  const tree = makeTree(temporaryFolder(t))
  const [one, all] = [packed(tree, '--exclude=sub'), packed(tree)]
  const both = await take(Buffer.concat([one, all]))
  t.same(both, await take(all))
  const garbage = await take(Buffer.concat([one, Buffer.alloc(512, 'x')]))
  t.match(garbage.failure, { message: /^behind the end of the archive there is something/ })
  t.same(garbage.files, (await take(one)).files)
})

t.test('what is behind a damaged header is read again, and the loss is told', async (t) => {
  const archive = packed(makeTree(temporaryFolder(t)), '--format=ustar', '--exclude=sub')
  const whole = await take(archive)
  t.same([...whole.files.keys()], ['empty', 'one'])
  const damaged = Buffer.from(archive)
  damaged[BLOCK_BYTES + 1] = 0xff
  const taken = await take(damaged)
  t.equal(taken.failure, undefined)
  t.same([...taken.files.keys()], ['one'])
  t.match(taken.problems, [/^\.\/: what stands behind it is damaged/])
  damaged[0] = 0xff
  t.match((await take(damaged)).failure, { message: /no tar archive/ })
})

t.test('a member with damaged records is named and left out, and the rest comes', async (t) => {
  const plain = { mode: 0o644, uid: 0, gid: 0, mtime: 0, linkname: '', major: 0, minor: 0 }
  const member = (name: string, type: string, content: Buffer): Buffer =>
    Buffer.concat([
      encodeHeader({ ...plain, name, type, size: content.length }),
      content,
      Buffer.alloc(-content.length & (BLOCK_BYTES - 1)),
    ])
  const good = member('good', '0', Buffer.from('good'))
  const end = Buffer.alloc(2 * BLOCK_BYTES)
  const map = (text: string): Buffer =>
    Buffer.concat([Buffer.from(text), Buffer.alloc(BLOCK_BYTES - text.length)])
  const sparse: [string, string][] = [
    ['GNU.sparse.major', '1'],
    ['GNU.sparse.realsize', '9'],
  ]
  for (const [pax, content] of [
    [Buffer.from('9 a=b\n'), Buffer.from('bad')],
    [encodePax([['uid', '-1']]), Buffer.from('bad')],
    [encodePax([['mtime', '9'.repeat(30)]]), Buffer.from('bad')],
    [encodePax(sparse), map('1\n0\n9\n')],
    [encodePax(sparse), map('1\n5\n5\nabcde')],
    [encodePax(sparse), map('99999999\n')],
    [encodePax(sparse), Buffer.from('bad')],
  ] as const) {
    const bad = Buffer.concat([member('PaxHeader', 'x', pax), member('bad', '0', content)])
    const { files, problems, failure } = await take(Buffer.concat([bad, good, end]))
    t.same([...files.keys()], ['good'], pax.toString())
    t.match(problems, [/^bad: .*left out$/], pax.toString())
    t.equal(failure, undefined, pax.toString())
  }
  for (const numbers of [{ major: 4096 }, { minor: 0x100000 }, { major: 0o7777777 }]) {
    const device = encodeHeader({ ...plain, ...numbers, name: 'bad', type: '3', size: 0 })
    const { files, problems, failure } = await take(Buffer.concat([device, good, end]))
    t.same([[...files.keys()], failure], [['good'], undefined])
    t.match(problems, [/^bad: its device number .*left out$/])
  }
  const most = { ...plain, major: 4095, minor: 0xfffff, name: 'last', type: '4', size: 0 }
  t.same((await take(Buffer.concat([encodeHeader(most), good, end]))).problems, [])
  const lonely = Buffer.concat([good, member('PaxHeader', 'x', encodePax([['path', 'x']])), end])
  t.match((await take(lonely)).failure, { message: /has no file/ })
  const global = Buffer.concat([member('pax', 'g', encodePax([['comment', 'x']])), end])
  t.equal((await take(global)).failure, undefined, 'a comment needs none')
})

/** A member whose header has other bytes in a field; what it holds is zeros and text. */
function withField(at: number, bytes: string, type = '0'): Buffer {
  const content = Buffer.alloc(3 * BLOCK_BYTES, 0)
  content.write('no header at all', BLOCK_BYTES + 7)
  const header = encodeHeader({
    ...{ name: 'bad', mode: 0o644, uid: 0, gid: 0, mtime: 0, linkname: '', major: 0, minor: 0 },
    ...{ type, size: type === '0' ? content.length : 0 },
  })
  header.write(bytes, at, 'latin1')
  header.fill(' ', 148, 156)
  const sum = header.reduce((all, byte) => all + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return type === '0' ? Buffer.concat([header, content]) : header
}

t.test('a number that is none names its member, and the rest comes', async (t) => {
  const plain = { mode: 0o644, uid: 0, gid: 0, mtime: 0, linkname: '', major: 0, minor: 0 }
  const padded = (bytes: Buffer): Buffer =>
    Buffer.concat([bytes, Buffer.alloc(-bytes.length & (BLOCK_BYTES - 1))])
  const member = (name: string, type: string, content: Buffer): Buffer =>
    Buffer.concat([encodeHeader({ ...plain, name, type, size: content.length }), padded(content)])
  const first = member('first', '0', Buffer.from('first'))
  const good = member('good', '0', Buffer.from('good'))
  const end = Buffer.alloc(2 * BLOCK_BYTES)
  const pax = (...records: [string, string][]): Buffer =>
    Buffer.concat([
      member('PaxHeader', 'x', encodePax(records)),
      member('bad', '0', Buffer.from('bad')),
    ])
  const negative = '\xff'.repeat(8)
  const huge = `\x80${'\x7f'.repeat(11)}`
  const cases: readonly (readonly [what: string, bad: Buffer])[] = [
    ['mode', withField(100, 'rw-r--r-')],
    ['uid', withField(108, '99999999')],
    ['negative uid', withField(108, negative)],
    ['gid', withField(116, 'users\0\0\0')],
    ['size', withField(124, 'large\0\0\0\0\0\0\0')],
    ['negative size', withField(124, `${negative}\xff\xff\xff\xff`)],
    ['huge size', withField(124, huge)],
    ['mtime', withField(136, huge)],
    ['device', withField(329, negative, '3')],
    ['huge device', withField(337, '7777777\0', '4')],
    ['no device', withField(329, 'tty0\0\0\0\0', '3')],
    ...['-1', '1e3', '0x10', '1.5', ' 7', '99999999999999999999', 'NaN'].flatMap(
      (value): [string, Buffer][] => [
        [`pax size ${value}`, pax(['size', value])],
        [`pax uid ${value}`, pax(['uid', value])],
      ],
    ),
    ...['yesterday', '1e9', '--1', '1.x', '9'.repeat(40)].map((value): [string, Buffer] => [
      `pax mtime ${value}`,
      pax(['mtime', value]),
    ]),
    ...['-1', '1e3', 'x', '9'.repeat(30)].flatMap((value): [string, Buffer][] => [
      [`sparse size ${value}`, pax(['GNU.sparse.size', value], ['GNU.sparse.map', '0,3'])],
      [`sparse map ${value}`, pax(['GNU.sparse.size', '9'], ['GNU.sparse.map', `${value},3`])],
      [`real size ${value}`, pax(['GNU.sparse.major', '1'], ['GNU.sparse.realsize', value])],
    ]),
    [
      'a map without end',
      pax(['GNU.sparse.size', '9'], ['GNU.sparse.map', '0,0,'.repeat(2 ** 20)]),
    ],
    ['a name beyond all', pax(['path', 'x'.repeat(70_000)])],
    ['an attribute beyond all', pax([`SCHILY.xattr.user.${'x'.repeat(70_000)}`, 'v'])],
    ['a value beyond all', pax(['SCHILY.xattr.user.bad', 'v'.repeat(70_000)])],
  ]
  for (const [what, bad] of cases) {
    const { files, problems, failure } = await take(Buffer.concat([first, bad, good, end]))
    t.equal(failure, undefined, what)
    t.ok(
      ['first', 'good'].every((name) => files.has(name)),
      `${what}: the rest comes`,
    )
    t.notOk(files.has('bad') && !/attribute|value/.test(what), `${what}: it does not`)
    t.match(problems.join('\n'), /bad|x{100}/, `${what}: it is named`)
  }
})

t.test('headers without end are refused before they fill the memory', async (t) => {
  const plain = { mode: 0o644, uid: 0, gid: 0, mtime: 0, linkname: '', major: 0, minor: 0 }
  for (const type of ['x', 'g', 'L', 'K']) {
    async function* archive(): AsyncGenerator<Buffer> {
      for (let at = 0; at < 4000; at++) {
        const text = encodePax([[`comment${at}`, 'x'.repeat(60_000)]])
        yield encodeHeader({ ...plain, name: 'h', type, size: text.length })
        yield Buffer.concat([text, Buffer.alloc(-text.length & (BLOCK_BYTES - 1))])
      }
    }
    const read = readTar(archive(), async () => undefined, {
      problem: () => undefined,
      read: () => undefined,
    })
    await t.rejects(read, { message: /too large|no file|early/ }, type)
  }
})

t.test('what is compressed otherwise is called by its name', async (t) => {
  // The first bytes of what each program makes of a line of text.
  for (const [first, compression, program] of [
    ['fd377a585a000004e6d6b446', 'xz', 'xz -dc'],
    ['425a68393141592653593c0b', 'bzip2', 'bzip2 -dc'],
    ['04224d186440a70500008074', 'lz4', 'lz4 -dc'],
    ['1f9d9074caf0a10a', 'compress', 'gzip -dc'],
  ] as const) {
    const { failure } = await take(Buffer.from(first, 'hex'), 1)
    t.type(failure, CompressionError)
    t.match(failure, { compression, program })
  }
})
