// One exchange for each operation of the FUSE protocol, byte by byte: what the kernel sends, which
// call that must become, and what must be returned. Written from linux/fuse.h, not from src/fuse.

import type { Node } from '../../src/fs/operations.ts'
import { name, reply, request, text, u16, u32, u64 } from './fuse-wire.ts'

/** A node with another value in every field, born before 1970. */
export const sample: Node = {
  ino: 0x1_0000_0005,
  mode: 0o100644,
  nlink: 3,
  uid: 1001,
  gid: 1002,
  rdev: 0x801,
  size: 0x2_0000_0007,
  blocks: 9,
  atime: -1,
  atimeNs: 11,
  mtime: 0x1_0000_000d,
  mtimeNs: 14,
  ctime: 15,
  ctimeNs: 999_999_999,
  btime: -0x1_0000_0001,
  btimeNs: 17,
  volatile: false,
}

const attr = [
  '0500000001000000', // ino
  '0700000002000000', // size
  '0900000000000000', // blocks
  'ffffffffffffffff', // atime: one second before 1970
  '0d00000001000000', // mtime
  '0f00000000000000', // ctime
  '0b000000', // atimensec
  '0e000000', // mtimensec
  'ffc99a3b', // ctimensec
  'a4810000', // mode
  '03000000', // nlink
  'e9030000', // uid
  'ea030000', // gid
  '01080000', // rdev
  '00100000', // blksize
  '00000000', // flags
]
const day = '8051010000000000'
const entry = [
  '0500000001000000', // nodeid
  '0000000000000000', // generation
  day, // entry_valid
  day, // attr_valid
  '00000000', // entry_valid_nsec
  '00000000', // attr_valid_nsec
  ...attr,
]
const attrOut = [day, '00000000', '00000000', ...attr]
const noHandle = [u64(0), u32(2), u32(0)] // fh, open_flags: KEEP_CACHE, backing_id

export interface Golden {
  readonly request: Buffer
  /**
   * The operation and its arguments behind the caller's; none where the protocol answers by itself.
   */
  readonly call: readonly unknown[] | undefined
  /** What the operation returns. */
  readonly result?: unknown
  /** undefined: there is no reply. */
  readonly reply: string | undefined
}

const none = undefined

