// A stand-in for the kernel between programs and a file system that is mounted with
// default_permissions, as far as rights go: it walks paths name by name, checks owner, mode and
// access list of each directory, and uses cached names and attributes as long as it was told that
// they are valid.

import { EACCES, ENOENT, FsError } from '../../src/base/errno.ts'
import { MAY_READ, MAY_SEARCH, may } from '../../src/fs/access.ts'
import type { FileSystem } from '../../src/fs/file-system.ts'
import type { Caller, Node } from '../../src/fs/operations.ts'
import { VIEW_BASE } from '../../src/fs/virtual/view.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { ACL_ACCESS } from '../../src/vault/tree/acl.ts'

/** What a program is answered: text, names, or the errno that it got instead. */
export type Answer = string | readonly string[] | number

export class Kernel {
  readonly fs: FileSystem
  readonly #names = new Map<string, { ino: number; untilMs: number }>()
  readonly #nodes = new Map<number, Node>()
  readonly #lists = new Map<number, Uint8Array | undefined>()

  constructor(fs: FileSystem) {
    this.fs = fs
    fs.setNotices({
      entryChanged: async (parent, name) => void this.#names.delete(`${parent}/${name}`),
      inodeChanged: async (ino) => this.#forget(ino),
      attributesChanged: (ino) => this.#forget(ino),
      sent: async () => {},
    })
  }

  /** Something was done to files of the vault through the kernel, which knows of that itself. */
  changed(): void {
    for (const key of this.#names.keys())
      if (Number(key.slice(0, key.indexOf('/'))) < VIEW_BASE) this.#names.delete(key)
    for (const ino of [...this.#nodes.keys(), ...this.#lists.keys()])
      if (ino < VIEW_BASE) this.#forget(ino)
  }

  #forget(ino: number): void {
    this.#nodes.delete(ino)
    this.#lists.delete(ino)
  }

  /** The inode of a path. Rejects with EACCES, ENOENT. */
  async walk(caller: Caller, path: string): Promise<number> {
    let at = ROOT_INO
    for (const name of path.split('/').filter((part) => part !== '')) {
      await this.#assertMay(caller, at, MAY_SEARCH)
      at = await this.#lookup(caller, at, name)
    }
    return at
  }

  async read(caller: Caller, path: string): Promise<Answer> {
    return await orErrno(async () => {
      const ino = await this.walk(caller, path)
      await this.#assertMay(caller, ino, MAY_READ)
      const { size } = await this.#node(caller, ino)
      const parts = await retryUntilLoaded(() => this.fs.read(caller, ino, 0, size))
      return Buffer.concat(parts).toString()
    })
  }

  /** Names in byte order. */
  async list(caller: Caller, path: string, plus = false): Promise<Answer> {
    return await orErrno(async () => {
      const ino = await this.walk(caller, path)
      await this.#assertMay(caller, ino, MAY_READ)
      const { handle } = await retryUntilLoaded(() => this.fs.opendir(caller, ino))
      const names: string[] = []
      let from = 0
      for (let count = -1; count !== names.length; ) {
        count = names.length
        await retryUntilLoaded(() =>
          this.fs.readdir(caller, ino, handle, from, plus, (name, _ino, _type, next, node) => {
            from = next
            names.push(name)
            if (node !== undefined) this.#note(ino, name, node)
            return true
          }),
        )
      }
      this.fs.releasedir(handle)
      return names.filter((name) => name !== '.' && name !== '..').sort()
    })
  }

  async #lookup(caller: Caller, parent: number, name: string): Promise<number> {
    const kept = this.#names.get(`${parent}/${name}`)
    if (kept !== undefined && performance.now() < kept.untilMs) return kept.ino
    const node = await retryUntilLoaded(() => this.fs.lookup(caller, parent, name))
    if (node === undefined) throw new FsError(ENOENT)
    this.#note(parent, name, node)
    return node.ino
  }

  #note(parent: number, name: string, node: Node): void {
    const keptMs = node.nameMs ?? (node.volatile ? 0 : Number.POSITIVE_INFINITY)
    this.#lists.delete(node.ino)
    this.#names.set(`${parent}/${name}`, { ino: node.ino, untilMs: performance.now() + keptMs })
    if (node.volatile) this.#nodes.delete(node.ino)
    else this.#nodes.set(node.ino, node)
  }

  async #node(caller: Caller, ino: number): Promise<Node> {
    const kept = this.#nodes.get(ino)
    if (kept !== undefined) return kept
    const node = await retryUntilLoaded(() => this.fs.getattr(caller, ino))
    this.#lists.delete(ino)
    if (!node.volatile) this.#nodes.set(ino, node)
    return node
  }

  async #assertMay(caller: Caller, ino: number, wanted: number): Promise<void> {
    const node = await this.#node(caller, ino)
    if (!this.#lists.has(ino))
      this.#lists.set(
        ino,
        await retryUntilLoaded(() => this.fs.getxattr(caller, ino, ACL_ACCESS, false)),
      )
    const reader = { uid: caller.uid, groups: new Set([caller.gid]) }
    if (!may(reader, node, this.#lists.get(ino), wanted)) throw new FsError(EACCES)
  }
}

async function orErrno(work: () => Promise<Answer>): Promise<Answer> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof FsError) return error.errno
    throw error
  }
}
