// A random run that remembers: a full copy of the tree at every moment that is observed, every
// version of every file, and which file each name led to from when to when. Reads of a vault as of
// a moment are compared with it.

import { retryUntilLoaded } from '../../src/store/retry.ts'
import { defragmentNext } from '../../src/vault/content/defragment.ts'
import { sealAll } from '../../src/vault/content/seal.ts'
import { createSnapshot } from '../../src/vault/history/snapshots.ts'
import { directoriesOf, type PlainFile } from './plain-model.ts'
import { caller, Run } from './random-run.ts'

const SECOND = 1_000_000
/** How far the vault's clock is set forward at a time: nothing, a blink, a while. */
const JUMPS = [0, 70_000, 70_000, 4_700_000]

/** A complete state of a file. */
export interface State {
  readonly bytes: Uint8Array
  readonly mode: number
  readonly nlink: number
}

/** What is remembered of a file beside its present. */
export interface Past {
  /** Its state before the change that goes on, while `open`. */
  sealed: State | undefined
  open: boolean
  written: boolean
  versions: State[]
  born: number
  firstSealed: number
  diedAt: number
  erased: boolean
}

export type PlainFate = 'deleted' | 'lost' | 'replaced' | 'moved' | 'unseen'

/** One file under one name. */
export interface Span {
  readonly file: PlainFile
  readonly directory: PlainFile
  readonly name: string
  readonly start: number
  end: number
  fate: PlainFate | undefined
  /** It took another file's place. */
  readonly replaced: boolean
  readonly moved: boolean
  readonly source: Span | undefined
  /** The span from which it was moved, if that left a row. */
  readonly from: Span | undefined
  /** Versions the file had when it came, and when it left. */
  readonly arrival: number
  last: number
  /** The state it left with. */
  final: State | undefined
}

export interface Observed {
  readonly moment: number
  readonly isSnapshot: boolean
  readonly directories: readonly {
    readonly directory: PlainFile
    readonly entries: readonly {
      readonly span: Span
      readonly state: State
      readonly xattrs: ReadonlyMap<string, Uint8Array>
    }[]
  }[]
}

export class HistoryRun extends Run {
  readonly pasts = new Map<PlainFile, Past>()
  readonly spans = new Map<PlainFile, Map<string, Span[]>>()
  readonly observed: Observed[] = []
  #snapshots = 0
  /** Directories that a name left which is kept although nobody could see it. */
  readonly #keeping = new Set<PlainFile>()

  override async step(): Promise<void> {
    await super.step()
    this.noticeSeals()
    const kind = this.random(24)
    if (kind === 0) await this.#observe(false)
    else if (kind === 1) await this.#observe(true)
    else if (kind < 4) this.#jump()
    else if (kind < 7) await this.#rewrite()
  }

