// A key-value engine that keeps its entries in memory, so that the codec and KvStore are tested
// without any engine.

import type { Group, KvEngine, KvRange, KvView } from '../../src/store/kv/engine.ts'
import { StoreError } from '../../src/store/store.ts'

interface Entry {
  readonly key: Buffer
  readonly value: Buffer
}
type Groups = [Entry[], Entry[], Entry[]]

/**
 * An engine whose entries a test may change behind the store's back; `refuse` makes the next
 * batches fail.
 */
export class MemoryEngine implements KvEngine {
  readonly traits = {
    backend: 'kv-memory',
    synchronous: true,
    persistent: false,
    compresses: false,
    compactsOnline: false,
    keyBytesMax: 1978,
    durability: 'none: gone with the process',
    growth: 0,
    reserveBytes: 0,
  }
  groups: Groups = [[], [], []]
  refuse = 0

  get(group: Group, key: Uint8Array): Uint8Array | undefined {
    const { at, found } = search(this.groups[group], key)
    return found ? this.groups[group][at]?.value : undefined
  }

  range({ group, gte, lt, reverse, limit, bytes }: KvRange): Uint8Array {
    const entries = this.groups[group]
    const found = entries.slice(
      search(entries, gte).at,
      lt === undefined ? undefined : search(entries, lt).at,
    )
    if (reverse) found.reverse()
    const parts: Buffer[] = []
    let length = 0
    for (const { key, value } of found.slice(0, limit)) {
      const head = Buffer.alloc(8)
      head.writeUInt32LE(key.length, 0)
      head.writeUInt32LE(value.length, 4)
      parts.push(head, key, value)
      length += head.length + key.length + value.length
      if (length >= bytes) break
    }
    return Buffer.concat(parts)
  }

  async write(changes: Uint8Array, length: number): Promise<void> {
    const copy = Buffer.from(changes.subarray(0, length))
    await new Promise((resolve) => setImmediate(resolve))
    if (this.refuse > 0) {
      this.refuse--
      throw new StoreError('full', 'no room')
    }
    for (let at = 0; at < length; ) {
      const [group, isPut] = [copy[at] as Group, copy[at + 1] === 1]
      const keyEnd = at + 10 + copy.readUInt32LE(at + 2)
      const key = copy.subarray(at + 10, keyEnd)
      at = keyEnd + copy.readUInt32LE(at + 6)
      const { at: index, found } = search(this.groups[group], key)
      const entries = isPut ? [{ key, value: copy.subarray(keyEnd, at) }] : []
      this.groups[group].splice(index, found ? 1 : 0, ...entries)
    }
  }

  async view(): Promise<KvView> {
    const still = new MemoryEngine()
    still.groups = this.groups.map((entries) => [...entries]) as Groups
    return still
  }

  stats() {
    return { bytes: 0, engine: {} }
  }

  async compact(): Promise<void> {}

  async verify(): Promise<string[]> {
    return []
  }

  async close(): Promise<void> {}
}

function search(entries: readonly Entry[], key: Uint8Array): { at: number; found: boolean } {
  let low = 0
  let high = entries.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (Buffer.compare((entries[middle] as Entry).key, key) < 0) low = middle + 1
    else high = middle
  }
  const at = entries[low]
  return { at: low, found: at !== undefined && Buffer.compare(at.key, key) === 0 }
}
