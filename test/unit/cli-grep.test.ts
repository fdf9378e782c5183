// Lines as avfs grep splits and selects them: the same however the bytes arrive, and the same as
// grep(1) selects. AVFS_SEED chooses the seed.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { FileScan, type ScanOptions } from '../../src/cli/grep-scan.ts'
import { attempt } from '../support/program.ts'

const seed = Number(process.env.AVFS_SEED ?? Date.now() % 1_000_000)
let state = seed
function below(limit: number): number {
  state = (state * 1103515245 + 12345) % 2 ** 31
  return Math.floor((state / 2 ** 31) * limit)
}

const plain: ScanOptions = {
  test: (text) => text.includes('x'),
  invert: false,
  before: 0,
  after: 0,
  countMax: Number.MAX_SAFE_INTEGER,
  asText: false,
}

/** As grep -n prints it: NUMBER:LINE, NUMBER-LINE for context, -- between groups. A byte string. */
function scanned(pieces: readonly Buffer[], options: Partial<ScanOptions> = {}): string {
  const lines: string[] = []
  const all = { ...plain, ...options }
  const scan = new FileScan(all, {
    line({ number, text, bytes }, isMatch, gap) {
      if (gap && lines.length > 0 && all.before + all.after > 0) lines.push('--')
      const line = Buffer.from(bytes ?? Buffer.from(text)).toString('latin1')
      lines.push(`${number}${isMatch ? ':' : '-'}${line}`)
    },
    binary: () => lines.push('binary'),
  })
  // The memory of a piece is used again.
  for (const piece of pieces) {
    const copy = Buffer.from(piece)
    scan.take(copy)
    copy.fill('x')
  }
  scan.end()
  return lines.map((line) => `${line}\n`).join('')
}

function cut(bytes: Buffer): Buffer[] {
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = at + below(6)
    pieces.push(bytes.subarray(at, end))
    at = end
  }
  return pieces
}

t.test('lines are those of grep, however the bytes are cut', async (t) => {
  t.comment(`seed ${seed}`)
  const folder = t.testdir({})
  const parts = ['x', 'ab', '\n', '\n', '\r\n', '\u00e9', '\u{1f600}', Buffer.from([0xff])]
  for (let round = 0; round < 60; round++) {
    const bytes = Buffer.concat(
      Array.from({ length: below(80) }, () => Buffer.from(parts[below(parts.length)] ?? '')),
    )
    const path = join(folder, `${round}`)
    writeFileSync(path, bytes)
    const before = below(3)
    const after = below(3)
    const invert = below(2) === 1
    const countMax = below(3) === 0 ? 1 + below(4) : 1000
    // Told -A0, grep separates lines that it would not separate otherwise.
    const context = before + after > 0 ? [`-A${after}`, `-B${before}`] : []
    const args = ['-an', ...context, `-m${countMax}`, ...(invert ? ['-v'] : []), 'x', path]
    // cat -v: what is no UTF-8 comes through as text.
    const wanted = attempt('sh', ['-c', 'LC_ALL=C grep "$@" | cat -v', 'sh', ...args]).stdout
    for (const pieces of [[bytes], cut(bytes)]) {
      const found = scanned(pieces, { before, after, invert, countMax })
      const shown = attempt('sh', ['-c', 'base64 -d | cat -v'], {
        input: Buffer.from(found, 'latin1').toString('base64'),
      }).stdout
      t.equal(shown, wanted, `${args.join(' ')}, round ${round}`)
    }
  }
})

t.test('of a file with a NUL it is only said that something was found', async (t) => {
  t.equal(scanned([Buffer.from('x\n\0x\nx\n')]), 'binary\n')
  t.equal(scanned([Buffer.from('x1\n'), Buffer.from('\0x\nx\n')]), '1:x1\nbinary\n')
  t.equal(scanned([Buffer.from('\0a\n')]), '')
  t.equal(scanned([Buffer.from('\0x\n')], { asText: true }), '1:\0x\n')
})

t.test('a file that is enough is not read on', async (t) => {
  const scan = new FileScan(
    { ...plain, countMax: 1, after: 1 },
    { line: () => undefined, binary: () => undefined },
  )
  scan.take(Buffer.from('x\n'))
  t.notOk(scan.isDone, 'a line of context is to come')
  scan.take(Buffer.from('a\n'))
  t.ok(scan.isDone)
  t.equal(scan.count, 1)
})

t.test('a line without an end takes bounded memory', async (t) => {
  const piece = Buffer.alloc(1024 * 1024, 'a')
  const numbers: number[] = []
  const scan = new FileScan(
    { ...plain, test: (text) => text.length > 0 },
    { line: ({ number, text }) => numbers.push(number, text.length), binary: () => undefined },
  )
  for (let count = 0; count < 40; count++) scan.take(piece)
  scan.end()
  t.same(numbers, [1, 2 ** 24, 2, 2 ** 24, 3, 8 * 2 ** 20])
})
