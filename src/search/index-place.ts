// Where the index of a vault lies, and whether what lies there is that vault's, made in this way:
// an index in another form is thrown away, since it can always be made again.

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setting } from '../store/collections.ts'
import { INDEX_ENDING } from '../store/open.ts'
import { retryUntilLoaded } from '../store/retry.ts'
import { StoreError } from '../store/store.ts'
import type { Vault } from '../vault/vault.ts'
import { availabilityOfSearch, type SearchBackend, searchBackends } from './engines.ts'
import type { EngineSpec } from './thread-protocol.ts'

/** Of what analyze.ts and index-writer.ts make of a file: with another number all is made anew. */
const INDEX_FORMAT = 2
/** The setting that says of which form an index within the vault is. */
const STAMP_SETTING = 'search_index'
const STAMP_FILE = 'stamp'

const tantivy = searchBackends.find(({ name }) => name === 'tantivy') as SearchBackend

/**
 * The index of a vault. Throws StoreError 'unavailable', which says what to do, where no engine can
 * be had.
 */
export async function engineOf(vault: Vault): Promise<EngineSpec> {
  const { auxiliary } = vault.core.overlay.store
  if (auxiliary !== undefined)
    return { kind: 'fts5', path: auxiliary.path, cacheBytes: vault.searchCacheBytes }
  if (!vault.traits.persistent)
    throw new StoreError('unavailable', 'a vault in memory has no search')
  const availability = await availabilityOfSearch(tantivy)
  if (availability.available)
    return { kind: 'tantivy', folder: folderOf(vault.path), readOnly: vault.readOnly }
  const { why, command } = availability
  throw new StoreError('unavailable', `search of this vault needs tantivy: ${why}; run: ${command}`)
}

function folderOf(path: string): string {
  return join(path + INDEX_ENDING, 'index')
}

/** The form that an index of this vault must have. */
function stampOf(vault: Vault, textBytesMax: number): string {
  return `${vault.info().id} ${INDEX_FORMAT} ${textBytesMax}`
}

/** Whether the index that is there, if any, is one of this vault as it is set. */
export async function isOwn(
  vault: Vault,
  engine: EngineSpec,
  textBytesMax: number,
): Promise<boolean> {
  const stamp = await retryUntilLoaded(() => stampOf(vault, textBytesMax))
  if (engine.kind === 'fts5') {
    const row = await retryUntilLoaded(() => vault.core.overlay.get(setting, [STAMP_SETTING]))
    return row?.value === stamp
  }
  try {
    return readFileSync(join(vault.path + INDEX_ENDING, STAMP_FILE), 'utf8') === stamp
  } catch {
    return false
  }
}

/** Says that the index is one of this vault. Called when it is empty. */
export async function claimIndex(
  vault: Vault,
  engine: EngineSpec,
  textBytesMax: number,
): Promise<void> {
  const value = await retryUntilLoaded(() => stampOf(vault, textBytesMax))
  if (engine.kind === 'fts5') vault.core.overlay.put(setting, { name: STAMP_SETTING, value })
  else {
    writeFileSync(join(vault.path + INDEX_ENDING, STAMP_FILE), value, { mode: 0o600 })
  }
}

/** Makes room for a new index where nobody has one open. */
export function emptyIndexFolder(vault: Vault): void {
  removeIndexFolder(vault)
  mkdirSync(vault.path + INDEX_ENDING, { mode: 0o700 })
}

/** Removes an index that nobody has open and that is a folder. */
export function removeIndexFolder(vault: Vault): void {
  rmSync(vault.path + INDEX_ENDING, { recursive: true, force: true })
}
