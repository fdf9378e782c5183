// Opens a damaged vault with the engine named by the second argument and reads everything: prints
// as JSON how that ended, and which of the values 0 .. n - 1 (the third argument) exist but differ
// from what was written.

import type { KvEngine } from '../../src/store/kv/engine.ts'
import { BLOCKS, ROWS } from '../../src/store/kv/engine.ts'
import { openRocksdb } from '../../src/store/rocksdb.ts'
import { openSled } from '../../src/store/sled.ts'
import { StoreError } from '../../src/store/store.ts'

const [path, name, count] = process.argv.slice(2) as [string, string, string]
const open = name === 'rocksdb' ? openRocksdb : openSled
const errors: string[] = []
const wrong: number[] = []
let findings: string[] = []
let engine: KvEngine | undefined

async function guard(call: () => unknown): Promise<void> {
  try {
    await call()
  } catch (error) {
    errors.push(error instanceof StoreError ? error.kind : `not a StoreError: ${error}`)
  }
}

await guard(async () => {
  engine = await open(path, { create: false, readOnly: false, cacheBytes: 8_000_000 })
})
const opened = engine
if (opened !== undefined) {
  for (let i = 0; i < Number(count); i++)
    for (const group of [ROWS, BLOCKS] as const)
      await guard(() => {
        const value = opened.get(group, Buffer.from(`${i}`))
        if (value?.some((byte) => byte !== i % 256)) wrong.push(i)
      })
  await guard(async () => {
    findings = await opened.verify()
  })
  await guard(() => opened.close())
}
process.stdout.write(
  JSON.stringify({ errors: [...new Set(errors)], wrong, findings: findings.length }),
)
