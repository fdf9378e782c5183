// Which labels tags/ shows in a directory: those of files here and below that the reader may go to.
// By its name a label is found in any directory, if he may go to such a file anywhere. Found out
// once for everybody, where that can be, and kept until something changes.

import type { Core } from '../../vault/core/core.ts'
import { ROOT_INO } from '../../vault/core/inode.ts'
import { filesWith, listTags } from '../../vault/tree/tags.ts'
import { isWayOpen, type Reader } from '../access.ts'
import { ticksOf } from './row-ticks.ts'
import { ALMIGHTY, taggedFile } from './tagged.ts'

/** Who is shown a label: 'some' are those who may go to a file that carries it. */
type Audience = 'all' | 'some' | 'nobody'

interface KnownLabels {
  readonly tick: number
  names: readonly string[] | undefined
  readonly labels: Map<string, Audience>
  /** Directories that were examined, and whether everybody can walk to them. */
  readonly open: Map<number, boolean>
}
const known = new WeakMap<Core, Map<number, KnownLabels>>()
const DIRECTORIES_MAX = 16

/**
 * Users who made a label that existed already without their knowledge: to them it is as if it were
 * new.
 */
const made = new WeakMap<Core, Map<string, Set<number>>>()
const MADE_MAX = 10_000

/** Whether a label exists as far as the reader may know. */
export function isLabelKnown(core: Core, directory: number, tag: string, reader: Reader): boolean {
  return (
    made.get(core)?.get(tag)?.has(reader.uid) === true ||
    isLabelShown(core, directory, tag, reader) ||
    isLabelShown(core, ROOT_INO, tag, reader)
  )
}

/** The reader makes a label that exists, which he may not know. */
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

/**
 * The reader removes it again. Returns false if he has not made it so, or may know of it by now.
 */
export function unmake(core: Core, directory: number, tag: string, reader: Reader): boolean {
  if (made.get(core)?.get(tag)?.delete(reader.uid) !== true) return false
  return !isLabelKnown(core, directory, tag, reader)
}

export function isLabelShown(core: Core, directory: number, tag: string, reader: Reader): boolean {
  const shown = cachedAudience(core, directory, tag)
  if (shown !== 'some') return shown === 'all'
  return filesWith(core, [tag]).some(
    (ino) => taggedFile(core, directory, ino, reader) !== undefined,
  )
}

/** Whether everybody is shown the same labels. */
export function areLabelsCommon(core: Core, directory: number): boolean {
  const directoryLabels = knownOf(core, directory)
  directoryLabels.names ??= listTags(core).map(({ name }) => name)
  return directoryLabels.names.every((name) => cachedAudience(core, directory, name) !== 'some')
}

/** What was found before a read had to wait is kept for the retry. */
function knownOf(core: Core, directory: number): KnownLabels {
  const tick = ticksOf(core).labels()
  const all = known.get(core) ?? new Map<number, KnownLabels>()
  known.set(core, all)
  const before = all.get(directory)
  if (before?.tick === tick) return before
  if (all.size >= DIRECTORIES_MAX) all.clear()
  const open = new Map([[directory, true]])
  const directoryLabels = { tick, names: undefined, labels: new Map(), open }
  all.set(directory, directoryLabels)
  return directoryLabels
}

function cachedAudience(core: Core, directory: number, tag: string): Audience {
  const directoryLabels = knownOf(core, directory)
  const before = directoryLabels.labels.get(tag)
  if (before !== undefined) return before
  const shown = audienceOf(core, directory, tag, directoryLabels.open)
  directoryLabels.labels.set(tag, shown)
  return shown
}

function audienceOf(
  core: Core,
  directory: number,
  tag: string,
  open: Map<number, boolean>,
): Audience {
  const files = filesWith(core, [tag])
  // A label that was just made is on no file yet, and has to be visible to be used.
  let shown: Audience = files.length === 0 ? 'all' : 'nobody'
  for (const ino of files) {
    const found = taggedFile(core, directory, ino, ALMIGHTY)
    if (found === undefined) continue
    if (isWayOpen(core, found.parent, open)) return 'all'
    shown = 'some'
  }
  return shown
}
