// Completes layers on their way to the log and the engine, and releases what was kept until the
// engine has them.

import {
  type BlockRow,
  block,
  type Collection,
  extent,
  extentPast,
  inode as inodes,
} from '../../store/collections.ts'
import type { Layer } from '../../store/overlay.ts'
import type { Batch, Changes } from '../../store/store.ts'
import type { Core } from './core.ts'
import { type Inode, toRow } from './inode.ts'

export class LayerBatches {
  readonly #core: () => Core
  /** Hashes of the blocks that a layer contains. */
  readonly #brought = new WeakMap<Layer, string[]>()

  constructor(core: () => Core) {
    this.#core = core
  }

  /**
   * The batch for a layer: copies rows that may change, drops unused blocks, compresses the others.
   */
  async prepare(layer: Layer): Promise<Batch> {
    const { blocks, diskSpace } = this.#core()
    diskSpace.handOver(layer)
    const used = new Set<string>()
    for (const collection of [extent, extentPast as unknown as typeof extent])
      for (const row of layer.rows(collection)) if (row.hash !== '') used.add(row.hash)
    const packing: Promise<BlockRow>[] = []
    const brought: string[] = []
    for (const row of layer.rows(block)) {
      if (used.has(row.hash)) {
        packing.push(blocks.pack(row))
        brought.push(row.hash)
      } else blocks.settle(row.hash)
    }
    this.#brought.set(layer, brought)
    const batch = layer.batch().map((change): Changes => {
      if ((change.collection as unknown) === block) return { ...change, puts: [] }
      if ((change.collection as unknown) !== inodes) return change
      return { ...change, puts: (change.puts as Inode[]).map(toRow) }
    })
    if (packing.length === 0) return batch
    const puts = await Promise.all(packing)
    return [...batch, { collection: block as unknown as Collection<object>, puts, deletes: [] }]
  }

  /** The engine has these layers; the first contains the changes of the others, too. */
  settled(layers: readonly Layer[]): void {
    const { blocks, changed, diskSpace } = this.#core()
    for (const layer of layers) {
      diskSpace.settle(layer)
      for (const hash of this.#brought.get(layer) ?? []) blocks.settle(hash)
    }
    changed.note(layers[0] as Layer)
  }
}
