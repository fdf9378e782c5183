// The streams of records between commands and a vault, through its daemon or not: `export` receives
// one, `import` sends one.

import { recordsIn } from '../archive/records.ts'
import { callVault } from '../control/call.ts'
import type {
  Imported,
  ParametersOf,
  PathProblem,
  ResultOf,
} from '../control/methods/method-types.ts'
import type { Place } from '../control/vaults/place.ts'
import type { Feed } from '../control/wire/protocol.ts'
import type { Effects } from './effects.ts'
import type { TransferReport } from './transfer-report.ts'

/** Tells what the vault could not do. */
function tell({ path, message }: PathProblem, place: Place, report: TransferReport): void {
  report.problem(place.show(Buffer.from(path).toString('latin1')), message)
}

/** Runs `export` and hands over each record, which may be kept. Returns the method's result. */
export async function receiveRecords(
  place: Place,
  parameters: ParametersOf<'export'>,
  report: TransferReport,
  take: (record: Buffer) => Promise<void> | void,
): Promise<ResultOf<'export'>> {
  return await callVault(
    place.vaultPath,
    'export',
    parameters,
    () => undefined,
    async (piece) => {
      if (!(piece instanceof Uint8Array)) {
        tell(piece.item, place, report)
        return
      }
      let names = 0
      for (const record of recordsIn(Buffer.from(piece.buffer, piece.byteOffset, piece.length))) {
        names++
        const taken = take(record)
        if (taken !== undefined) await taken
      }
      report.count(names, piece.length)
    },
  )
}

/**
 * Runs `import` with what `feed` sends. `basename`: what a file is called that goes into an
 * existing directory; with `dryRun` nothing is changed, and `effects` hears of what would be.
 */
export async function sendRecords(
  place: Place,
  parameters: { readonly basename: string; readonly dryRun: boolean },
  effects: Effects,
  feed: Feed,
  report: TransferReport,
): Promise<Imported> {
  return await callVault(
    place.vaultPath,
    'import',
    { ...parameters, path: place.path },
    () => undefined,
    (piece) => {
      if (piece instanceof Uint8Array) return
      if ('effect' in piece.item) effects.take(piece.item)
      else tell(piece.item, place, report)
    },
    feed,
  )
}
