// A file system in memory on fuse-native, for comparison in `make bench`: only what fsbench calls,
// without checks. A process of its own, since fuse-native may end it when it does not load.
//
//   node scripts/bench-toy-daemon.ts MODULES DIR    MODULES: the folder whose node_modules has it

import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

type Reply = (error: number, value?: unknown) => void
type Operation = (...args: never[]) => void
interface Mount {
  mount(done: (error: Error | null) => void): void
  unmount(done: (error: Error | null) => void): void
}
type FuseNative = new (dir: string, ops: Record<string, Operation>, options: object) => Mount

interface ToyNode {
  mode: number
  mtime: Date
  bytes: Buffer
  size: number
  readonly names: Set<string>
}

const ENOENT = -2
const [modules, dir] = process.argv.slice(2)
if (modules === undefined || dir === undefined) throw new Error('give MODULES and DIR')
const Fuse: FuseNative = createRequire(join(modules, 'package.json'))('fuse-native')

const nodes = new Map<string, ToyNode>()
const make = (path: string, mode: number): void => {
  nodes.set(path, { mode, mtime: new Date(), bytes: Buffer.alloc(0), size: 0, names: new Set() })
  nodes.get(dirname(path))?.names.add(path.slice(path.lastIndexOf('/') + 1))
}
const drop = (path: string): void => {
  nodes.delete(path)
  nodes.get(dirname(path))?.names.delete(path.slice(path.lastIndexOf('/') + 1))
}
const resize = (node: ToyNode, size: number): void => {
  if (size > node.bytes.length) {
    const larger = Buffer.alloc(Math.max(size, node.bytes.length * 2))
    node.bytes.copy(larger)
    node.bytes = larger
  }
  node.size = size
}
make('/', 0o40755)

const withNode = (path: string, reply: Reply, use: (node: ToyNode) => void): void => {
  const node = nodes.get(path)
  if (node === undefined) reply(ENOENT)
  else use(node)
}
const getattr = (path: string, reply: Reply): void =>
  withNode(path, reply, (node) =>
    reply(0, {
      mode: node.mode,
      size: node.size,
      nlink: 1,
      uid: process.getuid?.() ?? 0,
      gid: process.getgid?.() ?? 0,
      atime: node.mtime,
      mtime: node.mtime,
      ctime: node.mtime,
    }),
  )
const truncate = (path: string, size: number, reply: Reply): void =>
  withNode(path, reply, (node) => {
    resize(node, size)
    reply(0)
  })
const remove = (path: string, reply: Reply): void => {
  drop(path)
  reply(0)
}

const mount = new Fuse(
  dir,
  {
    getattr,
    truncate,
    fgetattr: (path: string, _handle: number, reply: Reply) => getattr(path, reply),
    ftruncate: (path: string, _handle: number, size: number, reply: Reply) =>
      truncate(path, size, reply),
    readdir: (path: string, reply: Reply) =>
      withNode(path, reply, (node) => reply(0, [...node.names])),
    open: (_path: string, _flags: number, reply: Reply) => reply(0, 1),
    release: (_path: string, _handle: number, reply: Reply) => reply(0),
    fsync: (_path: string, _data: number, _handle: number, reply: Reply) => reply(0),
    create: (path: string, mode: number, reply: Reply) => {
      make(path, 0o100000 | mode)
      reply(0, 1)
    },
    mkdir: (path: string, mode: number, reply: Reply) => {
      make(path, 0o40000 | mode)
      reply(0)
    },
    unlink: remove,
    rmdir: remove,
    rename: (from: string, to: string, reply: Reply) =>
      withNode(from, reply, (node) => {
        drop(from)
        make(to, node.mode)
        nodes.set(to, node)
        reply(0)
      }),
    read: (p: string, _h: number, into: Buffer, length: number, at: number, reply: Reply) =>
      withNode(p, reply, (node) =>
        reply(node.bytes.copy(into, 0, at, Math.min(node.size, at + length))),
      ),
    write: (p: string, _h: number, from: Buffer, length: number, at: number, reply: Reply) =>
      withNode(p, reply, (node) => {
        if (at + length > node.size) resize(node, at + length)
        reply(from.copy(node.bytes, at, 0, length))
      }),
  },
  { timeout: false },
)
mount.mount((error) => {
  if (error !== null) throw error
  process.stdout.write('mounted\n')
})
process.once('SIGTERM', () => mount.unmount(() => process.exit(0)))
