// Picks the files of an exported history (docs/export.md) out of a stream of records: of the folder
// itself, or of a tar archive that contains it.

import { isDirectory } from '../base/mode.ts'
import {
  contentOf,
  DATA,
  dataOf,
  END,
  ENTRY,
  endOf,
  FAILED,
  headOf,
  LEAVE,
  leftOf,
  nameOf,
  recordsIn,
  WHOLE,
} from './records.ts'

export const HISTORY_DIRECTORY = '.avfs-history'
/** A bound only: files of a history have a few MiB. */
const FILE_BYTES_MAX = 1024 * 1024 * 1024

/**
 * Calls `take` with each file below .avfs-history, by its relative path; `isTop`: the top of the
 * stream is that directory. Throws RangeError for an incomplete file.
 */
export function historyFiles(
  take: (path: string, bytes: Buffer) => Promise<void>,
  isTop: boolean,
): (piece: Uint8Array) => Promise<void> {
  /** Relative paths of directories by id; undefined: not in the history. */
  const directories = new Map<number, string | undefined>()
  const open = new Map<number, { path: string; bytes: Buffer }>()

  const pathOf = (parent: number, name: string): string | undefined => {
    if (parent === 0) return isTop ? '' : undefined
    const above = directories.get(parent)
    if (above === undefined) return name === HISTORY_DIRECTORY ? '' : undefined
    return above === '' ? name : `${above}/${name}`
  }
  const takeEntry = async (record: Buffer): Promise<void> => {
    const head = headOf(record)
    const path = pathOf(head.parent, nameOf(record))
    if (isDirectory(head.mode)) directories.set(head.id, path)
    else if (path === undefined) return
    else if ((head.flags & WHOLE) !== 0) await take(path, contentOf(record))
    else if (head.size > FILE_BYTES_MAX) throw new RangeError(`${path} is too large`)
    else open.set(head.id, { path, bytes: Buffer.alloc(head.size) })
  }
  return async (piece) => {
    for (const record of recordsIn(Buffer.from(piece.buffer, piece.byteOffset, piece.length))) {
      const kind = record.readUInt8(4)
      if (kind === ENTRY) await takeEntry(record)
      else if (kind === DATA) {
        const { id, offset, bytes } = dataOf(record)
        const file = open.get(id)
        if (file !== undefined && offset + bytes.length <= file.bytes.length)
          file.bytes.set(bytes, offset)
      } else if (kind === END) {
        const { id, size, flags } = endOf(record)
        const file = open.get(id)
        open.delete(id)
        if (file === undefined) continue
        if ((flags & FAILED) !== 0 || size !== file.bytes.length)
          throw new RangeError(`${file.path} could not be read`)
        await take(file.path, file.bytes)
      } else if (kind === LEAVE) directories.delete(leftOf(record))
    }
  }
}
