// What callers may ask of fallocate(2), lseek(2) and renameat2(2), by the kernel's names.

export const KEEP_SIZE = 0x01
export const PUNCH_HOLE = 0x02
export const ZERO_RANGE = 0x10
export const SEEK_DATA = 3
export const SEEK_HOLE = 4
export const RENAME_WHITEOUT = 4
