// One scripted life of a vault: files that are saved, labelled, linked, moved, deleted and brought
// back, also through the views, with paths that leave no trace. Its final state does not depend on
// the store.

import { createFileSystem, type FileSystem } from '../../src/fs/file-system.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import { configure } from '../../src/vault/core/configuration.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { nobody } from '../../src/vault/core/observer.ts'
import { restoreTree } from '../../src/vault/history/restore.ts'
import { findSnapshot } from '../../src/vault/history/snapshots.ts'
import { versionsOf } from '../../src/vault/history/versions.ts'
import { sweptAlone } from '../../src/vault/prune/prune.ts'
import { refreshHistory } from '../../src/vault/tree/history-recording.ts'
import { filesWith } from '../../src/vault/tree/tags.ts'
import type { Vault } from '../../src/vault/vault.ts'
import { noChange } from '../support/no-change.ts'
import { waiting } from '../support/waiting.ts'
import { describe } from './describe-tree.ts'
import { caller } from './random-run.ts'

const O_EXCL = 0o200
const SECONDS = 1_000_000

/**
 * Leads the life, each operation as a step of its own, and tells what is left: lines, counts and
 * versions.
 */
export async function lead(vault: Vault): Promise<unknown> {
  // What was there when a commit began is recorded, and a sweep commits: one in the background
  // would do so at any moment.
  const life = await sweptAlone(vault.core, () => lived(vault))
  // It takes what went without a trace; what the next one tells is what the rules let go.
  await vault.prune({ rules: {} })
  const pruned = await vault.prune({ rules: { versions: 1 } })
  return { ...life.told, pruned, atLast: await life.tell() }
}

async function lived(vault: Vault): Promise<{ told: object; tell: () => Promise<unknown> }> {
  const { core } = vault
  const fs = await retryUntilLoaded(() => createFileSystem(vault, { readOnly: false }))
  const life = new Life(vault, fs)
  await retryUntilLoaded(() => configure(core, { 'history.exclude': '*.tmp,/cache/' }))
  await retryUntilLoaded(() => refreshHistory(core))
  const docs = await life.mkdir(ROOT_INO, 'docs')
  const cache = await life.mkdir(ROOT_INO, 'cache')
  for (let round = 0; round < 4; round++) {
    for (const name of ['a', 'b', 'c.tmp']) await life.save(docs, name, `${name} ${round} `)
    await life.save(cache, 'kept', `${round}`.repeat(200_000))
    await life.saveByRename(docs, 'a', `moved ${round}`)
    if (round % 2 === 0) await vault.sync()
  }
  const views = await life.walk(ROOT_INO, '.avfs')
  const tags = await life.walk(views, 'tags')
  const red = await life.mkdir(tags, 'red')
  await life.mkdir(tags, 'blue')
  const a = await life.walk(docs, 'a')
  await life.step(() => fs.link(caller, a, red, 'a'))
  await life.step(() => fs.setxattr(caller, a, 'user.xdg.tags', Buffer.from('red,blue'), 0, false))
  await life.step(() => fs.setxattr(caller, a, 'user.note', Buffer.from('one'), 0, false))
  await life.copyInto(red, docs, 'b')
  await life.copyInto(red, ROOT_INO, 'new')
  await vault.sync()
  const snapshots = await life.walk(views, 'snapshots')
  await life.mkdir(snapshots, 'first')
  // Whoever takes a labelled file's place takes its labels.
  await life.saveByRename(docs, 'a', 'with labels')
  await life.step(() => fs.rename(caller, docs, 'b', docs, 'b2', 0))
  await life.save(docs, 'b', 'labels stay here')
  const b = await life.walk(docs, 'b')
  await life.step(() => fs.link(caller, b, ROOT_INO, 'second name'))
  await life.step(() => fs.setattr(caller, b, { ...noChange, mode: 0o600 }))
  await life.step(() => fs.setattr(caller, b, { ...noChange, size: 3 }))
  await vault.sync()
  await life.step(() => fs.unlink(caller, docs, 'b'))
  await life.step(() => fs.unlink(caller, docs, 'a'))
  await life.step(() => fs.unlink(caller, docs, 'c.tmp'))
  const inDocs = await life.walk(docs, '.avfs')
  const deleted = await life.walk(inDocs, 'deleted')
  // mv out of deleted/ is asked for twice.
  await life.step(() => fs.rename(caller, deleted, 'a', docs, 'back', 0))
  await life.step(() => fs.rename(caller, tags, 'blue', tags, 'green', 0))
  await vault.sync()
  const before = await life.told(docs)
  const moment = (await retryUntilLoaded(() => findSnapshot(core, 'first')))?.moment ?? 0
  await restoreTree(
    core,
    { ino: docs, moment },
    { parent: docs, name: '' },
    { ...nobody, removeNewer: true, isHeld: fs.holds, heard() {} },
  )
  await vault.sync()
  const after = await life.told(docs)
  return { told: { before, after }, tell: () => life.told(docs) }
}

