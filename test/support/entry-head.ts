// The head of a record as an export sends it, for tests that make records themselves: a directory,
// from which other heads are made.

import { type EntryHead, plainHead } from '../../src/archive/records.ts'

const own = { id: 1, mode: 0o040755, mtimeNs: 1, atimeNs: 2, key: 'k' }

export const directoryHead: EntryHead = { ...plainHead(1_700_000_000), ...own }
