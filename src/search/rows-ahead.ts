// Rows of the past of one file, for its versions one behind the other: read ahead, many at a time,
// as each look costs about as much as what it finds. What is not found ahead is asked for by
// itself.

import { type ExtentRow, extent, extentPast, inodePast, PROVISIONAL } from '../store/collections.ts'
import type { Core } from '../vault/core/core.ts'
import { inodeAt } from '../vault/history/timeline.ts'

/** Extents have up to a page in them. */
const EXTENTS = 32
const STATES = 256

const STATE = ['ino', 'since', 'until', 'allocated'] as const

interface State {
  readonly since: number
  readonly until: number
  readonly allocated: number
}

/** An extent as it was written. */
export interface Write {
  readonly offset: number
  readonly length: number
  readonly since: number
}

export class RowsAhead {
  readonly #core: Core
  readonly #ino: number
  #extents: readonly ExtentRow[] = []
  #states: readonly State[] = []

  constructor(core: Core, ino: number) {
    this.#core = core
    this.#ino = ino
  }

  /** The extent that was written; undefined where it is not there any more. */
  extentOf({ offset, since }: Write): ExtentRow | undefined {
    const matchesPath = (row: ExtentRow): boolean => row.since === since && row.offset === offset
    const known = this.#extents.find(matchesPath)
    if (known !== undefined) return known
    const { overlay } = this.#core
    const range = { gte: [this.#ino, offset, since], lt: [this.#ino, offset + 1], limit: EXTENTS }
    this.#extents = overlay.store.scan(extentPast, range)
    const [first] = this.#extents
    if (first !== undefined && matchesPath(first)) return first
    const present = overlay.get(extent, [this.#ino, offset])
    if (present?.since === since) return present
    return overlay.get(extentPast, [this.#ino, offset, since])
  }

  /**
   * Bytes that the file had on the disk at a moment, at which it is sealed; undefined where it was
   * not there.
   */
  allocatedAt(moment: number): number | undefined {
    const stateIn = (states: readonly State[]): State | undefined =>
      states.find(
        (state) => state.since <= moment && moment < state.until && state.until !== PROVISIONAL,
      )
    const known = stateIn(this.#states)
    if (known !== undefined) return known.allocated
    const { store } = this.#core.overlay
    const before = { gte: [this.#ino], lt: [this.#ino, moment + 1], reverse: true, limit: 1 }
    const [first] = store.project(inodePast, STATE, before)
    const from = { gte: [this.#ino, first?.since ?? moment], lt: [this.#ino + 1], limit: STATES }
    this.#states = store.project(inodePast, STATE, from)
    return stateIn(this.#states)?.allocated ?? inodeAt(this.#core, this.#ino, moment)?.allocated
  }
}
