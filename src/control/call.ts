// The only way to run a method on a vault from outside: through its daemon if one holds the vault,
// otherwise by opening it in this process for the duration of the call. Both use the same table,
// methods.ts.

import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ItemOf, MethodName, ParametersOf, ResultOf } from './methods/method-types.ts'
import { LockedError, type LockHolder, lockHolder } from './vaults/lock.ts'
import { callDaemon, NoDaemonError } from './wire/client.ts'
import type { Feed, Receive, Report } from './wire/protocol.ts'

/** How long to wait for a holder that is starting, ending, or running a short command. */
const WAIT_MS = 5_000
const RETRY_MS = 50

/**
 * Runs `method` on the vault at `vaultPath`, which must exist. `receive` gets the pieces that come
 * before the result; `feed`, called at most once, sends the method's input. Throws LockedError if
 * the holder cannot be asked.
 */
export async function callVault<N extends MethodName>(
  vaultPath: string,
  method: N,
  parameters: ParametersOf<N>,
  report: Report,
  receive: Receive<ItemOf<N>> = ignore,
  feed?: Feed,
): Promise<ResultOf<N>> {
  const deadline = performance.now() + WAIT_MS
  for (;;) {
    const holder = lockHolder(vaultPath)
    try {
      if (holder === undefined) {
        // Loaded only here: it loads the whole vault code, which a call to a daemon does not need.
        const { callHere } = await import('./call-here.ts')
        return await callHere(vaultPath, method, parameters, report, receive, feed)
      }
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

async function callHolder<N extends MethodName>(
  vaultPath: string,
  holder: LockHolder,
  method: N,
  parameters: ParametersOf<N>,
  report: Report,
  receive: Receive<ItemOf<N>>,
  feed: Feed | undefined,
): Promise<ResultOf<N>> {
  if (holder.socket === null || holder.host !== hostname()) {
    throw new LockedError(vaultPath, holder)
  }
  const { socket, pid } = holder
  return await callDaemon(socket, method, parameters, report, receive, feed, pid)
}
