// POSIX access control lists (acl(5)), set as the kernel's own binary attributes. A table of tests
// of a directory.

import type { Table } from '../support/table.ts'

// uapi/linux/posix_acl_xattr.h: version 2, then for each entry tag, permissions and id, little
// endian.
const tags = { user: 0x01, namedUser: 0x02, group: 0x04, namedGroup: 0x08, mask: 0x10, other: 0x20 }

type Entry = readonly [tag: keyof typeof tags, permissions: number, id?: number]

/** An ACL as the escaped value of a setxattr step. */
function acl(...entries: readonly Entry[]): string {
  const bytes = Buffer.alloc(4 + 8 * entries.length)
  bytes.writeUInt32LE(2, 0)
  entries.forEach(([tag, permissions, id], index) => {
    bytes.writeUInt16LE(tags[tag], 4 + 8 * index)
    bytes.writeUInt16LE(permissions, 6 + 8 * index)
    bytes.writeUInt32LE(id ?? 0xffffffff, 8 + 8 * index)
  })
  return escaped(bytes)
}

/** As print_bytes of the syscalls program writes it. */
function escaped(bytes: Buffer): string {
  return Array.from(bytes, (byte) =>
    byte > 0x20 && byte < 0x7f && byte !== 0x25
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
  ).join('')
}

const ACCESS = 'system.posix_acl_access'
const DEFAULT = 'system.posix_acl_default'

export const acls: Table = {
  'a named user gets what his entry and the mask give': (_, { script }) => {
    script(`
      open f O_CREAT,O_WRONLY 600
      setxattr f ${ACCESS} ${acl(['user', 6], ['namedUser', 6, 2000], ['group', 0], ['mask', 6], ['other', 0])} -> 0
      stat f mode -> 660
      as 2000 2000
      open f O_RDWR
    `)
    script(`
      as 2001 2001
      open f O_RDONLY -> EACCES
    `)
    script(`
      chmod f 640
      as 2000 2000
      open f O_RDONLY
      open f O_RDWR -> EACCES
    `)
  },
  'chmod sets the mask, and the entries stay': (_, { script }) => {
    const before = acl(['user', 6], ['namedUser', 7, 2000], ['group', 4], ['mask', 7], ['other', 0])
    const after = acl(['user', 7], ['namedUser', 7, 2000], ['group', 4], ['mask', 4], ['other', 1])
    script(`
      open f O_CREAT,O_WRONLY 600
      setxattr f ${ACCESS} ${before}
      getxattr f ${ACCESS} -> ${before}
      stat f mode -> 670
      chmod f 741
      getxattr f ${ACCESS} -> ${after}
      drop_caches 2
      getxattr f ${ACCESS} -> ${after}
      stat f mode -> 741
    `)
  },
  'a named group counts': (_, { script }) => {
    script(`
      open f O_CREAT,O_WRONLY 600
      setxattr f ${ACCESS} ${acl(['user', 6], ['group', 0], ['namedGroup', 4, 3000], ['mask', 4], ['other', 0])}
      as 2000 2000 3000
      open f O_RDONLY
      open f O_WRONLY -> EACCES
    `)
  },
  'an ACL that says no more than a mode is kept as the mode': (_, { script }) => {
    script(`
      open f O_CREAT,O_WRONLY 600
      setxattr f ${ACCESS} ${acl(['user', 7], ['group', 5], ['other', 1])} -> 0
      stat f mode -> 751
      getxattr f ${ACCESS} -> ENODATA
      listxattr f -> -
    `)
  },
  'a default ACL goes to new files and directories, and umask does not count': (_, { script }) => {
    const given = acl(['user', 7], ['namedUser', 6, 2000], ['group', 5], ['mask', 7], ['other', 0])
    const ofFile = acl(['user', 6], ['namedUser', 6, 2000], ['group', 5], ['mask', 6], ['other', 0])
    script(`
      mkdir d
      setxattr d ${DEFAULT} ${given} -> 0
      umask 077
      open d/f O_CREAT,O_WRONLY 666
      mkdir d/sub 777
      getxattr d/f ${ACCESS} -> ${ofFile}
      getxattr d/f ${DEFAULT} -> ENODATA|EACCES
      stat d/f mode -> 660
      getxattr d/sub ${DEFAULT} -> ${given}
      getxattr d/sub ${ACCESS} -> ${given}
      stat d/sub mode -> 770
      mknod d/p fifo 666
      getxattr d/p ${ACCESS} -> ${ofFile}
      symlink x d/l
      lstat d/l mode -> 777
      drop_caches 2
      getxattr d/f ${ACCESS} -> ${ofFile}
    `)
  },
  'umask counts where there is no default ACL': (_, { script }) => {
    script(`
      mkdir d
      setxattr d ${DEFAULT} ${acl(['user', 7], ['group', 7], ['other', 7])}
      umask 077
      open d/f O_CREAT,O_WRONLY 666
      stat d/f mode -> 666
      removexattr d ${DEFAULT} -> 0
      open d/g O_CREAT,O_WRONLY 666
      stat d/g mode -> 600
    `)
  },
  'malformed ACLs and default ACLs of files are refused': (_, { script }) => {
    script(`
      open f O_CREAT,O_WRONLY
      setxattr f ${ACCESS} junk -> EINVAL|EOPNOTSUPP
      setxattr f ${ACCESS} ${acl(['user', 7], ['group', 7])} -> EINVAL
      setxattr f ${ACCESS} ${acl(['user', 7], ['namedUser', 7, 5], ['group', 7], ['other', 0])} -> EINVAL
      setxattr f ${DEFAULT} ${acl(['user', 7], ['group', 7], ['other', 7])} -> EACCES
      getxattr f ${ACCESS} -> ENODATA
    `)
  },
  'only the owner sets an ACL': (_, { script }) => {
    script(`
      open f O_CREAT,O_WRONLY 666
      as 2000 2000
      setxattr f ${ACCESS} ${acl(['user', 7], ['group', 7], ['other', 7])} -> EPERM
    `)
  },
  'an ACL set by an owner outside the group drops setgid': (_, { script }) => {
    script(`
      open f O_CREAT,O_WRONLY
      chown f 2000 3000
      chmod f 2755
      as 2000 2000
      setxattr f ${ACCESS} ${acl(['user', 7], ['group', 5], ['other', 5])} -> 0
      stat f mode -> 755
    `)
  },
  'removing the ACL leaves the mode with the mask as the group': (_, { script }) => {
    script(`
      open f O_CREAT,O_WRONLY 600
      setxattr f ${ACCESS} ${acl(['user', 6], ['namedUser', 7, 2000], ['group', 4], ['mask', 7], ['other', 0])}
      removexattr f ${ACCESS} -> 0
      getxattr f ${ACCESS} -> ENODATA
      as 2000 2000
      open f O_RDONLY -> EACCES
    `)
  },
}
