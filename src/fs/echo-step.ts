// What a process does in the mount so that those who watch it hear of changes that were made below
// the kernel; see echo.ts.

/**
 * Steps, and where: `source` is a directory that is found in this mount alone. All paths and names
 * are byte strings.
 */
export interface EchoTask {
  readonly source: string
  readonly steps: readonly EchoStep[]
}

/** Something done to a name in a directory. move: `from` is a name in the source. */
export type EchoStep = { readonly directory: string; readonly name: string } & (
  | { readonly do: 'move'; readonly from: string }
  | { readonly do: 'unlink' | 'rmdir' }
  | { readonly do: 'touch'; readonly to: EchoAttributes }
  | { readonly do: 'resize'; readonly ino: number; readonly size: number }
)

/** It sets attributes to what they are already: nothing changes. */
export interface EchoAttributes {
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly atime: number
  readonly atimeNs: number
  readonly mtime: number
  readonly mtimeNs: number
}
