// Random operations on a vault and on the plain model beside it, each checked for the errno that
// the model expects. Shared by random tests of the present and of history.

import { FsError } from '../../src/base/errno.ts'
import { createFileSystem, type FileSystem } from '../../src/fs/file-system.ts'
import type { Caller } from '../../src/fs/operations.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import type { Vault } from '../../src/vault/vault.ts'
import { noChange } from '../support/no-change.ts'
import { type Waiting, waiting } from '../support/waiting.ts'
import {
  directoriesOf,
  type PlainFile,
  plainFile,
  randomFrom,
  resizePlain,
  writePlain,
} from './plain-model.ts'

export const caller: Caller = { uid: 0, gid: 0, pid: 1 }
const SIZES = [1, 100, 4096, 5000, 9000, 70_000, 131_072, 140_000, 300_000]

/** One run: the two worlds and the map between them. */
export class Run {
  readonly root = plainFile('directory', 0o40755)
  readonly inos = new Map<PlainFile, number>([[this.root, ROOT_INO]])
  readonly random: (below: number) => number
  readonly vault: Vault
  readonly fs: Waiting<FileSystem>

  constructor(vault: Vault, seed: number) {
    this.vault = vault
    this.fs = waiting(createFileSystem(vault, { readOnly: false }))
    this.random = randomFrom(seed)
  }

  ino(file: PlainFile): number {
    const ino = this.inos.get(file)
    if (ino === undefined) throw new Error('a file of the model has no inode')
    return ino
  }

  pick<T>(from: readonly T[]): T | undefined {
    return from[this.random(Math.max(1, from.length))]
  }

  directory(): PlainFile {
    return this.pick([...directoriesOf(this.root)].map(({ directory }) => directory)) ?? this.root
  }

  name(): string {
    return `n${this.random(12)}${this.random(9) === 0 ? '\xff\xe9' : ''}`
  }

  file(): PlainFile | undefined {
    const all: PlainFile[] = []
    for (const { directory } of directoriesOf(this.root))
      for (const file of directory.names.values()) if (file.kind === 'file') all.push(file)
    return this.pick(all)
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    const seed = this.random(256)
    // Every other write compresses.
    if (this.random(2) === 0) bytes.fill(seed)
    else for (let at = 0; at < length; at++) bytes[at] = (at * 31 + seed + (at >> 7)) & 255
    return bytes
  }

  /** A file was made, which has no name yet. */
  made(_file: PlainFile): void {}

  /** Content is about to change; `written` unless it is emptied. */
  touch(_file: PlainFile, _written: boolean): void {}

  async close(file: PlainFile): Promise<void> {
    await this.fs.flush(caller, this.ino(file))
  }

  /** A name leads to a file now, whatever it led to before. */
  put(directory: PlainFile, name: string, file: PlainFile): void {
    directory.names.set(name, file)
  }

  /** A name is gone. */
  take(directory: PlainFile, name: string): void {
    directory.names.delete(name)
  }

  move(from: PlainFile, name: string, to: PlainFile, newName: string, file: PlainFile): void {
    from.names.delete(name)
    to.names.set(newName, file)
  }

  /** Both worlds do the same or both refuse with the same errno. */
  async same(errno: number | undefined, act: () => Promise<void>): Promise<void> {
    try {
      await act()
    } catch (error) {
      if (error instanceof FsError && error.errno === errno) return
      throw error
    }
    if (errno !== undefined) throw new Error(`errno ${errno} was expected`)
  }

  async step(): Promise<void> {
    const kind = this.random(100)
    if (kind < 14) await this.create()
    else if (kind < 42) await this.write()
    else if (kind < 50) await this.truncate()
    else if (kind < 54) await this.punch()
    else if (kind < 60) await this.copy()
    else if (kind < 66) await this.unlink()
    else if (kind < 74) await this.rename()
    else if (kind < 78) await this.link()
    else if (kind < 82) await this.mkdir()
    else if (kind < 84) await this.rmdir()
    else if (kind < 89) await this.xattr()
    else if (kind < 92) await this.chmod()
    else if (kind < 98) await this.flush()
    else await this.vault.sync()
  }

