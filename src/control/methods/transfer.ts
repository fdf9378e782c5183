// The methods export and import, which send a tree out of a vault or take one in as a stream of
// records (src/archive/records.ts). The caller reads or writes the other side, with its own
// permissions.

import { isDirectory } from '../../base/mode.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import type { Store } from '../../store/store.ts'
import { sealForSnapshot } from '../../vault/content/seal.ts'
import { findPath, namesOf } from '../../vault/history/paths.ts'
import { exportTree } from '../../vault/transfer/export.ts'
import { exportHistory } from '../../vault/transfer/export-history.ts'
import { importer } from '../../vault/transfer/import.ts'
import { importPlan } from '../../vault/transfer/import-plan.ts'
import type { ImportOptions } from '../../vault/transfer/import-run.ts'
import { announcer } from '../../vault/tree/announce.ts'
import type { Vault } from '../../vault/vault.ts'
import { toText } from '../wire/byte-strings.ts'
import { ControlError } from '../wire/errors.ts'
import { assertWanted } from '../wire/method-reply.ts'
import { indexBeside } from './index-beside.ts'
import type { Call, Given, Methods } from './method.ts'
import type { ItemOf, ResultOf, Wanted } from './method-types.ts'
import { bytesOf, flagOf, pathOf } from './parameters.ts'
import { isDryRun, refusing } from './refusal.ts'
import { findState, wantedOf } from './state.ts'
import { effectsTo, toldTo } from './told.ts'

export const transferMethods = {
  /**
   * {path, state, recursive, history}: sends the records of a tree, or with `history` (of the root)
   * of everything in the vault; items are {path, message} of what could not be read.
   */
  export: {
    readOnly: true,
    run: (vault, parameters, call) => {
      const path = pathOf(parameters, 'path')
      return refusing(path, () => exportPath(vault, path, parameters, call))
    },
  },
  /**
   * {path, basename, dryRun}, and records in the body: makes `path` what they describe. Items are
   * {path, message} of what was refused, and with `dryRun`, which changes nothing, {effect, path}
   * of what would be done.
   */
  import: {
    readOnly: false,
    alsoReadOnly: true,
    run: (vault, parameters, call) => {
      const path = pathOf(parameters, 'path')
      return refusing(path, () => importPath(vault, path, parameters, call))
    },
  },
} satisfies Partial<Methods>

async function exportPath(
  vault: Vault,
  path: string,
  parameters: Given<'export'>,
  { report, send }: Call<ItemOf<'export'>>,
): Promise<ResultOf<'export'>> {
  const { core } = vault
  const wanted = wantedOf(parameters, 'state')
  // An export of the present includes what programs have written so far.
  if (!vault.readOnly && Object.keys(wanted).length === 0)
    await retryUntilLoaded(() => sealForSnapshot(core))
  const state = await retryUntilLoaded(() => findState(core, path, wanted))
  const recursive = flagOf(parameters, 'recursive')
  if (isDirectory(state.row.mode) && !recursive) {
    throw new ControlError('failed', `${toText(path)} is a directory: say --recursive`)
  }
  const refused = toldTo(send)
  const problem = (below: string, message: string): void =>
    refused.tell({ path: toText(join(path, below)), message })
  const hand = (piece: Buffer): Promise<void> | void => {
    const told = refused.sent()
    return told === undefined ? send(piece) : told.then(() => send(piece))
  }
  const view = flagOf(parameters, 'history') ? await historyOf(vault, path, wanted) : undefined
  try {
    const result = await exportTree(core, state.row, state.moment, {
      recursive,
      send: hand,
      problem,
      progress: (_, bytes) => report(bytes, 0),
      beside:
        view &&
        ((parent, firstId) => exportHistory(view, { parent, firstId, send: hand, problem })),
    })
    await refused.sent()
    return { ...result, moment: core.moments.wallOf(state.moment), problems: refused.count }
  } finally {
    await view?.close()
  }
}

async function historyOf(vault: Vault, path: string, wanted: Wanted): Promise<Store> {
  if (path !== '/' || Object.keys(wanted).length > 0)
    throw new ControlError(
      'failed',
      'the history is that of the whole vault: export its root as it is now',
    )
  return await vault.view()
}

function join(path: string, below: string): string {
  return path === '/' ? below : path + below
}

async function importPath(
  vault: Vault,
  path: string,
  parameters: Given<'import'>,
  call: Call<ItemOf<'import'>>,
): Promise<ResultOf<'import'>> {
  const { body, kernel, report, send, isGone } = call
  if (body === undefined) throw new ControlError('failed', 'import wants a stream of records')
  const isPlan = isDryRun(vault, parameters)
  const { core } = vault
  const names = namesOf(path)
  const name = names.pop() ?? ''
  const parent = await retryUntilLoaded(() => findPath(core, `/${names.join('/')}`))
  if (parent === undefined || !isDirectory(parent.mode)) {
    const shown = toText(`/${names.join('/')}`)
    throw new ControlError('absent', `there is no directory ${shown}`, shown)
  }
  const announced = announcer(core, kernel)
  const refused = toldTo(send)
  const index = isPlan ? undefined : await indexBeside(vault, call)
  const options: ImportOptions = {
    parent: parent.ino,
    name,
    path: path === '/' ? '' : path,
    basename: bytesOf(parameters, 'basename'),
    isShared: kernel !== undefined || index !== undefined,
    ...announced,
    problem: (where, message) => refused.tell({ path: toText(where), message }),
    progress: (_, bytes) => report(bytes, 0),
  }
  const told = effectsTo(send)
  const work = isPlan ? importPlan(vault, options, told.heard) : importer(vault, options)
  try {
    for await (const piece of body) {
      assertWanted(isGone)
      await work.take(piece)
      index?.took(piece.length)
      await refused.sent()
      await told.sent()
    }
    const result = await work.finish()
    await refused.sent()
    await told.sent()
    await index?.caughtUp()
    const { count: problems } = refused
    return { ...result, problems, ...(isPlan ? { dryRun: true, ...told.counts } : {}) }
  } catch (error) {
    if (error instanceof RangeError) throw new ControlError('failed', error.message)
    throw error
  } finally {
    work.end()
    index?.end()
    await announced.sent()
  }
}
