// THE table: a row for every opcode up to protocol 7.41, with the kernel's name, the struct that a request begins with, how
// many names follow it, the struct that a reply begins with, and a handler that reads the request, calls the operation and
// encodes the answer. A new opcode is a new row. Decides nothing about files; when rows run and what errors mean is
// session.ts.

import { EINVAL, ENODATA, ENOSYS, ENOTTY, ENXIO, ERANGE, fail } from '../base/errno.ts'
import { REQUEST_BYTES_MAX } from '../base/limits.ts'
import type { Operations } from '../fs/operations.ts'
import * as k from './abi.ts'
import { readAttributeChange } from './attribute-change.ts'
import { forEachListed, type Listing } from './dirent.ts'
import { type Negotiated, negotiate } from './init.ts'
import * as l from './layout.ts'
import * as out from './reply.ts'
import { position, type Request, takeBytes, takeName, takeRoom, u32, u64 } from './request.ts'
import type { Struct } from './struct.ts'

/** What outlives a request: there is one a session. */
export interface Context {
  readonly listing: Listing
  /** What INIT agreed on; undefined before. */
  negotiated: Negotiated | undefined
}

/** Encodes the reply or throws. A promise delays the sending of what is encoded, and no more. */
type Handler = (
  fs: Operations,
  request: Request,
  reply: out.Reply,
  context: Context,
) => Promise<void> | undefined

export interface Row {
  readonly opcode: number
  /** The kernel's name, without FUSE_. */
  readonly name: string
  /** The struct that the arguments begin with. */
  readonly request: Struct | undefined
  /** The least bytes of arguments: the struct (or its older, shorter form), and a NUL and a byte for each name. */
  readonly requestBytesMin: number
  /** NUL-terminated names behind the struct. */
  readonly names: number
  readonly response: Struct | undefined
  /** The kernel expects no reply. */
  readonly silent: boolean
  readonly handler: Handler
  /** Gives back the lookups that a reply counted which did not arrive. */
  readonly undo: ((fs: Operations, reply: out.Reply) => void) | undefined
}

const none = undefined
const silent = 'silent'
const olderBytes = new Map<number, number>([
  [k.FUSE_INIT, l.FUSE_COMPAT_INIT_IN_SIZE / 2], // of a newer major version only the first two fields are certain
  [k.FUSE_SETXATTR, l.FUSE_COMPAT_SETXATTR_IN_SIZE],
])

function row(
  opcode: number,
  name: string,
  request: Struct | undefined,
  names: number,
  response: Struct | typeof silent | undefined,
  handler: Handler,
): Row {
  return {
    opcode,
    name,
    request,
    requestBytesMin: (olderBytes.get(opcode) ?? request?.size ?? 0) + names * 2,
    names,
    response: response === silent ? undefined : response,
    silent: response === silent,
    handler,
    undo:
      response === l.fuse_entry_out
        ? forgetEntry
        : response === l.fuse_direntplus
          ? forgetListed
          : undefined,
  }
}

function forgetEntry(fs: Operations, reply: out.Reply): void {
  const nodeid = out.getU64(reply.view, out.PAYLOAD + l.fuse_entry_out.offsets.nodeid)
  if (nodeid !== 0) fs.forget(nodeid, 1)
}

function forgetListed(fs: Operations, reply: out.Reply): void {
  forEachListed(reply, (ino) => fs.forget(ino, 1))
}

const answered: Handler = () => undefined
const refused: (errno: number) => Handler = (errno) => () => fail(errno)

const { offsets: BATCH_FORGET } = l.fuse_batch_forget_in
const { offsets: COPY } = l.fuse_copy_file_range_in
const { offsets: CREATE } = l.fuse_create_in
const { offsets: FALLOCATE } = l.fuse_fallocate_in
const { offsets: LSEEK } = l.fuse_lseek_in
const { offsets: MKDIR } = l.fuse_mkdir_in
const { offsets: MKNOD } = l.fuse_mknod_in
const { offsets: READ } = l.fuse_read_in
const { offsets: RENAME2 } = l.fuse_rename2_in
const { offsets: SETXATTR } = l.fuse_setxattr_in
const { offsets: STATFS } = l.fuse_kstatfs
const { offsets: WRITE } = l.fuse_write_in
/** The reply to COPY_FILE_RANGE holds 32 bits. */
const COPY_BYTES_MAX = 0xfffff000

