// Units of a stream come out whole, wherever the stream was cut.

import t from 'tap'
import { Units } from '../../src/base/units.ts'
import { randomFrom, seedOf } from '../support/random.ts'

const seed = seedOf('AVFS_SEED')
t.comment(`AVFS_SEED=${seed}`)

function unit(bytes: Buffer): Buffer {
  const head = Buffer.alloc(4)
  head.writeUInt32LE(bytes.length + 4)
  return Buffer.concat([head, bytes])
}

/** Every whole unit of `rest`, and what is left. */
function split(rest: Buffer, into: Buffer[]): Buffer {
  let left = rest
  while (left.length >= 4 && left.readUInt32LE(0) <= left.length) {
    const length = left.readUInt32LE(0)
    into.push(Buffer.from(left.subarray(0, length)))
    left = left.subarray(length)
  }
  return left
}

t.test('units come out as they went in, at every cut', async (t) => {
  const random = randomFrom(seed)
  for (let round = 0; round < 200; round++) {
    const sent = Array.from({ length: 20 }, () =>
      unit(random.bytes(random.pick([0, 1, 3, 50, 900]))),
    )
    const stream = Buffer.concat(sent)
    const units = new Units()
    const got: Buffer[] = []
    for (let at = 0; at < stream.length; ) {
      const piece = Buffer.from(
        stream.subarray(at, at + 1 + random.below(random.pick([3, 40, 2000]))),
      )
      at += piece.length
      const whole = units.add(piece)
      if (whole !== undefined) units.keep(Buffer.from(split(whole, got)))
      // Whoever sends it may use the memory again.
      piece.fill(0xff)
    }
    t.equal(units.waiting, 0)
    t.ok(Buffer.concat(got).equals(stream), `round ${round}`)
  }
})

t.test('a length that cannot be is refused', async (t) => {
  t.throws(() => new Units().add(Buffer.from([0, 0, 0, 0, 1])), RangeError)
  t.throws(() => new Units().add(Buffer.from([0xff, 0xff, 0xff, 0xff])), RangeError)
  const units = new Units()
  t.equal(units.add(Buffer.from([0xff, 0xff])), undefined)
  t.throws(() => units.add(Buffer.from([0xff, 0xff])), RangeError)
})
