// Who made a change: a process becomes a row when it first changes something, and the rows that it
// makes carry the number of that. Operations are synchronous, so that one "who acts now" is enough:
// whoever begins one sets it, and work that lets others go on in between sets it again at each
// step.
//
// A process is known by what it is shown as: user, number, command. So a number that is used again
// needs no care: another user or command is another actor, and the same ones would be shown alike.

import { COUNT_MAX } from '../../base/limits.ts'
import { processOf } from '../../base/processes.ts'
import { actor as actors } from '../../store/collections.ts'
import type { Overlay } from '../../store/overlay.ts'

/** Who did something. `pid` 0 and an empty `command` (a byte string) are not known. */
export interface Actor {
  readonly uid: number
  readonly pid: number
  readonly command: string
}

/** A thread that acted of late; null: one of the kernel. */
interface Seen {
  readonly actor: Actor | null
  readonly checkedAtMs: number
  readonly checks: number
}

/** Threads, and actors, that are kept in mind. */
const KNOWN_MAX = 1000
/**
 * A shell opens a file before it becomes the program that fills it: the first changes of a process
 * are looked at each ...
 */
const CHECKS_EAGER = 8
/** ... and later ones this often, which costs a busy process a thousandth of its time. */
const CHECK_MS = 20
/** So many new rows are worth a look for those that nothing refers to. */
const SWEEP_MIN = 20_000

export class Actors {
  readonly #overlay: Overlay
  readonly #find: typeof processOf
  /** By user and thread. */
  readonly #seen = new Map<string, Seen>()
  /** Numbers of rows, by what they show. */
  readonly #ids = new Map<string, number>()
  #nextId: number | undefined
  #sweepAt = 0
  #uid = 0
  #thread = 0
  /** Undefined: the thread above is to be looked at. */
  #actor: Actor | null | undefined = null
  /** Undefined until somebody asks: most of what is done changes nothing. */
  #current: number | undefined = 0

  constructor(overlay: Overlay, find: typeof processOf = processOf) {
    this.#overlay = overlay
    this.#find = find
  }

  /**
   * Reads what the first row that is made needs: when a vault is opened, since later a read may
   * have to wait.
   */
  prepare(): void {
    this.#firstFree()
  }

  /** From here on a thread of a user acts; thread 0 is in another pid namespace. */
  act(uid: number, thread: number): void {
    this.#uid = uid
    this.#thread = thread
    this.#actor = undefined
    this.#current = undefined
  }

  /** From here on somebody acts of whom all is known; null: nobody is, the kernel writes back. */
  actAs(actor: Actor | null): void {
    this.#actor = actor
    this.#current = undefined
  }

  /** Whoever acts now, to be set again later. */
  get actor(): Actor | null {
    if (this.#actor === undefined) this.#actor = this.#look()
    return this.#actor
  }

  /** The number of whoever acts now, for a row to carry; 0: nobody that is known. */
  get current(): number {
    if (this.#current === undefined) {
      const { actor } = this
      this.#current = actor === null ? 0 : this.#idOf(actor)
    }
    return this.#current
  }

  /** So many rows are new that it is worth to look for those that nothing refers to. */
  get isCrowded(): boolean {
    return this.#nextId !== undefined && this.#nextId > this.#sweepAt
  }

  /** Says that `left` rows stayed when all were looked at. */
  swept(left: number): void {
    this.#sweepAt = this.#firstFree() + Math.max(SWEEP_MIN, left)
  }

  /** Deletes a row that nothing refers to: if that one acts again, it is made anew. */
  drop(id: number): void {
    const row = this.#overlay.get(actors, [id])
    if (row !== undefined) this.#ids.delete(keyOf(row))
    if (this.#current === id) this.#current = undefined
    this.#overlay.delete(actors, [id])
  }

  #look(): Actor | null {
    const key = `${this.#uid}/${this.#thread}`
    const now = performance.now()
    const seen = this.#seen.get(key)
    const checks = seen?.checks ?? 0
    if (seen !== undefined && checks >= CHECKS_EAGER && now - seen.checkedAtMs < CHECK_MS)
      return seen.actor
    const actor = this.#found(seen)
    remember(this.#seen, key, { actor, checkedAtMs: now, checks: checks + 1 })
    return actor
  }

  #found(seen: Seen | undefined): Actor | null {
    const uid = this.#uid
    const found = this.#thread === 0 ? undefined : this.#find(this.#thread)
    if (found === 'kernel') return null
    if (found !== undefined) return { uid, ...found }
    // Of one that is gone is known what was seen of it.
    return seen === undefined ? { uid, pid: this.#thread, command: '' } : seen.actor
  }

  #idOf(actor: Actor): number {
    const key = keyOf(actor)
    let id = this.#ids.get(key)
    if (id === undefined) {
      id = this.#firstFree()
      // Only a vault from a stranger has used up the numbers: who acts is not known there.
      if (id > COUNT_MAX) return 0
      this.#nextId = id + 1
      const { uid, pid, command } = actor
      this.#overlay.put(actors, { id, uid, pid, command, since: Date.now() * 1000 })
      remember(this.#ids, key, id)
    }
    return id
  }

  /** After a new start, numbers of rows that went are given again: nothing refers to them. */
  #firstFree(): number {
    if (this.#nextId === undefined) {
      const [last] = this.#overlay.scan(actors, { reverse: true, limit: 1 })
      this.#nextId = (last?.id ?? 0) + 1
      this.#sweepAt = this.#nextId + Math.max(SWEEP_MIN, this.#nextId)
    }
    return this.#nextId
  }
}

/** Who a row means by its `actor` or `endedBy`; null when nobody knows. */
export function actorOf(core: { readonly overlay: Overlay }, id: number): Actor | null {
  const row = id === 0 ? undefined : core.overlay.get(actors, [id])
  return row === undefined ? null : { uid: row.uid, pid: row.pid, command: row.command }
}

function keyOf({ uid, pid, command }: Actor): string {
  return `${uid}/${pid}/${command}`
}

function remember<T>(map: Map<string, T>, key: string, value: T): void {
  // What was set last stands last: the first is the one that was not looked at for longest.
  map.delete(key)
  map.set(key, value)
  if (map.size <= KNOWN_MAX) return
  for (const oldest of map.keys()) {
    map.delete(oldest)
    return
  }
}