const rows: readonly Row[] = [
  row(k.FUSE_LOOKUP, 'LOOKUP', none, 1, l.fuse_entry_out, (fs, request, reply) => {
    out.putEntry(reply, fs.lookup(request.caller, request.nodeid, takeName(request)))
  }),
  row(k.FUSE_FORGET, 'FORGET', l.fuse_forget_in, 0, silent, (fs, request) => {
    fs.forget(request.nodeid, u64(request, l.fuse_forget_in.offsets.nlookup))
  }),
  row(k.FUSE_BATCH_FORGET, 'BATCH_FORGET', l.fuse_batch_forget_in, 0, silent, (fs, request) => {
    const { size, offsets } = l.fuse_forget_one
    const count = u32(request, BATCH_FORGET.count)
    const first = takeRoom(request, count * size)
    for (let one = first; one < first + count * size; one += size) {
      fs.forget(u64(request, one + offsets.nodeid), u64(request, one + offsets.nlookup))
    }
  }),

  row(k.FUSE_GETATTR, 'GETATTR', l.fuse_getattr_in, 0, l.fuse_attr_out, (fs, request, reply) => {
    out.putAttrOut(reply, fs.getattr(request.caller, request.nodeid))
  }),
  row(k.FUSE_STATX, 'STATX', l.fuse_statx_in, 0, l.fuse_statx_out, (fs, request, reply) => {
    out.putStatxOut(reply, fs.getattr(request.caller, request.nodeid))
  }),
  row(k.FUSE_SETATTR, 'SETATTR', l.fuse_setattr_in, 0, l.fuse_attr_out, (fs, request, reply) => {
    const change = readAttributeChange(request)
    out.putAttrOut(reply, fs.setattr(request.caller, request.nodeid, change))
  }),
  // Not sent under default_permissions, which every mount of ours has.
  row(k.FUSE_ACCESS, 'ACCESS', l.fuse_access_in, 0, none, refused(ENOSYS)),

  row(k.FUSE_READLINK, 'READLINK', none, 0, none, (fs, request, reply) => {
    out.putString(reply, fs.readlink(request.caller, request.nodeid), false)
  }),
  row(k.FUSE_SYMLINK, 'SYMLINK', none, 2, l.fuse_entry_out, (fs, request, reply) => {
    const name = takeName(request)
    out.putEntry(reply, fs.symlink(request.caller, request.nodeid, name, takeName(request)))
  }),
  row(k.FUSE_MKNOD, 'MKNOD', l.fuse_mknod_in, 1, l.fuse_entry_out, (fs, request, reply) => {
    const { caller, nodeid } = request
    const mode = u32(request, MKNOD.mode)
    const rdev = u32(request, MKNOD.rdev)
    const umask = u32(request, MKNOD.umask)
    out.putEntry(reply, fs.mknod(caller, nodeid, takeName(request), mode, rdev, umask))
  }),
  row(k.FUSE_MKDIR, 'MKDIR', l.fuse_mkdir_in, 1, l.fuse_entry_out, (fs, request, reply) => {
    const { caller, nodeid } = request
    const mode = u32(request, MKDIR.mode)
    const umask = u32(request, MKDIR.umask)
    out.putEntry(reply, fs.mkdir(caller, nodeid, takeName(request), mode, umask))
  }),
  row(k.FUSE_CREATE, 'CREATE', l.fuse_create_in, 1, l.fuse_entry_out, (fs, request, reply) => {
    const { caller, nodeid } = request
    const mode = u32(request, CREATE.mode)
    const umask = u32(request, CREATE.umask)
    const flags = u32(request, CREATE.flags)
    out.putEntry(reply, fs.create(caller, nodeid, takeName(request), mode, umask, flags))
    putOpenOut(reply, 0, k.FOPEN_KEEP_CACHE)
  }),
  // The name that comes along ("/") is the kernel's placeholder.
  row(k.FUSE_TMPFILE, 'TMPFILE', l.fuse_create_in, 1, l.fuse_entry_out, (fs, request, reply) => {
    const { caller, nodeid } = request
    const mode = u32(request, CREATE.mode)
    const umask = u32(request, CREATE.umask)
    out.putEntry(reply, fs.tmpfile(caller, nodeid, mode, umask))
    putOpenOut(reply, 0, k.FOPEN_KEEP_CACHE)
  }),
  row(k.FUSE_LINK, 'LINK', l.fuse_link_in, 1, l.fuse_entry_out, (fs, request, reply) => {
    const ino = u64(request, l.fuse_link_in.offsets.oldnodeid)
    out.putEntry(reply, fs.link(request.caller, ino, request.nodeid, takeName(request)))
  }),

  row(k.FUSE_UNLINK, 'UNLINK', none, 1, none, (fs, request) => {
    fs.unlink(request.caller, request.nodeid, takeName(request))
  }),
  row(k.FUSE_RMDIR, 'RMDIR', none, 1, none, (fs, request) => {
    fs.rmdir(request.caller, request.nodeid, takeName(request))
  }),
  row(k.FUSE_RENAME, 'RENAME', l.fuse_rename_in, 2, none, (fs, request) => {
    const newdir = u64(request, l.fuse_rename_in.offsets.newdir)
    const name = takeName(request)
    fs.rename(request.caller, request.nodeid, name, newdir, takeName(request), 0)
  }),
  row(k.FUSE_RENAME2, 'RENAME2', l.fuse_rename2_in, 2, none, (fs, request) => {
    const newdir = u64(request, RENAME2.newdir)
    const flags = u32(request, RENAME2.flags)
    const name = takeName(request)
    fs.rename(request.caller, request.nodeid, name, newdir, takeName(request), flags)
  }),

  // Refused once, OPEN is never sent again; an inode lives from LOOKUP to FORGET, so that handles would add nothing.
  row(k.FUSE_OPEN, 'OPEN', l.fuse_open_in, 0, l.fuse_open_out, (_fs, _request, reply, context) => {
    if ((context.negotiated?.flags ?? 0) & k.FUSE_NO_OPEN_SUPPORT) fail(ENOSYS)
    putOpenOut(reply, 0, k.FOPEN_KEEP_CACHE)
  }),
  row(k.FUSE_RELEASE, 'RELEASE', l.fuse_release_in, 0, none, answered),
  row(k.FUSE_READ, 'READ', l.fuse_read_in, 0, none, (fs, request, reply) => {
    const offset = u64(request, READ.offset)
    if (offset > 2 ** 63) fail(EINVAL)
    // No file reaches beyond what a double counts: an empty reply is end of file.
    if (offset > Number.MAX_SAFE_INTEGER) return
    // The kernel asks for no more, whatever a damaged request says.
    const size = Math.min(u32(request, READ.size), REQUEST_BYTES_MAX)
    reply.pieces = fs.read(request.caller, request.nodeid, offset, size, u32(request, READ.flags))
  }),
  row(k.FUSE_WRITE, 'WRITE', l.fuse_write_in, 0, l.fuse_write_out, (fs, request, reply) => {
    const { caller, nodeid } = request
    const offset = position(request, WRITE.offset)
    const size = u32(request, WRITE.size)
    const flags = u32(request, WRITE.write_flags)
    const killPrivileges = (flags & k.FUSE_WRITE_KILL_SUIDGID) !== 0
    const cached = (flags & k.FUSE_WRITE_CACHE) !== 0
    putSize(reply, size)
    return fs.write(caller, nodeid, offset, takeBytes(request, size), killPrivileges, cached)
  }),
  row(k.FUSE_FLUSH, 'FLUSH', l.fuse_flush_in, 0, none, (fs, request) => {
    fs.flush(request.caller, request.nodeid)
  }),
  row(k.FUSE_FSYNC, 'FSYNC', l.fuse_fsync_in, 0, none, (fs, request) => {
    return fs.fsync(request.caller, request.nodeid)
  }),
  row(k.FUSE_SYNCFS, 'SYNCFS', l.fuse_syncfs_in, 0, none, (fs, request) => {
    return fs.syncfs(request.caller)
  }),
  row(k.FUSE_FALLOCATE, 'FALLOCATE', l.fuse_fallocate_in, 0, none, (fs, request) => {
    const offset = position(request, FALLOCATE.offset)
    const length = position(request, FALLOCATE.length)
    fs.fallocate(request.caller, request.nodeid, offset, length, u32(request, FALLOCATE.mode))
  }),
  row(k.FUSE_LSEEK, 'LSEEK', l.fuse_lseek_in, 0, l.fuse_lseek_out, (fs, request, reply) => {
    const { caller, nodeid } = request
    const offset = u64(request, LSEEK.offset)
    if (offset > Number.MAX_SAFE_INTEGER) fail(ENXIO)
    putNumber(reply, fs.lseek(caller, nodeid, offset, u32(request, LSEEK.whence)))
  }),
  row(
    k.FUSE_COPY_FILE_RANGE,
    'COPY_FILE_RANGE',
    l.fuse_copy_file_range_in,
    0,
    l.fuse_write_out,
    (fs, request, reply) => putSize(reply, copyFileRange(fs, request, COPY_BYTES_MAX)),
  ),
  row(
    k.FUSE_COPY_FILE_RANGE_64,
    'COPY_FILE_RANGE_64',
    l.fuse_copy_file_range_in,
    0,
    l.fuse_copy_file_range_out,
    (fs, request, reply) => putNumber(reply, copyFileRange(fs, request, Number.MAX_SAFE_INTEGER)),
  ),

  row(k.FUSE_OPENDIR, 'OPENDIR', l.fuse_open_in, 0, l.fuse_open_out, (fs, request, reply) => {
    const { handle, cacheable, anew = false } = fs.opendir(request.caller, request.nodeid)
    putOpenOut(reply, handle, cacheable ? k.FOPEN_CACHE_DIR | (anew ? 0 : k.FOPEN_KEEP_CACHE) : 0)
  }),
  row(k.FUSE_READDIR, 'READDIR', l.fuse_read_in, 0, l.fuse_dirent, (fs, request, reply, context) =>
    list(fs, request, reply, context.listing, false),
  ),
  row(
    k.FUSE_READDIRPLUS,
    'READDIRPLUS',
    l.fuse_read_in,
    0,
    l.fuse_direntplus,
    (fs, request, reply, context) => list(fs, request, reply, context.listing, true),
  ),
  row(k.FUSE_RELEASEDIR, 'RELEASEDIR', l.fuse_release_in, 0, none, (fs, request) => {
    fs.releasedir(u64(request, l.fuse_release_in.offsets.fh))
  }),
  row(k.FUSE_FSYNCDIR, 'FSYNCDIR', l.fuse_fsync_in, 0, none, (fs, request) => {
    return fs.fsync(request.caller, request.nodeid)
  }),

  row(k.FUSE_GETXATTR, 'GETXATTR', l.fuse_getxattr_in, 1, none, (fs, request, reply) => {
    const sizeOnly = u32(request, l.fuse_getxattr_in.offsets.size) === 0
    const value = fs.getxattr(request.caller, request.nodeid, takeName(request), sizeOnly)
    if (value === undefined) return fail(ENODATA)
    if (fits(request, reply, value.length)) reply.pieces = [value]
  }),
  row(k.FUSE_LISTXATTR, 'LISTXATTR', l.fuse_getxattr_in, 0, none, (fs, request, reply) => {
    const names = fs.listxattr(request.caller, request.nodeid)
    const size = names.reduce((sum, name) => sum + name.length + 1, 0)
    if (fits(request, reply, size)) for (const name of names) out.putString(reply, name, true)
  }),
  row(k.FUSE_SETXATTR, 'SETXATTR', l.fuse_setxattr_in, 1, none, (fs, request, _reply, context) => {
    const { caller, nodeid } = request
    const extended = ((context.negotiated?.flags ?? 0) & k.FUSE_SETXATTR_EXT) !== 0
    if (!extended) request.cursor += l.FUSE_COMPAT_SETXATTR_IN_SIZE - l.fuse_setxattr_in.size
    const more = extended ? u32(request, SETXATTR.setxattr_flags) : 0
    const name = takeName(request)
    const value = takeBytes(request, u32(request, SETXATTR.size))
    const killSetgid = (more & k.FUSE_SETXATTR_ACL_KILL_SGID) !== 0
    fs.setxattr(caller, nodeid, name, value, u32(request, SETXATTR.flags), killSetgid)
  }),
  row(k.FUSE_REMOVEXATTR, 'REMOVEXATTR', none, 1, none, (fs, request) => {
    fs.removexattr(request.caller, request.nodeid, takeName(request))
  }),

  row(k.FUSE_STATFS, 'STATFS', none, 0, l.fuse_kstatfs, (fs, request, reply) => {
    const status = fs.statfs(request.caller)
    const offset = out.grow(reply, l.fuse_kstatfs.size)
    out.putU64(reply.view, offset + STATFS.blocks, status.blocks)
    out.putU64(reply.view, offset + STATFS.bfree, status.blocksFree)
    out.putU64(reply.view, offset + STATFS.bavail, status.blocksAvailable)
    out.putU64(reply.view, offset + STATFS.files, status.files)
    out.putU64(reply.view, offset + STATFS.ffree, status.filesFree)
    reply.view.setUint32(offset + STATFS.bsize, status.blockSize, true)
    reply.view.setUint32(offset + STATFS.namelen, status.nameMax, true)
    reply.view.setUint32(offset + STATFS.frsize, status.blockSize, true)
  }),

  row(k.FUSE_INIT, 'INIT', l.fuse_init_in, 0, l.fuse_init_out, (_fs, request, reply, context) => {
    context.negotiated = negotiate(request, reply)
  }),
  row(k.FUSE_DESTROY, 'DESTROY', none, 0, none, answered),
  // What is asked is answered at once, or has begun and cannot be taken back: there is nothing to interrupt. To answer EINTR
  // would break programs whose timers fire during a stat.
  row(k.FUSE_INTERRUPT, 'INTERRUPT', l.fuse_interrupt_in, 0, silent, answered),
  row(k.FUSE_NOTIFY_REPLY, 'NOTIFY_REPLY', none, 0, silent, answered),

  // Left to the kernel, which does them itself once it hears ENOSYS.
  row(k.FUSE_GETLK, 'GETLK', l.fuse_lk_in, 0, none, refused(ENOSYS)),
  row(k.FUSE_SETLK, 'SETLK', l.fuse_lk_in, 0, none, refused(ENOSYS)),
  row(k.FUSE_SETLKW, 'SETLKW', l.fuse_lk_in, 0, none, refused(ENOSYS)),
  row(k.FUSE_POLL, 'POLL', l.fuse_poll_in, 0, none, refused(ENOSYS)),
  row(k.FUSE_BMAP, 'BMAP', l.fuse_bmap_in, 0, none, refused(ENOSYS)),
  row(k.FUSE_SETUPMAPPING, 'SETUPMAPPING', none, 0, none, refused(ENOSYS)),
  row(k.FUSE_REMOVEMAPPING, 'REMOVEMAPPING', none, 0, none, refused(ENOSYS)),
  // No ioctl is known here: FS_IOC_GETFLAGS, FS_IOC_FSGETXATTR and their kin get what a file without flags gives them.
  row(k.FUSE_IOCTL, 'IOCTL', l.fuse_ioctl_in, 0, none, refused(ENOTTY)),
]

