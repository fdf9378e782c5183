// A setattr that changes nothing, to which tests add what theirs changes.

import type { AttributeChange } from '../../src/fs/operations.ts'

export const noChange: AttributeChange = {
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
