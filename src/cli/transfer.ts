// The streams of records between commands and a vault, through its daemon or not: `export` receives one, `import` sends one.

import { recordsIn } from '../archive/records.ts'
import { callVault } from '../control/call.ts'
import type { Place } from '../control/vaults/place.ts'
import type { Feed, Piece } from '../control/wire/protocol.ts'
import type { Effects } from './effects.ts'
import type { TransferReport } from './transfer-report.ts'

export interface ImportResult {
  readonly directories: number
  readonly files: number
  readonly unchanged: number
  readonly bytes: number
}

/** Reports what the vault could not do. */
function tell(piece: Exclude<Piece, Uint8Array>, place: Place, report: TransferReport): void {
  const { path, message } = piece.item as { path: string; message: string }
  report.problem(place.show(Buffer.from(path).toString('latin1')), message)
}

/** Runs `export` and hands over each record, which may be kept. Returns the method's result. */
export async function receiveRecords(
  place: Place,
  parameters: object,
  report: TransferReport,
  take: (record: Buffer) => Promise<void> | void,
): Promise<object> {
  return await callVault(
    place.vaultPath,
    'export',
    { ...parameters },
    () => undefined,
    async (piece) => {
      if (!(piece instanceof Uint8Array)) {
        tell(piece, place, report)
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
 * Runs `import` with what `feed` sends. `basename`: what a file is called that goes into an existing directory; with `dryRun` nothing is
 * changed, and `effects` hears of what would be.
 */
export async function sendRecords(
  place: Place,
  parameters: { readonly basename: string; readonly dryRun: boolean },
  effects: Effects,
  feed: Feed,
  report: TransferReport,
): Promise<ImportResult> {
  const result = await callVault(
    place.vaultPath,
    'import',
    { ...parameters, path: place.path },
    () => undefined,
    (piece) => {
      if (piece instanceof Uint8Array || effects.receive(piece)) return
      tell(piece, place, report)
    },
    feed,
  )
  return result as ImportResult
}
