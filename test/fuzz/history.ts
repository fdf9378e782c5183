// Fuzzer of exported histories (.avfs-history): their files are damaged, in most cases with a
// manifest that is correct nevertheless. Each is refused or becomes a vault, which is then used
// like any other.

import { createHash } from 'node:crypto'
import { historyFiles } from '../../src/archive/history-source.ts'
import type { SettingRow } from '../../src/store/collections.ts'
import { openMemory } from '../../src/store/memory.ts'
import { openStore } from '../../src/store/open.ts'
import type { Store } from '../../src/store/store.ts'
import { checkStore } from '../../src/vault/check/check.ts'
import { exportHistory } from '../../src/vault/transfer/export-history.ts'
import {
  HISTORY_NAME,
  lineOf,
  type Manifest,
  rowOf,
} from '../../src/vault/transfer/history-rows.ts'
import { historyImporter } from '../../src/vault/transfer/import-history.ts'
import { birthBatch, Vault } from '../../src/vault/vault.ts'
import { type Random, randomFrom } from '../support/random.ts'
import { fillRichVault } from '../vault/rich-vault.ts'
import { type FuzzInput, refusable } from './input.ts'
import { mutated } from './mutate.ts'
import { useStore } from './use-vault.ts'

type Files = ReadonlyMap<string, Buffer>

const MANIFEST = 'manifest.json'
const STEPS = 60

export const historyInput: FuzzInput = {
  canary: /a bug/,
  seeds: 20,
  async open({ isBroken }) {
    const sound = await exported()
    return {
      async run(seed) {
        const random = randomFrom(seed)
        const files = damagedFiles(sound, random)
        const store = await openStore('', { backend: 'memory' })
        // What is wrong in the canary.
        if (isBroken) throw new TypeError('a bug')
        const done = await refusable(() => filled(store, files))
        if (done === true) await useStore(store, '/', random)
        else await store.close()
      },
      close: async () => undefined,
    }
  },
}

/** False for what is refused. As control/offline/rebuild.ts has it. */
async function filled(store: Store, files: Files): Promise<boolean> {
  const own = birthBatch().flatMap(({ puts }) => puts.filter((row) => 'value' in row))
  const importer = historyImporter(store, own as SettingRow[])
  try {
    for (const [name, bytes] of files) await importer.take(name, bytes)
    await importer.finish()
  } catch (error) {
    if (error instanceof RangeError && /histor|rows of|does not hold/.test(error.message))
      return false
    throw error
  }
  return (await checkStore(store, { deep: false })).problems.length === 0
}

/** The files of a history, by their paths. */
async function exported(): Promise<Files> {
  const store = openMemory()
  await store.commit(birthBatch())
  const vault = new Vault(store, '/', { commitMs: 1e9, sealMs: 1e9 })
  await fillRichVault(vault, 5, STEPS)
  await vault.sync()
  const files = new Map<string, Buffer>()
  const take = historyFiles(async (name, bytes) => void files.set(name, Buffer.from(bytes)), true)
  const problem = (name: string, message: string): void => {
    throw new Error(`${HISTORY_NAME}${name}: ${message}`)
  }
  await exportHistory(store, { parent: 0, firstId: 1, send: take, problem })
  await vault.close()
  return files
}

function damagedFiles(sound: Files, random: Random): Files {
  const files = new Map(sound)
  const names = [...files.keys()]
  const name =
    random.below(3) > 0 ? (names.find((its) => its.startsWith('rows/')) ?? '') : random.pick(names)
  const bytes = files.get(name) ?? Buffer.alloc(0)
  if (!name.startsWith('rows/') || random.below(3) === 0) files.set(name, mutated(bytes, random, 2))
  else {
    const lines = bytes.toString().split('\n')
    for (let changes = 1 + random.below(3); changes > 0; changes--) {
      const at = random.below(lines.length)
      lines[at] = otherValue(lines[at] ?? '', random)
    }
    files.set(name, Buffer.from(lines.join('\n')))
    files.set(MANIFEST, signed(files))
  }
  return files
}

/** A row with another number in one column. */
function otherValue(line: string, random: Random): string {
  const numbers = [...line.matchAll(/:(-?\d+)/g)]
  if (numbers.length === 0) return line
  const { index, 0: found } = random.pick(numbers)
  const value = random.pick([0, 1, 2, 3, 255, 0o40755, 0o100644, 2 ** 31, 2 ** 53 - 1])
  return `${line.slice(0, index)}:${value}${line.slice(index + found.length)}`
}

/** The manifest that fits the rows as they stand. */
function signed(files: Files): Buffer {
  const manifest = JSON.parse((files.get(MANIFEST) ?? '{}').toString()) as Manifest
  const lines = [...files].flatMap(([name, bytes]) =>
    name.startsWith('rows/') ? bytes.toString().split('\n') : [],
  )
  const byCollection = new Map<string, string[]>(
    Object.keys(manifest.rows).map((name) => [name, []]),
  )
  for (const line of lines.filter((its) => its !== '')) {
    try {
      const { collection, row } = rowOf(line)
      byCollection.get(collection.name)?.push(`${lineOf(collection, row)}\n`)
    } catch {
      // Refused later.
    }
  }
  const rows = Object.fromEntries(
    [...byCollection].map(([name, its]) => [
      name,
      { count: its.length, sha256: createHash('sha256').update(its.join('')).digest('hex') },
    ]),
  )
  return Buffer.from(JSON.stringify({ ...manifest, rows }))
}
