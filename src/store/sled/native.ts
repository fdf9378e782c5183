// native/sled and its types. What the calls are for is up to sled.ts; what they throw has a `kind` of StoreError.

import { requireAddon } from '../kv/addon.ts'
import type { Group } from '../kv/engine.ts'

/** A number that view() gave. */
export type ViewNumber = number & { readonly sledView: never }

export interface SledDatabase {
  /** The value's length, which is in `into` if it fits; -1: there is none. */
  get(view: ViewNumber | undefined, group: Group, key: Uint8Array, into: Uint8Array): number
  range(
    view: ViewNumber | undefined,
    group: Group,
    gte: Uint8Array,
    lt: Uint8Array | undefined,
    reverse: boolean,
    limit: number,
    bytes: number,
  ): Uint8Array
  /** The changes are copied before it returns, and written in the order of the calls. */
  write(changes: Uint8Array, length: number): Promise<void>
  view(): ViewNumber
  closeView(view: ViewNumber): void
  stats(): Record<string, number>
  compact(): Promise<void>
  verify(): Promise<string[]>
  /** Waits for batches, and ends compact and verify early. */
  close(): Promise<void>
}

export interface SledAddon {
  readonly VERSION: string
  open(path: string, create: boolean, readOnly: boolean, cacheBytes: number): Promise<SledDatabase>
}

/** sled's version; rejects with what require throws where the addon cannot be loaded. */
export async function sledVersion(): Promise<string> {
  return requireAddon<SledAddon>('sled').VERSION
}
