// Runs a method in this process, on a vault that nobody else has open; the vault is opened for the
// duration of the call. Separate from call.ts because of everything that it loads.

import { Searcher } from '../search/searcher.ts'
import { openStore } from '../store/open.ts'
import { isWritablePlace } from '../store/read-only-place.ts'
import { openVault } from '../vault/vault.ts'
import { endable, stoppable } from './host/stopping.ts'
import type { Method } from './methods/method.ts'
import type { ItemOf, MethodName, ParametersOf, ResultOf } from './methods/method-types.ts'
import { methods } from './methods/methods.ts'
import { assertWritablePlace, MEND, namingDamaged } from './methods/refusal.ts'
import { keeperOf } from './vaults/keeper.ts'
import { acquireLock } from './vaults/lock.ts'
import { thisProcess } from './wire/caller.ts'
import { bodyOf } from './wire/feed.ts'
import { GoneError } from './wire/method-reply.ts'
import type { Feed, Piece, Receive, Report } from './wire/protocol.ts'

const LEFT = 'what was done until then is whole, and stays'

/**
 * See callVault. Throws LockedError if the vault is held, StoppedError if a signal ended the call
 * early.
 */
export function callHere<N extends MethodName>(
  vaultPath: string,
  name: N,
  parameters: ParametersOf<N>,
  report: Report,
  receive: Receive<ItemOf<N>>,
  feed: Feed | undefined,
): Promise<ResultOf<N>> {
  const call = (isGone: () => boolean): Promise<ResultOf<N>> =>
    runHere(vaultPath, name, parameters, report, receive, feed, isGone)
  // A method that only reads can be ended anywhere.
  if (methods[name].readOnly) return endable(() => call(() => false))
  return stoppable(LEFT, async ({ isStopped, assertGoing }) => {
    try {
      return await call(isStopped)
    } catch (error) {
      if (error instanceof GoneError) assertGoing()
      throw error
    }
  })
}

async function runHere<N extends MethodName>(
  vaultPath: string,
  name: N,
  parameters: ParametersOf<N>,
  report: Report,
  receive: Receive<ItemOf<N>>,
  feed: Feed | undefined,
  isGone: () => boolean,
): Promise<ResultOf<N>> {
  const lock = await acquireLock(vaultPath, { mountPoint: null, socket: null })
  // The process may exit without returning here.
  process.once('exit', lock.release)
  try {
    const { readOnly, alsoReadOnly, run, runOnStore }: Method<N> = methods[name]
    const body = feed === undefined ? undefined : bodyOf(feed)
    const send = async (piece: Piece<ItemOf<N>>): Promise<void> => receive(piece)
    const common = { body, report, send, kernel: undefined, isGone }
    if (runOnStore !== undefined) {
      const store = await openStore(vaultPath, { readOnly })
      const call = { ...common, searcher: noSearcher }
      return await runOnStore(store, parameters, call).finally(() => store.close())
    }
    const looksOnly = readOnly || (alsoReadOnly === true && !isWritablePlace(vaultPath))
    if (!looksOnly) assertWritablePlace(vaultPath)
    const vault = await openVault(vaultPath, {
      readOnly: looksOnly,
      keeper: keeperOf(vaultPath, lock),
    })
    vault.core.actors.actAs(thisProcess())
    let opened: Searcher | undefined
    const searcher = (): Searcher => {
      opened ??= Searcher.start(vault, false)
      return opened
    }
    try {
      return await run(vault, parameters, { ...common, searcher })
    } finally {
      await opened?.close()
      await vault.close()
    }
  } catch (error) {
    throw namingDamaged(vaultPath, MEND, error)
  } finally {
    process.off('exit', lock.release)
    lock.release()
  }
}

function noSearcher(): never {
  throw new Error('a store has no search')
}
