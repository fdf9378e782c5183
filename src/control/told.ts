// What a step has to tell and cannot wait for: kept, and handed over between two steps.

import type { Receive } from './protocol.ts'

export interface Told {
  /** Keeps an item for the caller. */
  tell(item: object): void
  /** How many were told in all. */
  readonly count: number
  /** To be awaited between two steps, and at the end: hands over what there is. Rejects when nobody takes it. */
  sent(): Promise<void> | undefined
}

export function toldTo(send: Receive): Told {
  let items: object[] = []
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
