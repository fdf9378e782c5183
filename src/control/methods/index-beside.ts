// Keeps the index up to date during an import, while the imported data are in memory and another
// processor is free. If the vault is not mounted, nothing else maintains the index, so a larger
// import opens it and waits until it has caught up, but no longer than the import itself took. The
// rest is done when the vault is opened next.

import type { Searcher } from '../../search/searcher.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import { StoreError } from '../../store/store.ts'
import { configured } from '../../vault/core/configuration.ts'
import type { Vault } from '../../vault/vault.ts'
import type { Call } from './method.ts'

/** Anything smaller is imported before the index is open. */
const BYTES_MIN = 1024 * 1024
/** The minimal time to wait. */
const WAIT_MS_MIN = 10_000

interface IndexBeside {
  /** Called with the number of bytes imported since the last call. */
  took(bytes: number): void
  /**
   * Called when everything is durable. Resolves when the index has it too, or after the time limit.
   */
  caughtUp(): Promise<void>
  /** Must be called at the end. */
  end(): void
}

/** Does not open the index yet, but records changes. Undefined if search is off. */
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
        // A failure of the index must not fail the import.
        if (!(error instanceof StoreError)) throw error
      }
    },
    end: () => ease(),
  }
}
