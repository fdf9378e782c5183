// Methods on the history of a path: log, cat, restore, undelete. compare is in compare.ts.

import { isDirectory, isRegular, isSymlink } from '../../base/mode.ts'
import { retryInSlices, retryUntilLoaded } from '../../store/retry.ts'
import { clockTexts } from '../../vault/core/clock-steps.ts'
import type { Core } from '../../vault/core/core.ts'
import type { Moment } from '../../vault/core/moment.ts'
import { historyOf } from '../../vault/history/changes.ts'
import { findPath, formerDirectory, namesOf } from '../../vault/history/paths.ts'
import { wholeBefore } from '../../vault/history/removal.ts'
import { restoreParents, restoreTree } from '../../vault/history/restore.ts'
import { planParents, planRestore } from '../../vault/history/restore-plan.ts'
import type { RestoreOptions } from '../../vault/history/restore-run.ts'
import { versionsOfPath } from '../../vault/history/version-names.ts'
import type { NameVersion } from '../../vault/history/versions.ts'
import { assertName } from '../../vault/transfer/import-name.ts'
import { announcer } from '../../vault/tree/announce.ts'
import type { Vault } from '../../vault/vault.ts'
import { toText } from '../wire/byte-strings.ts'
import { ControlError } from '../wire/errors.ts'
import type { Receive } from '../wire/protocol.ts'
import { piecesOf } from './content.ts'
import type { Call, Given, Methods } from './method.ts'
import type { BroughtBack, ItemOf, PathEffect, ResultOf } from './method-types.ts'
import { countOf, flagOf, pathOf } from './parameters.ts'
import { isDryRun, refusing } from './refusal.ts'
import { type FoundState, findState, lastDeletion, wantedOf } from './state.ts'
import { effectsTo } from './told.ts'

export const historyMethods = {
  /**
   * {path, limit, all?}: items are versions of a file or events of a directory, newest first; the
   * result says which, and where the host's clock was set in between. `all` includes short-lived
   * names. Times in all methods are those that the clock showed, in microseconds since 1970.
   */
  log: {
    readOnly: true,
    run: (vault, parameters, { send }) => {
      const path = pathOf(parameters, 'path')
      const limit = countOf(parameters, 'limit')
      const all = flagOf(parameters, 'all')
      return refusing(path, () => log(vault.core, path, { limit, all }, send))
    },
  },
  /** {path, state}: sends the bytes of a file, or the target of a link. */
  cat: {
    readOnly: true,
    run: (vault, parameters, { send }) => {
      const path = pathOf(parameters, 'path')
      return refusing(path, () => cat(vault.core, path, parameters, send))
    },
  },
  /**
   * {path, state, to, removeNewer, dryRun}: restores a former state at `to` (a path; default
   * `path`). Items are {effect, path} of what stays although it was not there then, and with
   * `dryRun`, which changes nothing, of everything that would be done.
   */
  restore: {
    readOnly: false,
    alsoReadOnly: true,
    run: (vault, parameters, call) => {
      const path = pathOf(parameters, 'path')
      return refusing(path, () => restore(vault, path, parameters, call))
    },
  },
  /** {path, dryRun}: restores what was deleted under that name. Items as those of restore. */
  undelete: {
    readOnly: false,
    alsoReadOnly: true,
    run: (vault, parameters, call) => {
      const path = pathOf(parameters, 'path')
      return refusing(path, () => undelete(vault, path, parameters, call))
    },
  },
} satisfies Partial<Methods>

async function log(
  core: Core,
  path: string,
  { limit, all }: { readonly limit: number; readonly all: boolean },
  send: Receive<ItemOf<'log'>>,
): Promise<ResultOf<'log'>> {
  const { moments } = core
  let oldest = moments.last
  const shown = async (item: ItemOf<'log'>): Promise<void> => {
    oldest = Math.min(oldest, item.moment)
    await send({ item: { ...item, moment: moments.wallOf(item.moment) } })
  }
  const most = limit === 0 ? Number.MAX_SAFE_INTEGER : limit
  const { versions, directory } = await retryUntilLoaded(() => logged(core, path))
  if (versions.length > 0) {
    for (const version of versions.reverse().slice(0, most)) await shown(version)
    return { kind: 'file', clock: clockTexts(moments.steps.rows, oldest) }
  }
  if (directory === undefined) return { kind: 'file', clock: [] }
  const events = await retryInSlices(() => historyOf(core, directory, most, all))
  for (const event of events) await shown(event)
  return { kind: 'directory', clock: clockTexts(moments.steps.rows, oldest) }
}

/**
 * The versions of a file, or the directory, that a path refers to or referred to last. Throws
 * ControlError if it never referred to anything.
 */
function logged(
  core: Core,
  path: string,
): { versions: NameVersion[]; directory: number | undefined } {
  const now = findPath(core, path)
  if (now !== undefined && isDirectory(now.mode)) return { versions: [], directory: now.ino }
  const versions = versionsOfPath(core, path)
  if (versions.length > 0 || now !== undefined) return { versions, directory: undefined }
  const directory = formerDirectory(core, path)
  if (directory === undefined) findState(core, path, {})
  return { versions, directory }
}

