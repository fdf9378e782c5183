// Reads the content of a state in pieces, since a file may be larger than memory.

import { CHUNK_BYTES } from '../../base/limits.ts'
import type { InodeRow } from '../../store/collections.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import type { Core } from '../../vault/core/core.ts'
import type { Moment } from '../../vault/core/moment.ts'
import { readAt } from '../../vault/history/timeline.ts'

/** The size of a piece. */
const PIECE_BYTES = 4 * CHUNK_BYTES

/** An inode as of a moment. */
export interface State {
  readonly row: InodeRow
  readonly moment: Moment
}

/**
 * A copy of the content in [offset, offset + size), up to its end, which later changes do not
 * affect.
 */
export function bytesOf(core: Core, { row, moment }: State, offset: number, size: number): Buffer {
  return Buffer.concat(readAt(core, row, moment, offset, size))
}

/** All bytes of a state, in order. */
export async function* piecesOf(core: Core, state: State): AsyncGenerator<Buffer> {
  for (let at = 0; at < state.row.size; at += PIECE_BYTES) {
    const from = at
    yield await retryUntilLoaded(() => bytesOf(core, state, from, PIECE_BYTES))
  }
}
