// What check knows of an inode while it walks over the tree.

/** What the walk over the tree learned of one inode. */
export interface Known {
  readonly mode: number
  readonly nlink: number
  readonly size: number
  readonly parent: number
  readonly allocated: number
  /** The name that its row says it has. */
  readonly home: string
  /** Names that lead to it, names in it, and how many of these are directories. */
  names: number
  entries: number
  directories: number
  isHome: boolean
  hardlinks: number
  name: string
  under: number
}
