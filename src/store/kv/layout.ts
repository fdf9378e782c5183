// Where key-value engines keep each collection: the number that its keys begin with, and its group
// (engine.ts). Numbers are on disk and never change their meaning; a new collection takes the next
// one.
//
//   key            group            value
//   0              ROWS             'avfs', u8 FORMAT: what says that this is a vault
//   number, parts  ROWS or PAST     a row (row-codec.ts)
//   number, parts  BLOCKS           the bytes of a row whose collection is split, as they are
//
// A split collection keeps its bytes apart from the other columns, so that walks over all its rows
// need not read them.

import { type Collection, collections } from '../collections.ts'
import { BLOCKS, type Group, PAST, ROWS } from './engine.ts'

/** The format that this program writes; it reads every format up to this one. */
export const FORMAT = 1
export const META_KEY: Uint8Array = Uint8Array.of(0)
export const MAGIC = 'avfs'

const numbers: Readonly<Record<string, number>> = {
  setting: 1,
  inode: 2,
  inode_past: 3,
  entry: 4,
  entry_past: 5,
  hardlink: 6,
  extent: 7,
  extent_past: 8,
  block: 9,
  xattr: 10,
  xattr_past: 11,
  version: 12,
  snapshot: 13,
  tag: 14,
  tagging: 15,
  tagging_past: 16,
  hold: 17,
  orphan: 18,
  unsealed: 19,
  actor: 20,
  numbering: 21,
  clock: 22,
}

/** Where one collection is kept. `bodyGroup` is given if it is split. */
export interface Layout {
  readonly collection: Collection<object>
  readonly number: number
  readonly group: Group
  readonly bodyGroup: Group | undefined
}

const layouts = new Map<string, Layout>(
  collections.map((collection) => [collection.name, layoutFor(collection)]),
)

function layoutFor(collection: Collection<object>): Layout {
  const { name } = collection
  const number = numbers[name]
  if (number === undefined) throw new Error(`${name} has no number in the layout of keys`)
  const group = name.endsWith('_past') ? PAST : ROWS
  return { collection, number, group, bodyGroup: name === 'block' ? BLOCKS : undefined }
}

/** Throws TypeError for a collection that is not in collections.ts. */
export function layoutOf(collection: { readonly name: string }): Layout {
  const layout = layouts.get(collection.name)
  if (layout === undefined) throw new TypeError(`no collection is named ${collection.name}`)
  return layout
}

/** The layout of the collection whose keys begin with this byte. */
export function layoutOfNumber(number: number): Layout | undefined {
  for (const layout of layouts.values()) if (layout.number === number) return layout
  return undefined
}
