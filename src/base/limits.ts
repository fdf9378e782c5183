// Every limit of avfs, with its reason.

export const KIB = 1024
export const MIB = 1024 * KIB

/**
 * Content is cut at multiples of this: large enough for compression and throughput, small enough to
 * be read again for 4 KiB.
 */
export const CHUNK_BYTES = 128 * 1024
/**
 * Pieces up to this size are stored in their extent row: below it, a block of its own costs more
 * than deduplication saves. Three rows of this size fit a page of SQLite.
 */
export const INLINE_BYTES_MAX = 5 * 1024
/** NAME_MAX of Linux. */
export const NAME_BYTES_MAX = 255
/**
 * A held path is part of a key, and LMDB's keys have at most 1,978 bytes; PATH_MAX is too long for
 * that engine.
 */
export const HOLD_BYTES_MAX = 1900
/**
 * A label is part of a key, too. Desktops use paths as labels, which are longer than a file name.
 */
export const TAG_BYTES_MAX = 1024
/** PATH_MAX - 1: the longest path that a system call accepts. */
export const PATH_BYTES_MAX = 4095
/** The longest target of a symlink, likewise. */
export const SYMLINK_BYTES_MAX = 4095
/** XATTR_NAME_MAX, XATTR_SIZE_MAX and XATTR_LIST_MAX of xattr(7). */
export const XATTR_NAME_BYTES_MAX = 255
export const XATTR_VALUE_BYTES_MAX = 65536
export const XATTR_LIST_BYTES_MAX = 65536
/** Offsets are doubles: integers are exact up to here (8 PiB - 1). */
export const FILE_BYTES_MAX = Number.MAX_SAFE_INTEGER
/** Link counts beyond this are EMLINK; ext4's is 65,000. */
export const LINK_COUNT_MAX = 65000
/** The largest WRITE and READ that the kernel is asked to send: 256 pages. */
export const REQUEST_BYTES_MAX = 1024 * 1024
/**
 * The last moment. PROVISIONAL, the moment of unsealed changes, lies beyond it, and counting on
 * from here must never reach that.
 */
export const MOMENT_MAX = 2 ** 53 - 2 ** 45
/**
 * Things counted one by one (versions, attributes, actors) never reach this; the range left above
 * it is as large again.
 */
export const COUNT_MAX = 2 ** 52
