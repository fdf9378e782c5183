// LevelDB's errors as StoreErrors. Its codes say little, so the message decides where needed.

import { StoreError, type StoreErrorKind } from '../store.ts'

/** The StoreError for an error of LevelDB. */
export function storeErrorOf(error: unknown): StoreError {
  if (error instanceof StoreError) return error
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  const text = cause instanceof Error ? cause.message : String(cause)
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  const kind = kindOf(code, text)
  return new StoreError(kind, messageOf(kind, text), { cause: error })
}

function kindOf(code: unknown, text: string): StoreErrorKind {
  if (code === 'LEVEL_LOCKED') return 'busy'
  if (code === 'LEVEL_CORRUPTION') return 'corrupt'
  if (code === 'LEVEL_DATABASE_NOT_OPEN') return 'closed'
  return /No space left|quota exceeded/i.test(text) ? 'full' : 'io'
}

function messageOf(kind: StoreErrorKind, text: string): string {
  if (kind === 'busy') return 'another process has the vault open'
  if (kind === 'full') return 'the disk is full'
  return text
}

/**
 * Throws 'io' if a new vault would lie among files that are not LevelDB's; the leftovers of an
 * interrupted creation are accepted.
 */
export function assertOurs(path: string, names: readonly string[]): void {
  const foreign = names.find(
    (name) => !/^(LOCK|LOG(\.old)?|MANIFEST-\d+|\d+\.(dbtmp|log))$/.test(name),
  )
  if (foreign !== undefined)
    throw new StoreError('io', `${path} is there already and holds ${foreign}`)
}
