// The kernel's side of the FUSE protocol for tests: messages written out field by field,
// independent of src/fuse/layout.ts, and a Channel that hands them to a session and keeps what
// comes back.

import { EAGAIN, ENODEV } from '../../src/base/errno.ts'
import type { Operations } from '../../src/fs/operations.ts'
import type { Channel } from '../../src/fuse/channel.ts'
import { type Session, type SessionOptions, startSession } from '../../src/fuse/session.ts'

/** Fields of a message as hexadecimal digits, little-endian. */
export const u16 = (value: number): string => u64(value).slice(0, 4)
export const u32 = (value: number): string => u64(value).slice(0, 8)
export function u64(value: number | bigint): string {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)))
  return bytes.toString('hex')
}
/** A byte string, and the NUL behind it. */
export const text = (value: string): string => Buffer.from(value, 'latin1').toString('hex')
export const name = (value: string): string => `${text(value)}00`

export const UNIQUE = 0x0102030405060708n

/** A request of uid 1000, gid 100, pid 42; the length is that of the parts. */
export function request(opcode: number, nodeid: number, ...parts: string[]): Buffer {
  const body = Buffer.from(parts.join(''), 'hex')
  const head = [u32(40 + body.length), u32(opcode), u64(UNIQUE), u64(nodeid)]
  const caller = [u32(1000), u32(100), u32(42), u16(0), u16(0)]
  return Buffer.concat([Buffer.from([...head, ...caller].join(''), 'hex'), body])
}

/** The hexadecimal digits of a reply; errno is positive. */
export function reply(errno: number, ...parts: string[]): string {
  const body = parts.join('')
  return [u32(16 + body.length / 2), u32(-errno), u64(UNIQUE), body].join('')
}

/** INIT as a current kernel sends it, with these flags (all that are asked for, unless given). */
export function init(flags = 0xffffffff, minor = 45, major = 7): Buffer {
  return request(26, 0, u32(major), u32(minor), u32(131072), u32(flags), u32(0), '00'.repeat(44))
}

export interface FakeChannel extends Channel {
  /** Replies and notices so far, as hexadecimal digits. */
  readonly replies: string[]
  readonly notices: string[]
  /** What the next replies get as a result, instead of their length. */
  readonly results: number[]
  /** How long each receive was ready to wait. */
  readonly waits: number[]
  readonly closed: () => boolean
  /** Queues requests, and wakes the session. */
  send(...requests: Buffer[]): void
  /** The mount ends: every receive says ENODEV. */
  unmount(): void
}

export function createFakeChannel(): FakeChannel {
  const queue: Buffer[] = []
  let wake = (): void => {}
  let mounted = true
  let closed = false
  const replies: string[] = []
  const notices: string[] = []
  const results: number[] = []
  const waits: number[] = []
  return {
    replies,
    notices,
    results,
    waits,
    closed: () => closed,
    send(...requests) {
      queue.push(...requests)
      wake()
    },
    unmount() {
      mounted = false
      wake()
    },
    receive(into, pollUs) {
      waits.push(pollUs)
      if (!mounted) return -ENODEV
      const next = queue.shift()
      if (next === undefined) return -EAGAIN
      // What is left of the request before must not be taken for this one's.
      Buffer.from(into).fill(0xee).set(next)
      return next.length
    },
    reply(head, length, pieces) {
      const bytes = Buffer.concat([Buffer.from(head, 0, length), ...pieces])
      replies.push(bytes.toString('hex'))
      return results.shift() ?? bytes.length
    },
    async notify(bytes) {
      notices.push(Buffer.from(bytes).toString('hex'))
      return bytes.length
    },
    start(onReadable) {
      wake = onReadable
    },
    close() {
      closed = true
    },
  }
}

/** Operations of which a test gives the few that it needs; the others throw. */
export function someOperations(given: Partial<Operations>): Operations {
  return new Proxy(given, {
    get(target, key, receiver) {
      const found: unknown = Reflect.get(target, key, receiver)
      if (found !== undefined) return found
      return () => {
        throw new Error(`${String(key)} was not expected`)
      }
    },
  }) as Operations
}

export interface FakeMount {
  readonly channel: FakeChannel
  readonly session: Session
  /** Sends one request; the reply to it, or undefined when none came at once. */
  ask(request: Buffer): string | undefined
}

/** A session after INIT. */
export function fakeMount(
  operations: Partial<Operations>,
  options: Partial<SessionOptions> = {},
  flags = 0xffffffff,
): FakeMount {
  const channel = createFakeChannel()
  const session = startSession({ channel, operations: someOperations(operations), ...options })
  channel.send(init(flags))
  return {
    channel,
    session,
    ask(bytes) {
      const before = channel.replies.length
      channel.send(bytes)
      return channel.replies[before]
    },
  }
}
