// What a process does in the mount so that those who watch it hear of changes that were made below the kernel; see echo.ts.

/** Paths are byte strings. */
export type EchoStep =
  | { readonly do: 'move'; readonly from: string; readonly to: string }
  | { readonly do: 'unlink' | 'rmdir'; readonly path: string }
  | { readonly do: 'touch'; readonly path: string; readonly to: EchoAttributes }

/** What it gives a file is what it has: nothing is changed by it. */
export interface EchoAttributes {
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly atime: number
  readonly atimeNs: number
  readonly mtime: number
  readonly mtimeNs: number
}
