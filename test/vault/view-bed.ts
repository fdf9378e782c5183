// A file system with views on a store in memory, without a mount, and how tests walk in it.

import type { Test } from 'tap'
import { FsError } from '../../src/base/errno.ts'
import { createFileSystem, type FileSystem } from '../../src/fs/file-system.ts'
import type { Caller, Node } from '../../src/fs/operations.ts'
import { openStore } from '../../src/store/open.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import type { Store } from '../../src/store/store.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { birthBatch, Vault } from '../../src/vault/vault.ts'
import { noChange } from '../support/no-change.ts'

export const O_EXCL = 0o200
export const root: Caller = { uid: 0, gid: 0, pid: process.pid }

export async function open(
  t: Test,
  avfsdir: 'hidden' | 'visible' | 'off' = 'hidden',
  shared = true,
) {
  const vault = await openMemory(t, (store) => store)
  return createFileSystem(vault, { readOnly: false, avfsdir, shared })
}

/** A vault in memory that reads through what `around` makes of its store. */
export async function openMemory(t: Test, around: (store: Store) => Store): Promise<Vault> {
  const store = await openStore('memory', { create: true, backend: 'memory' })
  await store.commit(birthBatch())
  const read = around(store)
  const vault = await retryUntilLoaded(() => new Vault(read, '/nowhere', { commitMs: 60_000 }))
  t.teardown(() => vault.close())
  return vault
}

export function refused(t: Test, change: () => unknown, errno: number, what = ''): void {
  try {
    change()
    t.fail(`${what} was not refused`)
  } catch (error) {
    t.equal(error instanceof FsError ? error.errno : error, errno, what)
  }
}

/** The node that a path leads to. */
export function walk(fs: FileSystem, path: string, caller = root): Node {
  let node = fs.getattr(caller, ROOT_INO)
  for (const name of path.split('/').filter((part) => part !== ''))
    node = fs.lookup(caller, node.ino, name) ?? raise(`${name} of ${path} is missing`)
  return node
}

function raise(message: string): never {
  throw new Error(message)
}

/** Lists in parts of `room` names. */
export function list(
  fs: FileSystem,
  ino: number,
  room = 1000,
  plus = false,
  caller = root,
): string[] {
  const { handle } = fs.opendir(caller, ino)
  const names: string[] = []
  let cookie = 0
  for (let more = true; more; ) {
    let taken = 0
    more = false
    fs.readdir(caller, ino, handle, cookie, plus, (name, _ino, _type, next) => {
      if (taken === room) {
        more = true
        return false
      }
      taken++
      cookie = next
      names.push(name)
      return true
    })
  }
  fs.releasedir(handle)
  return names.filter((name) => name !== '.' && name !== '..')
}

export function save(fs: FileSystem, parent: number, name: string, text: string): number {
  const node = fs.lookup(root, parent, name) ?? fs.create(root, parent, name, 0o100644, 0, O_EXCL)
  fs.setattr(root, node.ino, { ...noChange, size: 0 })
  fs.write(root, node.ino, 0, Buffer.from(text), false, false)
  fs.flush(root, node.ino)
  return node.ino
}

export function textOf(fs: FileSystem, node: Node): string {
  return Buffer.concat(fs.read(root, node.ino, 0, node.size)).toString()
}
