// A short run of the protocol's fuzzer, and the canary: a file system with a bug must not get through it.

import t from 'tap'
import { fuzzProtocol } from '../fuzz/protocol.ts'

const seed = Number(process.env.AVFS_SEED ?? Date.now() % 1_000_000)

t.test('damaged requests are refused and nothing breaks', async (t) => {
  t.comment(`seed ${seed}`)
  await fuzzProtocol(seed, 5000)
  t.pass()
})

t.test('the fuzzer notices an operation that throws what it should not', async (t) => {
  await t.rejects(
    fuzzProtocol(1, 5000, (operations) => ({
      ...operations,
      getattr: () => {
        throw new TypeError('a bug')
      },
    })),
    /a bug/,
  )
})

t.test('the fuzzer notices a reply that is missing', async (t) => {
  await t.rejects(
    fuzzProtocol(1, 5000, (operations) => ({
      ...operations,
      fsync: () => new Promise<void>(() => {}),
    })),
    /no reply/,
  )
})
