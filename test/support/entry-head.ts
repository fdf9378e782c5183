// The head of a record as an export sends it, for tests that make records themselves: a directory, which others are made of.

import type { EntryHead } from '../../src/archive/records.ts'

export const directoryHead: EntryHead = {
  flags: 0,
  parent: 0,
  id: 1,
  mode: 0o040755,
  uid: process.getuid?.() ?? 0,
  gid: process.getgid?.() ?? 0,
  nlink: 1,
  rdev: 0,
  size: 0,
  mtime: 1_700_000_000,
  mtimeNs: 1,
  atime: 1_700_000_000,
  atimeNs: 2,
  key: 'k',
}
