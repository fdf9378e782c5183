// What users own, computed in the simplest way beside a vault: for each file which of its bytes are
// covered, who owns it, how many names it has. Predicts which operations must be refused.

import { EDQUOT, FsError } from '../../src/base/errno.ts'
import type { FileSystem } from '../../src/fs/file-system.ts'
import type { Caller } from '../../src/fs/operations.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import { configure } from '../../src/vault/core/configuration.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { refreshQuota } from '../../src/vault/core/quota.ts'
import type { Vault } from '../../src/vault/vault.ts'
import { noChange } from '../support/no-change.ts'
import type { Random } from '../support/random.ts'
import type { Waiting } from '../support/waiting.ts'

const FILE_BYTES_MAX = 600_000
const SIZES = [1, 100, 4096, 5000, 70_000, 131_072, 140_000, 300_000]
export const USERS = [0, 1000, 1001]

interface Owned {
  readonly ino: number
  uid: number
  /** 1 for each byte that is covered. */
  covered: Uint8Array
  size: number
  names: number
  /** The kernel holds it, so that it stays when it has no name. */
  isHeld: boolean
}

interface Need {
  readonly uid: number
  readonly bytes: number
  readonly files: number
}

export class QuotaModel {
  readonly names = new Map<string, Owned>()
  readonly held = new Set<Owned>()
  readonly limits = new Map<string, number>()
  refusals = 0
  readonly #vault: Vault
  readonly #fs: Waiting<FileSystem>
  readonly #random: Random

  constructor(vault: Vault, fs: Waiting<FileSystem>, random: Random) {
    this.#vault = vault
    this.#fs = fs
    this.#random = random
  }

  /** Bytes and inodes of a user, or of all; the root directory is root's. */
  used(uid?: number): { bytes: number; files: number } {
    const all = new Set([...this.names.values(), ...this.held])
    const own = [...all].filter((its) => uid === undefined || its.uid === uid)
    const bytes = own.reduce((all, its) => all + sum(its.covered), 0)
    return { bytes, files: own.length + (uid === undefined || uid === 0 ? 1 : 0) }
  }

  async step(): Promise<void> {
    const names = [...this.names.keys()]
    const file = names.length === 0 ? undefined : this.#random.pick(names)
    const steps = [
      () => this.#create(),
      () => this.#create(),
      () => this.#limit(),
      () => this.#vault.sync(),
      ...(file === undefined
        ? []
        : [
            ...[1, 2, 3, 4, 5].map(() => () => this.#write(file)),
            () => this.#truncate(file),
            () => this.#punch(file),
            () => this.#copy(file),
            () => this.#link(file),
            () => this.#unlink(file),
            () => this.#rename(file),
            () => this.#chown(file),
            () => this.#flush(file),
            () => this.#release(),
          ]),
    ]
    await this.#random.pick(steps)()
  }

  caller(): Caller {
    const uid = this.#random.pick(USERS)
    return { uid, gid: uid, pid: 1 }
  }

  #isRefused({ uid, bytes, files }: Need, ofAll = { bytes, files }): boolean {
    const all = this.used()
    const own = this.used(uid)
    const over = (key: string, used: number, more: number): boolean =>
      more > 0 && used + more > (this.limits.get(key) ?? Number.POSITIVE_INFINITY)
    return (
      over('quota', all.bytes, ofAll.bytes) ||
      over('quota.files', all.files, ofAll.files) ||
      over(`quota.user.${uid}`, own.bytes, bytes) ||
      over(`quota.user-files.${uid}`, own.files, files)
    )
  }

