// What a directory holds, in memory: the plain model that the crash tests replay operations on. A
// file under several names is one object. Knows nothing of file systems; content is bytes, paths
// are relative with '/' between names.

export interface FileNode {
  readonly kind: 'file'
  content: Buffer
  mode: number
}
export interface DirectoryNode {
  readonly kind: 'directory'
}
export interface SymlinkNode {
  readonly kind: 'symlink'
  readonly target: string
}
export type Node = FileNode | DirectoryNode | SymlinkNode

/** Paths in no order; the top itself is not among them. */
export type Model = Map<string, Node>

/**
 * The paths of one kind, in order, so that the same choice means the same path in every process.
 */
export function pathsOf(model: Model, kind: Node['kind']): string[] {
  return [...model]
    .filter(([, node]) => node.kind === kind)
    .map(([path]) => path)
    .sort()
}

/** The file at a path; throws when there is none. */
export function fileAt(model: Model, path: string): FileNode {
  const node = model.get(path)
  if (node?.kind !== 'file') throw new Error(`no file at ${path}`)
  return node
}

/** All names of a node. */
export function namesOf(model: Model, node: Node): string[] {
  return [...model].filter(([, other]) => other === node).map(([path]) => path)
}
