// What happened to a disk, in order: the interface between the file system that records it
// (recording-fs.ts) and the power cut that forgets a part of it (power-cut.ts). Inode 1 is the top
// directory. Names are byte strings.

export type NodeKind = 'file' | 'directory' | 'symlink'

/** A name of a directory that leads to an inode from now on; 0: to none. */
export interface NameChange {
  readonly parent: number
  readonly name: string
  readonly ino: number
}

export type DiskEvent =
  /** A new inode, without a name. */
  | {
      readonly kind: 'inode'
      readonly ino: number
      readonly type: NodeKind
      readonly target: string
    }
  /** Names that change in one step. */
  | { readonly kind: 'names'; readonly changes: readonly NameChange[] }
  | {
      readonly kind: 'write'
      readonly ino: number
      readonly offset: number
      readonly bytes: Uint8Array
    }
  | {
      readonly kind: 'zero'
      readonly ino: number
      readonly offset: number
      readonly length: number
    }
  | { readonly kind: 'size'; readonly ino: number; readonly size: number }
  /** fsync(2) returned for a file or a directory. */
  | { readonly kind: 'sync'; readonly ino: number }

/** An event and when it happened, in microseconds of the monotonic clock. */
export interface Recorded {
  readonly timeUs: number
  readonly event: DiskEvent
}
