// Shared memory for small texts on their way to the search thread.

import t from 'tap'
import { TransferBuffer } from '../../src/search/transfer-buffer.ts'

t.test('texts of a parcel lie in one piece of memory, each in its own part', (t) => {
  const parcel = new TransferBuffer(10)
  const [a, b] = [parcel.take(4), parcel.take(6)]
  t.equal(a.buffer, b.buffer)
  t.same([a.byteOffset, a.length, b.byteOffset, b.length], [0, 4, 4, 6])
  t.equal(parcel.take(0).length, 0)
  t.end()
})

t.test('what does not fit has memory of its own', (t) => {
  const parcel = new TransferBuffer(10)
  const small = parcel.take(8)
  const large = parcel.take(3)
  t.not(large.buffer, small.buffer)
  t.equal(large.buffer.byteLength, 3)
  parcel.giveBack(large)
  t.equal(parcel.take(2).byteOffset, 8, 'and gives none back to the parcel')
  t.end()
})

t.test('memory that was given back is taken again', (t) => {
  const parcel = new TransferBuffer(10)
  parcel.take(2)
  parcel.giveBack(parcel.take(8))
  t.equal(parcel.take(8).byteOffset, 2)
  t.end()
})
