// Reads everything in a vault on disk, on any engine, and checks whether it is consistent.

import { openStore } from '../../src/store/open.ts'
import { checkStore } from '../../src/vault/check/check.ts'
import { copyStore, type Survey } from '../../src/vault/transfer/copy-rows.ts'

/** The digest of each collection. Throws unless a deep check finds nothing. */
export async function wholeVault(path: string): Promise<Survey> {
  const store = await openStore(path, { readOnly: true })
  const memory = await openStore('', { backend: 'memory' })
  try {
    const survey = await copyStore(store, memory, {
      damaged: ({ collection, message }) => {
        throw new Error(`${path}: ${collection}: ${message}`)
      },
    })
    const { problems } = await checkStore(memory, { deep: true })
    const [first] = problems
    if (first !== undefined) throw new Error(`${path}: ${first.message}`)
    return survey
  } finally {
    await store.close()
    await memory.close()
  }
}
