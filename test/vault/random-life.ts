// A random history: saves in place, by rename and with backup files, moves of files and
// directories, hard links, deletions, restores, labels.

import type { FileSystem } from '../../src/fs/file-system.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import { nobody } from '../../src/vault/core/observer.ts'
import { findDeleted } from '../../src/vault/history/deleted.ts'
import { findPath } from '../../src/vault/history/paths.ts'
import { wholeBefore } from '../../src/vault/history/removal.ts'
import { restoreTree } from '../../src/vault/history/restore.ts'
import { versionsOfPath } from '../../src/vault/history/version-names.ts'
import { tagFile } from '../../src/vault/tree/tags.ts'
import type { Vault } from '../../src/vault/vault.ts'
import { noChange } from '../support/no-change.ts'
import type { Random } from '../support/random.ts'
import type { Waiting } from '../support/waiting.ts'
import { caller } from './random-run.ts'

const SECONDS = 1_000_000
const ALL = 1_000_000
const DIRECTORIES = ['', '/d', '/e']
const NAMES = ['a', 'b', 'c.txt']
export const PATHS = DIRECTORIES.flatMap((above) => NAMES.map((name) => `${above}/${name}`))
/** Every text has this word. */
export const WORD = 'everywhere'
const options = {
  removeNewer: false,
  ...nobody,
  heard: () => undefined,
}

export class Life {
  readonly vault: Vault
  readonly fs: Waiting<FileSystem>
  /** Files that had several names. */
  readonly linked = new Set<number>()
  readonly #random: Random
  #count = 0

  constructor(vault: Vault, fs: Waiting<FileSystem>, random: Random) {
    this.vault = vault
    this.fs = fs
    this.#random = random
  }

  async step(): Promise<void> {
    const random = this.#random
    this.vault.core.moments.last += random.pick([30_000, 400_000, 2 * SECONDS, 20 * SECONDS])
    const path = this.#path()
    const kind = random.below(24)
    if (kind < 4) await this.#write(path)
    else if (kind < 8) await this.#saveByRename(path)
    else if (kind < 11) await this.#saveAside(path, random.below(3) === 0)
    else if (kind < 13) await this.#move(path, this.#path())
    else if (kind < 14) await this.#link(path, this.#path())
    else if (kind < 16) await this.#remove(path)
    else if (kind < 17) await this.#make(random.pick(['/d', '/e']))
    else if (kind < 18) await this.#removeDirectory(random.pick(['/d', '/e']))
    else if (kind < 19)
      await this.#move(random.pick(['/d', '/e']), random.pick(['/d', '/e', '/e/b']))
    else if (kind < 20) await this.#undelete(path)
    else if (kind < 21) await this.#restore(path)
    else if (kind < 22) await this.#tag(path)
    else await this.vault.sync()
  }

