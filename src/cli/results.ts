// Results that come one by one and may be many: written in large pieces, but while they come, as
// lines of bytes for people and programs, or with --json as one list on one line. Knows no command.

import { writeBytes } from './output.ts'
import { visible } from './terminal.ts'

export interface Results {
  /** Bytes as they are; the caller adds the newline. */
  bytes(piece: Uint8Array): void
  /** One more in the list of --json. */
  item(value: object): void
  /** To be awaited now and then: writes what is there, and waits for a reader that is behind. */
  relieve(): Promise<void> | undefined
  /** Writes the rest, and the end of the list where there is one. */
  end(): Promise<void>
}

const PIECE_BYTES = 64 * 1024
const WAIT_MS = 50

export function openResults(json: boolean): Results {
  let parts: Uint8Array[] = []
  let length = 0
  let writtenAt = performance.now()
  let items = 0
  const bytes = (piece: Uint8Array): void => {
    parts.push(piece)
    length += piece.length
  }
  const write = (): Promise<void> | undefined => {
    if (length === 0) return undefined
    const piece = Buffer.concat(parts)
    parts = []
    length = 0
    writtenAt = performance.now()
    return writeBytes(piece)
  }
  return {
    bytes,
    item: (value) =>
      bytes(
        Buffer.from(
          `${items++ === 0 ? '[' : ','}${visible(JSON.stringify(value), process.stdout)}`,
        ),
      ),
    relieve() {
      const isDue = length >= PIECE_BYTES || performance.now() > writtenAt + WAIT_MS
      return isDue ? write() : undefined
    },
    async end() {
      if (json) bytes(Buffer.from(items === 0 ? '[]\n' : ']\n'))
      await write()
    },
  }
}

/** Thrown by a consumer of results that wants no more. */
export class Enough extends Error {}

/** Waits for work that may be ended by Enough. */
export async function untilEnough(work: Promise<unknown>): Promise<void> {
  try {
    await work
  } catch (error) {
    if (!(error instanceof Enough)) throw error
  }
}
