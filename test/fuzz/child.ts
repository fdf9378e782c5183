// A process that runs one fuzzer, seed after seed. It writes to descriptor 3 each seed before it
// begins, so that its parent knows which one was running when it ends, hangs or grows: `seed N`,
// `memory BYTES` now and then, `failed JSON` and `done`.

import { mkdirSync, writeSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { canaries } from './canary.ts'
import { fuzzInputs } from './inputs.ts'
import type { FuzzJob } from './runner.ts'

const MEMORY_EVERY_MS = 2000

const job = JSON.parse(process.argv[2] ?? '') as FuzzJob
const say = (line: string): void => void writeSync(3, `${line}\n`)

function fail(error: unknown, origin = ''): never {
  const text = error instanceof Error ? explained(error) : String(error)
  say(`failed ${JSON.stringify(origin === '' ? text : `${origin}: ${text}`)}`)
  process.exit(1)
}

function explained(error: Error): string {
  const own = error.stack ?? String(error)
  return error.cause instanceof Error ? `${own}\ncaused by ${explained(error.cause)}` : own
}

process.on('uncaughtException', (error, origin) => fail(error, origin))

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** What is in use, outside of V8's heap, too. */
function usedBytes(): number {
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

const input = { ...fuzzInputs, ...canaries }[job.input]
if (input === undefined) throw new Error(`no such input: ${job.input}`)
mkdirSync(job.folder, { recursive: true })
const fuzz = await input.open({ folder: job.folder, isBroken: job.isBroken })
const until = performance.now() + job.seconds * 1000
let nextLook = performance.now()
let seed = job.seed
do {
  say(`seed ${seed}`)
  try {
    await fuzz.run(seed)
  } catch (error) {
    fail(error)
  }
  // What nobody waits for fails here, under its seed.
  for (let turns = 0; turns < 3; turns++) await setImmediate()
  if (performance.now() >= nextLook) {
    say(`memory ${usedBytes()}`)
    nextLook = performance.now() + MEMORY_EVERY_MS
  }
  seed++
} while (job.seeds === undefined ? performance.now() < until : seed < job.seed + job.seeds)
await fuzz.close()
say('done')
process.exit(0)
