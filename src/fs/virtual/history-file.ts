// history.json: what changed in the directory, newest first: what its reader might have seen there
// (past-access.ts).

import { ROOT_INO } from '../../vault/core/inode.ts'
import type { Moment } from '../../vault/core/moment.ts'
import { formatMoment } from '../../vault/core/when.ts'
import { historyOf } from '../../vault/history/changes.ts'
import type { Shown } from '../../vault/history/event-search.ts'
import { keyOf, MAY_WALK, type Reader, readerOf } from '../access.ts'
import type { FsContext } from '../context.ts'
import type { Caller } from '../operations.ts'
import { mayAccessNow, mightAccess, seesAll, wasAlwaysOpen } from '../past-access.ts'
import { jsonFile } from './computed.ts'
import type { View, ViewContext } from './view.ts'

const EVENTS_MAX = 1000

export function historyFile({ fs }: ViewContext, caller: Caller, up: View): View {
  const events = historyOf(fs.core, up.directory, EVENTS_MAX, false, shownTo(fs, caller, up)).map(
    ({ moment, path, who, from, ...rest }) => ({
      time: formatMoment(fs.core.moments.wallOf(moment)),
      path: textOf(path),
      ...rest,
      ...(from === undefined ? {} : { from: textOf(from) }),
      who: who && { ...who, command: textOf(who.command) },
    }),
  )
  return jsonFile('history.json', up, caller, events)
}

function shownTo(fs: FsContext, caller: Caller, { directory }: View): Shown | undefined {
  if (seesAll(fs, caller)) return undefined
  const reader = readerOf(caller)
  const isOpen = wasAlwaysOpen(fs, directory)
  return {
    key: keyOf(reader),
    event: (moment) => isOpen || mightAccess(fs, reader, directory, moment, MAY_WALK),
    from: (parent, moment) => mayFollow(fs, reader, directory, parent, moment),
  }
}

/**
 * Whether the reader may know where a name came from: that it was there, and the path of that
 * directory.
 */
function mayFollow(
  fs: FsContext,
  reader: Reader,
  top: number,
  parent: number,
  moment: Moment,
): boolean {
  if (!mightAccess(fs, reader, parent, moment, MAY_WALK)) return false
  return parent === top || mayAccessNow(fs, reader, parent, ROOT_INO, MAY_WALK, MAY_WALK)
}

function textOf(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8')
}
