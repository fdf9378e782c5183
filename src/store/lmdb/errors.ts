// LMDB's result codes as StoreError kinds. Its own codes are below -30000, errno values are above
// 0, Node's codes are names.

import { StoreError, type StoreErrorKind } from '../store.ts'

export const FULL_ADVICE = 'the disk that holds the vault is full'

const kinds: Readonly<Record<string, readonly [kind: StoreErrorKind, advice: string]>> = {
  [-30792]: ['full', 'the map of the vault cannot grow'],
  28: ['full', FULL_ADVICE],
  122: ['full', 'the quota of the disk that holds the vault is used up'],
  [-30797]: ['corrupt', 'the vault is damaged: run avfs vault check --deep'],
  [-30796]: ['corrupt', 'the vault is damaged: run avfs vault check --deep'],
  [-30793]: ['format', 'the file is no LMDB database'],
  [-30794]: ['format', 'the file was written by another LMDB'],
  [-30790]: ['busy', 'too many programs read the vault'],
  11: ['busy', 'another program holds the vault'],
  13: ['locked', 'the vault may not be read or written'],
  30: ['locked', 'the vault may not be written'],
  ENOSPC: ['full', FULL_ADVICE],
  EACCES: ['locked', 'the vault may not be read or written'],
  EROFS: ['locked', 'the vault may not be written'],
}

const NO_SPACE = /No space left on device|Disk quota exceeded/

/** The StoreError for an error of LMDB; a StoreError is returned as it is. */
export function storeError(error: unknown): StoreError {
  if (error instanceof StoreError) return error
  const { code, message } = error as { code?: unknown; message?: unknown }
  // A failed copy gives its reason only in its message.
  const known = kinds[String(code)] ?? (NO_SPACE.test(String(message)) ? kinds.ENOSPC : undefined)
  const [kind, advice] = known ?? ['io', 'the vault cannot be read or written']
  return new StoreError(kind, `${advice} (LMDB: ${String(message ?? error)})`, { cause: error })
}
