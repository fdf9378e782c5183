// A cache with a cost budget that evicts what was not used lately. It has two generations instead
// of a linked list: a hit in the old one moves to the young one, and when the young one is full it
// becomes the old one. A hit in the young one changes nothing.

/** All caches, for `clearCaches`. */
const caches = new Set<WeakRef<GenerationCache<unknown, unknown>>>()

/** Empties all caches, when memory is short. */
export function clearCaches(): void {
  for (const its of caches) {
    const cache = its.deref()
    if (cache === undefined) caches.delete(its)
    else cache.clear()
  }
}

/**
 * Keeps at least budget / 2 of the most recently used values; `cost` is in bytes, estimated by the
 * caller.
 */
export class GenerationCache<K, V> {
  readonly #budget: number
  #young = new Map<K, V>()
  #old = new Map<K, V>()
  #spent = 0
  readonly #costs: (value: V) => number

  constructor(budget: number, costs: (value: V) => number) {
    this.#budget = budget / 2
    this.#costs = costs
    caches.add(new WeakRef(this as GenerationCache<unknown, unknown>))
  }

  get(key: K): V | undefined {
    const young = this.#young.get(key)
    if (young !== undefined) return young
    const old = this.#old.get(key)
    if (old !== undefined) {
      this.#old.delete(key)
      this.set(key, old)
    }
    return old
  }

  set(key: K, value: V): void {
    this.#young.set(key, value)
    this.grow(this.#costs(value))
  }

  /** Adds to the cost of a cached value that has grown. */
  grow(cost: number): void {
    this.#spent += cost
    if (this.#spent > this.#budget) {
      this.#old = this.#young
      this.#young = new Map()
      this.#spent = 0
    }
  }

  delete(key: K): void {
    this.#young.delete(key)
    this.#old.delete(key)
  }

  clear(): void {
    this.#young.clear()
    this.#old.clear()
    this.#spent = 0
  }
}
