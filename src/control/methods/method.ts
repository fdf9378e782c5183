// What a method is: its parameters, what it gets from its caller, and how it runs.

import type { Searcher } from '../../search/searcher.ts'
import type { Store } from '../../store/store.ts'
import type { Kernel } from '../../vault/tree/announce.ts'
import type { Vault } from '../../vault/vault.ts'
import type { Receive, Report } from '../wire/protocol.ts'
import type { ItemOf, MethodName, ParametersOf, ResultOf } from './method-types.ts'

/** Parameters as they arrive: names with values of any type, which each method checks. */
export type Parameters = Readonly<Record<string, unknown>>

/** The parameters of one method, unchecked, limited to its own names. */
export type Given<N extends MethodName> = { readonly [P in keyof ParametersOf<N>]?: unknown }

/** One call of a method. */
export interface Call<Item extends object = object> {
  readonly report: Report
  /** Sends a piece; resolves when the next one may be sent. */
  readonly send: Receive<Item>
  /** Undefined when the vault is not mounted. */
  readonly kernel: Kernel | undefined
  /** The vault's searcher; if it is not open yet, it is opened until the call ends. */
  readonly searcher: () => Searcher
  /**
   * True once the caller no longer waits for the result: a long method that only reads ends then.
   */
  readonly isGone: () => boolean
  /** The caller's input. A piece may be reused once the next one is requested. */
  readonly body: AsyncIterable<Uint8Array> | undefined
}

export interface Method<N extends MethodName = MethodName> {
  /** Needs no write access: the vault is opened read-only for it. */
  readonly readOnly: boolean
  /** Also runs, as far as possible, on a vault that cannot be written. */
  readonly alsoReadOnly?: true
  run(vault: Vault, parameters: Given<N>, call: Call<ItemOf<N>>): Promise<ResultOf<N>>
  /**
   * Runs instead of `run` on a vault that is not open, for methods that must work even if opening
   * it as a vault would fail.
   */
  runOnStore?(store: Store, parameters: Given<N>, call: Call<ItemOf<N>>): Promise<ResultOf<N>>
}

/** The table of methods. */
export type Methods = { readonly [N in MethodName]: Method<N> }
