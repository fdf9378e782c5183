// The native addon of avfs (native/fuse) and its types. It lies two directories below the package
// root, in a checkout (src/base) as in the npm package (dist/base). Results are numbers: a count or
// descriptor, or a negative errno. Arguments of a wrong type or out of range throw TypeError. The
// purpose of the calls is documented by their callers.

import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

/** A running uv_poll. */
export type PollHandle = object & { readonly pollHandle: never }

/** A directory that is being read. */
type DirectoryReader = object & { readonly directoryReader: never }

interface Addon {
  mount(source: string, type: string, directory: string, flags: number, options: string): number
  unmount(directory: string, lazy: number): number
  socketpair(): [ours: number, theirs: number] | number
  receiveDescriptor(socket: number): number
  /** The user id of the peer of a Unix socket; SO_PEERCRED of unix(7). */
  peerUser(socket: number): number
  flock(fd: number, exclusive: number): number
  /** Keeps the descriptor from programs that this process starts; FD_CLOEXEC of fcntl(2). */
  closeAtExec(fd: number): number
  /** Exchanges two names of one file system atomically; RENAME_EXCHANGE of rename(2). */
  exchange(path: string, other: string): number
  receive(fd: number, into: ArrayBuffer, pollUs: number): number
  reply(fd: number, head: ArrayBuffer, length: number, pieces: readonly Uint8Array[]): number
  notify(fd: number, bytes: Uint8Array): Promise<number>
  pollStart(fd: number, callback: (status: number) => void): PollHandle | number
  pollStop(handle: PollHandle): number
  /**
   * Nanoseconds of the kernel's coarse clock, with which it stamps cached writes; returns whole
   * seconds since 1970.
   */
  coarseTime(ns: ArrayBuffer): number
  directoryReader(path: Uint8Array): DirectoryReader
  /**
   * Fills `into` with records of src/archive/records.ts; 0 after the last name. Only one call at a
   * time for each reader.
   */
  readDirectory(reader: DirectoryReader, into: ArrayBuffer, inlineMax: number): Promise<number>
  /** A record, without a name, of the path itself. */
  readNode(path: Uint8Array, into: ArrayBuffer): number
  /** SEEK_DATA, or with `hole` 1 SEEK_HOLE. */
  seek(fd: number, offset: number, hole: number): number
  /**
   * Creates the node that a record describes; returns a descriptor if its content is still to be
   * written.
   */
  makeNode(path: Uint8Array, record: Uint8Array): number
  /** Bits of what could not be set: 1 owner, 2 extended attributes, 4 mode, 8 times. */
  writeAttributes(path: Uint8Array, record: Uint8Array): number
}

let loaded: Addon | undefined

/** Loads the addon at its first use. Throws an error that says what to do if it is not built. */
export function addon(): Addon {
  if (loaded === undefined) {
    const path = fileURLToPath(new URL('../../native/fuse/build/fuse.node', import.meta.url))
    try {
      loaded = createRequire(import.meta.url)(path) as Addon
    } catch (cause) {
      throw new Error(`the native addon is not built: run "make build" in a checkout (${path})`, {
        cause,
      })
    }
  }
  return loaded
}
