// `make fuzz SEED= SECONDS=`: damaged requests against the protocol, and random operations against the plain model, seed after seed
// until the time is up. Ends at the first failure, with the seed that brings it back.

import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { fuzzProtocol } from '../test/fuzz/protocol.ts'

const REQUESTS = 20_000

const { values } = parseArgs({
  options: { seed: { type: 'string' }, seconds: { type: 'string', default: '60' } },
})
const first = Number(values.seed ?? Date.now() % 1_000_000)
const until = performance.now() + Number(values.seconds) * 1000

let seed = first
do {
  console.log(`seed ${seed}`)
  await fuzzProtocol(seed, REQUESTS)
  const model = spawnSync(process.execPath, ['test/vault/model.test.ts'], {
    env: { ...process.env, AVFS_SEED: String(seed) },
    encoding: 'utf8',
  })
  if (model.status !== 0) {
    console.error(model.stdout)
    console.error(`the model test fails: run it again with AVFS_SEED=${seed}`)
    process.exitCode = 1
    break
  }
  seed++
} while (performance.now() < until)
console.log(`${seed - first} seeds from ${first}, ${process.exitCode === 1 ? 'a' : 'no'} failure`)
