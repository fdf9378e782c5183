// A vault whose intent log is in use, without a mount: tags are its rows.

import { cpSync, existsSync, mkdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { tag } from '../../src/store/collections.ts'
import { GroupCommit } from '../../src/store/group-commit.ts'
import { IntentLog } from '../../src/store/intent-log/intent-log.ts'
import { filesOf, openStore } from '../../src/store/open.ts'
import { Overlay } from '../../src/store/overlay.ts'
import type { Store } from '../../src/store/store.ts'

/** A vault with a log that is in use. */
export class LoggedVault {
  readonly path: string
  readonly store: Store
  readonly overlay: Overlay
  readonly log: IntentLog
  readonly commits: GroupCommit
  #count = 0

  private constructor(path: string, store: Store) {
    this.path = path
    this.store = store
    this.overlay = new Overlay(store)
    this.log = new IntentLog(path)
    this.commits = new GroupCommit(this.overlay, {
      intervalMs: 1_000_000,
      collect: () => {},
      prepare: async (layer) => layer.batch(),
      settled: () => {},
      log: this.log,
    })
  }

  static async open(path: string): Promise<LoggedVault> {
    const made = new LoggedVault(path, await openStore(path, { create: !existsSync(path) }))
    made.put('first')
    await made.commits.durable()
    while (!made.log.isReady) await sleep(1)
    return made
  }

  put(name: string): void {
    this.overlay.put(tag, { name, since: ++this.#count })
  }

  async close(): Promise<void> {
    await this.log.retire(() => this.commits.stop())
    await this.store.close()
  }

  /** Copies the files to a new folder, as a crash would leave them now; returns the vault's path. */
  crash(folder: string): string {
    mkdirSync(folder)
    for (const file of filesOf(this.path))
      cpSync(file, join(folder, basename(file)), { recursive: true })
    return join(folder, basename(this.path))
  }
}
