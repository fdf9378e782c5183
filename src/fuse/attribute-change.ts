// SETATTR's arguments as an AttributeChange: which fields change, and to what.

import type { AttributeChange } from '../fs/operations.ts'
import * as k from './abi.ts'
import { fuse_setattr_in } from './layout.ts'
import { position, type Request, seconds, u32 } from './request.ts'

const S = fuse_setattr_in.offsets

/** Reused: setattr keeps nothing of it. */
const change: AttributeChange = {
  mode: undefined,
  uid: undefined,
  gid: undefined,
  size: undefined,
  atime: undefined,
  atimeNs: 0,
  mtime: undefined,
  mtimeNs: 0,
  ctime: undefined,
  ctimeNs: 0,
  killPrivileges: false,
}

/**
 * Reads fuse_setattr_in into an object that is reused. Where the kernel says "now"
 * (FATTR_ATIME_NOW, FATTR_MTIME_NOW) it sends its own now along, so that is what is taken. Throws
 * EFBIG or EINVAL for a size that no file has.
 */
export function readAttributeChange(request: Request): AttributeChange {
  const valid = u32(request, S.valid)
  change.mode = valid & k.FATTR_MODE ? u32(request, S.mode) : undefined
  change.uid = valid & k.FATTR_UID ? u32(request, S.uid) : undefined
  change.gid = valid & k.FATTR_GID ? u32(request, S.gid) : undefined
  change.size = valid & k.FATTR_SIZE ? position(request, S.size) : undefined
  change.atime = valid & k.FATTR_ATIME ? seconds(request, S.atime) : undefined
  change.atimeNs = u32(request, S.atimensec)
  change.mtime = valid & k.FATTR_MTIME ? seconds(request, S.mtime) : undefined
  change.mtimeNs = u32(request, S.mtimensec)
  change.ctime = valid & k.FATTR_CTIME ? seconds(request, S.ctime) : undefined
  change.ctimeNs = u32(request, S.ctimensec)
  change.killPrivileges = (valid & k.FATTR_KILL_SUIDGID) !== 0
  return change
}
