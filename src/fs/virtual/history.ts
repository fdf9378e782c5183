// history.json: what changed in the directory, newest first.

import { historyOf } from '../../vault/changes.ts'
import { formatMoment } from '../../vault/when.ts'
import type { Caller } from '../operations.ts'
import { jsonFile } from './computed.ts'
import type { View, Views } from './view.ts'

const EVENTS_MAX = 1000

export function historyFile({ fs }: Views, caller: Caller, up: View): View {
  const events = historyOf(fs.core, up.directory, EVENTS_MAX).map(
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

function textOf(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8')
}