  async create(): Promise<void> {
    const directory = this.directory()
    const name = this.name()
    const exists = directory.names.has(name)
    await this.same(exists ? 17 : undefined, async () => {
      const node = await this.fs.create(caller, this.ino(directory), name, 0o644, 0o22, 0o200)
      const made = plainFile('file', 0o100644)
      this.inos.set(made, node.ino)
      this.made(made)
      this.put(directory, name, made)
    })
  }

  async write(): Promise<void> {
    const file = this.file()
    if (file === undefined) return
    const offset = this.random(3) === 0 ? 0 : this.random(file.bytes.length + 200_000)
    const wanted = this.bytes(this.pick(SIZES) ?? 1)
    // A Buffer that is reused afterwards, as the session's is: slice() of a Buffer is no copy.
    const data = Buffer.from(wanted)
    this.touch(file, true)
    await this.fs.write(caller, this.ino(file), offset, data, false, false)
    data.fill(0xaa)
    writePlain(file, offset, wanted)
    if (this.random(2) === 0) await this.close(file)
  }

  async truncate(): Promise<void> {
    const file = this.file()
    if (file === undefined) return
    const size = this.random(4) === 0 ? 0 : this.random(file.bytes.length + 50_000)
    if (size !== file.bytes.length) this.touch(file, size > 0)
    await this.fs.setattr(caller, this.ino(file), { ...noChange, size })
    resizePlain(file, size)
  }

  async punch(): Promise<void> {
    const file = this.file()
    if (file === undefined || file.bytes.length === 0) return
    const offset = this.random(file.bytes.length)
    const length = 1 + this.random(200_000)
    this.touch(file, true)
    await this.fs.fallocate(caller, this.ino(file), offset, length, 3)
    file.bytes = file.bytes.slice()
    file.bytes.fill(0, offset, offset + length)
  }

  async copy(): Promise<void> {
    const from = this.file()
    const to = this.file()
    if (from === undefined || to === undefined || from === to) return
    const fromOffset = this.random(from.bytes.length + 1)
    const toOffset = this.random(to.bytes.length + 1000)
    const length = 1 + this.random(300_000)
    if (fromOffset < from.bytes.length) this.touch(to, true)
    const copied = await this.fs.copyFileRange(
      caller,
      this.ino(from),
      fromOffset,
      this.ino(to),
      toOffset,
      length,
    )
    const bytes = from.bytes.slice(fromOffset, fromOffset + copied)
    if (copied > 0) writePlain(to, toOffset, bytes)
  }

  async unlink(): Promise<void> {
    const directory = this.directory()
    const name = this.name()
    const file = directory.names.get(name)
    const errno = file === undefined ? 2 : file.kind === 'directory' ? 21 : undefined
    await this.same(errno, async () => {
      await this.fs.unlink(caller, this.ino(directory), name)
      this.take(directory, name)
      if (file !== undefined) await this.drop(file)
    })
  }

  async drop(file: PlainFile): Promise<void> {
    if (--file.nlink > 0) return
    // The kernel forgets it: every name lookup and creation counted one.
    await this.fs.forget(this.ino(file), 1_000_000)
  }

  async rename(): Promise<void> {
    const from = this.directory()
    const to = this.directory()
    const name = this.name()
    const newName = this.name()
    const file = from.names.get(name)
    const other = to.names.get(newName)
    const flags = this.random(6)
    if (flags === 2) {
      await this.exchange(from, name, to, newName)
      return
    }
    await this.same(this.renameErrno(file, other, to, flags === 1), async () => {
      const flag = flags === 1 ? 1 : flags === 3 ? 4 : 0
      await this.fs.rename(caller, this.ino(from), name, this.ino(to), newName, flag)
      if (file === undefined || file === other) return
      this.move(from, name, to, newName, file)
      if (flag === 4) await this.whiteOut(from, name)
      if (file.kind === 'directory') {
        from.nlink--
        if (other === undefined) to.nlink++
      }
      if (other !== undefined && other.kind !== 'directory') await this.drop(other)
      else if (other !== undefined) await this.fs.forget(this.ino(other), 1_000_000)
    })
  }

