// Which inodes got another name or other content, as commits become durable: for whoever keeps
// something that is derived from names and contents. Costs a look at the keys of a commit while
// somebody follows, and nothing else.
//
// Only rows are looked at, so that every way to a change counts: requests, imports, restores,
// prune.

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

/** Beyond this nobody counts any more: all inodes are looked at once. */
const INODES_MAX = 200_000

/** What changed until `moment`; all of it is durable. */
export interface Changed {
  /**
   * Inodes with a new version or name, or without any name now, or of which less of the past is
   * known.
   */
  readonly inodes: Set<number>
  /** Those of which versions were dropped. */
  readonly pruned: Set<number>
  /** Directories that were moved: what is below them has another path. */
  readonly moved: Set<number>
  /** More changed than could be kept in mind: the sets do not hold all. */
  readonly isLost: boolean
  readonly moment: Moment
  /** How many commits with changes there were until then. */
  readonly serial: number
}

export class ChangedInodes {
  /** Of those that have been made whole, what is to be known of them. */
  readonly fresh = new FreshFiles()
  #changed: Changed
  #since: Moment
  #isKept = false
  #heard: (() => void) | undefined

  /** `moment`: the newest one that is durable. */
  constructor(moment: Moment) {
    this.#changed = nothing(moment, 0)
    this.#since = moment
  }

  /** Changes are kept that came after this one. */
  get since(): Moment {
    return this.#since
  }

  /** The newest moment that is durable with all before it. */
  get moment(): Moment {
    return this.#changed.moment
  }

  /** How many commits with changes there were since they are kept. */
  get serial(): number {
    return this.#changed.serial
  }

  /** How many inodes wait to be taken; infinite when that is not known. */
  get size(): number {
    const { inodes, pruned, moved, isLost } = this.#changed
    return isLost ? Number.POSITIVE_INFINITY : inodes.size + pruned.size + moved.size
  }

  /**
   * From here on changes are kept, for a follower that is about to come; where they are kept
   * already, nothing is done.
   */
  keep(): void {
    if (this.#isKept) return
    this.#isKept = true
    this.#since = this.#changed.moment
    this.#changed = nothing(this.#since, 0)
    this.fresh.want(true)
  }

  /**
   * `heard` is called when there are changes, which are kept from here on at the latest. One
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

  /** Takes out what changed since the last time. */
  take(): Changed {
    const taken = this.#changed
    this.#changed = nothing(taken.moment, taken.serial)
    return taken
  }

  /** A layer is durable. */
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
      // What is below a new one has names of its own in the same layer or later.
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
 * What went, and what lost states: the last name that is known of what is gone may be another one
 * then, or none.
 */
function noteEnds(layer: Layer, into: Set<number>): void {
  for (const collection of [inodes, inodePast])
    for (const [ino, { changes }] of groupsOf(layer, collection))
      for (const { row } of changes.values()) if (row === undefined) into.add(ino as number)
}

/** Each hand-over carries the newest moment of what it holds. */
function momentOf(layer: Layer): Moment | undefined {
  const row = layer.find(setting as unknown as Collection<object>, ['moment'])?.row
  return row === undefined ? undefined : Number((row as SettingRow).value)
}
