// A vault in memory with files that are saved, changed and purged, with a second in between.

import type { Test } from 'tap'
import { createFileSystem, type FileSystem } from '../../src/fs/file-system.ts'
import { block, collections, extent, extentPast } from '../../src/store/collections.ts'
import { openMemory } from '../../src/store/memory.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { slicesOf } from '../../src/vault/core/time-slices.ts'
import type { PurgeOptions, PurgeReport } from '../../src/vault/prune/purge.ts'
import { dropLabels } from '../../src/vault/prune/purge-labels.ts'
import { birthBatch, Vault } from '../../src/vault/vault.ts'
import { testClock } from '../support/clock.ts'
import { noChange } from '../support/no-change.ts'

export const caller = { uid: 0, gid: 0, pid: 1 }
const ALL = 1_000_000

// Names that live under a second leave no trace: a second passes at each save.
export const clock = testClock()

export class Bench {
  readonly vault: Vault
  readonly fs: FileSystem
  constructor(vault: Vault) {
    this.vault = vault
    this.fs = createFileSystem(vault, { readOnly: false })
  }
  /** Writes into a file of the root, and closes it. */
  save(name: string, bytes: string | Uint8Array, at = 0, parent = ROOT_INO): number {
    clock.pass(1500)
    const { fs } = this
    const found = fs.lookup(caller, parent, name)
    const { ino } = found ?? fs.create(caller, parent, name, 0o644, 0, 0)
    if (at === 0) fs.setattr(caller, ino, { ...noChange, size: 0 })
    fs.write(caller, ino, at, Buffer.from(bytes), false, false)
    fs.flush(caller, ino)
    // The kernel has no file in use.
    fs.forget(ino, 1)
    return ino
  }
  /** With what is done to its end behind it. */
  async purge(of: PurgeOptions['of'], more: Partial<PurgeOptions> = {}): Promise<PurgeReport> {
    const { vault } = this
    const rest = { onVersion: () => undefined, onProgress: () => undefined }
    const report = await vault.purge({
      ...{ of, force: false, current: false, dryRun: false, ...rest },
      ...more,
    })
    if (more.dryRun !== true) await dropLabels(vault.core, slicesOf(vault.core))
    return report
  }
  /** Everything that the vault holds, as one text. */
  async holds(text: string): Promise<boolean> {
    const { core } = this.vault
    await this.vault.sync()
    for (const collection of [extent, extentPast as unknown as typeof extent])
      for (const { hash, data } of core.overlay.store.scan(collection, { limit: ALL })) {
        const bytes = hash === '' ? data : core.blocks.load(hash)
        if (Buffer.from(bytes ?? []).includes(text)) return true
      }
    for (const { hash } of core.overlay.store.scan(block, { limit: ALL }))
      if (Buffer.from(core.blocks.load(hash)).includes(text)) return true
    return false
  }
  /** Time passes, and somebody has seen what is there. */
  seen(): void {
    clock.pass(1500)
    this.vault.core.moments.observe()
  }
  attribute(ino: number, name: string, value: string | undefined): void {
    this.seen()
    if (value === undefined) this.fs.removexattr(caller, ino, name)
    else this.fs.setxattr(caller, ino, name, Buffer.from(value), 0, false)
  }
  chmod(ino: number, mode: number): void {
    this.seen()
    this.fs.setattr(caller, ino, { ...noChange, mode })
  }
  /** The rows in which a text is, in any field. */
  async rowsWith(text: string): Promise<string[]> {
    await this.vault.sync()
    const { store } = this.vault.core.overlay
    return collections.flatMap((collection) =>
      store
        .scan(collection, { limit: ALL })
        .map((row) =>
          Object.values(row).map((value) =>
            value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : `${value}`,
          ),
        )
        .filter((values) => values.some((value) => value.includes(text)))
        .map((values) => `${collection.name}: ${values}`),
    )
  }
  async assertSound(t: Test): Promise<void> {
    await this.vault.sync()
    t.same((await this.vault.check({ deep: true })).problems, [])
    await this.vault.close()
  }
}

export async function bench(): Promise<Bench> {
  const store = openMemory()
  await store.commit(birthBatch())
  return new Bench(new Vault(store, '/', { commitMs: 1e9 }))
}
