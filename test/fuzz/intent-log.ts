// Fuzzer of the intent log that a crash left: its records damaged, cut, moved, repeated, and with
// right checksums over changes that are damaged. The vault opens with what is whole before the
// damage, in the order in which it was recorded, or is refused.

import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setLog } from '../../src/base/log.ts'
import { tag } from '../../src/store/collections.ts'
import {
  BLOCK_BYTES,
  HEAD_BYTES,
  SESSION_BYTES,
  sealRecord,
} from '../../src/store/intent-log/record.ts'
import { openStore } from '../../src/store/open.ts'
import { LoggedVault } from '../store/logged-vault.ts'
import { type Random, randomFrom } from '../support/random.ts'
import { type FuzzInput, isMistake, refusable } from './input.ts'
import { mutated } from './mutate.ts'

const RECORDS = 12
const SESSION_AT = 8
const SEQUENCE_AT = 16
const LENGTH_AT = 24

const names = Array.from({ length: RECORDS }, (_, index) => `tag ${10 + index}`)

export const intentLogInput: FuzzInput = {
  canary: /not those that were recorded first/,
  seeds: 10,
  async open({ folder, isBroken }) {
    const vault = await LoggedVault.open(join(folder, 'vault.avfs'))
    for (const name of names) {
      vault.put(name)
      await vault.commits.durable()
    }
    const base = vault.crash(join(folder, 'base'))
    await vault.close()
    const log = readFileSync(`${base}-log`).subarray(0, (RECORDS + 4) * BLOCK_BYTES)
    const work = join(folder, 'work')
    const path = join(work, 'vault.avfs')
    return {
      async run(seed) {
        const random = randomFrom(seed)
        const lines: string[] = []
        setLog('info', (line) => lines.push(line))
        try {
          cpSync(join(folder, 'base'), work, { recursive: true })
          const { bytes, isForged } = damaged(Buffer.from(log), random)
          writeFileSync(`${path}-log`, bytes)
          const first = await refusable(() => tagsIn(path, random.below(2) === 0, false))
          const salvaged = await refusable(() => tagsIn(path, false, true))
          if (isBroken) salvaged?.shift()
          for (const found of [first, salvaged])
            if (!isForged && found !== undefined && found.join() !== expected(found.length))
              throw new Error(`${found}: not those that were recorded first`)
          const mistake = lines.find(isMistake)
          if (mistake !== undefined) throw new Error(`in the log: ${mistake}`)
        } finally {
          rmSync(work, { recursive: true, force: true })
        }
      },
      close: async () => undefined,
    }
  },
}

function expected(count: number): string {
  return ['first', ...names].slice(0, count).join()
}

async function tagsIn(path: string, readOnly: boolean, salvage: boolean): Promise<string[]> {
  const store = await openStore(path, { readOnly, salvage })
  try {
    return store.scan(tag, { limit: 1000 }).map(({ name }) => name)
  } finally {
    await store.close()
  }
}

function damaged(log: Buffer, random: Random): { bytes: Buffer; isForged: boolean } {
  const at = random.below(RECORDS) * BLOCK_BYTES
  if (random.below(2) === 0) return { bytes: mutated(log, random), isForged: false }
  if (random.below(2) === 0) {
    // Whole records in another order, or twice.
    log.copyWithin(random.below(RECORDS) * BLOCK_BYTES, at, at + BLOCK_BYTES)
    return { bytes: log, isForged: false }
  }
  const session = Buffer.from(log.subarray(SESSION_AT, SESSION_AT + SESSION_BYTES))
  const sequence = log.readDoubleLE(at + SEQUENCE_AT)
  const end = at + HEAD_BYTES + log.readUInt32LE(at + LENGTH_AT)
  const changes = mutated(Buffer.from(log.subarray(at + HEAD_BYTES, end)), random)
  const record = Buffer.alloc(HEAD_BYTES + Math.min(changes.length, BLOCK_BYTES - HEAD_BYTES))
  record.set(changes.subarray(0, record.length - HEAD_BYTES), HEAD_BYTES)
  sealRecord(record, session, random.below(3) === 0 ? random.below(20) : sequence)
  log.set(record, at)
  return { bytes: log, isForged: true }
}