class Life {
  readonly #vault: Vault
  readonly #fs: FileSystem

  constructor(vault: Vault, fs: FileSystem) {
    this.#vault = vault
    this.#fs = fs
  }

  /** Two seconds pass between operations, so that nothing counts as temporary. */
  step<T>(work: () => T): Promise<T> {
    this.#vault.core.moments.last += 2 * SECONDS
    return retryUntilLoaded(work)
  }

  async mkdir(parent: number, name: string): Promise<number> {
    return (await this.step(() => this.#fs.mkdir(caller, parent, name, 0o755, 0))).ino
  }

  async walk(parent: number, name: string): Promise<number> {
    const node = await this.step(() => this.#fs.lookup(caller, parent, name))
    if (node === undefined) throw new Error(`${name} is missing`)
    return node.ino
  }

  async #fill(ino: number, text: string): Promise<void> {
    await this.step(() => this.#fs.write(caller, ino, 0, Buffer.from(text), false, false))
    await this.step(() => this.#fs.flush(caller, ino))
    await this.step(() => this.#fs.forget(ino, 1))
  }

  async save(parent: number, name: string, text: string): Promise<void> {
    const made = await this.step(() => this.#fs.create(caller, parent, name, 0o644, 0, 0))
    await this.step(() => this.#fs.setattr(caller, made.ino, { ...noChange, size: 0 }))
    await this.#fill(made.ino, text)
  }

  async saveByRename(parent: number, name: string, text: string): Promise<void> {
    const made = await this.step(() => this.#fs.create(caller, parent, 'x.new', 0o644, 0, O_EXCL))
    await this.#fill(made.ino, text)
    await this.step(() => this.#fs.rename(caller, parent, 'x.new', parent, name, 0))
  }

  /** As cp into a label: of the file of that name in the directory, or of what is new. */
  async copyInto(tag: number, directory: number, name: string): Promise<void> {
    const fs = this.#fs
    const made = await this.step(() => fs.create(caller, tag, name, 0o644, 0, O_EXCL))
    const from = await this.step(() => fs.lookup(caller, directory, name))
    if (from !== undefined)
      await this.step(() => fs.copyFileRange(caller, from.ino, 0, made.ino, 0, from.size))
    else await this.step(() => fs.write(caller, made.ino, 0, Buffer.from(name), false, false))
    await this.step(() => fs.flush(caller, made.ino))
    await this.step(() => fs.forget(made.ino, 1))
  }

  /**
   * What the vault shows: the tree, the labels, what is listed in the views, and how many versions
   * names have.
   */
  async told(directory: number): Promise<unknown> {
    const { core } = this.#vault
    return {
      tree: await describe(waiting(this.#fs), ROOT_INO),
      labelled: await retryUntilLoaded(() =>
        ['red', 'blue', 'green'].map((tag) => filesWith(core, [tag])),
      ),
      versions: await retryUntilLoaded(() =>
        ['a', 'b', 'back', 'c.tmp'].map((name) => versionsOf(core, directory, name).length),
      ),
      views: await this.#listings(directory),
    }
  }

  async #listings(directory: number): Promise<string[][]> {
    const views = await this.walk(directory, '.avfs')
    const found: string[][] = []
    for (const place of ['deleted', 'snapshots', 'tags', 'versions'])
      found.push(await this.#list(await this.walk(views, place)))
    return found
  }

  /** Lists one name at a time, as a reply has room for. */
  async #list(ino: number): Promise<string[]> {
    const fs = this.#fs
    const { handle } = await retryUntilLoaded(() => fs.opendir(caller, ino))
    const names: string[] = []
    for (let cookie = 0; ; ) {
      const room = await retryUntilLoaded(() => {
        const taken: { name: string; next: number }[] = []
        fs.readdir(caller, ino, handle, cookie, false, (name, _ino, _type, next) => {
          if (taken.length > 0) return false
          taken.push({ name, next })
          return true
        })
        return taken[0]
      })
      if (room === undefined) break
      names.push(room.name)
      cookie = room.next
    }
    fs.releasedir(handle)
    return names
  }
}
