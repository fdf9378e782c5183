// A vault that several users fill and open and close to each other at random, and a record of all
// its states: who might do what where, at each moment and now, by a direct implementation of
// inode(7) and acl(5). Knows nothing of how views decide.

import type { FileSystem } from '../../src/fs/file-system.ts'
import type { Caller } from '../../src/fs/operations.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { ACL_ACCESS } from '../../src/vault/tree/acl.ts'
import type { Vault } from '../../src/vault/vault.ts'
import { noChange } from '../support/no-change.ts'
import type { Random } from '../support/random.ts'
import type { Waiting } from '../support/waiting.ts'

export const READ = 4
export const SEARCH = 1
export const WALK = READ | SEARCH
/** No process has this number, so that nobody has other groups. */
const NO_PID = 2 ** 30
export const root: Caller = { uid: 0, gid: 0, pid: NO_PID }
/** The third is in the group of the first. */
export const users: readonly Caller[] = [
  { uid: 1001, gid: 1001, pid: NO_PID },
  { uid: 1002, gid: 1002, pid: NO_PID },
  { uid: 1003, gid: 1001, pid: NO_PID },
]
export const DIRECTORY_NAMES = ['d', 'e', 'g']
export const FILE_NAMES = ['a', 'b', 'c']
export const LABELS = ['red', 'blue']
const DIRECTORY_MODES = [0o755, 0o755, 0o700, 0o711, 0o750, 0o744, 0o1777]
const FILE_MODES = [0o644, 0o644, 0o600, 0o640]
const SECONDS = 1e6
const O_EXCL = 0o200

/** An inode as it was after a step. */
export interface State {
  readonly isDirectory: boolean
  readonly uid: number
  readonly gid: number
  readonly mode: number
  /** Of a user of an access list, and of the group, whose bits in the mode are then the mask. */
  readonly named?: { readonly uid: number; readonly perm: number; readonly group: number }
  readonly parent: number
  readonly name: string
  readonly text: string
  readonly labels: readonly string[]
  /** The step that changed it last. */
  readonly touched: number
}

export type World = ReadonlyMap<number, State>

/** What a step did to a name. */
export interface Change {
  readonly kind: 'saved' | 'moved' | 'deleted' | 'other'
  readonly ino: number
}

export class RightsLife {
  /** What was there after each step, and when that was. */
  readonly worlds: World[] = []
  readonly moments: number[] = []
  readonly changes: Change[] = []
  readonly #vault: Vault
  readonly #fs: Waiting<FileSystem>
  readonly #random: Random
  #world = new Map<number, State>()

  constructor(vault: Vault, fs: Waiting<FileSystem>, random: Random) {
    this.#vault = vault
    this.#fs = fs
    this.#random = random
    const state = { isDirectory: true, uid: 0, gid: 0, mode: 0o755, parent: ROOT_INO, name: '' }
    this.#world.set(ROOT_INO, { ...state, text: '', labels: [], touched: 0 })
    this.#record({ kind: 'other', ino: ROOT_INO })
  }

  get now(): World {
    return this.#world
  }

  /** Something at random, long enough after what was before that all of it is history. */
  async step(): Promise<void> {
    const { moments } = this.#vault.core
    moments.pretend(moments.last + 2 * SECONDS)
    moments.next()
    const change = await this.#change()
    await this.#vault.sync()
    await this.#readLabels()
    this.#record(change)
  }

