// The error numbers of Linux and the one error class that carries them to the kernel. Stands below
// everything: whoever refuses an operation throws FsError, the session turns it into a reply.

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

/** Of two names for one number that of linux/errno.h. */
const names = new Map<number, string>()
for (const [name, errno] of Object.entries(constants.errno))
  if (name !== 'ENOTSUP' && name !== 'EWOULDBLOCK') names.set(errno, name)

/** The symbol of an errno, for logs and messages: 2 -> 'ENOENT', 9999 -> 'errno 9999'. */
export function errnoName(errno: number): string {
  return names.get(errno) ?? `errno ${errno}`
}

/** An operation refused with an errno for the kernel. Expected: it is answered, not logged. */
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
 * Throws the shared FsError of an errno; shared, because a stack trace a refusal would cost more
 * than the refusal.
 */
export function fail(errno: number): never {
  let error = shared.get(errno)
  if (error === undefined) {
    error = new FsError(errno)
    shared.set(errno, error)
  }
  throw error
}
