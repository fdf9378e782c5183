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
import type { FsContext } from '../context.ts'
import type { Caller } from '../operations.ts'
import { mightCome, mightReach, wasAlwaysOpen, wasOpen } from '../past-rights.ts'
import { MAY_READ, type Reader, readerOf } from '../reach.ts'
import { directoryAttributes } from './attributes.ts'
import { isListedSecond, listedMoments } from './listed-seconds.ts'
import { plantTree } from './past.ts'
import { pastView } from './tree.ts'
import { type Listed, type View, type ViewKind, type Views, waiting } from './view.ts'

/** The name of a listed moment, cut at whole seconds. */
const SHORTENED = /^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d$/
const REMEMBERED_MAX = 1024
/** How long a name is kept that means a local time until something happens in the second that it is in UTC. */
const UNSETTLED_MS = 1000
const SECOND_MICROS = 1e6

/** Where `10m` led to, so that it leads there for a while: a program that walks a tree meets one state of it. */
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
  // Several changes of one millisecond are ahead of the clock.
  const shown = Math.max(nowMicros(), moments.wallOf(now))
  const { text, isSettled } = meaning(fs, reader, directory, name)
  const when = parseWhen(text, shown)
  const moment = when && momentMeant(moments, when)
  if (when === undefined || moment === undefined) return undefined
  // The second that runs ends now, and is asked for again.
  if ('wall' in when && when.wall !== shown)
    return { moment, nameMs: isSettled ? undefined : UNSETTLED_MS }
  let known = relatives.get(core)
  if (known === undefined) {
    known = new Map()
    relatives.set(core, known)
  }
  const lasts = Math.max((now - moment) / 10, SECOND_MICROS)
  const key = `${directory}\0${name}`
  let its = known.get(key)
  if (its === undefined || now - its.resolved >= lasts) {
    // Where nothing happened since, the tree is the same as before: with one number the kernel keeps what it knows of it.
    its = { moment: Math.min(moment, core.moments.last), resolved: now }
    known.delete(key)
    known.set(key, its)
    if (known.size > REMEMBERED_MAX) known.delete(known.keys().next().value ?? '')
  }
  // The kernel asks again when the name leads elsewhere, and not before.
  return { moment: its.moment, nameMs: (its.resolved + lasts - now) / 1000 }
}

/** `isSettled`: the name will not come to mean something else. */
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

/** That something happened in the directory at a moment is told to whoever might list it then. */
function mayList(fs: FsContext, reader: Reader, directory: number, moment: Moment): boolean {
  return mightCome(fs, reader, directory, moment, MAY_READ)
}

function open({ fs, birth }: Views, caller: Caller, view: View, name: string): View | undefined {
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
  if (!mightReach(fs, reader, view.directory, moment)) fail(EACCES)
  return rootedAt(fs, view, name, found)
}

function rootedAt(fs: FsContext, { directory, number }: View, name: string, found: Resolved): View {
  const { moment } = found
  const nameMs = wasOpen(fs, directory, moment) ? found.nameMs : 0
  const key = `at\0${directory}\0${name}\0${moment}`
  const tree = plantTree(key, { moment, directory, root: directory, nameMs })
  return pastView(tree, directory, DT_DIR, number, name)
}

export const atKind: ViewKind = {
  // What names mean changes with the clock, too.
  tick: ({ fs, ticks }) => ticks.events() + fs.core.moments.steps.rows.length,
  attributes: (views, view) => directoryAttributes(views, view, false),
  isCommon: ({ fs }, { directory }) => wasAlwaysOpen(fs, directory),
  lookup: (views, caller, view, name) => open(views, caller, view, name),
  *list({ fs }, caller, view): Generator<Listed | Fault> {
    const reader = readerOf(caller)
    const isOpen = yield* waiting(() => wasAlwaysOpen(fs, view.directory))
    const moments = yield* waiting(() => listedMoments(fs.core, view.directory))
    for (const moment of moments) {
      // What prune left of the past begins or ends at moments of which the directory itself has no state any more.
      const isThere = (): boolean => inodeAt(fs.core, view.directory, moment) !== undefined
      if (!(yield* waiting(isThere))) continue
      const isShown = (): boolean => isOpen || mayList(fs, reader, view.directory, moment)
      if (!(yield* waiting(isShown))) continue
      const name = nameOfMoment(fs.core.moments, moment)
      const its = { moment, nameMs: undefined }
      const node = yield* waiting(() => rootedAt(fs, view, name, its))
      yield { name, type: DT_DIR, view: node }
    }
  },
}
