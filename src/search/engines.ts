// The engines of search, and whether each can be used here.

import { type Availability, availabilityOf, type Requirement } from '../store/availability.ts'

export interface SearchBackend {
  readonly name: string
  /** Where its index is, for people. */
  readonly index: string
  readonly requirement: Requirement
  /** The engine's own version. Rejects when it cannot be loaded. */
  version(): Promise<string>
}

export const searchBackends: readonly SearchBackend[] = [
  {
    name: 'fts5',
    index: 'within NAME.avfs',
    requirement: undefined,
    version: async () => (await import('../store/sqlite/sqlite.ts')).sqliteVersion(),
  },
  {
    name: 'tantivy',
    index: 'beside any other vault',
    requirement: { make: 'search' },
    version: async () => (await import('./tantivy-native.ts')).tantivyVersion(),
  },
]

/** Whether an engine can be used here. Loads it. */
export function availabilityOfSearch(backend: SearchBackend): Promise<Availability> {
  return availabilityOf(backend.requirement, backend.version)
}