  /**
   * Joins the extents of a file as the vault does with those of a fragmented one: history must not
   * show it.
   */
  async #rewrite(): Promise<void> {
    const { core } = this.vault
    const file = this.file()
    if (file === undefined) return
    // Extents are known once they are read.
    await this.fs.read(caller, this.ino(file), 0, file.bytes.length)
    core.fragmented.add(this.ino(file))
    while (core.fragmented.size > 0) await retryUntilLoaded(() => defragmentNext(core, 1))
  }

  #jump(): void {
    this.vault.core.moments.last += this.pick(JUMPS) ?? 0
  }

  #now(): number {
    return this.vault.core.moments.last
  }

  past(file: PlainFile): Past {
    const past = this.pasts.get(file)
    if (past === undefined) throw new Error('a file of the model has no past')
    return past
  }

  override made(file: PlainFile): void {
    this.pasts.set(file, {
      sealed: undefined,
      open: true,
      written: false,
      versions: [],
      born: this.#now(),
      firstSealed: Number.POSITIVE_INFINITY,
      diedAt: Number.POSITIVE_INFINITY,
      erased: false,
    })
  }

  override touch(file: PlainFile, written: boolean): void {
    const past = this.past(file)
    if (!past.open) past.sealed = present(file)
    past.open = true
    past.written = written
  }

  override async close(file: PlainFile): Promise<void> {
    await super.close(file)
    const past = this.past(file)
    if (past.open && past.written) this.#seal(file, past)
  }

  #seal(file: PlainFile, past: Past): void {
    past.open = false
    past.written = false
    const same = past.sealed !== undefined && Buffer.compare(past.sealed.bytes, file.bytes) === 0
    if (!same) past.versions.push(present(file))
    past.firstSealed = Math.min(past.firstSealed, this.#now())
  }

  /**
   * What the vault has sealed by itself, because it was quiet or moves; `gone`: what was replaced
   * just now.
   */
  noticeSeals(gone?: PlainFile): void {
    for (const [file, past] of this.pasts)
      if (past.open && file !== gone && file.nlink > 0 && !this.vault.core.open.has(this.ino(file)))
        this.#seal(file, past)
  }

  async sealAll(): Promise<void> {
    await retryUntilLoaded(() => sealAll(this.vault.core))
    this.noticeSeals()
  }

  /** The complete state of a file, if it has one. */
  state(file: PlainFile): State | undefined {
    const past = this.pasts.get(file)
    return past?.open === true ? past.sealed : present(file)
  }

  spansOf(directory: PlainFile, name: string): Span[] {
    let names = this.spans.get(directory)
    if (names === undefined) {
      names = new Map()
      this.spans.set(directory, names)
    }
    let spans = names.get(name)
    if (spans === undefined) {
      spans = []
      names.set(name, spans)
    }
    return spans
  }

  override put(directory: PlainFile, name: string, file: PlainFile): void {
    // What a whiteout takes the place of has replaced something that is not dropped yet.
    if (file.kind !== 'whiteout') this.noticeSeals()
    super.put(directory, name, file)
    this.#begin(directory, name, file, undefined, false)
  }

  #begin(
    directory: PlainFile,
    name: string,
    file: PlainFile,
    source: Span | undefined,
    moved: boolean,
  ): void {
    const spans = this.spansOf(directory, name)
    const before = spans[spans.length - 1]
    const replaced = before !== undefined && before.fate === undefined
    if (replaced) {
      this.#end(before, 'replaced')
      this.#isKnown(before.file)
    }
    const start = this.#now()
    const arrival = this.pasts.get(file)?.versions.length ?? 0
    spans.push({
      ...{ file, directory, name, start, replaced, arrival, last: 0 },
      ...{ moved: moved && !replaced, source: replaced ? undefined : source, from: source },
      ...{ end: Number.POSITIVE_INFINITY, fate: undefined, final: undefined },
    })
  }

  #end(span: Span, fate: PlainFate): void {
    span.end = this.#now()
    span.fate = fate
    span.last = this.pasts.get(span.file)?.versions.length ?? 0
    span.final = this.state(span.file)
  }

  /** History has a row that leads to the file: it cannot go without a trace any more. */
  #isKnown(file: PlainFile): void {
    const past = this.pasts.get(file)
    if (past !== undefined) past.born = 0
  }

  /** Ends the span that a name has now. Returns true when nobody could see it. */
  #leave(
    directory: PlainFile,
    name: string,
    fate: PlainFate,
    isKept = false,
  ): { span: Span; traceless: boolean } {
    const spans = this.spansOf(directory, name)
    const span = spans[spans.length - 1]
    if (span === undefined || span.fate !== undefined) throw new Error('a name without a span')
    this.#end(span, fate)
    const { barrier } = this.vault.core.moments
    const young = span.start > barrier && span.end - span.start < SECOND
    const traceless = young && !span.moved && !span.replaced && !isKept
    if (isKept) this.#keeping.add(directory)
    if (traceless) spans.pop()
    else this.#isKnown(span.file)
    return { span, traceless }
  }

  override take(directory: PlainFile, name: string): void {
    const file = directory.names.get(name)
    super.take(directory, name)
    if (file === undefined) return
    const unseen = this.state(file) === undefined
    const { traceless } = this.#leave(
      directory,
      name,
      unseen ? 'unseen' : this.#fate(directory, name),
      this.#isWorthKeeping(file),
    )
    const past = this.pasts.get(file)
    if (past !== undefined && file.nlink === 1 && traceless)
      past.erased = past.born > this.vault.core.moments.barrier
  }

  /** A file that was closed with content, and a directory that held such a one. */
  #isWorthKeeping(file: PlainFile): boolean {
    if (file.kind === 'directory') return this.#keeping.has(file)
    const versions = this.pasts.get(file)?.versions.length ?? 0
    return versions > 0 && file.bytes.length > 0 && file.nlink === 1
  }

  #fate(directory: PlainFile, name: string): PlainFate {
    const from = this.spansOf(directory, name).at(-1)?.from
    if (from === undefined || !this.#lasted(from)) return 'deleted'
    const isAside = from.file.kind !== 'directory' && from.directory.names.has(from.name)
    return isAside ? 'deleted' : 'lost'
  }

  #lasted(span: Span): boolean {
    return !this.isBrief(span) || (span.from !== undefined && this.#lasted(span.from))
  }

  override async drop(file: PlainFile): Promise<void> {
    await super.drop(file)
    // What has no content has no past of its own.
    const past = this.pasts.get(file)
    if (past !== undefined && file.nlink === 0) past.diedAt = this.#now()
  }

  override move(
    from: PlainFile,
    name: string,
    to: PlainFile,
    newName: string,
    file: PlainFile,
  ): void {
    this.noticeSeals(to.names.get(newName))
    super.move(from, name, to, newName, file)
    const { span, traceless } = this.#leave(from, name, 'moved')
    this.#begin(to, newName, file, traceless ? undefined : span, true)
  }

  /** Copies the tree as it is complete now. */
  async #observe(isSnapshot: boolean): Promise<void> {
    const { core } = this.vault
    let moment: number
    if (isSnapshot) {
      const name = `s${this.#snapshots++}`
      moment = await retryUntilLoaded(() => createSnapshot(core, name))
      this.noticeSeals()
    } else {
      moment = core.moments.next()
      core.moments.observe()
    }
    const directories = [...directoriesOf(this.root)].map(({ directory }) => ({
      directory,
      entries: [...directory.names.keys()].flatMap((name) => {
        const span = this.spansOf(directory, name).at(-1)
        const state = span === undefined ? undefined : this.state(span.file)
        if (span === undefined || state === undefined) return []
        return [{ span, state, xattrs: new Map(span.file.xattrs) }]
      }),
    }))
    this.observed.push({ moment, isSnapshot, directories })
    this.#jump()
  }

  /** True when the name that a span belongs to was there for less than a second. */
  isBrief(span: Span): boolean {
    if (span.fate === 'lost') return false
    const spans = this.spansOf(span.directory, span.name)
    let first = spans.indexOf(span)
    let last = first
    while (spans[first]?.replaced === true) first--
    while (spans[last]?.fate === 'replaced') last++
    const from = spans[first]
    const to = spans[last]
    if (from === undefined || to === undefined) throw new Error("a span that is not its name's")
    return to.end - from.start < SECOND
  }

  /** The versions that a name should have. */
  versionsOf(directory: PlainFile, name: string): { file: PlainFile; state: State }[] {
    const found: { file: PlainFile; state: State }[] = []
    const seen = new Set<Span>()
    const counted = new Map<PlainFile, number>()
    for (const span of this.spansOf(directory, name)) {
      const chain: Span[] = []
      for (let at: Span | undefined = span; at && !seen.has(at); at = this.#precedent(at)) {
        seen.add(at)
        chain.unshift(at)
      }
      for (const { file, replaced, arrival, fate, last } of chain) {
        const past = this.pasts.get(file)
        if (past === undefined || past.erased) continue
        const end = fate === undefined ? past.versions.length : last
        const start = Math.max(counted.get(file) ?? 0, replaced ? Math.max(0, arrival - 1) : 0)
        for (let at = start; at < end; at++) found.push({ file, state: past.versions[at] as State })
        counted.set(file, Math.max(start, end))
      }
    }
    return found
  }

  #precedent(span: Span): Span | undefined {
    const spans = this.spansOf(span.directory, span.name)
    const before = spans[spans.indexOf(span) - 1]
    if (span.replaced) return before
    if (span.source !== undefined) return span.source
    if (before === undefined || span.start - before.end >= SECOND) return undefined
    if (before.fate === 'deleted' || before.fate === 'lost') return before
    const past = this.pasts.get(before.file)
    const later = span.start + 10 * SECOND
    const isThere = past === undefined || (past.firstSealed <= later && past.diedAt > later)
    return before.fate === 'moved' && !isThere ? before : undefined
  }
}

function present(file: PlainFile): State {
  return { bytes: file.bytes, mode: file.mode, nlink: file.nlink }
}
