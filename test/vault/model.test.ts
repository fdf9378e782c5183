// Random operations by seed, on a plain model and on a vault through src/fs: after each stretch both trees are the same, at
// the end the vault checks clean, and after reopening it is the same again.
// AVFS_SEED chooses the seed, AVFS_STEPS the length.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { FsError } from '../../src/base/errno.ts'
import { setLog } from '../../src/base/log.ts'
import { createFileSystem, type FileSystem } from '../../src/fs/file-system.ts'
import type { AttributeChange, Caller } from '../../src/fs/operations.ts'
import { openStore } from '../../src/store/open.ts'
import { birthBatch, openVault, ROOT_INO, Vault } from '../../src/vault/vault.ts'
import {
  directoriesOf,
  type PlainFile,
  plainFile,
  randomFrom,
  resizePlain,
  writePlain,
} from './plain-model.ts'

setLog('error')
const steps = Number(process.env.AVFS_STEPS ?? 1500)
const baseSeed = Number(process.env.AVFS_SEED ?? Date.now() % 1_000_000)
const caller: Caller = { uid: 0, gid: 0, pid: 1 }
const SIZES = [1, 100, 4096, 5000, 9000, 70_000, 131_072, 140_000, 300_000]

const noChange: AttributeChange = {
  mode: undefined,
  uid: undefined,
  gid: undefined,
  size: undefined,
  atime: undefined,
  atimeNs: 0,
  mtime: undefined,
  mtimeNs: 0,
  ctime: undefined,
  ctimeNs: 0,
  killPrivileges: false,
}

/** One run: the two worlds and the map between them. */
class Run {
  readonly root = plainFile('directory', 0o40755)
  readonly inos = new Map<PlainFile, number>([[this.root, ROOT_INO]])
  readonly random: (below: number) => number
  readonly vault: Vault
  readonly fs: FileSystem

