// Random numbers from a printed seed: a test that fails can be run again as it was.

export interface Random {
  /** A whole number from 0 to limit - 1. */
  below(limit: number): number
  /** Bytes that do not compress. */
  bytes(length: number): Buffer
  /** One of the items; throws when there is none. */
  pick<T>(items: readonly T[]): T
}

/** The seed in an environment variable, else a new one. Print it. */
export function seedOf(variable: string): number {
  const text = process.env[variable]
  return text === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(text)
}

/** The generator of a seed (xorshift32): the same seed, the same numbers. */
export function randomFrom(seed: number): Random {
  // Zero is the one state that xorshift cannot leave.
  let state = (Math.imul(seed, 2654435761) ^ 0x9e3779b9) | 1
  const next = (): number => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
  const below = (limit: number): number => next() % limit
  return {
    below,
    bytes(length) {
      const words = new Uint32Array(Math.ceil(length / 4))
      for (let index = 0; index < words.length; index++) words[index] = next()
      return Buffer.from(words.buffer, 0, length)
    },
    pick(items) {
      const item = items[below(items.length)]
      if (item === undefined) throw new Error('nothing to pick from')
      return item
    },
  }
}