  #path(): string {
    return `${this.#random.pick(DIRECTORIES)}/${this.#random.pick(NAMES)}`
  }

  async #spot(path: string): Promise<{ parent: number; name: string } | undefined> {
    const at = path.lastIndexOf('/')
    const above = await retryUntilLoaded(() => findPath(this.vault.core, path.slice(0, at) || '/'))
    const isDirectory = above !== undefined && (above.mode & 0o170000) === 0o040000
    return isDirectory ? { parent: above.ino, name: path.slice(at + 1) } : undefined
  }

  async #ino(path: string): Promise<number | undefined> {
    return (await retryUntilLoaded(() => findPath(this.vault.core, path)))?.ino
  }

  async #isFile(path: string): Promise<boolean> {
    const found = await retryUntilLoaded(() => findPath(this.vault.core, path))
    return found !== undefined && (found.mode & 0o170000) === 0o100000
  }

  async #write(path: string): Promise<void> {
    const { fs } = this
    const spot = await this.#spot(path)
    if (spot === undefined) return
    const there = await this.#ino(path)
    if (there !== undefined && !(await this.#isFile(path))) return
    const ino = there ?? (await fs.create(caller, spot.parent, spot.name, 0o644, 0, 0o200)).ino
    await fs.setattr(caller, ino, { ...noChange, size: 0 })
    const text = Buffer.from(`${WORD} text${this.#count++}`)
    await fs.write(caller, ino, 0, text, false, false)
    await fs.flush(caller, ino)
    if (there === undefined) await fs.forget(ino, 1)
  }

  async #saveByRename(path: string): Promise<void> {
    const temporary = `${path}.tmp`
    await this.#write(temporary)
    if (this.#random.below(3) === 0) this.vault.core.moments.last += 3 * SECONDS
    if (this.#random.below(4) === 0) await this.#write(temporary)
    await this.#move(temporary, path)
  }

  /** As an editor that keeps the file aside while it writes, or for good. */
  async #saveAside(path: string, stays: boolean): Promise<void> {
    if (!(await this.#isFile(path))) return
    await this.#move(path, `${path}~`)
    await this.#write(path)
    if (!stays) await this.#remove(`${path}~`)
  }

  async #move(from: string, to: string): Promise<void> {
    const [a, b] = [await this.#spot(from), await this.#spot(to)]
    if (a === undefined || b === undefined || (await this.#ino(from)) === undefined) return
    const isFile = await this.#isFile(from)
    const isReplaceable = (await this.#ino(to)) === undefined || (await this.#isFile(to)) === isFile
    if (!isReplaceable || to.startsWith(`${from}/`)) return
    await this.#tried(() => this.fs.rename(caller, a.parent, a.name, b.parent, b.name, 0))
  }

  async #link(from: string, to: string): Promise<void> {
    const [ino, spot] = [await this.#ino(from), await this.#spot(to)]
    if (ino === undefined || spot === undefined || !(await this.#isFile(from))) return
    this.linked.add(ino)
    await this.#tried(() => this.fs.link(caller, ino, spot.parent, spot.name))
  }

  async #remove(path: string): Promise<void> {
    const spot = await this.#spot(path)
    if (spot !== undefined && (await this.#isFile(path)))
      await this.fs.unlink(caller, spot.parent, spot.name)
  }

  async #make(path: string): Promise<void> {
    const spot = await this.#spot(path)
    if (spot !== undefined)
      await this.#tried(() => this.fs.mkdir(caller, spot.parent, spot.name, 0o755, 0))
  }

  async #removeDirectory(path: string): Promise<void> {
    for (const name of NAMES.flatMap((name) => [name, `${name}~`, `${name}.tmp`]))
      await this.#remove(`${path}/${name}`)
    const spot = await this.#spot(path)
    const ino = await this.#ino(path)
    if (spot === undefined || ino === undefined) return
    await this.#tried(() => this.fs.rmdir(caller, spot.parent, spot.name))
    await this.fs.forget(ino, ALL)
  }

  async #undelete(path: string): Promise<void> {
    const { core } = this.vault
    const spot = await this.#spot(path)
    if (spot === undefined || (await this.#ino(path)) !== undefined) return
    const deleted = await retryUntilLoaded(() => findDeleted(core, spot.parent, spot.name))
    if (deleted === undefined) return
    const moment = await retryUntilLoaded(() => wholeBefore(core, deleted.row))
    await this.#tried(() => restoreTree(core, { ino: deleted.ino, moment }, spot, options))
  }

  async #restore(path: string): Promise<void> {
    const { core } = this.vault
    const spot = await this.#spot(path)
    const versions = await retryUntilLoaded(() => versionsOfPath(core, path))
    if (spot === undefined || versions.length === 0 || !(await this.#isFile(path))) return
    const { ino, moment } = this.#random.pick(versions)
    await restoreTree(core, { ino, moment }, spot, options)
  }

  async #tag(path: string): Promise<void> {
    const { core } = this.vault
    const found = await retryUntilLoaded(() => findPath(core, path))
    if (found !== undefined) await retryUntilLoaded(() => tagFile(core, found, 'label'))
  }

  /**
   * What a program may be refused: a directory that is not empty, a name that is there, what prune
   * let go of.
   */
  async #tried(work: () => Promise<unknown>): Promise<void> {
    await work().catch((error: unknown) => {
      if (!(error instanceof Error && 'errno' in error)) throw error
    })
  }
}
