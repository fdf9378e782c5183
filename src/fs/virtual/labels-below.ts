// Which labels tags/ shows in a directory: those of files here and below. Found out once for everybody, where that can be, and kept until
// something changes.

import type { Core } from '../../vault/core.ts'
import { filesWith, listTags } from '../../vault/tags.ts'
import { isWayOpen, type Reader } from '../reach.ts'
import { ticksOf } from './row-ticks.ts'
import { ALMIGHTY, taggedFile } from './tagged.ts'

/** Who is shown a label: 'some' are those who may go to a file that carries it. */
type Shown = 'all' | 'some' | 'nobody'

interface Known {
  readonly directory: number
  readonly tick: number
  names: readonly string[] | undefined
  readonly labels: Map<string, Shown>
  /** Ways that were looked at. */
  readonly open: Map<number, boolean>
}
const known = new WeakMap<Core, Known>()

export function isLabelShown(core: Core, directory: number, tag: string, reader: Reader): boolean {
  const shown = shownTo(core, directory, tag)
  if (shown !== 'some') return shown === 'all'
  return filesWith(core, [tag]).some(
    (ino) => taggedFile(core, directory, ino, reader) !== undefined,
  )
}

/** Whether everybody is shown the same labels. */
export function areLabelsCommon(core: Core, directory: number): boolean {
  const its = knownOf(core, directory)
  its.names ??= listTags(core).map(({ name }) => name)
  return its.names.every((name) => shownTo(core, directory, name) !== 'some')
}

/** What was found when a read had to wait stays known for who asks again. */
function knownOf(core: Core, directory: number): Known {
  const tick = ticksOf(core).labels()
  const before = known.get(core)
  if (before?.directory === directory && before.tick === tick) return before
  const open = new Map([[directory, true]])
  const its = { directory, tick, names: undefined, labels: new Map(), open }
  known.set(core, its)
  return its
}

function shownTo(core: Core, directory: number, tag: string): Shown {
  const its = knownOf(core, directory)
  const before = its.labels.get(tag)
  if (before !== undefined) return before
  const shown = lookAt(core, directory, tag, its.open)
  its.labels.set(tag, shown)
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
