// Random requests as a kernel sends them: few different names, names of views, nodes that replies
// have returned, and now and then damaged bytes.

import { golden } from '../support/fuse-golden.ts'
import { name, request, u32, u64 } from '../support/fuse-wire.ts'
import type { Random } from '../support/random.ts'

const UNIQUE_AT = 8
const HEADER_BYTES = 40
const REPLY_HEADER_BYTES = 16
const NODES_MAX = 60
const DIRENTPLUS_ENTRY_BYTES = 128

const LOOKUP = 1
const CREATE = 35
const READDIRPLUS = 44
/**
 * Replies to these begin with the number of a node: LOOKUP, SYMLINK, MKNOD, MKDIR, LINK, CREATE,
 * TMPFILE.
 */
const GIVES_NODE = new Set([LOOKUP, 6, 8, 9, 13, CREATE, 51])
/** DESTROY would end the session, and INIT begin it anew. */
const LEFT_OUT = new Set([26, 38])

const names = [
  ...Array.from({ length: 12 }, (_, at) => `n${at}`),
  'n3\xff\xe9',
  '.avfs',
  '.avfs',
  '.avfs',
  '.avfs',
  'versions',
  'versions',
  'snapshots',
  'at',
  'at',
  'deleted',
  'deleted',
  'history.json',
  'search',
  'stats.json',
  'tags',
  '1',
  '2',
  '1~2',
  'now',
  '1h',
  '0s',
  '2999-01-01',
  '2026-11-22T10-00-00Z',
  '@GMT-2026.11.22-10.00.00',
  '@1795000000',
  'red',
  'blue',
  '.all',
  'word',
  '"a b"',
  'n*',
  'x\\/y',
  '.',
  '..',
  '',
  'a'.repeat(255),
  'a'.repeat(256),
  '.fuse_hidden1',
  '~',
]

/** The kernel's memory of what it was told. */
export interface Kernel {
  readonly nodes: number[]
  unique: number
}

export interface Sent {
  readonly bytes: Buffer
  readonly opcode: number
  readonly unique: number
}

export function newKernel(): Kernel {
  return { nodes: [1], unique: 0 }
}

/** The next request. */
export function randomRequest(kernel: Kernel, random: Random): Sent {
  for (;;) {
    let bytes = built(kernel, random)
    if (random.below(2) === 0) bytes = damaged(bytes, random)
    const opcode = bytes.length >= 8 ? bytes.readUInt32LE(4) : 0
    if (LEFT_OUT.has(opcode)) continue
    const unique = ++kernel.unique
    if (bytes.length >= UNIQUE_AT + 8) bytes.writeBigUInt64LE(BigInt(unique), UNIQUE_AT)
    return { bytes, opcode, unique }
  }
}

function built(kernel: Kernel, random: Random): Buffer {
  const node = (): number => random.pick(kernel.nodes)
  const some = (): string => name(random.pick(names))
  const kinds: readonly (() => Buffer)[] = [
    () => request(LOOKUP, node(), some()),
    () => request(10, node(), some()),
    () => request(11, node(), some()),
    () => request(12, node(), u64(node()), some(), some()),
    () => request(45, node(), u64(node()), u32(random.below(8)), u32(0), some(), some()),
    () => request(13, node(), u64(node()), some()),
    () => request(6, node(), some(), some()),
    () => request(9, node(), u32(0o755), u32(0o22), some()),
    () => request(CREATE, node(), u32(2), u32(0o100644), u32(0o22), u32(0), some()),
    () =>
      request(
        READDIRPLUS,
        node(),
        u64(random.below(4)),
        u64(random.below(9)),
        u32(8000),
        '00'.repeat(20),
      ),
    () => request(27, node(), u32(0), u32(0)),
    () => {
      const bytes = Buffer.from(random.pick(Object.values(golden)).request)
      bytes.writeBigUInt64LE(BigInt(node()), 16)
      return bytes
    },
  ]
  const kind = random.below(kinds.length * 3)
  const bytes = (kinds[kind] ?? ((kind % 2 === 0 ? kinds[0] : kinds[11]) as () => Buffer))()
  // Root sees what others do not.
  if (random.below(3) > 0) bytes.writeUInt32LE(0, 24)
  return bytes
}

function damaged(sample: Buffer, random: Random): Buffer {
  let bytes = sample
  for (let changes = random.below(4); changes > 0; changes--) {
    const kind = random.below(10)
    const at = random.below(bytes.length)
    if (kind < 5) bytes[at] = random.below(256)
    else if (kind < 7 && bytes.length > HEADER_BYTES + 8)
      bytes.writeUInt32LE(
        random.below(3) === 0 ? 0xffffffff : random.below(70_000),
        at % (bytes.length - 4),
      )
    else if (kind < 8) bytes = bytes.subarray(0, Math.max(1, at))
    else bytes = Buffer.concat([bytes, Buffer.alloc(random.below(200), random.below(256))])
  }
  // A wrong length is one kind of damage among others.
  if (bytes.length >= 4 && random.below(5) > 0) bytes.writeUInt32LE(bytes.length, 0)
  return bytes
}

/** Remembers the nodes that a reply names. */
export function learn(kernel: Kernel, { opcode }: Sent, reply: Buffer): void {
  const take = (at: number): void => {
    const node = Number(reply.readBigUInt64LE(at))
    if (node === 0 || kernel.nodes.includes(node)) return
    kernel.nodes.push(node)
    // Those of long ago are asked for no more; the root always is.
    if (kernel.nodes.length > NODES_MAX) kernel.nodes.splice(1, 1)
  }
  if (reply.readInt32LE(4) !== 0) return
  if (GIVES_NODE.has(opcode) && reply.length >= REPLY_HEADER_BYTES + 8) take(REPLY_HEADER_BYTES)
  if (opcode !== READDIRPLUS) return
  for (let at = REPLY_HEADER_BYTES; at + DIRENTPLUS_ENTRY_BYTES + 24 <= reply.length; ) {
    take(at)
    const nameBytes = reply.readUInt32LE(at + DIRENTPLUS_ENTRY_BYTES + 16)
    at += (DIRENTPLUS_ENTRY_BYTES + 24 + nameBytes + 7) & ~7
  }
}
