// Messages for people about what the vault refuses.

import {
  EDQUOT,
  EEXIST,
  EINVAL,
  EIO,
  ENAMETOOLONG,
  ENOENT,
  ENOSPC,
  ENOTDIR,
  ENOTEMPTY,
  EROFS,
  FsError,
} from '../../base/errno.ts'
import { GlobError } from '../../base/glob.ts'
import { isWritablePlace } from '../../store/read-only-place.ts'
import { StoreError } from '../../store/store.ts'
import type { Vault } from '../../vault/vault.ts'
import { toText } from '../wire/byte-strings.ts'
import { ControlError, type ControlErrorKind } from '../wire/errors.ts'
import { flagOf } from './parameters.ts'

const words: Readonly<Record<number, { kind: ControlErrorKind; text: string }>> = {
  [ENOENT]: { kind: 'absent', text: 'there is no such thing in the vault' },
  [ENOTDIR]: { kind: 'failed', text: 'something in the path is not a directory' },
  [EEXIST]: { kind: 'exists', text: 'it exists already' },
  [ENOTEMPTY]: { kind: 'busy', text: 'it is not empty' },
  [EINVAL]: { kind: 'name', text: 'this is not a fit name' },
  [ENAMETOOLONG]: { kind: 'name', text: 'the name is too long' },
  [EIO]: { kind: 'failed', text: 'the content is damaged; avfs vault check --deep tells more' },
  [ENOSPC]: { kind: 'failed', text: 'no space is left for the vault' },
  [EDQUOT]: {
    kind: 'failed',
    text: 'a quota of the vault does not let it grow any more (avfs vault config shows it)',
  },
  [EROFS]: { kind: 'failed', text: 'the vault cannot be written now' },
}

/** The message for an errno. */
export function inWords(error: FsError): { kind: ControlErrorKind; text: string } {
  return words[error.errno] ?? { kind: 'failed', text: error.message }
}

/**
 * Runs `work` on the path `what`, a byte string; an FsError becomes a ControlError with a message.
 */
export async function refusing<T>(what: string, work: () => Promise<T> | T): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof FsError)) throw error
    const { kind, text } = inWords(error)
    throw new ControlError(kind, `${toText(what)}: ${text}`, toText(what), { cause: error })
  }
}

/** Parses globs; an invalid one becomes a ControlError. */
export function refusingGlobs<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof GlobError) throw new ControlError('name', error.message)
    throw error
  }
}

/** Throws ControlError if the vault is in a place where nothing can be written. */
export function assertWritablePlace(path: string): void {
  if (isWritablePlace(path)) return
  const works =
    'mount --read-only and all that only looks work there, export takes things out of it'
  throw new ControlError('failed', `${path} lies where nothing can be written: ${works}`, path)
}

/** Throws ControlError on a vault that is open for reading only. */
export function assertWritableVault(vault: Vault): void {
  if (!vault.readOnly) return
  assertWritablePlace(vault.path)
  throw new ControlError('failed', `${vault.path} is mounted read-only`)
}

/**
 * The flag dryRun, which also works on a vault that cannot be written. Without it, throws
 * ControlError on such a vault.
 */
export function isDryRun(vault: Vault, parameters: { readonly dryRun?: unknown }): boolean {
  if (flagOf(parameters, 'dryRun')) return true
  assertWritableVault(vault)
  return false
}

/**
 * Adds to an error of a damaged vault which vault it is and what to do; returns others unchanged.
 */
export function namingDamaged(path: string, advice: string, error: unknown): unknown {
  const isDamaged = error instanceof StoreError && error.kind === 'corrupt'
  if (!isDamaged || error.message.includes(path)) return error
  const message = `${path} is damaged: ${error.message}; ${advice}`
  return new StoreError('corrupt', message, { cause: error })
}

export const MEND = 'avfs vault check --deep tells more, --repair mends what can be'
