// Every opcode and every INIT flag that a current kernel knows is answered as docs/architecture.md
// says.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { errnoName, FsError } from '../../src/base/errno.ts'
import { setLog } from '../../src/base/log.ts'
import type { Operations } from '../../src/fs/operations.ts'
import { operationTable } from '../../src/fuse/ops.ts'
import { startSession } from '../../src/fuse/session.ts'
import { createFakeChannel, fakeMount, init, request } from '../support/fuse-wire.ts'

setLog('error', () => undefined)

/** The rows of the table in the docs whose head begins so, as cells. */
function rowsBelow(head: string): string[][] {
  const docs = readFileSync(join(import.meta.dirname, '../../docs/architecture.md'), 'utf8')
  const lines = docs.split('\n')
  const from = lines.findIndex((line) => line.startsWith(`| ${head} |`))
  if (from < 0) throw new Error(`there is no table of ${head} in the docs`)
  const rows: string[][] = []
  for (const line of lines.slice(from + 2)) {
    if (!line.startsWith('|')) break
    rows.push(line.split('|').map((cell) => cell.trim()))
  }
  return rows
}

/** 'NAME 7' in a cell. */
function numbersIn(cell: string): [name: string, number: number][] {
  return [...cell.matchAll(/([A-Z][A-Z0-9_]+) (\d+)/g)].map(([, name = '', number]) => [
    name,
    Number(number),
  ])
}

const EREACHED = 18

/** An operation that was reached says so. */
const reached = new Proxy({} as Operations, {
  get: () => () => {
    throw new FsError(EREACHED)
  },
})

/** What a request of zeros (and names) is answered. */
function answerTo(opcode: number): string {
  const { ask } = fakeMount(reached)
  const row = operationTable[opcode]
  const length = row === undefined ? 64 : (row.request?.size ?? 0)
  const names = '7800'.repeat(row?.names ?? 0)
  // INIT wants to be told a version.
  const body = opcode === 26 ? init().toString('hex', 40) : '00'.repeat(length) + names
  const answer = ask(request(opcode, 1, body))
  if (answer === undefined) return 'no reply'
  const errno = -Buffer.from(answer, 'hex').readInt32LE(4)
  return errno === 0 || errno === EREACHED ? 'done' : errnoName(errno)
}

t.test('every opcode from 0 to 255 is answered as the docs say', async (t) => {
  const told = new Map<number, { name: string; answer: string }>()
  for (const [, opcodes = '', answer = ''] of rowsBelow('opcodes'))
    for (const [name, number] of numbersIn(opcodes))
      told.set(number, { name, answer: /^(done|no reply|E[A-Z]+)/.exec(answer)?.[1] ?? '' })
  t.equal(told.size, 51, 'FUSE 7.45 has so many')
  for (let opcode = 0; opcode < 256; opcode++) {
    const its = told.get(opcode)
    t.equal(answerTo(opcode), its?.answer ?? 'ENOSYS', `${opcode} ${its?.name ?? ''}`)
    t.equal(operationTable[opcode]?.name, its?.name, `${opcode}`)
  }
})

t.test('of the flags of INIT those are asked for that the docs say', async (t) => {
  const channel = createFakeChannel()
  startSession({ channel, operations: reached })
  const offered = init(0xffffffff)
  // flags2: those from bit 32 on.
  offered.writeUInt32LE(0xffffffff, 40 + 16)
  channel.send(offered)
  const answer = Buffer.from(channel.replies[0] ?? '', 'hex')
  const low = BigInt(answer.readUInt32LE(16 + 12))
  const high = BigInt(answer.readUInt32LE(16 + 32))
  const flags = low | (high << 32n)
  const told = new Map<number, boolean>()
  for (const [, cell = '', asked = ''] of rowsBelow('INIT flags'))
    for (const [, bit] of numbersIn(cell)) told.set(bit, asked.startsWith('asked'))
  t.equal(told.size, 43, 'bits 0 to 42')
  for (let bit = 0; bit < 64; bit++)
    t.equal(((flags >> BigInt(bit)) & 1n) === 1n, told.get(bit) ?? false, `bit ${bit}`)
})
