// Who made a change: a process becomes a row when it first changes something, and the rows that it makes carry the number of
// that. Operations are synchronous, so that one "who acts now" is enough: whoever begins one sets it, and work that lets
// others go on in between sets it again at each step.
//
// A process is known by what it is shown as: user, number, command. So a number that is used again needs no care: another
// user or command is another actor, and the same ones would be shown alike.

import { processOf } from '../base/processes.ts'
import { type ActorRow, actor as actors } from '../store/collections.ts'
import type { Overlay } from '../store/overlay.ts'

/** Who did something. `pid` 0 and an empty `command` (a byte string) are not known. */
export interface Actor {
  readonly uid: number
  readonly pid: number
  readonly command: string
}

/** A thread that acted of late. */
interface Seen {
  readonly id: number
  readonly checkedAtMs: number
  readonly checks: number
}

/** Threads, and processes, that are kept in mind. */
const SEEN_MAX = 1000
/** A shell opens a file before it becomes the program that fills it: the first changes of a process are looked at each ... */
const CHECKS_EAGER = 8
/** ... and later ones this often, which costs a busy process a thousandth of its time. */
const CHECK_MS = 20
/** Rows of actors that are worth a look for those that nothing refers to. */
const SWEEP_MIN = 20_000

export class Actors {
  readonly #overlay: Overlay
  readonly #find: typeof processOf
  /** By user and thread. */
  readonly #seen = new Map<string, Seen>()
  /** By what is shown of them. */
  readonly #ids = new Map<string, number>()
  #nextId: number | undefined
  #sweepAt = 0
  #uid = 0
  #thread = 0
  #known: Actor | undefined
  /** Undefined until somebody asks: most of what is done changes nothing. */
  #current: number | undefined = 0

  constructor(overlay: Overlay, find: typeof processOf = processOf) {
    this.#overlay = overlay
    this.#find = find
  }

  /** From here on a thread of a user acts; thread 0 is in another pid namespace. */
  act(uid: number, thread: number): void {
    this.#uid = uid
    this.#thread = thread
    this.#known = undefined
    this.#current = undefined
  }

  /** From here on somebody acts of whom all is known. */
  actAs(actor: Actor): void {
    this.#known = actor
    this.#current = undefined
  }

  /** From here on nobody acts that is known: the kernel writes back, or the vault tidies up. */
  actAlone(): void {
    this.#current = 0
  }

  /** The number of whoever acts now, for a row to carry; 0: nobody that is known. */
  get current(): number {
    this.#current ??= this.#look()
    return this.#current
  }

  /** From here on acts again who was `current` once. */
  resume(id: number): void {
    this.#current = id
  }

  /** Rows may come to refer to this one without any of them having done so before. */
  isInUse(id: number): boolean {
    if (id === this.#current) return true
    for (const seen of this.#seen.values()) if (seen.id === id) return true
    for (const known of this.#ids.values()) if (known === id) return true
    return false
  }

  /** So many rows were made that it is worth to look for those that nothing refers to. */
  get isCrowded(): boolean {
    return this.#nextId !== undefined && this.#nextId > this.#sweepAt
  }

  /** Says that `left` rows stayed when they were looked at. */
  swept(left: number): void {
    this.#sweepAt = this.#firstFree() + Math.max(SWEEP_MIN, left)
  }

  #look(): number {
    if (this.#known !== undefined) {
      const { uid, pid, command } = this.#known
      return this.#idOf(uid, pid, command)
    }
    const key = `${this.#uid}/${this.#thread}`
    const now = performance.now()
    const seen = this.#seen.get(key)
    const checks = seen?.checks ?? 0
    if (seen !== undefined && checks >= CHECKS_EAGER && now - seen.checkedAtMs < CHECK_MS)
      return seen.id
    const process = this.#thread === 0 ? undefined : this.#find(this.#thread)
    // The kernel writes back for others.
    let id = 0
    if (process === undefined)
      // Of one that is gone is known what was seen of it.
      id = seen?.id ?? this.#idOf(this.#uid, this.#thread, '')
    else if (process !== 'kernel') id = this.#idOf(this.#uid, process.pid, process.command)
    remember(this.#seen, key, { id, checkedAtMs: now, checks: checks + 1 })
    return id
  }

  #idOf(uid: number, pid: number, command: string): number {
    const key = `${uid}/${pid}/${command}`
    const known = this.#ids.get(key)
    const id = known ?? this.#make(uid, pid, command)
    if (known === undefined) remember(this.#ids, key, id)
    return id
  }

  #make(uid: number, pid: number, command: string): number {
    const id = this.#firstFree()
    this.#nextId = id + 1
    this.#overlay.put(actors, { id, uid, pid, command, since: Date.now() * 1000 })
    return id
  }

  /** Numbers of rows that went are given again: nothing refers to them. */
  #firstFree(): number {
    if (this.#nextId === undefined) {
      const [last] = this.#overlay.scan(actors, { reverse: true, limit: 1 })
      this.#nextId = (last?.id ?? 0) + 1
      this.#sweepAt = this.#nextId + Math.max(SWEEP_MIN, this.#nextId)
    }
    return this.#nextId
  }
}

function remember<T>(map: Map<string, T>, key: string, value: T): void {
  // What was set last stands last: the first is the one that was not looked at for longest.
  map.delete(key)
  map.set(key, value)
  if (map.size <= SEEN_MAX) return
  for (const oldest of map.keys()) {
    map.delete(oldest)
    return
  }
}

/** Who a row means by its `actor` or `endedBy`; null when nobody knows. */
export function actorOf(core: { readonly overlay: Overlay }, id: number): Actor | null {
  const row: ActorRow | undefined = id === 0 ? undefined : core.overlay.get(actors, [id])
  return row === undefined ? null : { uid: row.uid, pid: row.pid, command: row.command }
}
