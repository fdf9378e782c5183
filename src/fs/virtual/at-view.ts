// Kind: at/, in which every moment has a name: WHEN leads to the directory as it was then.

import { nowMicros } from '../../base/clock.ts'
import { EACCES, fail } from '../../base/errno.ts'
import { log } from '../../base/log.ts'
import { DT_DIR } from '../../base/mode.ts'
import type { Fault } from '../../store/store.ts'
import type { Core } from '../../vault/core/core.ts'
import type { Moment } from '../../vault/core/moment.ts'
import { momentMeant, nameOfMoment, parseMoment, parseWhen } from '../../vault/core/when.ts'
import { inodeAt } from '../../vault/history/timeline.ts'
import { MAY_READ, type Reader, readerOf } from '../access.ts'
import type { FsContext } from '../context.ts'
import type { Caller } from '../operations.ts'
import { mightAccess, mightEnter, wasAlwaysOpen, wasOpen } from '../past-access.ts'
import { directoryAttributes } from './attributes.ts'
import { isListedSecond, listedMoments } from './listed-seconds.ts'
import { pastView } from './past-directory.ts'
import { createPastTree } from './past-tree.ts'
import { type View, type ViewContext, type ViewEntry, type ViewKind, waiting } from './view.ts'

/** The name of a listed moment, cut at whole seconds. */
const SHORTENED = /^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d$/
const REMEMBERED_MAX = 1024
/**
 * How long a name may be cached that means a local time, but would mean UTC once something happens
 * in that second.
 */
const UNSETTLED_MS = 1000
const SECOND_MICROS = 1e6

/**
 * Where `10m` led to, and leads for a while, so that a program which walks the tree sees one state
 * of it.
 */
interface Relative {
  readonly moment: Moment
  readonly resolved: number
}

/** `nameMs`: how long the name leads there; undefined: always. */
interface Resolved {
  readonly moment: Moment
  readonly nameMs: number | undefined
}
const relatives = new WeakMap<Core, Map<string, Relative>>()

/** A name like `2h` is resolved anew after a tenth of that time, and not within a second. */
function resolve(
  fs: FsContext,
  reader: Reader,
  directory: number,
  name: string,
): Resolved | undefined {
  const { core } = fs
  const { moments } = core
  const now = moments.now()
  // Moments may be ahead of the clock, after several changes within a millisecond.
  const shown = Math.max(nowMicros(), moments.wallOf(now))
  const { text, isSettled } = meaning(fs, reader, directory, name)
  const when = parseWhen(text, shown)
  const moment = when && momentMeant(moments, when)
  if (when === undefined || moment === undefined) return undefined
  // A name that means the current second stands for now, and is asked for again.
  if ('wall' in when && when.wall !== shown)
    return { moment, nameMs: isSettled ? undefined : UNSETTLED_MS }
  let known = relatives.get(core)
  if (known === undefined) {
    known = new Map()
    relatives.set(core, known)
  }
  const lasts = Math.max((now - moment) / 10, SECOND_MICROS)
  const key = `${directory}\0${name}`
  let relative = known.get(key)
  if (relative === undefined || now - relative.resolved >= lasts) {
    // Where nothing happened since, the tree is the same as before: with one number the kernel
    // keeps what it knows of it.
    relative = { moment: Math.min(moment, core.moments.last), resolved: now }
    known.delete(key)
    known.set(key, relative)
    if (known.size > REMEMBERED_MAX) known.delete(known.keys().next().value ?? '')
  }
  // The kernel asks again when the name leads elsewhere, and not before.
  return { moment: relative.moment, nameMs: (relative.resolved + lasts - now) / 1000 }
}

/** What a name means, as a WHEN. `isSettled`: it will not come to mean something else. */
function meaning(
  fs: FsContext,
  reader: Reader,
  directory: number,
  name: string,
): { text: string; isSettled: boolean } {
  const { core } = fs
  const inUtc = SHORTENED.test(name) ? parseMoment(`${name}.0Z`, 0) : undefined
  if (inUtc === undefined) return { text: name, isSettled: true }
  const isListed = (moment: Moment): boolean => mayList(fs, reader, directory, moment)
  if (isListedSecond(core, directory, inUtc, isListed)) return { text: `${name}Z`, isSettled: true }
  return { text: name, isSettled: inUtc + SECOND_MICROS <= core.moments.wallOf(core.moments.last) }
}

/** A moment is listed for those who could list the directory at that moment. */
function mayList(fs: FsContext, reader: Reader, directory: number, moment: Moment): boolean {
  return mightAccess(fs, reader, directory, moment, MAY_READ)
}

function open(
  { fs, birth }: ViewContext,
  caller: Caller,
  view: View,
  name: string,
): View | undefined {
  const { core } = fs
  const reader = readerOf(caller)
  const found = resolve(fs, reader, view.directory, name)
  if (found === undefined) return undefined
  const { moment } = found
  const refused = (why: string): undefined => {
    log('info', `at/${name} shows nothing: ${why}`)
  }
  if (moment > core.moments.now()) return refused('it is in the future')
  if (moment < birth) return refused('the vault is younger, or prune let it go')
  if (inodeAt(core, view.directory, moment) === undefined)
    return refused('the directory did not exist then, or prune let it go')
  if (!mightEnter(fs, reader, view.directory, moment)) fail(EACCES)
  return rootedAt(fs, view, name, found)
}

function rootedAt(fs: FsContext, { directory, number }: View, name: string, found: Resolved): View {
  const { moment } = found
  const nameMs = wasOpen(fs, directory, moment) ? found.nameMs : 0
  const key = `at\0${directory}\0${name}\0${moment}`
  const tree = createPastTree(key, { moment, directory, root: directory, nameMs })
  return pastView(tree, directory, DT_DIR, number, name)
}

export const atKind: ViewKind = {
  // What names mean changes with the clock, too.
  tick: ({ fs, ticks }) => ticks.events() + fs.core.moments.steps.rows.length,
  attributes: (context, view) => directoryAttributes(context, view, false),
  isCommon: ({ fs }, { directory }) => wasAlwaysOpen(fs, directory),
  lookup: (context, caller, view, name) => open(context, caller, view, name),
  *list({ fs }, caller, view): Generator<ViewEntry | Fault> {
    const reader = readerOf(caller)
    const isOpen = yield* waiting(() => wasAlwaysOpen(fs, view.directory))
    const moments = yield* waiting(() => listedMoments(fs.core, view.directory))
    for (const moment of moments) {
      // Prune may have left changes at moments of which the directory itself has no state any more.
      const isThere = (): boolean => inodeAt(fs.core, view.directory, moment) !== undefined
      if (!(yield* waiting(isThere))) continue
      const isShown = (): boolean => isOpen || mayList(fs, reader, view.directory, moment)
      if (!(yield* waiting(isShown))) continue
      const name = nameOfMoment(fs.core.moments, moment)
      const resolved = { moment, nameMs: undefined }
      const node = yield* waiting(() => rootedAt(fs, view, name, resolved))
      yield { name, type: DT_DIR, view: node }
    }
  },
}
