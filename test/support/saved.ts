// What was ever saved under a path of a vault, read from its daemon, or from the vault itself when
// nobody has it open.

import { callVault } from '../../src/control/call.ts'
import type { Parameters } from '../../src/control/methods/method.ts'
import type { MethodName } from '../../src/control/methods/method-types.ts'
import type { Piece } from '../../src/control/wire/protocol.ts'

/** The texts of all versions of a path, oldest first. */
export async function savedTexts(vaultPath: string, path: string): Promise<string[]> {
  const ask = async (method: MethodName, parameters: Parameters): Promise<Piece[]> => {
    const pieces: Piece[] = []
    const take = (piece: Piece): void => void pieces.push(piece)
    await callVault(vaultPath, method, { path, ...parameters }, () => undefined, take)
    return pieces
  }
  const texts: string[] = []
  for (const piece of (await ask('log', { limit: 0 })).reverse()) {
    if (!('item' in piece)) continue
    const { number } = piece.item as { number: number }
    const pieces = await ask('cat', { state: { version: number } })
    texts.push(Buffer.concat(pieces.filter((its) => its instanceof Uint8Array)).toString('latin1'))
  }
  return texts
}
