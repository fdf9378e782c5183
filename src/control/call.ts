// The one way to do something with a vault from outside: through its daemon when one holds it, else by opening it here
// for as long as it takes. Both run the same row of methods.ts.

import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { Searcher } from '../search/searcher.ts'
import { openStore } from '../store/open.ts'
import { openVault } from '../vault/vault.ts'
import { thisProcess } from './caller.ts'
import { callDaemon, NoDaemonError } from './client.ts'
import { bodyOf } from './feed.ts'
import { acquireLock, LockedError, type LockHolder, lockHolder } from './lock.ts'
import { type MethodName, methods, type Parameters } from './methods.ts'
import type { Feed, Receive, Report } from './protocol.ts'

/** How long to wait for a holder that is only starting, ending or running a short command of its own. */
const WAIT_MS = 5_000
const RETRY_MS = 50

/**
 * Runs `method` on the vault at `vaultPath`, which must exist; `receive` gets what it hands over before its result, and `feed`,
 * called once at most, sends what it is to take.
 * Throws LockedError when its holder cannot be asked.
 */
export async function callVault(
  vaultPath: string,
  method: MethodName,
  parameters: Parameters,
  report: Report,
  receive: Receive = ignore,
  feed?: Feed,
): Promise<object> {
  const deadline = performance.now() + WAIT_MS
  for (;;) {
    const holder = lockHolder(vaultPath)
    try {
      if (holder === undefined)
        return await callHere(vaultPath, method, parameters, report, receive, feed)
      return await callHolder(vaultPath, holder, method, parameters, report, receive, feed)
    } catch (error) {
      const isPassing = error instanceof LockedError || error instanceof NoDaemonError
      if (!isPassing) throw error
      if (performance.now() >= deadline) {
        throw holder === undefined ? error : new LockedError(vaultPath, holder)
      }
    }
    await sleep(RETRY_MS)
  }
}

function ignore(): void {}

async function callHere(
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

async function callHolder(
  vaultPath: string,
  holder: LockHolder,
  method: MethodName,
  parameters: Parameters,
  report: Report,
  receive: Receive,
  feed: Feed | undefined,
): Promise<object> {
  if (holder.socket === null || holder.host !== hostname()) {
    throw new LockedError(vaultPath, holder)
  }
  return await callDaemon(holder.socket, method, parameters, report, receive, feed)
}
