// `make fuzz SECONDS= SEED= INPUT=`: random input by seed (test/fuzz), each kind for so many
// seconds, two kinds at a time at most. Ends with 1 when one failed, and says how to repeat that.

import { parseArgs } from 'node:util'
import { fuzzInputs } from '../test/fuzz/inputs.ts'
import { INTERRUPTED, runFuzz } from '../test/fuzz/runner.ts'

const SEEDS = 1_000_000_000

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seconds: { type: 'string', default: '60' },
    input: { type: 'string' },
    jobs: { type: 'string', default: '1' },
  },
})
const seed = Number(values.seed ?? Date.now() % SEEDS)
const seconds = Number(values.seconds)
const names = values.input?.split(',') ?? Object.keys(fuzzInputs)
for (const name of names)
  if (!Object.hasOwn(fuzzInputs, name)) {
    console.error(
      `fuzz: no input is named ${name}; there are ${Object.keys(fuzzInputs).join(', ')}`,
    )
    process.exit(2)
  }

const waiting = [...names]
const lanes = Array.from({ length: Number(values.jobs) }, async () => {
  for (let input = waiting.shift(); input !== undefined; input = waiting.shift()) {
    const { count, failure } = await runFuzz({ input, seed, seconds })
    if (failure === undefined) {
      console.log(`${input}: ${count} seeds from ${seed}, no failure`)
      continue
    }
    console.log(
      `${input}: seed ${failure.seed} fails, after ${Math.max(0, count - 1)} that did not:`,
    )
    console.log(failure.what)
    console.log(`again: make fuzz INPUT=${input} SEED=${failure.seed} SECONDS=0`)
    process.exitCode = 1
    if (failure.what === INTERRUPTED) waiting.length = 0
  }
})
await Promise.all(lanes)