async function cat(
  core: Core,
  path: string,
  parameters: Given<'cat'>,
  send: Receive<ItemOf<'cat'>>,
): Promise<ResultOf<'cat'>> {
  const wanted = wantedOf(parameters, 'state')
  const state = await retryUntilLoaded(() => findState(core, path, wanted))
  const { row, moment } = state
  if (!isRegular(row.mode) && !isSymlink(row.mode)) {
    const what = isDirectory(row.mode) ? 'a directory' : 'no file with content'
    throw new ControlError('failed', `${toText(path)} is ${what}`, toText(path))
  }
  for await (const piece of piecesOf(core, state)) await send(piece)
  return { size: row.size, moment: core.moments.wallOf(moment) }
}

async function restore(
  vault: Vault,
  path: string,
  parameters: Given<'restore'>,
  call: Call<PathEffect>,
): Promise<BroughtBack> {
  const dryRun = isDryRun(vault, parameters)
  const { core } = vault
  const from = await retryUntilLoaded(() => findState(core, path, wantedOf(parameters, 'state')))
  const to = await retryUntilLoaded(() =>
    parameters.to === undefined ? path : targetOf(core, pathOf(parameters, 'to'), path, from),
  )
  const removeNewer = flagOf(parameters, 'removeNewer')
  const ends = to === path ? 'itself' : 'another'
  return await bringBack(vault, from, to, { removeNewer, ends, dryRun }, call)
}

/** As in cp(1): inside an existing directory, otherwise exactly this path. */
function targetOf(core: Core, to: string, path: string, from: FoundState): string {
  const there = findPath(core, to)
  if (there === undefined || !isDirectory(there.mode) || there.ino === from.ino) return to
  return join(to, namesOf(path).at(-1) ?? '')
}

async function undelete(
  vault: Vault,
  path: string,
  parameters: Given<'undelete'>,
  call: Call<PathEffect>,
): Promise<BroughtBack> {
  const dryRun = isDryRun(vault, parameters)
  const { core } = vault
  const shown = toText(path)
  if ((await retryUntilLoaded(() => findPath(core, path))) !== undefined) {
    const hint = 'for a former state of it: avfs restore'
    throw new ControlError('exists', `${shown} is there; ${hint}`, shown)
  }
  const deleted = await retryUntilLoaded(() => lastDeletion(core, path))
  if (deleted === undefined) {
    throw new ControlError('absent', `nothing called ${shown} was deleted`, shown)
  }
  const moment = await retryUntilLoaded(() => wholeBefore(core, deleted.row))
  const to = join(`/${namesOf(path).slice(0, -1).join('/')}`, deleted.row.name)
  return await bringBack(
    vault,
    { ino: deleted.row.ino, moment },
    to,
    { removeNewer: false, ends: 'itself', dryRun, passing: deleted.isPassing },
    call,
  )
}

interface How {
  readonly removeNewer: boolean
  /** 'itself': restored to its own place, where missing parent directories are created. */
  readonly ends: 'itself' | 'another'
  readonly dryRun: boolean
  /** Also restores names that existed for less than a second. */
  readonly passing?: boolean
}

async function bringBack(
  vault: Vault,
  from: { readonly ino: number; readonly moment: Moment },
  to: string,
  how: How,
  { kernel, report, send }: Call<PathEffect>,
): Promise<BroughtBack> {
  const { core } = vault
  const announced = announcer(core, kernel)
  const told = effectsTo(send)
  let done = 0
  const options: RestoreOptions = {
    ...announced,
    removeNewer: how.removeNewer,
    passing: how.passing ?? false,
    heard(effect, path) {
      report(++done, 0)
      if (how.dryRun || effect === 'kept') told.heard(effect, path)
    },
  }
  const shown = { path: to, moment: core.moments.wallOf(from.moment) }
  try {
    if (how.dryRun) {
      const plan = { ...options, between: told.sent }
      const { parent, name } = await spotOf(core, to, how, (names) =>
        planParents(core, names, from.moment, plan),
      )
      await planRestore(core, from, { parent, name, path: to }, plan)
      await told.sent()
      return { dryRun: true, ...told.counts, ...shown }
    }
    const { parent, name } = await spotOf(core, to, how, (names) =>
      restoreParents(core, names, from.moment, options),
    )
    const result = await restoreTree(core, from, { parent, name }, options)
    await told.sent()
    const versions = await retryUntilLoaded(() => versionsOfPath(core, to))
    return { ...result, ...shown, version: versions.at(-1)?.number ?? null }
  } finally {
    await announced.sent()
  }
}

/**
 * The parent directory and name of a path. For 'itself' the parent comes from `made`, which creates
 * it if necessary.
 */
async function spotOf<P>(
  core: Core,
  to: string,
  { ends }: How,
  made: (names: readonly string[]) => Promise<P>,
): Promise<{ parent: P | number; name: string }> {
  const names = namesOf(to)
  const name = names.pop() ?? ''
  if (ends === 'another' && name !== '') assertName(name)
  const parent =
    ends === 'itself'
      ? await made(names)
      : await retryUntilLoaded(() => existingDirectory(core, names))
  return { parent, name }
}

function existingDirectory(core: Core, names: readonly string[]): number {
  const path = `/${names.join('/')}`
  const found = findPath(core, path)
  if (found !== undefined && isDirectory(found.mode)) return found.ino
  throw new ControlError('absent', `there is no directory ${toText(path)}`, toText(path))
}

function join(directory: string, name: string): string {
  return directory === '/' ? `/${name}` : `${directory}/${name}`
}
