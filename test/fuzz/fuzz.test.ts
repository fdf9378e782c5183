// A short run of every fuzzer with fixed seeds, and of its canary, code with a bug that it has to
// find; and a test that the runner reports every way in which a process can fail. `make fuzz` is
// the long run.

import t from 'tap'
import { growthOf } from '../support/growth.ts'
import { fuzzInputs } from './inputs.ts'
import { runFuzz } from './runner.ts'

t.setTimeout(580_000)
const SEED = 1
const CANARY_SECONDS = 20

for (const [input, { canary, seeds }] of Object.entries(fuzzInputs))
  t.test(`whatever is in ${input} is answered or refused, and a bug would be found`, async (t) => {
    const sound = await runFuzz({ input, seed: SEED, seconds: 0, seeds })
    t.equal(sound.failure?.what, undefined)
    t.equal(sound.count, seeds)
    const broken = await runFuzz({ input, seed: SEED, seconds: CANARY_SECONDS, isBroken: true })
    t.match(broken.failure?.what ?? 'nothing', canary)
  })

const fates: readonly (readonly [string, RegExp])[] = [
  ['throws', /thrown on purpose/],
  ['rejects', /nobody hears of this/],
  ['later', /thrown on purpose/],
  ['ends', /the process ended/],
  ['dies', /the process ended \(SIGABRT\)/],
  ['hangs', /it hangs/],
  ['waits', /it hangs/],
  ['swells', /MiB of memory/],
]

for (const [name, what] of fates)
  t.test(`an input under which the process ${name} is told with its seed`, async (t) => {
    const job = { input: `canary-${name}`, seed: 1, seconds: 60 }
    const { count, failure } = await runFuzz(job, {
      hangMs: 10_000,
      residentBytes: 512 * 1024 * 1024,
    })
    t.match(failure?.what ?? 'nothing', what)
    t.equal(failure?.seed, 3)
    t.equal(count, 3)
  })

t.test('growth is told from ups and downs', async (t) => {
  const wave = Array.from({ length: 40 }, (_, at) => 100 + 60 * (at % 4))
  t.equal(growthOf(wave, 20), undefined)
  t.equal(growthOf([...Array(10).fill(10), ...Array(30).fill(200)], 20), undefined, 'caches fill')
  t.equal(growthOf([1, 100, 1000], 20), undefined, 'too few to say')
  t.same(
    growthOf(
      wave.map((its, at) => its + 4 * at),
      20,
    ),
    { from: 148, to: 228 },
  )
})
