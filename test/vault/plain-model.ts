// The plain model of a file system that random operations are compared with: everything in maps,
// nothing shared with src.

export interface PlainFile {
  readonly kind: 'file' | 'directory' | 'symlink' | 'whiteout'
  readonly id: number
  mode: number
  nlink: number
  bytes: Uint8Array
  readonly names: Map<string, PlainFile>
  readonly xattrs: Map<string, Uint8Array>
}

/** A small deterministic generator (mulberry32): one seed, one run. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

let nextId = 1

export function plainFile(kind: PlainFile['kind'], mode: number): PlainFile {
  const nlink = kind === 'directory' ? 2 : 1
  return {
    kind,
    id: nextId++,
    mode,
    nlink,
    bytes: new Uint8Array(),
    names: new Map(),
    xattrs: new Map(),
  }
}

/** The file with its size changed; what grows is zero. */
export function resizePlain(file: PlainFile, size: number): void {
  const bytes = new Uint8Array(size)
  bytes.set(file.bytes.subarray(0, Math.min(size, file.bytes.length)))
  file.bytes = bytes
}

export function writePlain(file: PlainFile, offset: number, data: Uint8Array): void {
  if (offset + data.length > file.bytes.length) resizePlain(file, offset + data.length)
  else file.bytes = file.bytes.slice()
  file.bytes.set(data, offset)
}

/** Every directory of a tree with its path, the root first. */
export function* directoriesOf(
  root: PlainFile,
  path = '',
): Generator<{ directory: PlainFile; path: string }> {
  yield { directory: root, path }
  for (const [name, file] of root.names)
    if (file.kind === 'directory') yield* directoriesOf(file, `${path}/${name}`)
}
