// Hands over what becomes of each path while a method finds out, and counts it.

import type { Effect, Heard } from '../vault/effect.ts'
import { toText } from './byte-strings.ts'
import type { Call } from './methods.ts'

export interface Teller {
  readonly counts: Readonly<Record<Effect, number>>
  readonly heard: Heard
  /** Resolves when all of it was taken. */
  sent(): Promise<void>
}

/** Items are {effect, path}. */
export function teller(send: Call['send']): Teller {
  const counts = { created: 0, replaced: 0, changed: 0, removed: 0, kept: 0 }
  let sending: Promise<void> = Promise.resolve()
  return {
    counts,
    heard(effect, path) {
      counts[effect]++
      const item = { effect, path: toText(path === '' ? '/' : path) }
      sending = sending.then(() => send({ item }))
      sending.catch(() => undefined)
    },
    sent: () => sending,
  }
}
