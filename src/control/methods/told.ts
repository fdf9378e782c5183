// What a step has to tell and cannot wait for: kept, and handed over between two steps, so that no
// more than that of one step waits for a slow reader.

import type { Effect, Heard } from '../../vault/core/effect.ts'
import { toText } from '../wire/byte-strings.ts'
import type { Receive } from '../wire/protocol.ts'
import type { PathEffect } from './method-types.ts'

export interface Told<Item extends object> {
  /** Keeps an item for the caller. */
  tell(item: Item): void
  /** How many were told in all. */
  readonly count: number
  /**
   * To be awaited between two steps, and at the end: hands over what there is. Rejects when nobody
   * takes it.
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

/** The same of what becomes of each path, which is counted. */
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
