// flock(2) without waiting. Knows nothing of what is locked.

import { EAGAIN, EBADF, ENOSYS, EOPNOTSUPP, errnoName } from '../../base/errno.ts'
import { addon } from '../../base/native.ts'
import { ControlError } from '../wire/errors.ts'

const ENOLCK = 37
/** The errors of file systems without such locks. */
const MISSING = new Set([EBADF, ENOLCK, ENOSYS, EOPNOTSUPP])

/**
 * 'ours'; 'held' if another process holds a conflicting lock; 'none' if the file system has no
 * locks. Throws ControlError.
 */
export function flock(fd: number, kind: 'exclusive' | 'shared'): 'ours' | 'held' | 'none' {
  const result = addon().flock(fd, kind === 'exclusive' ? 1 : 0)
  if (result === 0) return 'ours'
  if (result === -EAGAIN) return 'held'
  if (MISSING.has(-result)) return 'none'
  throw new ControlError('failed', `flock: ${errnoName(-result)}`)
}
