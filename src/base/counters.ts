// Counters by number, for millions of them: open addressing in typed arrays, 12 bytes a slot. A Map
// takes several times that, and as much again while it grows.

const SLOTS_MIN = 1024
/** Maximal share of used slots, including those of removed keys. */
const LOAD_MAX = 0.6
const EMPTY = 0
/** A removed key: a search continues after it. */
const REMOVED = -1

/** Counters of keys, which are whole numbers from 1 to 2^53 - 1; a count of 0 takes no memory. */
export class Counters {
  #keys = new Float64Array(SLOTS_MIN)
  #counts = new Uint32Array(SLOTS_MIN)
  /** Slots that are not EMPTY. */
  #used = 0
  #size = 0

  /** Number of keys with a count. */
  get size(): number {
    return this.#size
  }

  get(key: number): number {
    const at = this.#find(key)
    return at < 0 ? 0 : (this.#counts[at] as number)
  }

  has(key: number): boolean {
    return this.#find(key) >= 0
  }

  /** Adds to a count, which is removed if it falls below 1. Returns the new count. */
  add(key: number, change: number): number {
    let at = this.#find(key)
    const count = (at < 0 ? 0 : (this.#counts[at] as number)) + change
    if (count <= 0) {
      if (at >= 0) {
        this.#keys[at] = REMOVED
        this.#size--
      }
      return 0
    }
    if (at < 0) {
      if (this.#used + 1 > this.#keys.length * LOAD_MAX) this.#rebuild()
      at = this.#free(key)
      this.#keys[at] = key
      this.#used++
      this.#size++
    }
    this.#counts[at] = count
    return count
  }

  #slot(key: number): number {
    const mixed = Math.imul((key ^ (key / 0x100000000)) >>> 0, 0x9e3779b1)
    return (mixed ^ (mixed >>> 15)) & (this.#keys.length - 1)
  }

  #find(key: number): number {
    const mask = this.#keys.length - 1
    for (let at = this.#slot(key); ; at = (at + 1) & mask) {
      const found = this.#keys[at]
      if (found === key) return at
      if (found === EMPTY) return -1
    }
  }

  #free(key: number): number {
    const mask = this.#keys.length - 1
    let at = this.#slot(key)
    while (this.#keys[at] !== EMPTY) at = (at + 1) & mask
    return at
  }

  #rebuild(): void {
    const keys = this.#keys
    const counts = this.#counts
    let slots = SLOTS_MIN
    while (slots * LOAD_MAX < this.#size * 2) slots *= 2
    this.#keys = new Float64Array(slots)
    this.#counts = new Uint32Array(slots)
    this.#used = this.#size
    for (let from = 0; from < keys.length; from++) {
      const key = keys[from] as number
      if (key <= 0) continue
      const at = this.#free(key)
      this.#keys[at] = key
      this.#counts[at] = counts[from] as number
    }
  }
}
