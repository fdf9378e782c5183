// Who made a change. A process gets an `actor` row when it first changes something, and the rows it
// writes carry that row's number. Operations are synchronous, so one current actor is enough: each
// operation sets it at its start, and work that yields sets it again after every pause.
//
// A process is identified by what is shown of it: uid, pid and command. Reuse of a pid by another
// user or command therefore makes another actor; with the same three values, the two could not be
// told apart anyway.

import { COUNT_MAX } from '../../base/limits.ts'
import { processOf } from '../../base/processes.ts'
import { actor as actors } from '../../store/collections.ts'
import type { Overlay } from '../../store/overlay.ts'

/** Who did something. `pid` 0 and an empty `command` (a byte string) mean unknown. */
export interface Actor {
  readonly uid: number
  readonly pid: number
  readonly command: string
}

/** A thread that acted recently. `actor` null: a kernel thread. */
interface Seen {
  readonly actor: Actor | null
  readonly checkedAtMs: number
  readonly checks: number
}

/** Limit of each in-memory map: threads, and numbers of actors. */
const KNOWN_MAX = 1000
/**
 * A shell opens a file before it execs the program that fills it, so the first few changes of a
 * thread are each looked up ...
 */
const CHECKS_EAGER = 8
/** ... and later ones at this interval, which costs a busy process a thousandth of its time. */
const CHECK_MS = 20
/** After at least so many new rows, a sweep for unreferenced ones pays off. */
const SWEEP_MIN = 20_000

export class Actors {
  readonly #overlay: Overlay
  readonly #find: typeof processOf
  /** By user and thread. */
  readonly #seen = new Map<string, Seen>()
  /** Numbers of rows, by `keyOf`. */
  readonly #ids = new Map<string, number>()
  #nextId: number | undefined
  #sweepAt = 0
  #uid = 0
  #thread = 0
  /** Undefined: the current thread is not looked up yet. */
  #actor: Actor | null | undefined = null
  /** Undefined until first read: most operations change nothing. */
  #current: number | undefined = 0

  constructor(overlay: Overlay, find: typeof processOf = processOf) {
    this.#overlay = overlay
    this.#find = find
  }

  /**
   * Reads the next free number. Called when a vault is opened, since later a read may have to wait.
   */
  prepare(): void {
    this.#firstFree()
  }

  /** Sets the user and thread that act from here on; thread 0 is in another pid namespace. */
  act(uid: number, thread: number): void {
    this.#uid = uid
    this.#thread = thread
    this.#actor = undefined
    this.#current = undefined
  }

  /** Sets a fully known actor from here on; null: none, as when the kernel writes back. */
  actAs(actor: Actor | null): void {
    this.#actor = actor
    this.#current = undefined
  }

  /** The current actor, to be restored later with `actAs`. */
  get actor(): Actor | null {
    if (this.#actor === undefined) this.#actor = this.#look()
    return this.#actor
  }

  /** The number of the current actor, for a row to carry; 0: unknown. Adds its row if it is new. */
  get current(): number {
    if (this.#current === undefined) {
      const { actor } = this
      this.#current = actor === null ? 0 : this.#idOf(actor)
    }
    return this.#current
  }

  /** Whether enough rows are new that a sweep for unreferenced ones pays off. */
  get isCrowded(): boolean {
    return this.#nextId !== undefined && this.#nextId > this.#sweepAt
  }

  /** Notes that a sweep is done, after which `left` rows remained. */
  swept(left: number): void {
    this.#sweepAt = this.#firstFree() + Math.max(SWEEP_MIN, left)
  }

  /** Deletes an unreferenced row; if that actor acts again, it gets a new one. */
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
    // The thread is gone: use what was seen of it before.
    return seen === undefined ? { uid, pid: this.#thread, command: '' } : seen.actor
  }

  #idOf(actor: Actor): number {
    const key = keyOf(actor)
    let id = this.#ids.get(key)
    if (id === undefined) {
      id = this.#firstFree()
      // Only a forged vault has used up the numbers; the actor is unknown there.
      if (id > COUNT_MAX) return 0
      this.#nextId = id + 1
      const { uid, pid, command } = actor
      this.#overlay.put(actors, { id, uid, pid, command, since: Date.now() * 1000 })
      remember(this.#ids, key, id)
    }
    return id
  }

  /** After a restart, numbers of deleted rows are given out again: nothing refers to them. */
  #firstFree(): number {
    if (this.#nextId === undefined) {
      const [last] = this.#overlay.scan(actors, { reverse: true, limit: 1 })
      this.#nextId = (last?.id ?? 0) + 1
      this.#sweepAt = this.#nextId + Math.max(SWEEP_MIN, this.#nextId)
    }
    return this.#nextId
  }
}

/** The actor that a row names in `actor` or `endedBy`; null when it is unknown. */
export function actorOf(core: { readonly overlay: Overlay }, id: number): Actor | null {
  const row = id === 0 ? undefined : core.overlay.get(actors, [id])
  return row === undefined ? null : { uid: row.uid, pid: row.pid, command: row.command }
}

function keyOf({ uid, pid, command }: Actor): string {
  return `${uid}/${pid}/${command}`
}

function remember<T>(map: Map<string, T>, key: string, value: T): void {
  // A Map keeps insertion order: the first key is the least recently used one.
  map.delete(key)
  map.set(key, value)
  if (map.size <= KNOWN_MAX) return
  for (const oldest of map.keys()) {
    map.delete(oldest)
    return
  }
}