  /** Does what is refused with EDQUOT if and only if the model says so; true when it was done. */
  async #does(isRefused: boolean, act: () => Promise<unknown>): Promise<boolean> {
    try {
      await act()
    } catch (error) {
      if (isRefused && error instanceof FsError && error.errno === EDQUOT) {
        this.refusals++
        return false
      }
      throw error
    }
    if (isRefused) throw new Error('EDQUOT was expected')
    return true
  }

  async #create(): Promise<void> {
    const caller = this.caller()
    const name = `n${this.#random.below(14)}`
    if (this.names.has(name)) return
    const isRefused = this.#isRefused({ uid: caller.uid, bytes: 0, files: 1 })
    let ino = 0
    const isDone = await this.#does(isRefused, async () => {
      ino = (await this.#fs.create(caller, ROOT_INO, name, 0o644, 0, 0o200)).ino
    })
    if (!isDone) return
    const isHeld = this.#random.below(3) === 0
    const made = { ino, uid: caller.uid, covered: new Uint8Array(0), size: 0, names: 1, isHeld }
    this.names.set(name, made)
    if (isHeld) this.held.add(made)
    else await this.#fs.forget(ino, 1)
  }

  async #write(name: string): Promise<void> {
    const file = this.#file(name)
    const data = this.#random.bytes(this.#random.pick(SIZES))
    const offset = this.#random.below(2) === 0 ? 0 : this.#random.below(file.size + 150_000)
    const end = offset + data.length
    if (end > FILE_BYTES_MAX) return
    const after = grown(file.covered, end)
    after.fill(1, offset, end)
    const bytes = sum(after) - sum(file.covered)
    const isDone = await this.#does(this.#isRefused({ uid: file.uid, bytes, files: 0 }), () =>
      this.#fs.write(this.caller(), file.ino, offset, data, false, false),
    )
    if (!isDone) return
    file.covered = after
    file.size = Math.max(file.size, end)
  }

  async #truncate(name: string): Promise<void> {
    const file = this.#file(name)
    const size = this.#random.below(3) === 0 ? 0 : this.#random.below(FILE_BYTES_MAX)
    await this.#fs.setattr(this.caller(), file.ino, { ...noChange, size })
    file.covered = file.covered.slice(0, size)
    file.size = size
  }

  async #punch(name: string): Promise<void> {
    const file = this.#file(name)
    const offset = this.#random.below(file.size + 1)
    const length = 1 + this.#random.below(200_000)
    await this.#fs.fallocate(this.caller(), file.ino, offset, length, 3)
    file.covered = file.covered.slice()
    file.covered.fill(0, offset, offset + length)
  }

  async #copy(name: string): Promise<void> {
    const from = this.#file(name)
    const to = this.#file(this.#random.pick([...this.names.keys()]))
    if (from === to) return
    const count = Math.min(this.#random.below(300_000), from.size)
    const offset = this.#random.below(to.size + 1)
    if (offset + count > FILE_BYTES_MAX) return
    const after = grown(to.covered, offset + count)
    after.set(grown(from.covered, count).subarray(0, count), offset)
    const bytes = sum(after) - sum(to.covered)
    const isDone = await this.#does(this.#isRefused({ uid: to.uid, bytes, files: 0 }), () =>
      this.#fs.copyFileRange(this.caller(), from.ino, 0, to.ino, offset, count),
    )
    if (!isDone || count === 0) return
    to.covered = after
    to.size = Math.max(to.size, offset + count)
  }

  async #link(name: string): Promise<void> {
    const file = this.#file(name)
    const other = `n${this.#random.below(14)}`
    if (this.names.has(other)) return
    await this.#fs.link(this.caller(), file.ino, ROOT_INO, other)
    await this.#fs.forget(file.ino, 1)
    file.names++
    this.names.set(other, file)
  }

  async #unlink(name: string): Promise<void> {
    await this.#fs.unlink(this.caller(), ROOT_INO, name)
    this.#file(name).names--
    this.names.delete(name)
  }

  async #rename(name: string): Promise<void> {
    const file = this.#file(name)
    const other = `n${this.#random.below(14)}`
    await this.#fs.rename(this.caller(), ROOT_INO, name, ROOT_INO, other, 0)
    const replaced = this.names.get(other)
    // Two names of one file stay.
    if (replaced === file) return
    if (replaced !== undefined) replaced.names--
    this.names.delete(name)
    this.names.set(other, file)
  }

  async #chown(name: string): Promise<void> {
    const file = this.#file(name)
    const { uid } = this.caller()
    const need = { uid, bytes: sum(file.covered), files: 1 }
    const isRefused = uid !== file.uid && this.#isRefused(need, { bytes: 0, files: 0 })
    const isDone = await this.#does(isRefused, () =>
      this.#fs.setattr(this.caller(), file.ino, { ...noChange, uid }),
    )
    if (isDone) file.uid = uid
  }

  async #flush(name: string): Promise<void> {
    await this.#fs.flush(this.caller(), this.#file(name).ino)
  }

  /** The kernel lets go of a file. */
  async #release(): Promise<void> {
    const [file] = this.held
    if (file === undefined) return
    this.held.delete(file)
    file.isHeld = false
    await this.#fs.forget(file.ino, 1)
  }

  /** Sets a limit near what is used, or takes one back. */
  async #limit(): Promise<void> {
    const uid = this.#random.pick([0, 1000, 1001])
    const isOfAll = this.#random.below(3) === 0
    const isOfFiles = this.#random.below(3) === 0
    const used = this.used(isOfAll ? undefined : uid)
    const ofUser = isOfFiles ? `quota.user-files.${uid}` : `quota.user.${uid}`
    const key = isOfAll ? (isOfFiles ? 'quota.files' : 'quota') : ofUser
    const more = isOfFiles ? this.#random.below(4) - 1 : this.#random.below(400_000) - 100_000
    const value = Math.max(0, (isOfFiles ? used.files : used.bytes) + more)
    if (this.#random.below(5) === 0) this.limits.delete(key)
    else this.limits.set(key, value)
    const { core } = this.#vault
    await retryUntilLoaded(() => configure(core, { [key]: String(this.limits.get(key) ?? '') }))
    await retryUntilLoaded(() => refreshQuota(core))
  }

  #file(name: string): Owned {
    const file = this.names.get(name)
    if (file === undefined) throw new Error(`${name} is no file of the model`)
    return file
  }
}

function sum(bytes: Uint8Array): number {
  let all = 0
  for (const byte of bytes) all += byte
  return all
}

function grown(bytes: Uint8Array, size: number): Uint8Array {
  const copy = new Uint8Array(Math.max(bytes.length, size))
  copy.set(bytes)
  return copy
}
