// Makes the names in LevelDB's folder durable. LevelDB syncs the log that it writes to, and the
// folder only when it syncs a manifest: the name of a log that it has just begun, and with it all
// that is in there, is left to the file system (fsync(2): an entry of a directory needs an fsync of
// that directory; ext4, XFS and btrfs happen to write that of a new file).

import { statSync } from 'node:fs'
import { open } from 'node:fs/promises'

/** A file system's clock may stand still so long: names that come within it have the same time. */
const TICK_MS = 50

export class FolderNames {
  readonly #path: string
  #syncedNs = 0n

  constructor(path: string) {
    this.#path = path
  }

  /**
   * Resolves when the names that are there now are durable; costs one stat(2) when none has come or
   * gone since.
   */
  async sync(): Promise<void> {
    const { mtimeNs, mtimeMs } = statSync(this.#path, { bigint: true })
    if (mtimeNs === this.#syncedNs) return
    const isSettled = Date.now() - Number(mtimeMs) > TICK_MS
    const folder = await open(this.#path)
    try {
      await folder.sync()
    } finally {
      await folder.close()
    }
    if (isSettled) this.#syncedNs = mtimeNs
  }
}
