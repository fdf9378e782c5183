// The INIT exchange: what the kernel offers, what is asked of it, and what both then hold to. A
// flag that the kernel does not offer is not asked for, so older kernels get a slower mount and no
// other difference.

import { EPROTO, fail } from '../base/errno.ts'
import { REQUEST_BYTES_MAX } from '../base/limits.ts'
import * as abi from './abi.ts'
import { FUSE_COMPAT_INIT_IN_SIZE, fuse_init_in, fuse_init_out } from './layout.ts'
import { grow, type Reply } from './reply.ts'
import { ARGUMENTS, type Request, u32 } from './request.ts'

const I = fuse_init_in.offsets
const O = fuse_init_out.offsets

/** What was agreed. */
export interface Negotiated {
  readonly major: number
  readonly minor: number
  /** The INIT flags in force (bits 0..31; none of the later ones is asked for). */
  readonly flags: number
}

/**
 * Flags asked for, and why:
 * - WRITEBACK_CACHE, BIG_WRITES, MAX_PAGES, ASYNC_READ: the kernel gathers small writes, requests
 *   are up to 1 MiB.
 * - NO_OPEN_SUPPORT: OPEN is answered ENOSYS, once, and never sent again.
 * - DO_READDIRPLUS, PARALLEL_DIROPS, CACHE_SYMLINKS, EXPLICIT_INVAL_DATA: the kernel keeps what it
 *   has seen.
 * - POSIX_ACL: it checks and caches ACLs itself; DONT_MASK goes with it, as a default ACL takes the
 *   place of the umask.
 * - HANDLE_KILLPRIV_V2, SETXATTR_EXT: it says when setuid and setgid must go, instead of asking for
 *   capabilities on each write.
 * - EXPORT_SUPPORT: handles of files (name_to_handle_at, NFS) survive the kernel's forgetting. Not
 *   asked for: ATOMIC_O_TRUNC (without OPEN the kernel would drop O_TRUNC silently), POSIX_LOCKS
 *   and FLOCK_LOCKS (the kernel keeps locks itself), NO_OPENDIR_SUPPORT (it would keep every
 *   listing for good), READDIRPLUS_AUTO (it asks for attributes with the first names only, and then
 *   for each of the others by itself), AUTO_INVAL_DATA (changes are announced), ALLOW_IDMAP, DAX, PASSTHROUGH,
 *   CREATE_SUPP_GROUP, SECURITY_CTX: nothing here would use them.
 */
const WANTED =
  abi.FUSE_ASYNC_READ |
  abi.FUSE_EXPORT_SUPPORT |
  abi.FUSE_BIG_WRITES |
  abi.FUSE_DONT_MASK |
  abi.FUSE_DO_READDIRPLUS |
  abi.FUSE_WRITEBACK_CACHE |
  abi.FUSE_NO_OPEN_SUPPORT |
  abi.FUSE_PARALLEL_DIROPS |
  abi.FUSE_POSIX_ACL |
  abi.FUSE_MAX_PAGES |
  abi.FUSE_CACHE_SYMLINKS |
  abi.FUSE_EXPLICIT_INVAL_DATA |
  abi.FUSE_HANDLE_KILLPRIV_V2 |
  abi.FUSE_SETXATTR_EXT |
  abi.FUSE_INIT_EXT

/**
 * Requests of readahead and writeback on their way: 16 MiB of them keep a writer busy, and bound
 * what waits here.
 */
const MAX_BACKGROUND = 16
const CONGESTION_THRESHOLD = 12
const PAGE_BYTES = 4096

/**
 * Room for the largest request: a WRITE of REQUEST_BYTES_MAX, and a page for what stands before it.
 */
export const REQUEST_BUFFER_BYTES = REQUEST_BYTES_MAX + PAGE_BYTES
/** Room for the largest reply that is encoded: a listing (file data are not copied). */
export const REPLY_BYTES_MAX = REQUEST_BYTES_MAX

/**
 * Answers INIT. A newer major version gets only ours, and the kernel asks again (undefined); an
 * older kernel than can be served gets EPROTO, which ends the mount.
 */
export function negotiate(request: Request, reply: Reply): Negotiated | undefined {
  const major = u32(request, I.major)
  const minor = Math.min(u32(request, I.minor), abi.FUSE_KERNEL_MINOR_VERSION)
  const offset = grow(reply, fuse_init_out.size)
  const { view } = reply
  view.setUint32(offset + O.major, abi.FUSE_KERNEL_VERSION, true)
  view.setUint32(offset + O.minor, abi.FUSE_KERNEL_MINOR_VERSION, true)
  if (major > abi.FUSE_KERNEL_VERSION) return undefined
  if (major < abi.FUSE_KERNEL_VERSION || minor < abi.FUSE_MINOR_VERSION_MIN) return fail(EPROTO)
  if (request.length < ARGUMENTS + FUSE_COMPAT_INIT_IN_SIZE) return fail(EPROTO)
  const flags = u32(request, I.flags) & WANTED
  view.setUint32(offset + O.minor, minor, true)
  view.setUint32(offset + O.max_readahead, u32(request, I.max_readahead), true)
  view.setUint32(offset + O.flags, flags, true)
  view.setUint16(offset + O.max_background, MAX_BACKGROUND, true)
  view.setUint16(offset + O.congestion_threshold, CONGESTION_THRESHOLD, true)
  view.setUint32(offset + O.max_write, REQUEST_BYTES_MAX, true)
  view.setUint32(offset + O.time_gran, 1, true)
  view.setUint16(offset + O.max_pages, REQUEST_BYTES_MAX / PAGE_BYTES, true)
  return { major, minor, flags }
}