/** By the kernel's name. INIT has a test of its own. */
export const golden: Record<string, Golden> = {
  LOOKUP: {
    request: request(1, 1, name('a\xe9\xff')),
    call: ['lookup', 1, 'a\xe9\xff'],
    result: sample,
    reply: reply(0, ...entry),
  },
  FORGET: { request: request(2, 5, u64(3)), call: ['forget', 5, 3], reply: none },
  GETATTR: {
    request: request(3, 5, u32(0), u32(0), u64(0)),
    call: ['getattr', 5],
    result: sample,
    reply: reply(0, ...attrOut),
  },
  SETATTR: {
    request: request(
      4,
      5,
      u32(0b1100_0011_1111), // valid: mode, uid, gid, size, atime, mtime, ctime, kill_suidgid
      u32(0), // padding
      u64(0), // fh
      u64(0x3_0000_0001), // size
      u64(0), // lock_owner
      u64(-1), // atime
      u64(-0x1_0000_0001), // mtime
      u64(0x1_0000_0002), // ctime
      u32(1), // atimensec
      u32(2), // mtimensec
      u32(3), // ctimensec
      u32(0o100600), // mode
      u32(0), // unused4
      u32(7), // uid
      u32(8), // gid
      u32(0), // unused5
    ),
    call: [
      'setattr',
      5,
      {
        mode: 0o100600,
        uid: 7,
        gid: 8,
        size: 0x3_0000_0001,
        atime: -1,
        atimeNs: 1,
        mtime: -0x1_0000_0001,
        mtimeNs: 2,
        ctime: 0x1_0000_0002,
        ctimeNs: 3,
        killPrivileges: true,
      },
    ],
    result: sample,
    reply: reply(0, ...attrOut),
  },
  READLINK: {
    request: request(5, 5),
    call: ['readlink', 5],
    result: '../\xfe',
    reply: reply(0, '2e2e2ffe'),
  },
  SYMLINK: {
    request: request(6, 1, name('link'), name('../target')),
    call: ['symlink', 1, 'link', '../target'],
    result: sample,
    reply: reply(0, ...entry),
  },
  MKNOD: {
    request: request(8, 1, u32(0o020600), u32(0x801), u32(0o22), u32(0), name('tty')),
    call: ['mknod', 1, 'tty', 0o020600, 0x801, 0o22],
    result: sample,
    reply: reply(0, ...entry),
  },
  MKDIR: {
    request: request(9, 1, u32(0o755), u32(0o22), name('dir')),
    call: ['mkdir', 1, 'dir', 0o755, 0o22],
    result: sample,
    reply: reply(0, ...entry),
  },
  UNLINK: { request: request(10, 1, name('x')), call: ['unlink', 1, 'x'], reply: reply(0) },
  RMDIR: { request: request(11, 1, name('x')), call: ['rmdir', 1, 'x'], reply: reply(0) },
  RENAME: {
    request: request(12, 1, u64(9), name('old'), name('new')),
    call: ['rename', 1, 'old', 9, 'new', 0],
    reply: reply(0),
  },
  RENAME2: {
    request: request(45, 1, u64(9), u32(2), u32(0), name('old'), name('new')),
    call: ['rename', 1, 'old', 9, 'new', 2],
    reply: reply(0),
  },
  LINK: {
    request: request(13, 1, u64(5), name('second')),
    call: ['link', 5, 1, 'second'],
    result: sample,
    reply: reply(0, ...entry),
  },
  OPEN: { request: request(14, 5, u32(0), u32(0)), call: none, reply: reply(38) },
  READ: {
    // fh, offset, size, read_flags, lock_owner, flags, padding
    request: request(15, 5, u64(0), u64(0x1_0000_1000), u32(4096), u32(0), u64(0), u32(0), u32(0)),
    call: ['read', 5, 0x1_0000_1000, 4096, 0],
    result: [Buffer.from('ab'), Buffer.from('c')],
    reply: reply(0, '616263'),
  },
  WRITE: {
    // fh, offset, size, write_flags: kill_suidgid, lock_owner, flags, padding
    request: request(
      16,
      5,
      ...[u64(0), u64(0x1_0000_1000), u32(3), u32(4), u64(0), u32(0), u32(0)],
      text('abc'),
    ),
    call: ['write', 5, 0x1_0000_1000, Buffer.from('abc'), true, false],
    reply: reply(0, u32(3), u32(0)),
  },
  STATFS: {
    request: request(17, 1),
    call: ['statfs'],
    result: {
      blockSize: 4096,
      blocks: 0x1_0000_0001,
      blocksFree: 2,
      blocksAvailable: 3,
      files: 4,
      filesFree: 5,
      nameMax: 255,
    },
    reply: reply(
      0,
      ...[u64(0x1_0000_0001), u64(2), u64(3), u64(4), u64(5)], // blocks, bfree, bavail, files, ffree
      ...[u32(4096), u32(255), u32(4096), u32(0), '00'.repeat(24)], // bsize, namelen, frsize, padding, spare
    ),
  },
  RELEASE: {
    request: request(18, 5, u64(0), u32(0), u32(0), u64(0)),
    call: none,
    reply: reply(0),
  },
  FSYNC: {
    request: request(20, 5, u64(0), u32(1), u32(0)),
    call: ['fsync', 5],
    result: Promise.resolve(),
    reply: reply(0),
  },
  SETXATTR: {
    // size, flags: XATTR_REPLACE, setxattr_flags: ACL_KILL_SGID, padding
    request: request(21, 5, u32(3), u32(2), u32(1), u32(0), name('user.k'), text('a\0b')),
    call: ['setxattr', 5, 'user.k', Buffer.from('a\0b'), 2, true],
    reply: reply(0),
  },
  GETXATTR: {
    request: request(22, 5, u32(64), u32(0), name('user.k')),
    call: ['getxattr', 5, 'user.k', false],
    result: Buffer.from('value'),
    reply: reply(0, text('value')),
  },
  LISTXATTR: {
    request: request(23, 5, u32(64), u32(0)),
    call: ['listxattr', 5],
    result: ['user.a', 'user.b'],
    reply: reply(0, name('user.a'), name('user.b')),
  },
  REMOVEXATTR: {
    request: request(24, 5, name('user.k')),
    call: ['removexattr', 5, 'user.k'],
    reply: reply(0),
  },
  FLUSH: {
    request: request(25, 5, u64(0), u32(0), u32(0), u64(99)),
    call: ['flush', 5],
    reply: reply(0),
  },
  OPENDIR: {
    request: request(27, 1, u32(0), u32(0)),
    call: ['opendir', 1],
    result: { handle: 6, cacheable: true },
    reply: reply(0, u64(6), u32(0b1010), u32(0)), // KEEP_CACHE, CACHE_DIR
  },
  READDIR: {
    request: request(28, 1, u64(6), u64(2), u32(4096), u32(0), u64(0), u32(0), u32(0)),
    call: ['readdir', 1, 6, 2, false],
    reply: reply(
      0,
      // ino, off, namelen, type, name, padding to 8
      ...[u64(sample.ino), u64(3), u32(5), u32(8), text('abcde'), '000000'],
      ...[u64(1), u64(4), u32(2), u32(4), text('..'), '000000000000'],
    ),
  },
  READDIRPLUS: {
    request: request(44, 1, u64(6), u64(2), u32(4096), u32(0), u64(0), u32(0), u32(0)),
    call: ['readdir', 1, 6, 2, true],
    reply: reply(
      0,
      ...[...entry, u64(sample.ino), u64(3), u32(5), u32(8), text('abcde'), '000000'],
      ...['00'.repeat(128), u64(1), u64(4), u32(2), u32(4), text('..'), '000000000000'],
    ),
  },
  RELEASEDIR: {
    request: request(29, 1, u64(6), u32(0), u32(0), u64(0)),
    call: ['releasedir', 6],
    reply: reply(0),
  },
  FSYNCDIR: {
    request: request(30, 1, u64(6), u32(0), u32(0)),
    call: ['fsync', 1],
    result: Promise.resolve(),
    reply: reply(0),
  },
  GETLK: { request: request(31, 5, '00'.repeat(48)), call: none, reply: reply(38) },
  SETLK: { request: request(32, 5, '00'.repeat(48)), call: none, reply: reply(38) },
  SETLKW: { request: request(33, 5, '00'.repeat(48)), call: none, reply: reply(38) },
  ACCESS: { request: request(34, 5, u32(4), u32(0)), call: none, reply: reply(38) },
  CREATE: {
    // flags, mode, umask, open_flags
    request: request(35, 1, u32(0o301), u32(0o100666), u32(0o22), u32(0), name('new')),
    call: ['create', 1, 'new', 0o100666, 0o22, 0o301],
    result: sample,
    reply: reply(0, ...entry, ...noHandle),
  },
  INTERRUPT: { request: request(36, 0, u64(77)), call: none, reply: none },
  BMAP: { request: request(37, 5, u64(0), u32(512), u32(0)), call: none, reply: reply(38) },
  DESTROY: { request: request(38, 0), call: none, reply: reply(0) },
  IOCTL: {
    // fh, flags, cmd: FS_IOC_GETFLAGS, arg, in_size, out_size
    request: request(39, 5, u64(0), u32(0), u32(0x80086601), u64(0), u32(0), u32(8)),
    call: none,
    reply: reply(25),
  },
  POLL: {
    request: request(40, 5, u64(0), u64(1), u32(0), u32(1)),
    call: none,
    reply: reply(38),
  },
  NOTIFY_REPLY: { request: request(41, 5, '00'.repeat(40)), call: none, reply: none },
  BATCH_FORGET: {
    request: request(42, 0, u32(1), u32(0), u64(5), u64(2)),
    call: ['forget', 5, 2],
    reply: none,
  },
  FALLOCATE: {
    // fh, offset, length, mode: PUNCH_HOLE | KEEP_SIZE, padding
    request: request(43, 5, u64(0), u64(0x1_0000_0000), u64(8192), u32(3), u32(0)),
    call: ['fallocate', 5, 0x1_0000_0000, 8192, 3],
    reply: reply(0),
  },
  LSEEK: {
    request: request(46, 5, u64(0), u64(100), u32(4), u32(0)),
    call: ['lseek', 5, 100, 4],
    result: 0x1_0000_0000,
    reply: reply(0, u64(0x1_0000_0000)),
  },
  COPY_FILE_RANGE: {
    // fh_in, off_in, nodeid_out, fh_out, off_out, len, flags
    request: request(47, 5, u64(0), u64(1), u64(9), u64(0), u64(2), u64(2 ** 40), u64(0)),
    call: ['copyFileRange', 5, 1, 9, 2, 0xfffff000],
    result: 512,
    reply: reply(0, u32(512), u32(0)),
  },
  COPY_FILE_RANGE_64: {
    request: request(53, 5, u64(0), u64(1), u64(9), u64(0), u64(2), u64(2 ** 40), u64(0)),
    call: ['copyFileRange', 5, 1, 9, 2, 2 ** 40],
    result: 2 ** 40,
    reply: reply(0, u64(2 ** 40)),
  },
  SETUPMAPPING: { request: request(48, 5, '00'.repeat(40)), call: none, reply: reply(38) },
  REMOVEMAPPING: { request: request(49, 5, '00'.repeat(16)), call: none, reply: reply(38) },
  SYNCFS: {
    request: request(50, 1, u64(0)),
    call: ['syncfs'],
    result: Promise.resolve(),
    reply: reply(0),
  },
  TMPFILE: {
    request: request(51, 1, u32(0o20200002), u32(0o100600), u32(0o22), u32(0), name('/')),
    call: ['tmpfile', 1, 0o100600, 0o22],
    result: sample,
    reply: reply(0, ...entry, ...noHandle),
  },
  STATX: {
    // getattr_flags, reserved, fh, sx_flags, sx_mask
    request: request(52, 5, u32(0), u32(0), u64(0), u32(0), u32(0xfff)),
    call: ['getattr', 5],
    result: sample,
    reply: reply(
      0,
      ...[day, u32(0), u32(0), u64(0), u64(0)], // attr_valid, attr_valid_nsec, flags, spare
      ...[u32(0xfff), u32(4096), u64(0)], // mask, blksize, attributes
      ...[u32(3), u32(1001), u32(1002), u16(0o100644), u16(0)], // nlink, uid, gid, mode
      ...[u64(sample.ino), u64(sample.size), u64(9), u64(0)], // ino, size, blocks, attributes_mask
      ...[u64(-1), u32(11), u32(0)], // atime
      ...[u64(-0x1_0000_0001), u32(17), u32(0)], // btime
      ...[u64(15), u32(999_999_999), u32(0)], // ctime
      ...[u64(0x1_0000_000d), u32(14), u32(0)], // mtime
      ...[u32(8), u32(1), u32(0), u32(0), '00'.repeat(112)], // rdev, dev, spare
    ),
  },
}
