// The bits of st_mode (inode(7)) and the file types of directory entries.

export const S_IFMT = 0o170000
export const S_IFIFO = 0o010000
export const S_IFCHR = 0o020000
export const S_IFDIR = 0o040000
export const S_IFBLK = 0o060000
export const S_IFREG = 0o100000
export const S_IFLNK = 0o120000
export const S_IFSOCK = 0o140000
export const S_ISUID = 0o4000
export const S_ISGID = 0o2000
export const S_ISVTX = 0o1000
export const S_IXGRP = 0o010

const KNOWN_TYPES: ReadonlySet<number> = new Set([
  S_IFIFO,
  S_IFCHR,
  S_IFDIR,
  S_IFBLK,
  S_IFREG,
  S_IFLNK,
  S_IFSOCK,
])

/** mode >> 12, the DT_* of readdir(3). */
export type FileType = number

export const DT_DIR = 4
export const DT_REG = 8
export const DT_LNK = 10

/** The DT_* of a mode. */
export function fileType(mode: number): FileType {
  return (mode & S_IFMT) >>> 12
}

export function isDirectory(mode: number): boolean {
  return (mode & S_IFMT) === S_IFDIR
}

export function isRegular(mode: number): boolean {
  return (mode & S_IFMT) === S_IFREG
}

export function isSymlink(mode: number): boolean {
  return (mode & S_IFMT) === S_IFLNK
}

/** Whether a mode has an existing file type. */
export function isKnownType(mode: number): boolean {
  return KNOWN_TYPES.has(mode & S_IFMT)
}
