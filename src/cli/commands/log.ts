// `avfs log`: the versions of a file, or what happened in a directory, newest first.

import type { CommandModule } from 'yargs'
import { toText } from '../../control/wire/byte-strings.ts'
import type { Actor } from '../../vault/core/actors.ts'
import { timeText } from '../../vault/core/when.ts'
import type { HistoryEvent } from '../../vault/history/changes.ts'
import type { NameVersion } from '../../vault/history/versions.ts'
import { UsageError } from '../errors.ts'
import { formatBytes, notice, printResult, table } from '../output.ts'
import { shownName } from '../terminal.ts'
import { ask, type PathArguments, placeOf, withPath } from './path-call.ts'

interface LogArguments extends PathArguments {
  limit: number
  all: boolean
}

export const logCommand: CommandModule<object, LogArguments> = {
  command: 'log <path>',
  describe: 'list the versions of a file, or what happened in a directory',
  builder: (yargs) =>
    withPath(yargs)
      .option('limit', {
        type: 'number',
        alias: 'n',
        default: 0,
        requiresArg: true,
        describe: 'no more than N, the newest [default: all]',
        defaultDescription: 'all',
      })
      .option('all', {
        type: 'boolean',
        default: false,
        describe: 'of a directory also names that lived for less than a second',
      })
      .example('$0 log ~/myproject/notes.txt -n 5', 'the last five versions')
      .example('$0 log myproject:/notes.txt', 'of a vault that need not be mounted'),
  handler: async ({ path, limit, all, json }) => {
    if (!Number.isSafeInteger(limit) || limit < 0) throw new UsageError('-n is a whole number')
    const place = await placeOf(path)
    const versions: NameVersion[] = []
    const events: HistoryEvent[] = []
    const { kind, clock } = await ask(place, 'log', { path: place.path, limit, all }, (piece) => {
      if (!('item' in piece)) return
      if ('number' in piece.item) versions.push(piece.item)
      else events.push(piece.item)
    })
    if (kind === 'file') printVersions(json === true, versions)
    else printEvents(json === true, events)
    for (const text of clock) notice(text)
  },
}

function printVersions(json: boolean, versions: readonly NameVersion[]): void {
  const rows = versions.map(({ number, moment, size, mode, uid, gid, who }) => [
    `${number}`,
    timeText(moment),
    formatBytes(size),
    (mode & 0o7777).toString(8),
    `${uid}:${gid}`,
    whoText(who),
  ])
  printResult(
    json,
    versions.map(({ version: _, ...version }) => ({
      ...version,
      who: whoJson(version.who),
      savedAt: iso(version.moment),
    })),
    table([['version', 'saved', 'size', 'mode', 'owner', 'who'], ...rows]),
  )
}

function printEvents(json: boolean, events: readonly HistoryEvent[]): void {
  const rows = events.map(({ moment, path, what, size, who, from }) => [
    timeText(moment),
    what,
    formatBytes(size),
    whoText(who),
    from === undefined ? shownName(path) : `${shownName(path)} (was ${shownName(from)})`,
  ])
  printResult(
    json,
    events.map((event) => ({
      ...event,
      path: toText(event.path),
      ...(event.from === undefined ? {} : { from: toText(event.from) }),
      who: whoJson(event.who),
      at: iso(event.moment),
    })),
    table([['time', 'what', 'size', 'who', 'name'], ...rows]),
  )
}

/** 'cp[4711] uid 1000'; as much as is known. */
function whoText(who: Actor | null): string {
  if (who === null) return '-'
  const pid = who.pid === 0 ? '' : `[${who.pid}]`
  return `${toText(who.command)}${pid} uid ${who.uid}`.trim()
}

function whoJson(who: Actor | null): Actor | null {
  return who && { ...who, command: toText(who.command) }
}

function iso(moment: number): string {
  return new Date(moment / 1000).toISOString()
}
