// What a disk holds after a power cut: everything that fsync(2) acknowledged, and a random part of
// the rest. The promises are those of a journaling file system:
//
//   names, sizes   are journaled in order: some prefix of what was not synced yet exists. An fsync
//                  writes the whole journal, or only the names of its directory or the size of
//                  its file
//   bytes          of each 4 KiB page that was written and not synced, each write exists or not;
//                  now and then only some of its 512-byte sectors. What was written after a
//                  truncation that is lost is lost, too
//   ends           a file may have its new size without the bytes: then they are zeros
//
// Knows nothing of avfs or its engines.

import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import type { Random } from '../random.ts'
import type { DiskEvent, NameChange, NodeKind } from './events.ts'

const TOP = 1
const PAGE_BYTES = 4096
const SECTOR_BYTES = 512

type Change = Extract<DiskEvent, { kind: 'write' | 'zero' | 'size' }>

/** A change of content; a size is `journaled` once an fsync of anything wrote the journal. */
interface Pending {
  readonly change: Change
  journaled: boolean
}

interface DiskNode {
  readonly type: NodeKind
  readonly target: string
  readonly content: Content
  /** Not synced, in order. */
  pending: Pending[]
}

/**
 * How much of what was not synced is there, in percent of the pages, and of those how many are
 * torn.
 */
interface Luck {
  readonly keptPercent: number
  readonly tornPercent: number
}

/**
 * What an fsync writes of the journal: 'all', as ext4, or only what fsync(2) promises, the 'own'
 * names or size.
 */
export type Journaling = 'all' | 'own'

export class Disk {
  readonly #journaling: Journaling
  readonly #nodes = new Map<number, DiskNode>()
  readonly #durable: Names = new Map([[TOP, new Map()]])
  /** Changes of the journal that are not written yet. */
  #journal: (readonly NameChange[] | Pending)[] = []

  constructor(journaling: Journaling) {
    this.#journaling = journaling
  }

  /** Takes what happened next. */
  add(event: DiskEvent): void {
    if (event.kind === 'inode') this.#make(event.ino, event.type, event.target)
    else if (event.kind === 'names') this.#journal.push(event.changes)
    else if (event.kind === 'sync') this.#sync(event.ino)
    else {
      const pending = { change: event, journaled: false }
      this.#nodes.get(event.ino)?.pending.push(pending)
      if (event.kind === 'size') this.#journal.push(pending)
    }
  }