/** The rows by opcode; undefined where the protocol has none. */
export const operationTable: readonly (Row | undefined)[] = Array.from(
  { length: k.FUSE_OPCODES },
  (_, opcode) => rows.find((each) => each.opcode === opcode),
)

function putOpenOut(reply: out.Reply, handle: number, flags: number): void {
  const offset = out.grow(reply, l.fuse_open_out.size)
  out.putU64(reply.view, offset + l.fuse_open_out.offsets.fh, handle)
  reply.view.setUint32(offset + l.fuse_open_out.offsets.open_flags, flags, true)
}

/** fuse_write_out, which also answers COPY_FILE_RANGE, and fuse_getxattr_out: 32 bits of size. */
function putSize(reply: out.Reply, size: number): undefined {
  reply.view.setUint32(out.grow(reply, l.fuse_write_out.size), size, true)
}

/** fuse_lseek_out and fuse_copy_file_range_out: 64 bits. */
function putNumber(reply: out.Reply, value: number): undefined {
  out.putU64(reply.view, out.grow(reply, l.fuse_lseek_out.size), value)
}

/** Whether the caller's buffer takes `size` bytes; a buffer of 0 asks for the size alone. */
function fits(request: Request, reply: out.Reply, size: number): boolean {
  const room = u32(request, l.fuse_getxattr_in.offsets.size)
  if (room === 0) putSize(reply, size)
  else if (size > room) fail(ERANGE)
  return room > 0
}

function copyFileRange(fs: Operations, request: Request, lengthMax: number): number {
  if (u64(request, COPY.flags) !== 0) fail(EINVAL)
  return fs.copyFileRange(
    request.caller,
    request.nodeid,
    position(request, COPY.off_in),
    u64(request, COPY.nodeid_out),
    position(request, COPY.off_out),
    Math.min(u64(request, COPY.len), lengthMax),
  )
}

function list(
  fs: Operations,
  request: Request,
  reply: out.Reply,
  listing: Listing,
  plus: boolean,
): undefined {
  const { caller, nodeid } = request
  const cookie = position(request, READ.offset)
  listing.begin(reply, u32(request, READ.size), plus)
  try {
    fs.readdir(caller, nodeid, u64(request, READ.fh), cookie, plus, listing.take)
  } catch (error) {
    // What was taken counts lookups and must arrive; the next READDIR goes on behind it and meets the error again.
    if (reply.length === out.PAYLOAD) throw error
  }
}
