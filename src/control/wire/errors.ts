// Errors between a command and a vault, of kinds that the command line maps to exit codes and the
// control protocol transmits. Knows neither.

/**
 * missing: no such vault. exists: it exists already. locked: another process holds the vault. name:
 * an invalid name. busy: in use. absent: no such path, version, snapshot or tag in the vault.
 */
export type ControlErrorKind =
  | 'missing'
  | 'exists'
  | 'locked'
  | 'name'
  | 'busy'
  | 'absent'
  | 'failed'

/** A refusal for people: `message` is one line, `path` the file or directory that it is about. */
export class ControlError extends Error {
  readonly kind: ControlErrorKind
  readonly path: string | undefined
  constructor(kind: ControlErrorKind, message: string, path?: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ControlError'
    this.kind = kind
    this.path = path
  }
}

/** The code of a failed system call ('ENOENT'), or undefined for any other error. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}
