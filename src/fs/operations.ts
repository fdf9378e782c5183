// The contract between the kernel protocol (src/fuse, which calls) and the POSIX meaning (src/fs,
// which answers). Types only. Operations are named after their syscall; words of the kernel's wire
// format stay in src/fuse.
//
// Names, symlink targets and xattr names are byte strings: one char (0..255) a byte, exactly as the
// kernel sent them. Refusals are thrown as FsError; a bug is any other throw and is answered EIO by
// the session. All calls are synchronous and atomic, but for those that return a promise.

/**
 * Who asks: ids of the calling process, 0 when the kernel asks for itself (writeback). The object
 * is reused between requests.
 */
export interface Caller {
  uid: number
  gid: number
  pid: number
}

/**
 * What stat(2) tells of an inode. Times are whole seconds since 1970 (may be negative) and
 * 0..999999999 ns.
 */
export interface Attributes {
  readonly ino: number
  readonly mode: number
  readonly nlink: number
  readonly uid: number
  readonly gid: number
  readonly rdev: number
  readonly size: number
  readonly atime: number
  readonly atimeNs: number
  readonly mtime: number
  readonly mtimeNs: number
  readonly ctime: number
  readonly ctimeNs: number
  readonly btime: number
  readonly btimeNs: number
}

/**
 * An inode as a name or a number leads to it. `blocks` counts 512-byte units. The kernel caches
 * this without limit, as changes are announced. Not so `volatile` nodes (computed views): their
 * attributes are good for `nameMs`, or not beyond the call. `nameMs` is how long the way by name is
 * good, if not for ever.
 */
export interface Node extends Attributes {
  readonly blocks: number
  readonly volatile: boolean
  readonly nameMs?: number | undefined
}

/** What setattr changes; undefined leaves a field alone. The object is reused between requests. */
export interface AttributeChange {
  mode: number | undefined
  uid: number | undefined
  gid: number | undefined
  size: number | undefined
  atime: number | undefined
  atimeNs: number
  mtime: number | undefined
  mtimeNs: number
  ctime: number | undefined
  ctimeNs: number
  /** FATTR_KILL_SUIDGID: the caller may not keep setuid/setgid through this truncation. */
  killPrivileges: boolean
}

/** statfs(2); sizes in units of blockSize bytes. */
export interface FileSystemStatus {
  blockSize: number
  blocks: number
  blocksFree: number
  blocksAvailable: number
  files: number
  filesFree: number
  nameMax: number
}

/**
 * Takes one directory entry into the listing; false when it did not fit (the entry was not taken).
 * `cookie` is the position after this entry, opaque to the caller, > 0. `type` is mode >> 12
 * (DT_*). `node` is given in a readdirplus for every name but . and .., and counts as one lookup of
 * it if taken.
 */
export type TakeEntry = (
  name: string,
  ino: number,
  type: number,
  cookie: number,
  node: Node | undefined,
) => boolean

/**
 * rename(2) flags: RENAME_NOREPLACE 1, RENAME_EXCHANGE 2, RENAME_WHITEOUT 4. setxattr(2):
 * XATTR_CREATE 1, XATTR_REPLACE 2.
 */
export interface Operations {
  /**
   * undefined: no such name (cached as negative). A returned node counts one lookup, here and
   * wherever a Node is made by name.
   */
  lookup(caller: Caller, parent: number, name: string): Node | undefined
  /** Gives `count` lookups back; the last one lets an unlinked inode go. Never throws. */
  forget(ino: number, count: number): void

  getattr(caller: Caller, ino: number): Node
  setattr(caller: Caller, ino: number, change: AttributeChange): Node

  readlink(caller: Caller, ino: number): string
  /** `mode` includes the type bits; `umask` is applied by the callee unless a default ACL rules. */
  mknod(
    caller: Caller,
    parent: number,
    name: string,
    mode: number,
    rdev: number,
    umask: number,
  ): Node
  mkdir(caller: Caller, parent: number, name: string, mode: number, umask: number): Node
  symlink(caller: Caller, parent: number, name: string, target: string): Node
  /**
   * open(2) with O_CREAT of a name that the kernel holds to be missing; `flags` are open flags
   * (O_EXCL matters).
   */
  create(
    caller: Caller,
    parent: number,
    name: string,
    mode: number,
    umask: number,
    flags: number,
  ): Node
  /** O_TMPFILE: a regular file with no name and nlink 0. */
  tmpfile(caller: Caller, parent: number, mode: number, umask: number): Node
  link(caller: Caller, ino: number, parent: number, name: string): Node
  unlink(caller: Caller, parent: number, name: string): void
  rmdir(caller: Caller, parent: number, name: string): void
  rename(
    caller: Caller,
    parent: number,
    name: string,
    newParent: number,
    newName: string,
    flags: number,
  ): void

