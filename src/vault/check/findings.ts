// What `vault check` can find: a code for each finding, by which repair.ts selects the remedy. The
// word before the dash is the kind that users see.

import type { Key } from '../../store/collections.ts'

export type FindingCode =
  | 'engine-damaged'
  | 'row-damaged'
  | 'counter-damaged'
  | 'counter-next'
  | 'counter-inodes'
  | 'counter-moment'
  | 'counter-usage'
  | 'tree-root'
  | 'tree-parent'
  | 'tree-names'
  | 'tree-reach'
  | 'tree-orphan'
  | 'entry-parent'
  | 'entry-target'
  | 'entry-type'
  | 'links-hardlink'
  | 'links-size'
  | 'links-count'
  | 'links-homes'
  | 'extent-overlap'
  | 'extent-end'
  | 'extent-chunk'
  | 'extent-checksum'
  | 'extent-allocated'
  | 'block-short'
  | 'block-codec'
  | 'block-content'
  | 'block-missing'
  | 'history-state'
  | 'history-open'
  | 'history-sealed'
  | 'history-present'
  | 'history-version'
  | 'history-extent'
  | 'history-end'
  | 'history-covered'
  | 'history-xattrs'
  | 'history-tags'
  | 'history-tag'
  | 'history-name'
  | 'history-label'
  | 'history-actor'

/** The row that a finding is about: the name of its collection, and its key. */
export interface RowAt {
  readonly collection: string
  readonly key: Key
}

/** `ino` and `at`: the inode or row that the finding is about, if there is one. */
export type Report = (code: FindingCode, message: string, ino?: number, at?: RowAt) => void

/** The kind of a finding: 'entry', 'links', 'extent', 'block', 'history' ... */
export function kindOf(code: FindingCode): string {
  return code.slice(0, code.indexOf('-'))
}
