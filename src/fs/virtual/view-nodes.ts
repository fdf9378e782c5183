// The views that the kernel knows: each record lives from the LOOKUP that gives out its number to
// the FORGET that takes it back.

import { ESTALE, FsError, fail } from '../../base/errno.ts'
import { getInode } from '../../vault/tree/inodes.ts'
import { forgetNode, giveNode } from '../context.ts'
import type { Node } from '../operations.ts'
import { forgetFixed, noteFixed } from './fixed-views.ts'
import { VIEW_BASE, type View, type ViewContext } from './view.ts'

export interface ViewNodes {
  /** The view behind a number. Throws ESTALE when the kernel does not know it. */
  viewOf(number: number): View
  /** Gives a view's node to the kernel; counts one lookup. */
  give(view: View): Node
  /** The node of a listed name where it can be given, and nothing where it is gone or damaged. */
  offer(view: View): Node | undefined
  /** Takes the lookup of an offer back. */
  withdraw(node: Node): void
  /** Takes back as many lookups. */
  forget(number: number, count: number): void
}

/** `onForgotten` is called when the kernel does not know a number any more. */
export function createViewNodes(
  context: ViewContext,
  onForgotten: (number: number) => void,
): ViewNodes {
  const { fs, held } = context

  function give(view: View): Node {
    if (view.number < VIEW_BASE) {
      const node = view.kind.attributes(context, view)
      giveNode(fs, getInode(fs.core, view.ino))
      return node
    }
    // Two views may have one hash: the second gets the next number that is free.
    for (let known = view; ; known = { ...known, number: known.number + 1 }) {
      const before = held.get(known.number)
      const isSame = before?.view.key === known.key && before.view.ino === known.ino
      if (before !== undefined && !isSame) continue
      const node = known.kind.attributes(context, known)
      if (before === undefined) {
        known.kind.hold?.(context, known)
        noteFixed(context, known)
      }
      held.set(known.number, { view: known, count: (before?.count ?? 0) + 1 })
      return node
    }
  }

  function forget(number: number, count: number): void {
    const known = held.get(number)
    if (known === undefined) return
    known.count -= count
    if (known.count > 0) return
    held.delete(number)
    forgetFixed(context, known.view)
    known.view.kind.release?.(context, known.view)
    onForgotten(number)
  }

  return {
    viewOf: (number) => held.get(number)?.view ?? fail(ESTALE),
    give,
    offer(view) {
      try {
        return give(view)
      } catch (error) {
        if (error instanceof FsError) return undefined
        throw error
      }
    },
    withdraw({ ino }) {
      if (ino < VIEW_BASE) forgetNode(fs, ino, 1)
      else forget(ino, 1)
    },
    forget,
  }
}
