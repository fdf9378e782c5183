// What a method is: what it is given, what it may ask of its caller, and how it runs.

import type { Searcher } from '../../search/searcher.ts'
import type { Store } from '../../store/store.ts'
import type { Kernel } from '../../vault/tree/announce.ts'
import type { Vault } from '../../vault/vault.ts'
import type { Receive, Report } from '../wire/protocol.ts'
import type { ItemOf, MethodName, ParametersOf, ResultOf } from './method-types.ts'

/** Parameters as they come off the wire: names to values that each method checks itself. */
export type Parameters = Readonly<Record<string, unknown>>

/** The same, of one method: none but its own names are asked for. */
export type Given<N extends MethodName> = { readonly [P in keyof ParametersOf<N>]?: unknown }

/** One call of a method. */
export interface Call<Item extends object = object> {
  readonly report: Report
  /** Hands a piece over; resolves when the next one is welcome. */
  readonly send: Receive<Item>
  /** Undefined when the vault is not mounted. */
  readonly kernel: Kernel | undefined
  /** The search of the vault; where it is not open by itself, it is until the call ends. */
  readonly searcher: () => Searcher
  /** True when nobody waits for the result any more: long work that only looks ends then. */
  readonly isGone: () => boolean
  /** What the caller sends along. A piece may be used again once the next one is asked for. */
  readonly body: AsyncIterable<Uint8Array> | undefined
}

export interface Method<N extends MethodName = MethodName> {
  /** Needs no write access: a vault is opened read-only for it. */
  readonly readOnly: boolean
  /** Does what it can for a vault that cannot be written, too. */
  readonly alsoReadOnly?: true
  run(vault: Vault, parameters: Given<N>, call: Call<ItemOf<N>>): Promise<ResultOf<N>>
  /**
   * In place of `run` on a vault that nobody has open, for what must work where opening it as a
   * vault would fail.
   */
  runOnStore?(store: Store, parameters: Given<N>, call: Call<ItemOf<N>>): Promise<ResultOf<N>>
}

/** The table of methods. */
export type Methods = { readonly [N in MethodName]: Method<N> }
