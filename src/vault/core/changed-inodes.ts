// Which inodes got another name or other content, as commits become durable: for a follower, such
// as the search index, that keeps data derived from names and content. Costs a look at the keys of
// each commit while there is a follower, and nothing else.
//
// It works on rows, so that every kind of change counts: requests, imports, restores, prune.

import { DT_DIR } from '../../base/mode.ts'
import {
  type Collection,
  CREATED,
  type EntryRow,
  entry,
  hardlink,
  inodePast,
  inode as inodes,
  type KeyPart,
  type SettingRow,
  setting,
  version,
} from '../../store/collections.ts'
import type { Layer } from '../../store/overlay.ts'
import { FreshFiles } from './fresh-files.ts'
import type { Moment } from './moment.ts'

/**
 * Above this, changes are no longer tracked singly: `isLost` makes the follower rescan everything.
 */
const INODES_MAX = 200_000

/** What changed up to `moment`; all of it is durable. */
export interface Changed {
  /** Inodes with a new version or name, that lost their last name, or whose past was pruned. */
  readonly inodes: Set<number>
  /** Inodes of which versions were dropped. */
  readonly pruned: Set<number>
  /** Directories that were moved: everything below them has another path. */
  readonly moved: Set<number>
  /** More changed than fits: the sets are incomplete. */
  readonly isLost: boolean
  readonly moment: Moment
  /** Commits with changes so far. */
  readonly serial: number
}

export class ChangedInodes {
  /** Files that were written whole recently; see fresh-files.ts. */
  readonly fresh = new FreshFiles()
  #changed: Changed
  #since: Moment
  #isKept = false
  #heard: (() => void) | undefined

  /** `moment`: the newest durable one. */
  constructor(moment: Moment) {
    this.#changed = nothing(moment, 0)
    this.#since = moment
  }

  /** Changes after this moment are kept. */
  get since(): Moment {
    return this.#since
  }

  /** The newest moment that is durable, with all before it. */
  get moment(): Moment {
    return this.#changed.moment
  }

  /** Commits with changes since changes are kept. */
  get serial(): number {
    return this.#changed.serial
  }

  /** How many inodes wait to be taken; Infinity when changes were lost. */
  get size(): number {
    const { inodes, pruned, moved, isLost } = this.#changed
    return isLost ? Number.POSITIVE_INFINITY : inodes.size + pruned.size + moved.size
  }

  /**
   * Starts keeping changes, ahead of a follower that will call `follow`. Does nothing when they are
   * kept already.
   */
  keep(): void {
    if (this.#isKept) return
    this.#isKept = true
    this.#since = this.#changed.moment
    this.#changed = nothing(this.#since, 0)
    this.fresh.want(true)
  }

  /**
   * Calls `heard` whenever there are changes, and starts keeping them if `keep` has not. One
   * follower a vault; undefined ends it.
   */
  follow(heard: (() => void) | undefined): void {
    this.#heard = heard
    if (heard !== undefined) {
      this.keep()
      return
    }
    this.#isKept = false
    this.#changed = nothing(this.#changed.moment, 0)
    this.fresh.want(false)
  }

  /** Returns what changed since the last call, and clears it. */
  take(): Changed {
    const taken = this.#changed
    this.#changed = nothing(taken.moment, taken.serial)
    return taken
  }

  /** Called when a layer has become durable. */
  note(layer: Layer): void {
    const moment = momentOf(layer)
    if (moment !== undefined) this.#changed = { ...this.#changed, moment }
    if (!this.#isKept) return
    const { inodes, pruned, moved, isLost, serial } = this.#changed
    noteFresh(layer, this.fresh)
    if (!isLost) {
      noteVersions(layer, inodes, pruned)
      noteNames(layer, inodes, moved)
      noteEnds(layer, inodes)
      if (this.size > INODES_MAX) this.#lose()
    }
    if (this.size === 0) return
    this.#changed = { ...this.#changed, serial: serial + 1 }
    this.#heard?.()
  }

  #lose(): void {
    const { moment, serial } = this.#changed
    this.#changed = { ...nothing(moment, serial), isLost: true }
  }
}

function nothing(moment: Moment, serial: number): Changed {
  return { inodes: new Set(), pruned: new Set(), moved: new Set(), isLost: false, moment, serial }
}

type Groups = ReadonlyMap<
  KeyPart,
  { readonly changes: ReadonlyMap<KeyPart, { readonly row: object | undefined }> }
>

function groupsOf(layer: Layer, collection: unknown): Groups {
  return layer.groups.get(collection as Collection<object>) ?? new Map()
}

function noteVersions(layer: Layer, inodes: Set<number>, pruned: Set<number>): void {
  for (const [ino, { changes }] of groupsOf(layer, version))
    for (const { row } of changes.values()) (row === undefined ? pruned : inodes).add(ino as number)
}

function noteNames(layer: Layer, inodes: Set<number>, moved: Set<number>): void {
  for (const { changes } of groupsOf(layer, entry).values())
    for (const { row } of changes.values()) {
      if (row === undefined) continue
      const { ino, type, origin } = row as EntryRow
      inodes.add(ino)
      // What is below a new directory gets entries of its own, in this layer or a later one.
      if (type === DT_DIR && origin !== CREATED) moved.add(ino)
    }
  for (const ino of groupsOf(layer, hardlink).keys()) inodes.add(ino as number)
}

function noteFresh(layer: Layer, fresh: FreshFiles): void {
  for (const [ino, { changes }] of groupsOf(layer, inodes))
    for (const { row } of changes.values()) fresh.note(ino as number, row)
  for (const [ino, { changes }] of groupsOf(layer, version))
    for (const { row } of changes.values()) if (row === undefined) fresh.forget(ino as number)
}

/**
 * Inodes that ended or lost past states: the last name known of a deleted file may be another one
 * then, or none.
 */
function noteEnds(layer: Layer, into: Set<number>): void {
  for (const collection of [inodes, inodePast])
    for (const [ino, { changes }] of groupsOf(layer, collection))
      for (const { row } of changes.values()) if (row === undefined) into.add(ino as number)
}

/** Every layer handed over carries the newest moment in it. */
function momentOf(layer: Layer): Moment | undefined {
  const row = layer.find(setting as unknown as Collection<object>, ['moment'])?.row
  return row === undefined ? undefined : Number((row as SettingRow).value)
}
