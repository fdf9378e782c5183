// Walks all names, present and past, each with all inodes that it led to, in key order. Durable
// rows only; see rows.ts.

import { type EntryPastRow, entry, entryPast } from '../../store/collections.ts'
import type { Core } from '../core/core.ts'
import { walkRows } from '../core/rows.ts'
import type { Slices } from '../core/time-slices.ts'

export type PastName = Pick<
  EntryPastRow,
  'parent' | 'name' | 'since' | 'until' | 'ino' | 'type' | 'origin' | 'fate'
>

/** One name in a directory, with all it led to. */
export interface NameGroup {
  readonly parent: number
  readonly name: string
  /** What the name leads to now. */
  readonly present: Omit<PastName, 'until' | 'fate'> | undefined
  /** Oldest first. */
  readonly pasts: PastName[]
}

const FIELDS = ['parent', 'name', 'ino', 'type', 'origin', 'since'] as const
const PAST_FIELDS = [...FIELDS, 'until', 'fate'] as const

/** Names that have past rows. `present` is not filled in. */
export async function* walkPastNames(core: Core, slices: Slices): AsyncGenerator<NameGroup> {
  let group: NameGroup | undefined
  for await (const row of walkRows(core.overlay.store, entryPast, PAST_FIELDS, {}, slices)) {
    if (group === undefined || group.parent !== row.parent || group.name !== row.name) {
      if (group !== undefined) yield group
      group = { parent: row.parent, name: row.name, present: undefined, pasts: [] }
    }
    group.pasts.push(row)
  }
  if (group !== undefined) yield group
}

/** All names, present and past. */
export async function* walkNames(core: Core, slices: Slices): AsyncGenerator<NameGroup> {
  const present = walkRows(core.overlay.store, entry, FIELDS, {}, slices)
  const pasts = walkPastNames(core, slices)
  let row = (await present.next()).value as NameGroup['present']
  let group = (await pasts.next()).value as NameGroup | undefined
  while (row !== undefined || group !== undefined) {
    const order = compareNames(row, group)
    if (order > 0) yield group as NameGroup
    else if (row !== undefined) {
      const { parent, name } = row
      yield { parent, name, present: row, pasts: order === 0 ? (group?.pasts ?? []) : [] }
    }
    if (order <= 0) row = (await present.next()).value as NameGroup['present']
    if (order >= 0) group = (await pasts.next()).value as NameGroup | undefined
  }
}

type Name = { readonly parent: number; readonly name: string }

/**
 * Compares in key order; undefined sorts last. Names are byte strings, whose characters sort as
 * bytes.
 */
function compareNames(a: Name | undefined, b: Name | undefined): number {
  if (a === undefined) return 1
  if (b === undefined) return -1
  if (a.parent !== b.parent) return a.parent - b.parent
  return a.name === b.name ? 0 : a.name < b.name ? -1 : 1
}
