// A method run in this process, on a vault that nobody else holds: opened for as long as it takes. Apart from call.ts because of
// all that it loads.

import { Searcher } from '../search/searcher.ts'
import { openStore } from '../store/open.ts'
import { openVault } from '../vault/vault.ts'
import { thisProcess } from './caller.ts'
import { bodyOf } from './feed.ts'
import { acquireLock } from './lock.ts'
import { type MethodName, methods, type Parameters } from './methods.ts'
import type { Feed, Receive, Report } from './protocol.ts'

/** See callVault. Throws LockedError when somebody holds the vault. */
export async function callHere(
  vaultPath: string,
  name: MethodName,
  parameters: Parameters,
  report: Report,
  receive: Receive,
  feed: Feed | undefined,
): Promise<object> {
  const lock = await acquireLock(vaultPath, { mountPoint: null, socket: null })
  // Whoever reads our output may go away: then the process ends without coming back here.
  process.once('exit', lock.release)
  try {
    const { readOnly, run, runOnStore } = methods[name]
    const body = feed === undefined ? undefined : bodyOf(feed)
    // Who started this process ends it.
    const common = { body, report, send: receive, kernel: undefined, isGone: () => false }
    if (runOnStore !== undefined) {
      const store = await openStore(vaultPath, { readOnly })
      const call = { ...common, searcher: noSearcher }
      return await runOnStore(store, parameters, call).finally(() => store.close())
    }
    const vault = await openVault(vaultPath, { readOnly })
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
  } finally {
    process.off('exit', lock.release)
    lock.release()
  }
}

function noSearcher(): never {
  throw new Error('a store has no search')
}