  /** Who takes the place of a labelled file may take its labels over. */
  async #readLabels(): Promise<void> {
    for (const [ino, its] of this.#world) {
      const value = await this.#fs.getxattr(root, ino, 'user.xdg.tags', false)
      const labels = value === undefined ? [] : Buffer.from(value).toString().split(',')
      this.#world.set(ino, { ...its, labels })
    }
  }

  #record(change: Change): void {
    this.changes.push(change)
    this.moments.push(this.#vault.core.moments.last)
    this.worlds.push(new Map(this.#world))
  }

  async #change(): Promise<Change> {
    const kind = this.#random.below(20)
    const made = kind < 4 ? await this.#mkdir() : undefined
    if (made !== undefined) return { kind: 'other', ino: made }
    if (kind < 8) return { kind: 'saved', ino: await this.#save() }
    if (kind < 14) return { kind: 'other', ino: await this.#guard() }
    if (kind < 15) return { kind: 'other', ino: await this.#label() }
    if (kind < 18) return await this.#move()
    return await this.#remove()
  }

  #directories(): number[] {
    return [...this.#world].filter(([, its]) => its.isDirectory).map(([ino]) => ino)
  }

  #at(parent: number, name: string): number | undefined {
    const found = [...this.#world].find(
      ([ino, its]) => ino !== ROOT_INO && its.parent === parent && its.name === name,
    )
    return found?.[0]
  }

  #set(ino: number, change: Partial<State>): void {
    const before = this.#world.get(ino)
    const touched = this.worlds.length
    this.#world.set(ino, { ...(before as State), ...change, touched })
  }

  async #mkdir(): Promise<number | undefined> {
    const parent = this.#random.pick(this.#directories())
    const name = this.#random.pick(DIRECTORY_NAMES)
    if (this.#at(parent, name) !== undefined) return undefined
    const mode = this.#random.pick(DIRECTORY_MODES)
    const owner = this.#random.pick(users)
    const { ino } = await this.#fs.mkdir(owner, parent, name, mode, 0)
    const { uid, gid } = owner
    const its = { isDirectory: true, uid, gid, mode, parent, name, text: '', labels: [] }
    this.#world.set(ino, { ...its, touched: this.worlds.length })
    return ino
  }

  async #save(): Promise<number> {
    const fs = this.#fs
    const parent = this.#random.pick(this.#directories())
    const name = this.#random.pick(FILE_NAMES)
    const owner = this.#random.pick(users)
    const mode = this.#random.pick(FILE_MODES)
    const text = `text ${this.worlds.length}`
    let ino = this.#at(parent, name)
    if (ino === undefined) {
      ino = (await fs.create(owner, parent, name, 0o100000 | mode, 0, O_EXCL)).ino
      const { uid, gid } = owner
      this.#set(ino, { isDirectory: false, uid, gid, mode, parent, name, labels: [] })
    } else await fs.setattr(root, ino, { ...noChange, size: 0 })
    await fs.write(root, ino, 0, Buffer.from(text), false, false)
    await fs.flush(root, ino)
    this.#set(ino, { text })
    return ino
  }

  /** chmod, chown or setfacl of something. */
  async #guard(): Promise<number> {
    // Doors more often than what is behind them, and seldom that to everything.
    const all = [...this.#world.keys()].filter((its) => its !== ROOT_INO)
    const directories = this.#directories().filter((its) => its !== ROOT_INO)
    const ino = this.#random.pick([ROOT_INO, ...all, ...directories, ...directories])
    if (ino === ROOT_INO) return ino
    const its = this.#world.get(ino) as State
    const kind = this.#random.below(5)
    if (kind === 0) {
      const { uid, gid } = this.#random.pick(users)
      await this.#fs.setattr(root, ino, { ...noChange, uid, gid })
      this.#set(ino, { uid, gid })
    } else if (kind <= 2) await this.#setAcl(ino, its)
    else {
      const mode = this.#random.pick(its.isDirectory ? DIRECTORY_MODES : FILE_MODES)
      await this.#fs.setattr(root, ino, { ...noChange, mode })
      this.#set(ino, { mode })
    }
    return ino
  }

  async #setAcl(ino: number, { mode, named }: State): Promise<void> {
    const user = this.#random.pick(users).uid
    const perm = this.#random.pick([0, 4, 5, 7])
    const group = named?.group ?? (mode >> 3) & 7
    const value = Buffer.alloc(4 + 8 * 5)
    value.writeUInt32LE(2, 0)
    const entries = [
      [0x01, (mode >> 6) & 7, 0xffffffff],
      [0x02, perm, user],
      [0x04, group, 0xffffffff],
      [0x10, 7, 0xffffffff],
      [0x20, mode & 7, 0xffffffff],
    ] as const
    entries.forEach(([tag, bits, id], at) => {
      value.writeUInt16LE(tag, 4 + 8 * at)
      value.writeUInt16LE(bits, 6 + 8 * at)
      value.writeUInt32LE(id, 8 + 8 * at)
    })
    await this.#fs.setxattr(root, ino, ACL_ACCESS, value, 0, false)
    this.#set(ino, { mode: mode | 0o070, named: { uid: user, perm, group } })
  }

  async #label(): Promise<number> {
    const ino = this.#random.pick([...this.#world.keys()])
    const labels = [
      ...new Set([...(this.#world.get(ino) as State).labels, this.#random.pick(LABELS)]),
    ]
    if (ino === ROOT_INO) return ino
    const value = Buffer.from(labels.join(','))
    await this.#fs.setxattr(root, ino, 'user.xdg.tags', value, 0, false)
    this.#set(ino, { labels })
    return ino
  }

  async #move(): Promise<Change> {
    const ino = this.#random.pick([...this.#world.keys()])
    const its = this.#world.get(ino) as State
    const parent = this.#random.pick(this.#directories())
    const name = this.#random.pick(its.isDirectory ? DIRECTORY_NAMES : FILE_NAMES)
    const isFree = this.#at(parent, name) === undefined
    if (ino === ROOT_INO || !isFree || wayUp(this.#world, parent).includes(ino))
      return { kind: 'other', ino }
    await this.#fs.rename(root, its.parent, its.name, parent, name, 0)
    this.#set(ino, { parent, name })
    return { kind: 'moved', ino }
  }

  async #remove(): Promise<Change> {
    const ino = this.#random.pick([...this.#world.keys()])
    const { isDirectory, parent, name } = this.#world.get(ino) as State
    const isFull = [...this.#world.values()].some((its) => its.parent === ino)
    if (ino === ROOT_INO || isFull) return { kind: 'other', ino }
    if (isDirectory) await this.#fs.rmdir(root, parent, name)
    else await this.#fs.unlink(root, parent, name)
    this.#world.delete(ino)
    return { kind: 'deleted', ino }
  }

  // Who might do what, and who may.

  /** Whether somebody might do that at an inode after a step, by its own permissions. */
  might(who: Caller, step: number, ino: number, wanted: number): boolean {
    const its = this.worlds[step]?.get(ino)
    return its !== undefined && allows(its, who, wanted)
  }

  /** Whether somebody might do that in a directory after a step, and come to it from the root. */
  mightAccess(who: Caller, step: number, directory: number, wanted: number): boolean {
    return wayUp(this.worlds[step] as World, directory).every((at) =>
      this.might(who, step, at, at === directory ? wanted : SEARCH),
    )
  }

  /** The same today, from `top` or from the root; what is gone is as it was last. */
  mayAccessNow(who: Caller, directory: number, top: number, wanted: number): boolean {
    for (let at = directory; ; ) {
      const its = this.lastOf(at)
      if (its === undefined || !allows(its, who, at === directory ? wanted : SEARCH)) return false
      if (at === top || at === ROOT_INO) return true
      at = its.parent
    }
  }

  lastOf(ino: number): State | undefined {
    return this.#world.get(ino) ?? this.worlds.findLast((world) => world.has(ino))?.get(ino)
  }
}

/** A directory and all above it, up to the root. */
export function wayUp(world: World, directory: number): number[] {
  const way = [directory]
  for (let at = directory; at !== ROOT_INO; way.push(at)) at = world.get(at)?.parent ?? ROOT_INO
  return way
}

export function pathIn(world: World, ino: number): string {
  const names = wayUp(world, ino).map((at) => world.get(at)?.name ?? '')
  return names.reverse().join('/')
}

function allows({ uid, gid, mode, named }: State, who: Caller, wanted: number): boolean {
  const has = (bits: number): boolean => (bits & wanted) === wanted
  if (who.uid === 0) return true
  if (who.uid === uid) return has(mode >> 6)
  if (named?.uid === who.uid) return has(named.perm & (mode >> 3))
  if (who.gid === gid) return has(named === undefined ? mode >> 3 : named.group & (mode >> 3))
  return has(mode)
}