  /** What a rename has left behind. */
  async whiteOut(directory: PlainFile, name: string): Promise<void> {
    const node = await this.fs.lookup(caller, this.ino(directory), name)
    if (node === undefined) throw new Error(`${name} is not there`)
    const made = plainFile('whiteout', 0o20000)
    this.inos.set(made, node.ino)
    this.put(directory, name, made)
  }

  renameErrno(
    file: PlainFile | undefined,
    other: PlainFile | undefined,
    to: PlainFile,
    noReplace: boolean,
  ): number | undefined {
    if (file === undefined) return 2
    if (file.kind === 'directory' && contains(file, to)) return 22
    if (other !== undefined && noReplace) return 17
    if (other === undefined || other === file) return undefined
    if (file.kind !== 'directory') return other.kind === 'directory' ? 21 : undefined
    if (other.kind !== 'directory') return 20
    return other.names.size > 0 ? 39 : undefined
  }

  async exchange(from: PlainFile, name: string, to: PlainFile, newName: string): Promise<void> {
    const file = from.names.get(name)
    const other = to.names.get(newName)
    if (file === undefined || other === undefined) return
    const circular =
      (file.kind === 'directory' && contains(file, to)) ||
      (other.kind === 'directory' && file !== other && contains(other, from))
    await this.same(circular ? 22 : undefined, async () => {
      await this.fs.rename(caller, this.ino(from), name, this.ino(to), newName, 2)
      this.put(from, name, other)
      this.put(to, newName, file)
      if (from !== to) {
        const moved = Number(file.kind === 'directory') - Number(other.kind === 'directory')
        from.nlink -= moved
        to.nlink += moved
      }
    })
  }

  async link(): Promise<void> {
    const file = this.file()
    const directory = this.directory()
    const name = this.name()
    if (file === undefined) return
    await this.same(directory.names.has(name) ? 17 : undefined, async () => {
      await this.fs.link(caller, this.ino(file), this.ino(directory), name)
      this.put(directory, name, file)
      file.nlink++
    })
  }

  async mkdir(): Promise<void> {
    const directory = this.directory()
    const name = this.name()
    await this.same(directory.names.has(name) ? 17 : undefined, async () => {
      const node = await this.fs.mkdir(caller, this.ino(directory), name, 0o755, 0)
      const made = plainFile('directory', 0o40755)
      this.inos.set(made, node.ino)
      this.put(directory, name, made)
      directory.nlink++
    })
  }

  async rmdir(): Promise<void> {
    const directory = this.directory()
    const name = this.name()
    const file = directory.names.get(name)
    let errno: number | undefined
    if (file === undefined) errno = 2
    else if (file.kind !== 'directory') errno = 20
    else if (file.names.size > 0) errno = 39
    await this.same(errno, async () => {
      await this.fs.rmdir(caller, this.ino(directory), name)
      this.take(directory, name)
      directory.nlink--
      if (file !== undefined) await this.fs.forget(this.ino(file), 1_000_000)
    })
  }

  async xattr(): Promise<void> {
    const file = this.file()
    if (file === undefined) return
    const name = `user.${this.random(4)}`
    if (this.random(3) === 0) {
      await this.same(file.xattrs.has(name) ? undefined : 61, async () => {
        await this.fs.removexattr(caller, this.ino(file), name)
        file.xattrs.delete(name)
      })
      return
    }
    const value = Buffer.from(this.bytes(this.random(300)))
    await this.fs.setxattr(caller, this.ino(file), name, value, 0, false)
    file.xattrs.set(name, value)
  }

  async chmod(): Promise<void> {
    const file = this.file()
    if (file === undefined) return
    const mode = this.random(0o1000)
    await this.fs.setattr(caller, this.ino(file), { ...noChange, mode })
    file.mode = 0o100000 | mode
  }

  async flush(): Promise<void> {
    const file = this.file()
    if (file !== undefined) await this.close(file)
  }
}

function contains(directory: PlainFile, wanted: PlainFile): boolean {
  if (directory === wanted) return true
  for (const file of directory.names.values())
    if (file.kind === 'directory' && contains(file, wanted)) return true
  return false
}
