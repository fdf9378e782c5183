// The index beside an import: it follows what comes while that is in memory and another processor
// is free. Where the vault is not mounted nobody else keeps the index, so an import of some size
// opens it, and stays until it has taken in all; but no longer than the import itself took: what is
// left then is for the next that opens the vault.

import type { Searcher } from '../../search/searcher.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import { StoreError } from '../../store/store.ts'
import { configured } from '../../vault/core/configuration.ts'
import type { Vault } from '../../vault/vault.ts'
import type { Call } from './method.ts'

/** What is smaller is in a vault before its index is open. */
const BYTES_MIN = 1024 * 1024
/** Waited for in any case. */
const WAIT_MS_MIN = 10_000

interface IndexBeside {
  /** So many bytes are being imported. */
  took(bytes: number): void
  /** All of it is durable: resolves when the index has it too, or it took too long. */
  caughtUp(): Promise<void>
  /** Must be called in the end. */
  end(): void
}

/** Begins nothing yet, but keeps in mind what comes. */
export async function indexBeside(
  vault: Vault,
  call: Pick<Call, 'kernel' | 'searcher' | 'isGone'>,
): Promise<IndexBeside | undefined> {
  const { core } = vault
  if (!(await retryUntilLoaded(() => configured(core, 'search') === 'on'))) return undefined
  const isAlone = call.kernel === undefined
  const began = performance.now()
  let bytes = 0
  let searcher: Searcher | undefined
  let ease = (): void => {}
  if (isAlone) core.changed.keep()
  return {
    took(more) {
      bytes += more
      if (searcher !== undefined || bytes < BYTES_MIN) return
      searcher = call.searcher()
      ease = searcher.hurry()
    },
    async caughtUp() {
      if (searcher === undefined || !isAlone) return
      try {
        await searcher.refresh(
          Math.max(performance.now() - began, WAIT_MS_MIN),
          undefined,
          call.isGone,
        )
      } catch (error) {
        // Whatever is amiss with the index is no matter of the import.
        if (!(error instanceof StoreError)) throw error
      }
    },
    end: () => ease(),
  }
}
