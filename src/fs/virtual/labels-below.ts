// Which labels tags/ shows in a directory: those of files here and below that the reader may go to. By its name a label is found in any
// directory, if he may go to such a file anywhere. Found out once for everybody, where that can be, and kept until something
// changes.

import type { Core } from '../../vault/core/core.ts'
import { ROOT_INO } from '../../vault/core/inode.ts'
import { filesWith, listTags } from '../../vault/tree/tags.ts'
import { isWayOpen, type Reader } from '../access.ts'
import { ticksOf } from './row-ticks.ts'
import { ALMIGHTY, taggedFile } from './tagged.ts'

/** Who is shown a label: 'some' are those who may go to a file that carries it. */
type Shown = 'all' | 'some' | 'nobody'

interface Known {
  readonly tick: number
  names: readonly string[] | undefined
  readonly labels: Map<string, Shown>
  /** Ways that were looked at. */
  readonly open: Map<number, boolean>
}
const known = new WeakMap<Core, Map<number, Known>>()
const DIRECTORIES_MAX = 16

/** Who made which label that was there, which they could not know: they go on with it as if it was new. */
const made = new WeakMap<Core, Map<string, Set<number>>>()
const MADE_MAX = 10_000

/** Whether a label is there, for all that the reader may know. */
export function isLabelKnown(core: Core, directory: number, tag: string, reader: Reader): boolean {
  return (
    made.get(core)?.get(tag)?.has(reader.uid) === true ||
    isLabelShown(core, directory, tag, reader) ||
    isLabelShown(core, ROOT_INO, tag, reader)
  )
}

/** The reader makes a label of which he may not know that it is there. */
export function noteMade(core: Core, tag: string, { uid }: Reader): void {
  const labels = made.get(core) ?? new Map<string, Set<number>>()
  made.set(core, labels)
  const makers = labels.get(tag) ?? new Set()
  // Anew at the end, so that the oldest is the first.
  labels.delete(tag)
  labels.set(tag, makers.add(uid))
  const [oldest] = labels.keys()
  if (labels.size > MADE_MAX && oldest !== undefined) labels.delete(oldest)
}

/** He removes it again. Returns false if it is none of those, or one that he knows of. */
export function unmake(core: Core, directory: number, tag: string, reader: Reader): boolean {
  if (made.get(core)?.get(tag)?.delete(reader.uid) !== true) return false
  return !isLabelKnown(core, directory, tag, reader)
}

export function isLabelShown(core: Core, directory: number, tag: string, reader: Reader): boolean {
  const shown = shownTo(core, directory, tag)
  if (shown !== 'some') return shown === 'all'
  return filesWith(core, [tag]).some(
    (ino) => taggedFile(core, directory, ino, reader) !== undefined,
  )
}

/** Whether everybody is shown the same labels. */
export function areLabelsCommon(core: Core, directory: number): boolean {
  const directoryLabels = knownOf(core, directory)
  directoryLabels.names ??= listTags(core).map(({ name }) => name)
  return directoryLabels.names.every((name) => shownTo(core, directory, name) !== 'some')
}

/** What was found when a read had to wait stays known for who asks again. */
function knownOf(core: Core, directory: number): Known {
  const tick = ticksOf(core).labels()
  const all = known.get(core) ?? new Map<number, Known>()
  known.set(core, all)
  const before = all.get(directory)
  if (before?.tick === tick) return before
  if (all.size >= DIRECTORIES_MAX) all.clear()
  const open = new Map([[directory, true]])
  const directoryLabels = { tick, names: undefined, labels: new Map(), open }
  all.set(directory, directoryLabels)
  return directoryLabels
}

function shownTo(core: Core, directory: number, tag: string): Shown {
  const directoryLabels = knownOf(core, directory)
  const before = directoryLabels.labels.get(tag)
  if (before !== undefined) return before
  const shown = lookAt(core, directory, tag, directoryLabels.open)
  directoryLabels.labels.set(tag, shown)
  return shown
}

function lookAt(core: Core, directory: number, tag: string, open: Map<number, boolean>): Shown {
  const files = filesWith(core, [tag])
  // A label that was just made is nowhere yet, and has to be seen to be used.
  let shown: Shown = files.length === 0 ? 'all' : 'nobody'
  for (const ino of files) {
    const found = taggedFile(core, directory, ino, ALMIGHTY)
    if (found === undefined) continue
    if (isWayOpen(core, found.parent, open)) return 'all'
    shown = 'some'
  }
  return shown
}
