// Makes the names in LevelDB's folder durable. LevelDB syncs the log that it writes to, but the
// folder only when it syncs a manifest. So the name of a new log, and with it all its contents,
// would depend on the file system: by fsync(2) a directory entry needs an fsync of the directory
// (ext4, XFS and btrfs happen to write that of a new file).

import { statSync } from 'node:fs'
import { open } from 'node:fs/promises'

/** Granularity of a file system's timestamps: names that change within it have the same mtime. */
const TICK_MS = 50

export class FolderNames {
  readonly #path: string
  #syncedNs = 0n

  constructor(path: string) {
    this.#path = path
  }

  /** Resolves when the present names are durable; costs one stat(2) if none has changed since. */
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
