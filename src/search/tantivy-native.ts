// native/tantivy-node and its types. What it throws has a `kind`: one of StoreError, or 'limit' for
// a plan that it refuses.

import { requireAddon } from '../store/kv/addon.ts'
import { StoreError, type StoreErrorKind } from '../store/store.ts'
import type { SearchEngine } from './engine.ts'

/**
 * A SearchEngine but for what it throws, for null where that has undefined, and for a second close.
 */
export interface TantivyIndex extends Omit<SearchEngine, 'textsWith' | 'textOf'> {
  textsWith(hashes: readonly Uint8Array[]): (number | null)[]
  textOf(ino: number, number: number): number | null
}

export interface TantivyOptions {
  /** Makes the index where there is none. */
  readonly create?: boolean
  /** Makes a new one whatever is there, but nothing of what is no index. */
  readonly rebuild?: boolean
  /** Beside others who read, and beside nobody who writes. */
  readonly readOnly?: boolean
}

interface TantivyAddon {
  readonly VERSION: string
  open(path: string, options: TantivyOptions): Promise<TantivyIndex>
}

const advices: Readonly<Record<StoreErrorKind, string>> = {
  busy: 'another program holds the search index',
  full: 'the disk that holds the search index is full',
  corrupt: 'the search index is damaged and must be rebuilt',
  locked: 'the search index is open for reading only',
  closed: 'the search index is closed',
  io: 'the search index cannot be read or written',
  format: 'this is no search index',
  unavailable: 'tantivy is not available here',
}

/** tantivy's version; rejects with what require throws where the addon cannot be loaded. */
export async function tantivyVersion(): Promise<string> {
  return `tantivy ${requireAddon<TantivyAddon>('tantivy-node').VERSION}`
}

/** The addon; throws StoreError 'unavailable' with what to do where it cannot be loaded. */
export function tantivyAddon(): TantivyAddon {
  try {
    return requireAddon<TantivyAddon>('tantivy-node')
  } catch (cause) {
    const command = 'run "make search" in a checkout of avfs'
    throw new StoreError('unavailable', `${advices.unavailable}: ${command}`, { cause })
  }
}

/** The StoreError of what the addon has thrown. A TypeError is a bug and stays one. */
export function searchErrorOf(error: unknown): unknown {
  if (!(error instanceof Error) || !('kind' in error) || error instanceof StoreError) return error
  if (error.kind === 'limit')
    return new StoreError('io', `the query is too large: ${error.message}`, { cause: error })
  const kind = error.kind as StoreErrorKind
  return new StoreError(kind, `${advices[kind]} (${error.message})`, { cause: error })
}
