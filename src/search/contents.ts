// What the indexer sends of the versions of a file: their bytes, or that they are kept in pieces.
// Reads the vault in the indexer's slices; growth.ts says how pieces are found.

import type { Core } from '../vault/core/core.ts'
import { type Growth, Growths } from './growth.ts'
import type { Content, Taker } from './index-writer.ts'
import type { Inspected } from './inspect.ts'
import { bytesOf, mayBeText, type SealedVersion, versionsBelow } from './source.ts'
import type { Throttle } from './throttle.ts'
import type { TransferBuffer } from './transfer-buffer.ts'

/** Where what is read goes: whole texts into a parcel, pieces through `copy`. */
export interface Memory {
  readonly parcel: TransferBuffer
  copy(bytes: Uint8Array): Uint8Array
}

export class Contents {
  readonly #core: Core
  readonly #pace: Throttle
  readonly #textBytesMax: number
  readonly #growths: Growths

  constructor(core: Core, taker: Taker, pace: Throttle, textBytesMax: number) {
    this.#core = core
    this.#pace = pace
    this.#textBytesMax = textBytesMax
    this.#growths = new Growths(core, taker, pace, textBytesMax)
  }

  /** Bytes that are read of a version with so many. */
  sizeOf(size: number): number {
    return size > this.#textBytesMax ? 0 : size
  }

  /**
   * How a file came to the versions that are missing; undefined where none is. All that came before
   * was handed over.
   */
  async begin(
    { ino, versions }: Inspected,
    missing: readonly SealedVersion[],
  ): Promise<Growth | undefined> {
    const [first] = missing
    if (first === undefined) return undefined
    const known = versions.find(({ number }) => number < first.number)
    const { store } = this.#core.overlay
    const [before] =
      known === undefined && first.number > 1
        ? await this.#pace.step(() => versionsBelow(store, ino, first.number, 1))
        : [known]
    return await this.#growths.begin(ino, before, missing)
  }

  /** The content of the next of these versions. */
  async next(
    ino: number,
    version: SealedVersion,
    growth: Growth | undefined,
    { parcel, copy }: Memory,
  ): Promise<Content> {
    const { number } = version
    const nextId = (): number => this.#growths.nextId()
    if ((await growth?.next({ nextId, copy })) === true)
      return { number, bytes: undefined, isInPieces: true }
    const bytes = await this.#bytesOf(ino, version, parcel)
    if (bytes === undefined) growth?.isNoText()
    return { number, bytes }
  }

  /** The content of a file with one version, whose bytes are known. */
  whole(bytes: Uint8Array, parcel: TransferBuffer): Content {
    const { length } = bytes
    if (length > this.#textBytesMax || !mayBeText(bytes)) return { number: 1, bytes: undefined }
    const copied = parcel.take(length)
    copied.set(bytes)
    return { number: 1, bytes: copied }
  }

  /** All versions were handed over. */
  end(growth: Growth | undefined): void {
    if (growth !== undefined) this.#growths.end(growth)
  }

  async #bytesOf(
    ino: number,
    version: SealedVersion,
    parcel: TransferBuffer,
  ): Promise<Uint8Array | undefined> {
    if (version.size > this.#textBytesMax) return undefined
    const memory = parcel.take(version.size)
    const step = <T>(work: () => T): Promise<T> => this.#pace.step(work)
    const bytes = await bytesOf(this.#core, ino, version, mayBeText, step, memory)
    if (bytes === undefined) parcel.giveBack(memory)
    return bytes
  }
}
