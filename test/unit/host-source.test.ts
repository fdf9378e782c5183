// Files of the host that change while they are read: what could be read is sent, and the change is
// reported.

import { appendFileSync, readFileSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readHost } from '../../src/archive/host-source.ts'
import { CHANGED, DATA, dataOf, END, endOf, recordsIn } from '../../src/archive/records.ts'

const BYTES = 5_000_000

/** Reads a large file, of which `change` is made when its first bytes have come. */
async function readWhile(path: string, change: () => void): Promise<object> {
  const problems: string[] = []
  let [bytes, changes, end]: [number, number, object] = [0, 0, {}]
  await readHost(
    Buffer.from(path).toString('latin1'),
    (piece) => {
      for (const record of recordsIn(piece)) {
        if (record.readUInt8(4) === END) end = endOf(record)
        if (record.readUInt8(4) !== DATA) continue
        bytes += dataOf(record).bytes.length
        if (changes++ === 0) change()
      }
    },
    { problem: (_, message) => problems.push(message), read: () => undefined },
  )
  return { problems, bytes, end }
}

t.test('a file that changes while it is read is told, whatever it becomes', async (t) => {
  const path = join(t.testdir(), 'large')
  const fill = (): void => writeFileSync(path, Buffer.alloc(BYTES, 'abc'))
  fill()
  const told = { problems: ['changed while it was read'], end: { flags: CHANGED } }
  t.match(await readWhile(path, () => undefined), { problems: [], bytes: BYTES, end: { flags: 0 } })
  t.match(await readWhile(path, () => appendFileSync(path, 'more')), { ...told, bytes: BYTES })
  fill()
  t.match(await readWhile(path, () => utimesSync(path, 1, 1)), { ...told, bytes: BYTES })
  fill()
  const cut = (await readWhile(path, () => truncateSync(path, 10))) as { bytes: number }
  t.match(cut, told)
  t.match(cut, { end: { size: cut.bytes } }, 'its size is that of what was read')
  t.ok(cut.bytes < BYTES)
  t.equal(readFileSync(path).length, 10, 'nothing was changed here')
})
