// Kind: at/, in which every moment has a name: WHEN leads to the directory as it was then.

import { nowMicros } from '../../base/clock.ts'
import { log } from '../../base/log.ts'
import type { Fault } from '../../store/store.ts'
import { changesOf } from '../../vault/changes.ts'
import type { Core } from '../../vault/core.ts'
import type { Moment } from '../../vault/moments.ts'
import { inodeAt } from '../../vault/timeline.ts'
import { momentMeant, nameOfMoment, parseWhen } from '../../vault/when.ts'
import { directoryAttributes } from './attributes.ts'
import { plantTree } from './past.ts'
import { pastView } from './tree.ts'
import { type Listed, type View, type ViewKind, type Views, waiting } from './view.ts'

const DIRECTORY = 4
/** The newest changes that a listing shows. */
const LISTED_MAX = 1000
const REMEMBERED_MAX = 1024
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
function resolve(core: Core, directory: number, name: string): Resolved | undefined {
  const { moments } = core
  const now = moments.now()
  // Several changes of one millisecond are ahead of the clock.
  const shown = Math.max(nowMicros(), moments.wallOf(now))
  const when = parseWhen(name, shown)
  const moment = when && momentMeant(moments, when)
  if (when === undefined || moment === undefined) return undefined
  // The second that runs ends now, and is asked for again.
  if ('wall' in when && when.wall !== shown) return { moment, nameMs: undefined }
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

function open({ fs, birth }: Views, view: View, name: string): View | undefined {
  const { core } = fs
  const found = resolve(core, view.directory, name)
  if (found === undefined) return undefined
  const { moment } = found
  const refused = (why: string): undefined => {
    log('info', `at/${name} shows nothing: ${why}`)
  }
  if (moment > core.moments.now()) return refused('it is in the future')
  if (moment < birth) return refused('the vault is younger')
  if (inodeAt(core, view.directory, moment) === undefined)
    return refused('the directory did not exist then')
  return rootedAt(view, name, found)
}

function rootedAt({ directory, number }: View, name: string, found: Resolved): View {
  const { moment, nameMs } = found
  const key = `at\0${directory}\0${name}\0${moment}`
  const tree = plantTree(key, { moment, directory, root: directory, nameMs })
  return pastView(tree, directory, DIRECTORY, number, name)
}

export const atKind: ViewKind = {
  attributes: (views, view) => directoryAttributes(views, view, false),
  lookup: (views, _caller, view, name) => open(views, view, name),
  *list({ fs }, _caller, view): Generator<Listed | Fault> {
    const moments = yield* waiting(() => [...changesOf(fs.core, view.directory, LISTED_MAX)])
    for (const moment of moments) {
      // What prune left of the past begins or ends at moments of which the directory itself has no state any more.
      const isThere = (): boolean => inodeAt(fs.core, view.directory, moment) !== undefined
      if (!(yield* waiting(isThere))) continue
      const name = nameOfMoment(fs.core.moments, moment)
      yield { name, type: DIRECTORY, view: rootedAt(view, name, { moment, nameMs: undefined }) }
    }
  },
}
