// Linux error numbers, and the error class that carries one to the kernel. The lowest layer: code
// that refuses an operation throws FsError, and the session turns it into a reply.

import { constants } from 'node:os'

/** The errno values that avfs answers with. */
export const {
  EPERM,
  ENOENT,
  EINTR,
  EIO,
  ENXIO,
  E2BIG,
  EBADF,
  EAGAIN,
  ENOMEM,
  EACCES,
  EBUSY,
  EEXIST,
  EXDEV,
  ENODEV,
  ENOTDIR,
  EISDIR,
  EINVAL,
  ENFILE,
  EMFILE,
  ENOTTY,
  EFBIG,
  ENOSPC,
  EROFS,
  EMLINK,
  ERANGE,
  ENAMETOOLONG,
  ENOSYS,
  ENOTEMPTY,
  ELOOP,
  ENODATA,
  EPROTO,
  EOPNOTSUPP,
  ENOTCONN,
  ESTALE,
  EDQUOT,
} = constants.errno

/** Where two names have one number, that of linux/errno.h. */
const names = new Map<number, string>()
for (const [name, errno] of Object.entries(constants.errno))
  if (name !== 'ENOTSUP' && name !== 'EWOULDBLOCK') names.set(errno, name)

/** The symbol of an errno, for logs and messages: 2 -> 'ENOENT', 9999 -> 'errno 9999'. */
export function errnoName(errno: number): string {
  return names.get(errno) ?? `errno ${errno}`
}

/** An operation refused with an errno for the kernel. Expected, so it is answered, not logged. */
export class FsError extends Error {
  readonly errno: number
  constructor(errno: number, message?: string) {
    super(message ?? errnoName(errno))
    this.name = 'FsError'
    this.errno = errno
  }
}

const shared = new Map<number, FsError>()

/**
 * Throws the FsError of an errno. The errors are shared, because a new stack trace for each refusal
 * would cost more than the refusal.
 */
export function fail(errno: number): never {
  let error = shared.get(errno)
  if (error === undefined) {
    error = new FsError(errno)
    shared.set(errno, error)
  }
  throw error
}