  constructor(vault: Vault, seed: number) {
    this.vault = vault
    this.fs = createFileSystem(vault, { readOnly: false })
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

  /** Both worlds do the same or both refuse with the same errno. */
  same(errno: number | undefined, act: () => void): void {
    try {
      act()
    } catch (error) {
      if (error instanceof FsError && error.errno === errno) return
      throw error
    }
    if (errno !== undefined) throw new Error(`errno ${errno} was expected`)
  }

  async step(): Promise<void> {
    const kind = this.random(100)
    if (kind < 14) this.create()
    else if (kind < 42) this.write()
    else if (kind < 50) this.truncate()
    else if (kind < 54) this.punch()
    else if (kind < 60) this.copy()
    else if (kind < 66) this.unlink()
    else if (kind < 74) this.rename()
    else if (kind < 78) this.link()
    else if (kind < 82) this.mkdir()
    else if (kind < 84) this.rmdir()
    else if (kind < 89) this.xattr()
    else if (kind < 92) this.chmod()
    else if (kind < 98) this.flush()
    else await this.vault.sync()
  }

  create(): void {
    const directory = this.directory()
    const name = this.name()
    const exists = directory.names.has(name)
    this.same(exists ? 17 : undefined, () => {
      const node = this.fs.create(caller, this.ino(directory), name, 0o644, 0o22, 0o200)
      const made = plainFile('file', 0o100644)
      this.inos.set(made, node.ino)
      directory.names.set(name, made)
    })
  }

  write(): void {
    const file = this.file()
    if (file === undefined) return
    const offset = this.random(3) === 0 ? 0 : this.random(file.bytes.length + 200_000)
    const wanted = this.bytes(this.pick(SIZES) ?? 1)
    // A Buffer that is reused afterwards, as the session's is: slice() of a Buffer is no copy.
    const data = Buffer.from(wanted)
    this.fs.write(caller, this.ino(file), offset, data, false, false)
    data.fill(0xaa)
    writePlain(file, offset, wanted)
    if (this.random(2) === 0) this.fs.flush(caller, this.ino(file))
  }

  truncate(): void {
    const file = this.file()
    if (file === undefined) return
    const size = this.random(4) === 0 ? 0 : this.random(file.bytes.length + 50_000)
    this.fs.setattr(caller, this.ino(file), { ...noChange, size })
    resizePlain(file, size)
  }

  punch(): void {
    const file = this.file()
    if (file === undefined || file.bytes.length === 0) return
    const offset = this.random(file.bytes.length)
    const length = 1 + this.random(200_000)
    this.fs.fallocate(caller, this.ino(file), offset, length, 3)
    file.bytes = file.bytes.slice()
    file.bytes.fill(0, offset, offset + length)
  }

  copy(): void {
    const from = this.file()
    const to = this.file()
    if (from === undefined || to === undefined || from === to) return
    const fromOffset = this.random(from.bytes.length + 1)
    const toOffset = this.random(to.bytes.length + 1000)
    const length = 1 + this.random(300_000)
    const copied = this.fs.copyFileRange(
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

  unlink(): void {
    const directory = this.directory()
    const name = this.name()
    const file = directory.names.get(name)
    const errno = file === undefined ? 2 : file.kind === 'directory' ? 21 : undefined
    this.same(errno, () => {
      this.fs.unlink(caller, this.ino(directory), name)
      directory.names.delete(name)
      if (file !== undefined) this.drop(file)
    })
  }

  drop(file: PlainFile): void {
    if (--file.nlink > 0) return
    // The kernel forgets it: every name lookup and creation counted one.
    this.fs.forget(this.ino(file), 1_000_000)
  }

  rename(): void {
    const from = this.directory()
    const to = this.directory()
    const name = this.name()
    const newName = this.name()
    const file = from.names.get(name)
    const other = to.names.get(newName)
    const flags = this.random(6)
    if (flags === 2) {
      this.exchange(from, name, to, newName)
      return
    }
    this.same(this.renameErrno(file, other, to, flags === 1), () => {
      const flag = flags === 1 ? 1 : 0
      this.fs.rename(caller, this.ino(from), name, this.ino(to), newName, flag)
      if (file === undefined || file === other) return
      from.names.delete(name)
      to.names.set(newName, file)
      if (file.kind === 'directory') {
        from.nlink--
        if (other === undefined) to.nlink++
      }
      if (other !== undefined && other.kind !== 'directory') this.drop(other)
      else if (other !== undefined) this.fs.forget(this.ino(other), 1_000_000)
    })
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

  exchange(from: PlainFile, name: string, to: PlainFile, newName: string): void {
    const file = from.names.get(name)
    const other = to.names.get(newName)
    if (file === undefined || other === undefined) return
    const circular =
      (file.kind === 'directory' && contains(file, to)) ||
      (other.kind === 'directory' && file !== other && contains(other, from))
    this.same(circular ? 22 : undefined, () => {
      this.fs.rename(caller, this.ino(from), name, this.ino(to), newName, 2)
      from.names.set(name, other)
      to.names.set(newName, file)
      if (from !== to) {
        const moved = Number(file.kind === 'directory') - Number(other.kind === 'directory')
        from.nlink -= moved
        to.nlink += moved
      }
    })
  }

  link(): void {
    const file = this.file()
    const directory = this.directory()
    const name = this.name()
    if (file === undefined) return
    this.same(directory.names.has(name) ? 17 : undefined, () => {
      this.fs.link(caller, this.ino(file), this.ino(directory), name)
      directory.names.set(name, file)
      file.nlink++
    })
  }

  mkdir(): void {
    const directory = this.directory()
    const name = this.name()
    this.same(directory.names.has(name) ? 17 : undefined, () => {
      const node = this.fs.mkdir(caller, this.ino(directory), name, 0o755, 0)
      const made = plainFile('directory', 0o40755)
      this.inos.set(made, node.ino)
      directory.names.set(name, made)
      directory.nlink++
    })
  }

  rmdir(): void {
    const directory = this.directory()
    const name = this.name()
    const file = directory.names.get(name)
    let errno: number | undefined
    if (file === undefined) errno = 2
    else if (file.kind !== 'directory') errno = 20
    else if (file.names.size > 0) errno = 39
    this.same(errno, () => {
      this.fs.rmdir(caller, this.ino(directory), name)
      directory.names.delete(name)
      directory.nlink--
      if (file !== undefined) this.fs.forget(this.ino(file), 1_000_000)
    })
  }

  xattr(): void {
    const file = this.file()
    if (file === undefined) return
    const name = `user.${this.random(4)}`
    if (this.random(3) === 0) {
      this.same(file.xattrs.has(name) ? undefined : 61, () => {
        this.fs.removexattr(caller, this.ino(file), name)
        file.xattrs.delete(name)
      })
      return
    }
    const value = Buffer.from(this.bytes(this.random(300)))
    this.fs.setxattr(caller, this.ino(file), name, value, 0, false)
    file.xattrs.set(name, value)
  }

  chmod(): void {
    const file = this.file()
    if (file === undefined) return
    const mode = this.random(0o1000)
    this.fs.setattr(caller, this.ino(file), { ...noChange, mode })
    file.mode = 0o100000 | mode
  }

  flush(): void {
    const file = this.file()
    if (file !== undefined) this.fs.flush(caller, this.ino(file))
  }
}

function contains(directory: PlainFile, wanted: PlainFile): boolean {
  if (directory === wanted) return true
  for (const file of directory.names.values())
    if (file.kind === 'directory' && contains(file, wanted)) return true
  return false
}

/** The tree of a file system as comparable lines: path, kind, mode, links, size, bytes, attributes. */
function describe(fs: FileSystem, ino: number, path = ''): string[] {
  const lines: string[] = []
  const { handle } = fs.opendir(caller, ino)
  const names: string[] = []
  fs.readdir(caller, ino, handle, 0, false, (name) => {
    if (name !== '.' && name !== '..') names.push(name)
    return true
  })
  fs.releasedir(handle)
  for (const name of names.sort()) {
    const node = fs.lookup(caller, ino, name)
    if (node === undefined) throw new Error(`${path}/${name} is listed and not found`)
    const isDirectory = node.mode >>> 12 === 4
    const bytes = isDirectory ? [] : fs.read(caller, node.ino, 0, node.size)
    const xattrs = isDirectory
      ? []
      : fs
          .listxattr(caller, node.ino)
          .map((key) => [
            key,
            Buffer.from(fs.getxattr(caller, node.ino, key) ?? []).toString('hex'),
          ])
    lines.push(
      line(`${path}/${name}`, node.mode, node.nlink, Buffer.concat(bytes), new Map(xattrs as [])),
    )
    if (isDirectory) lines.push(...describe(fs, node.ino, `${path}/${name}`))
    fs.forget(node.ino, 1)
  }
  return lines
}

function describePlain(directory: PlainFile, path = ''): string[] {
  const lines: string[] = []
  for (const name of [...directory.names.keys()].sort()) {
    const file = directory.names.get(name)
    if (file === undefined) continue
    const xattrs = new Map(
      [...file.xattrs].map(([key, value]) => [key, Buffer.from(value).toString('hex')]),
    )
    lines.push(line(`${path}/${name}`, file.mode, file.nlink, file.bytes, xattrs))
    if (file.kind === 'directory') lines.push(...describePlain(file, `${path}/${name}`))
  }
  return lines
}

function line(
  path: string,
  mode: number,
  nlink: number,
  bytes: Uint8Array,
  xattrs: Map<string, string>,
): string {
  const { length } = bytes
  const content = Buffer.from(bytes).toString('base64')
  const attributes = [...xattrs].sort().join(' ')
  return `${path} ${mode.toString(8)} ${nlink} ${length} ${attributes} ${content}`
}

/** The first difference of two descriptions, short enough to read. */
function difference(found: string[], wanted: string[]): string | undefined {
  for (let at = 0; at < Math.max(found.length, wanted.length); at++)
    if (found[at] !== wanted[at])
      return `found ${found[at]?.slice(0, 200)}\nwanted ${wanted[at]?.slice(0, 200)}`
  return undefined
}

async function runModel(t: Test, vault: Vault, seed: number): Promise<Run> {
  const run = new Run(vault, seed)
  for (let step = 0; step < steps; step++) {
    try {
      await run.step()
    } catch (error) {
      t.fail(`step ${step} of seed ${seed} failed`, { cause: String((error as Error).stack) })
      return run
    }
    if (step % 250 === 0) {
      const found = difference(describe(run.fs, ROOT_INO), describePlain(run.root))
      if (found !== undefined) {
        t.fail(`seed ${seed}: the trees differ after step ${step}`, { found })
        return run
      }
    }
  }
  t.equal(difference(describe(run.fs, ROOT_INO), describePlain(run.root)), undefined)
  return run
}

t.test('random operations on a vault in memory match the plain model', async (t) => {
  t.comment(`seed ${baseSeed}`)
  const store = await openStore('memory', { create: true, backend: 'memory' })
  await store.commit(birthBatch())
  const vault = new Vault(store, '/tmp/none', { commitMs: 5 })
  await runModel(t, vault, baseSeed)
  await vault.sync()
  const report = await vault.check({ deep: true })
  t.same(report.problems, [])
  await vault.close()
})

t.test(
  'random operations on a SQLite vault match the plain model, also after reopening',
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'avfs-model-'))
    t.teardown(() => rmSync(folder, { recursive: true }))
    for (let round = 0; round < 3; round++) {
      const seed = baseSeed + 1 + round
      t.comment(`seed ${seed}`)
      const path = join(folder, `v${round}.avfs`)
      const store = await openStore(path, { create: true, backend: 'sqlite' })
      await store.commit(birthBatch())
      // A small cache, so that rows are read back from the engine.
      const run = await runModel(
        t,
        new Vault(store, path, { cacheBytes: 400_000, commitMs: 5 }),
        seed,
      )
      const report = await run.vault.check({ deep: true })
      t.same(report.problems, [])
      await run.vault.close()
      const vault = await openVault(path)
      const fs = createFileSystem(vault, { readOnly: false })
      t.equal(difference(describe(fs, ROOT_INO), describePlain(run.root)), undefined)
      await vault.close()
    }
  },
)