  #make(ino: number, type: NodeKind, target: string): void {
    this.#nodes.set(ino, { type, target, content: new Content(), pending: [] })
  }

  #sync(ino: number): void {
    const left: (readonly NameChange[] | Pending)[] = []
    for (const entry of this.#journal) {
      if (!this.#isCovered(entry, ino)) left.push(entry)
      else if (isNames(entry)) rename(this.#durable, entry)
      else entry.journaled = true
    }
    this.#journal = left
    const node = this.#nodes.get(ino)
    if (node === undefined) return
    for (const { change } of node.pending) node.content.change(change)
    node.pending = []
  }

  #isCovered(entry: readonly NameChange[] | Pending, ino: number): boolean {
    if (this.#journaling === 'all') return true
    return isNames(entry) ? entry.some(({ parent }) => parent === ino) : entry.change.ino === ino
  }

  /** Writes what a power cut now leaves into an empty folder. */
  cut(random: Random, into: string): void {
    const names: Names = new Map([...this.#durable].map(([ino, its]) => [ino, new Map(its)]))
    const kept = new Set<Pending>()
    for (const entry of this.#journal.slice(0, random.below(this.#journal.length + 1))) {
      if (isNames(entry)) rename(names, entry)
      else kept.add(entry)
    }
    const luck = {
      keptPercent: random.pick([0, 10, 50, 90, 100]),
      tornPercent: random.pick([0, 5, 30]),
    }
    const write = (parent: number, path: string): void => {
      for (const [name, ino] of names.get(parent) ?? []) {
        const node = this.#nodes.get(ino)
        const at = `${path}/${name}`
        if (node === undefined) throw new Error(`${at} leads nowhere`)
        if (node.type === 'symlink') symlinkSync(node.target, at)
        else if (node.type === 'file') writeFileSync(at, survived(node, kept, luck, random))
        else {
          mkdirSync(at)
          write(ino, at)
        }
      }
    }
    write(TOP, into)
  }
}

/** Directories by their inodes. */
type Names = Map<number, Map<string, number>>

function isNames(entry: readonly NameChange[] | Pending): entry is readonly NameChange[] {
  return Array.isArray(entry)
}

function rename(names: Names, changes: readonly NameChange[]): void {
  for (const { parent, name, ino } of changes) {
    let its = names.get(parent)
    if (its === undefined) {
      its = new Map()
      names.set(parent, its)
    }
    if (ino === 0) its.delete(name)
    else its.set(name, ino)
  }
}

/** The content of a file after the cut. */
function survived(node: DiskNode, kept: Set<Pending>, luck: Luck, random: Random): Buffer {
  if (node.pending.length === 0) return node.content.bytes
  const content = node.content.copy()
  let whole = content.size
  for (const entry of node.pending) {
    const { change } = entry
    if (change.kind === 'size') {
      if (!entry.journaled && !kept.has(entry)) return content.bytes
      content.change(change)
      whole = change.size
    } else if (change.kind === 'zero') {
      if (random.below(100) < luck.keptPercent) content.change(change)
    } else {
      whole = Math.max(whole, change.offset + change.bytes.length)
      for (const page of pagesOf(change)) {
        if (random.below(100) >= luck.keptPercent) continue
        content.change(random.below(100) < luck.tornPercent ? torn(page, random) : page)
      }
    }
  }
  if (whole > content.size && random.below(4) === 0) content.resize(whole)
  return content.bytes
}

type Write = Extract<DiskEvent, { kind: 'write' }>

function* pagesOf({ kind, ino, offset, bytes }: Write): Generator<Write> {
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(bytes.length, at + PAGE_BYTES - ((offset + at) % PAGE_BYTES))
    yield { kind, ino, offset: offset + at, bytes: bytes.subarray(at, end) }
    at = end
  }
}

/** The first sectors of a piece, or the last. */
function torn(piece: Write, random: Random): Write {
  const { offset, bytes } = piece
  const first = offset - (offset % SECTOR_BYTES)
  const cut = first + SECTOR_BYTES * (1 + random.below(PAGE_BYTES / SECTOR_BYTES - 1)) - offset
  if (cut >= bytes.length) return piece
  return random.below(2) === 0
    ? { ...piece, bytes: bytes.subarray(0, cut) }
    : { ...piece, offset: offset + cut, bytes: bytes.subarray(cut) }
}

/** The bytes of a file; memory grows by doubling. */
class Content {
  #memory: Buffer
  #size: number

  constructor(bytes: Buffer = Buffer.alloc(0)) {
    this.#memory = bytes
    this.#size = bytes.length
  }

  get size(): number {
    return this.#size
  }

  get bytes(): Buffer {
    return this.#memory.subarray(0, this.#size)
  }

  copy(): Content {
    return new Content(Buffer.from(this.bytes))
  }

  change(change: Change): void {
    if (change.kind === 'size') this.resize(change.size)
    else if (change.kind === 'zero') {
      const end = Math.min(change.offset + change.length, this.#size)
      if (end > change.offset) this.#memory.fill(0, change.offset, end)
    } else {
      const end = change.offset + change.bytes.length
      if (end > this.#size) this.resize(end)
      this.#memory.set(change.bytes, change.offset)
    }
  }

  /** What is new is zeros. */
  resize(size: number): void {
    if (size > this.#memory.length) {
      const larger = Buffer.alloc(Math.max(size, this.#memory.length * 2))
      this.bytes.copy(larger)
      this.#memory = larger
    } else if (size < this.#size) this.#memory.fill(0, size, this.#size)
    this.#size = size
  }
}
