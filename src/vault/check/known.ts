// What check learns about inodes on its walk over the tree.

/** What check knows about one inode. */
export interface Known {
  readonly mode: number
  readonly nlink: number
  readonly size: number
  readonly parent: number
  readonly allocated: number
  /** The name in its own row. */
  readonly home: string
  /** How many names lead to it, how many entries it has, and how many of these are directories. */
  names: number
  entries: number
  directories: number
  isHome: boolean
  hardlinks: number
  name: string
  under: number
}
