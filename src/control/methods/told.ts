// Collects items during a step, which cannot wait, and sends them between steps, so that at most
// one step's items are kept in memory for a slow reader.

import type { Effect, Heard } from '../../vault/core/effect.ts'
import { toText } from '../wire/byte-strings.ts'
import type { Receive } from '../wire/protocol.ts'
import type { PathEffect } from './method-types.ts'

export interface Told<Item extends object> {
  /** Keeps an item for the caller. */
  tell(item: Item): void
  /** The number of items so far. */
  readonly count: number
  /**
   * Sends the collected items; await it between steps and at the end. Rejects if the caller has
   * gone.
   */
  sent(): Promise<void> | undefined
}

export function toldTo<Item extends object>(send: Receive<Item>): Told<Item> {
  let items: Item[] = []
  let count = 0
  const handOver = async (): Promise<void> => {
    const next = items
    items = []
    for (const item of next) await send({ item })
  }
  return {
    tell(item) {
      count++
      items.push(item)
    },
    get count() {
      return count
    },
    sent: () => (items.length === 0 ? undefined : handOver()),
  }
}

interface ToldEffects extends Pick<Told<PathEffect>, 'sent'> {
  readonly counts: Readonly<Record<Effect, number>>
  readonly heard: Heard
}

/** The same for effects on paths, which are also counted. */
export function effectsTo(send: Receive<PathEffect>): ToldEffects {
  const told = toldTo(send)
  const counts = { created: 0, replaced: 0, changed: 0, removed: 0, kept: 0 }
  return {
    counts,
    heard(effect, path) {
      counts[effect]++
      told.tell({ effect, path: toText(path === '' ? '/' : path) })
    },
    sent: told.sent,
  }
}
