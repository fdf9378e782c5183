// Open directories of views: a listing runs while the kernel asks for more, so that only what fits
// its buffer is in memory.

import { DT_DIR } from '../../base/mode.ts'
import { pauseWhenDue } from '../../store/pause.ts'
import { Fault } from '../../store/store.ts'
import { DOTS } from '../dir.ts'
import type { Caller, Node, TakeEntry } from '../operations.ts'
import { numberOf, type View, type ViewContext, type ViewEntry } from './view.ts'

/**
 * Listings that run at a time: each holds what it has read ahead. The others go on from their
 * beginning.
 */
const RUNNING_MAX = 128

export interface Listing {
  /** Lists from `cookie` on until `take` says no; see Operations.readdir. */
  read(cookie: number, plus: boolean, take: TakeEntry): void
  /** Lets go of what it has read. */
  drop(): void
}

interface Listings {
  open(handle: number, caller: Caller, view: View): void
  get(handle: number): Listing | undefined
  /** Returns false when the handle is not one of a view. */
  close(handle: number): boolean
  /** Lets go of what all have read. */
  drop(): void
}

/** Gives out the nodes of listed names. */
interface Offers {
  /** Counts a lookup; undefined: the node cannot be had now. */
  offer(view: View): Node | undefined
  /** Takes the lookup back. */
  withdraw(node: Node): void
}

export function createListings(context: ViewContext, offers: Offers): Listings {
  const open = new Map<number, Listing>()
  /** The one that was read longest ago first. */
  const running = new Set<Listing>()
  return {
    open: (handle, caller, view) => {
      open.set(handle, createListing(context, { ...caller }, view, offers))
    },
    get(handle) {
      const listing = open.get(handle)
      if (listing === undefined) return undefined
      running.delete(listing)
      running.add(listing)
      for (const other of running) {
        if (running.size <= RUNNING_MAX) break
        other.drop()
        running.delete(other)
      }
      return listing
    },
    close(handle) {
      const listing = open.get(handle)
      if (listing !== undefined) running.delete(listing)
      return open.delete(handle)
    },
    drop() {
      for (const listing of running) listing.drop()
      running.clear()
    },
  }
}

function createListing(
  context: ViewContext,
  caller: Caller,
  view: View,
  { offer, withdraw }: Offers,
): Listing {
  let names: Iterator<ViewEntry | Fault> | undefined
  /** The position after the names that were taken, and the name that stands there. */
  let position = 0
  let next: ViewEntry | undefined
  const request = { plus: false }

  function seek(to: number): void {
    if (names === undefined || to < position) {
      names = (view.kind.list?.(context, caller, view, request) ?? [])[Symbol.iterator]()
      position = 0
      next = undefined
    }
    for (; position < to && peek() !== undefined; position++) {
      next = undefined
      // Run again, it goes on from the position.
      pauseWhenDue()
    }
  }

  function peek(): ViewEntry | undefined {
    if (next === undefined) {
      const step = names?.next()
      if (step?.done === false) {
        // The generator goes on from its read when it is asked again.
        if (step.value instanceof Fault) throw step.value
        next = step.value
      }
    }
    return next
  }

  return {
    drop() {
      names = undefined
      next = undefined
    },
    read(cookie, plus, take) {
      request.plus = plus
      if (cookie < 1 && !take('.', view.number, DT_DIR, 1, undefined)) return
      if (cookie < DOTS && !take('..', view.up, DT_DIR, DOTS, undefined)) return
      seek(Math.max(0, cookie - DOTS))
      for (let entry = peek(); entry !== undefined; entry = peek()) {
        const isFull =
          plus &&
          (entry.type === DT_DIR || context.fs.listers.wants(caller.pid, view.number, entry.name))
        const node = isFull && entry.view !== undefined ? offer(entry.view) : undefined
        const number =
          node?.ino ?? entry.view?.number ?? numberOf(`${entry.name}\0${view.directory}`)
        if (!take(entry.name, number, entry.type, position + DOTS + 1, node)) {
          if (node !== undefined) withdraw(node)
          return
        }
        position++
        next = undefined
      }
    },
  }
}
