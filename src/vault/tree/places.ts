// Where an inode is, or was last, for rules about paths: like pathOf of names.ts, but also for
// deleted inodes. For many lookups use LastPlaces, which resolves each directory once.

import { isDirectory } from '../../base/mode.ts'
import type { PathRule } from '../../base/path-rule.ts'
import { type HardlinkRow, hardlink, inodePast, inode as inodes } from '../../store/collections.ts'
import { ALL } from '../../store/store.ts'
import type { Core } from '../core/core.ts'
import { cycleCheck } from '../core/cycles.ts'
import { ROOT_INO } from '../core/inode.ts'

/** Paths of directories that were found before; valid as long as nothing changes. */
export type KnownPaths = Map<number, string>

/** The present or last path of a directory or file; undefined when it is no longer known. */
export function lastPath(core: Core, ino: number, known?: KnownPaths): string | undefined {
  const names: string[] = []
  const isCircle = cycleCheck()
  let at = ino
  while (at !== ROOT_INO) {
    const above = known?.get(at)
    if (above !== undefined) return names.length === 0 ? above : `${above}/${joined(names)}`
    const row = lastRow(core, at)
    if (row === undefined || row.name === '' || isCircle(at)) return undefined
    names.push(row.name)
    at = row.parent
  }
  return `/${joined(names)}`
}

function joined(names: string[]): string {
  return names.reverse().join('/')
}

function lastRow(core: Core, ino: number) {
  const range = { gte: [ino], lt: [ino + 1], reverse: true, limit: 1 }
  return (
    core.inodes.get(ino) ??
    core.overlay.get(inodes, [ino]) ??
    core.overlay.scan(inodePast, range)[0]
  )
}

/** All paths of an inode; a hard link has more than one. */
export function lastPaths(core: Core, ino: number): string[] {
  const paths = [lastPath(core, ino)]
  const others = core.overlay.scan(hardlink, { gte: [ino], lt: [ino + 1], limit: ALL })
  for (const row of others) paths.push(pathOfName(core, row))
  return paths.filter((path) => path !== undefined)
}

function pathOfName(core: Core, { parent, name }: HardlinkRow): string | undefined {
  return below(lastPath(core, parent), name)
}

/** The path of a name in a directory. */
export function below(directory: string | undefined, name: string): string | undefined {
  if (directory === undefined) return undefined
  return PATHS.enter(directory, name)
}

/** Whether a path is `top` or below it. */
export function isWithin(path: string, top: string): boolean {
  return top === '/' || path === top || path.startsWith(`${top}/`)
}

/** Directories whose place is cached. */
const KNOWN_MAX = 100_000

/** Where inodes are, now or last, in terms of a rule. */
export class LastPlaces<S> {
  readonly #core: Core
  readonly #rule: PathRule<S>
  /** For each directory in it, all directories above are in it, too. */
  readonly #known = new Map<number, S>()

  constructor(core: Core, rule: PathRule<S>) {
    this.#core = core
    this.#rule = rule
    const all = asked.get(core) ?? new Set()
    asked.set(core, all.add(new WeakRef(this)))
  }

  /** The place of a directory; undefined when it is no longer known. */
  directory(ino: number): S | undefined {
    const way: { readonly ino: number; readonly name: string }[] = []
    const isCircle = cycleCheck()
    let above: S | undefined
    for (let at = ino; above === undefined; ) {
      above = at === ROOT_INO ? this.#rule.top : this.#known.get(at)
      if (above !== undefined) break
      const row = lastRow(this.#core, at)
      if (row === undefined || row.name === '' || isCircle(at)) return undefined
      way.push({ ino: at, name: row.name })
      at = row.parent
    }
    if (way.length === 0) return above
    if (this.#known.size > 0 && this.#known.size + way.length > KNOWN_MAX) {
      this.#known.clear()
      return this.directory(ino)
    }
    for (let next = way.pop(); next !== undefined; next = way.pop()) {
      above = this.#rule.enter(above, next.name)
      this.#known.set(next.ino, above)
    }
    return above
  }

  /** The place of a name in a directory. */
  named(parent: number, name: string): S | undefined {
    const above = this.directory(parent)
    return above === undefined ? undefined : this.#rule.enter(above, name)
  }

  /** The place of an inode under its first name. */
  of(ino: number): S | undefined {
    if (ino === ROOT_INO || this.#known.has(ino)) return this.directory(ino)
    const row = lastRow(this.#core, ino)
    if (row === undefined || row.name === '') return undefined
    return isDirectory(row.mode) ? this.directory(ino) : this.named(row.parent, row.name)
  }

  /** The places of an inode under all of its names. */
  all(ino: number): S[] {
    const others = this.#core.overlay.scan(hardlink, { gte: [ino], lt: [ino + 1], limit: ALL })
    const found = [this.of(ino), ...others.map(({ parent, name }) => this.named(parent, name))]
    return found.filter((its) => its !== undefined)
  }

  /** Called when a directory has moved. */
  moved(ino: number): void {
    if (this.#known.has(ino)) this.#known.clear()
  }
}

const asked = new WeakMap<Core, Set<WeakRef<LastPlaces<unknown>>>>()

/** Must be called for each existing directory that gets another name. */
export function directoryMoved(core: Core, ino: number): void {
  const all = asked.get(core)
  for (const ref of all ?? []) {
    const places = ref.deref()
    if (places === undefined) all?.delete(ref)
    else places.moved(ino)
  }
}

/** Paths as LastPlaces finds them. */
export const PATHS: PathRule<string> = {
  top: '/',
  enter: (directory, name) => (directory === '/' ? `/${name}` : `${directory}/${name}`),
  means: () => true,
}
