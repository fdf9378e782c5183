// How a command ends: its exit code, and the one line on standard error that says why.

import { exitCodeOf, StoppedError } from '../control/host/stopping.ts'
import { ControlError, type ControlErrorKind, systemCode } from '../control/wire/errors.ts'
import { StoreError } from '../store/store.ts'

export const EXIT_OK = 0
export const EXIT_ERROR = 1
export const EXIT_USAGE = 2
const EXIT_NO_VAULT = 10
const EXIT_LOCKED = 11
const EXIT_ABSENT = 13
/** Nothing was found, as grep(1) has it. */
export const EXIT_NOTHING = 1
/**
 * fsck(8): errors were corrected; are left uncorrected; the check itself failed; wrong usage of it.
 */
export const EXIT_CORRECTED = 1
export const EXIT_PROBLEMS = 4
export const EXIT_CHECK_FAILED = 8
export const EXIT_CHECK_USAGE = 16

/** The command line makes no sense; exit code 2. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'UsageError'
  }
}

/** What is told about an error: `code` is the exit code, `errno` a symbol such as ENOENT. */
export interface Failure {
  readonly code: number
  readonly errno: string | null
  readonly message: string
  readonly path: string | null
}

const codes: Readonly<Record<ControlErrorKind, { code: number; errno: string | null }>> = {
  missing: { code: EXIT_NO_VAULT, errno: 'ENOENT' },
  exists: { code: EXIT_ERROR, errno: 'EEXIST' },
  locked: { code: EXIT_LOCKED, errno: 'EBUSY' },
  name: { code: EXIT_USAGE, errno: 'EINVAL' },
  absent: { code: EXIT_ABSENT, errno: 'ENOENT' },
  busy: { code: EXIT_ERROR, errno: 'EBUSY' },
  failed: { code: EXIT_ERROR, errno: null },
}

/** Describes any error that ended a command; the message is one line. */
export function failureOf(error: unknown): Failure {
  if (error instanceof UsageError) return failure(EXIT_USAGE, 'EINVAL', error.message, null)
  if (error instanceof StoppedError)
    return failure(exitCodeOf(error.signal), 'EINTR', error.message, null)
  if (error instanceof ControlError) {
    const { code, errno } = codes[error.kind]
    return failure(code, errno, error.message, error.path ?? null)
  }
  if (error instanceof StoreError && error.kind === 'locked') {
    return failure(EXIT_LOCKED, 'EBUSY', error.message, null)
  }
  if (!(error instanceof Error)) return failure(EXIT_ERROR, null, String(error), null)
  const path = 'path' in error && typeof error.path === 'string' ? error.path : null
  return failure(EXIT_ERROR, systemCode(error) ?? null, error.message, path)
}

function failure(
  code: number,
  errno: string | null,
  message: string,
  path: string | null,
): Failure {
  return { code, errno, message: message.replace(/\s*\n\s*/g, '; '), path }
}