  /**
   * Bytes of [offset, offset + size) up to end of file, as pieces in order (valid until the next
   * call; [] at end of file). `flags` are those of open(2), of the descriptor that the kernel reads
   * for (O_RDONLY when left out).
   */
  read(
    caller: Caller,
    ino: number,
    offset: number,
    size: number,
    flags?: number,
  ): readonly Uint8Array[]
  /**
   * `data` is valid during the call only. `killPrivileges`: FUSE_WRITE_KILL_SUIDGID. `cached`: the
   * kernel writes back what a process wrote before, and keeps the times of that itself. Returns a
   * promise when the writer must wait for the store to keep up; the write itself is done by then.
   */
  write(
    caller: Caller,
    ino: number,
    offset: number,
    data: Uint8Array,
    killPrivileges: boolean,
    cached: boolean,
  ): Promise<void> | undefined
  /**
   * Called at each close(2) of a descriptor: what was changed is complete, and becomes a version.
   */
  flush(caller: Caller, ino: number): void
  /** fsync, fsyncdir: resolves when the inode's data and names are durable. */
  fsync(caller: Caller, ino: number): Promise<void>
  /** syncfs(2): resolves when all that was done is durable. */
  syncfs(caller: Caller): Promise<void>
  /** fallocate(2); mode bits are in flags.ts. */
  fallocate(caller: Caller, ino: number, offset: number, length: number, mode: number): void
  /**
   * lseek(2) with SEEK_DATA or SEEK_HOLE (flags.ts); ENXIO beyond the end. May throw a Fault, as
   * reads may.
   */
  lseek(caller: Caller, ino: number, offset: number, whence: number): number
  /** Returns the number of bytes copied; blocks are shared, not copied. */
  copyFileRange(
    caller: Caller,
    from: number,
    fromOffset: number,
    to: number,
    toOffset: number,
    length: number,
  ): number

  /**
   * The returned handle (> 0) goes to readdir and releasedir. `cacheable`: the kernel may keep the
   * listing; `anew`: this one, in place of what it has.
   */
  opendir(caller: Caller, ino: number): { handle: number; cacheable: boolean; anew?: boolean }
  /**
   * Lists from `cookie` (0: the beginning) until `take` says no or the end is reached; includes .
   * and ..
   */
  readdir(
    caller: Caller,
    ino: number,
    handle: number,
    cookie: number,
    plus: boolean,
    take: TakeEntry,
  ): void
  releasedir(handle: number): void

  /**
   * undefined: no such attribute (ENODATA). `sizeOnly`: the value's length is asked for, not the
   * value.
   */
  getxattr(caller: Caller, ino: number, name: string, sizeOnly: boolean): Uint8Array | undefined
  listxattr(caller: Caller, ino: number): readonly string[]
  /** `value` is valid during the call only. `killSetgid`: FUSE_SETXATTR_ACL_KILL_SGID. */
  setxattr(
    caller: Caller,
    ino: number,
    name: string,
    value: Uint8Array,
    flags: number,
    killSetgid: boolean,
  ): void
  removexattr(caller: Caller, ino: number, name: string): void

  statfs(caller: Caller): FileSystemStatus
}

/**
 * What the file system tells the kernel about changes that did not come through it. Sent later, off
 * the main thread.
 */
export interface KernelNotices {
  /**
   * Drops the cached entry `name` of directory `parent`; resolves when that is done. Nothing that a
   * request waits for may wait for it: the request may hold the directory's lock.
   */
  entryChanged(parent: number, name: string): Promise<void>
  /**
   * Drops cached attributes and data of an inode; what the kernel had not written back of it
   * arrives before this resolves.
   */
  inodeChanged(ino: number): Promise<void>
  /**
   * Drops cached attributes alone, before this returns: fit for use within an operation on the
   * inode.
   */
  attributesChanged(ino: number): void
  /**
   * Makes a file as large as it is, for a kernel that believes its own size; resolves when that is
   * done as far as it can be. Nobody may be writing to it.
   */
  sizeChanged?(ino: number): Promise<void>
  /** Resolves when the kernel has dropped everything that the notices so far named. */
  sent(): Promise<void>
}
