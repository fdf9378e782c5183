// The error numbers of Linux and the one error class that carries them to the kernel.
// Stands below everything: whoever refuses an operation throws FsError, the session turns it into a reply.

/** Linux errno values (asm-generic/errno-base.h, errno.h) that avfs answers with. */
export const EPERM = 1
export const ENOENT = 2
export const EINTR = 4
export const EIO = 5
export const ENXIO = 6
export const E2BIG = 7
export const EBADF = 9
export const EAGAIN = 11
export const ENOMEM = 12
export const EACCES = 13
export const EBUSY = 16
export const EEXIST = 17
export const EXDEV = 18
export const ENODEV = 19
export const ENOTDIR = 20
export const EISDIR = 21
export const EINVAL = 22
export const ENFILE = 23
export const EMFILE = 24
export const ENOTTY = 25
export const EFBIG = 27
export const ENOSPC = 28
export const EROFS = 30
export const EMLINK = 31
export const ERANGE = 34
export const ENAMETOOLONG = 36
export const ENOSYS = 38
export const ENOTEMPTY = 39
export const ELOOP = 40
export const ENODATA = 61
export const EPROTO = 71
export const EOPNOTSUPP = 95
export const ENOTCONN = 107
export const ESTALE = 116
export const EDQUOT = 122

const names: Record<number, string> = {
  [EPERM]: 'EPERM',
  [ENOENT]: 'ENOENT',
  [EINTR]: 'EINTR',
  [EIO]: 'EIO',
  [ENXIO]: 'ENXIO',
  [E2BIG]: 'E2BIG',
  [EBADF]: 'EBADF',
  [EAGAIN]: 'EAGAIN',
  [ENOMEM]: 'ENOMEM',
  [EACCES]: 'EACCES',
  [EBUSY]: 'EBUSY',
  [EEXIST]: 'EEXIST',
  [EXDEV]: 'EXDEV',
  [ENODEV]: 'ENODEV',
  [ENOTDIR]: 'ENOTDIR',
  [EISDIR]: 'EISDIR',
  [EINVAL]: 'EINVAL',
  [ENFILE]: 'ENFILE',
  [EMFILE]: 'EMFILE',
  [ENOTTY]: 'ENOTTY',
  [EFBIG]: 'EFBIG',
  [ENOSPC]: 'ENOSPC',
  [EROFS]: 'EROFS',
  [EMLINK]: 'EMLINK',
  [ERANGE]: 'ERANGE',
  [ENAMETOOLONG]: 'ENAMETOOLONG',
  [ENOSYS]: 'ENOSYS',
  [ENOTEMPTY]: 'ENOTEMPTY',
  [ELOOP]: 'ELOOP',
  [ENODATA]: 'ENODATA',
  [EPROTO]: 'EPROTO',
  [EOPNOTSUPP]: 'EOPNOTSUPP',
  [ENOTCONN]: 'ENOTCONN',
  [ESTALE]: 'ESTALE',
  [EDQUOT]: 'EDQUOT',
}

/** The symbol of an errno, for logs and messages: 2 -> 'ENOENT', 9999 -> 'errno 9999'. */
export function errnoName(errno: number): string {
  return names[errno] ?? `errno ${errno}`
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

/** Throws the shared FsError of an errno; shared, because a stack trace a refusal would cost more than the refusal. */
export function fail(errno: number): never {
  let error = shared.get(errno)
  if (error === undefined) {
    error = new FsError(errno)
    shared.set(errno, error)
  }
  throw error
}
