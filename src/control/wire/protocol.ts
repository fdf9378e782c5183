// The protocol between the daemon and its callers: types only, and the form of errors. HTTP/1.1
// over a Unix socket:
//
//   GET  /          a DaemonInfo
//   GET  /metrics   Prometheus text
//   POST /METHOD    JSON parameters in, caller in a header (caller.ts); NDJSON out: any number of
//                   {"progress":{"done":1,"total":9}}, {"item":{...}} and {"bytes":"base64"},
//                   then one {"result":{...}} or {"error":{"kind":"busy","message":"..."}}.
//                   A caller that accepts application/octet-stream gets frames instead: u32 length
//                   (little-endian, including itself), u32 kind, then (kind 0) the JSON of a line
//                   or (kind 1) bytes.
//                   With content-type application/octet-stream the parameters are the first line,
//                   and the rest is the method's input: bytes, which it takes while it answers.
//
// Between the process of `avfs mount` and the daemon that it starts: DaemonMessage over Node's own
// IPC.

import { StoreError } from '../../store/store.ts'
import { ControlError, type ControlErrorKind, systemCode } from './errors.ts'

/** The answer to GET /. */
export interface DaemonInfo {
  readonly name: string
  readonly path: string
  readonly mountPoint: string
  readonly pid: number
  readonly version: string
  readonly since: string
  readonly methods: readonly string[]
}

/** Called now and then by long work; total is 0 if unknown. */
export type Report = (done: number, total: number) => void

/** What a method sends before its result: content, or one of many items. */
export type Piece<Item extends object = object> = Uint8Array | { readonly item: Item }

/** Takes pieces in order; the sender waits for it. */
export type Receive<Item extends object = object> = (piece: Piece<Item>) => Promise<void> | void

/**
 * Sends bytes to a method, in order; resolves when the memory may be reused. Rejects once the
 * method has ended.
 */
type Send = (piece: Uint8Array) => Promise<void>

/** Sends a method's whole input. */
export type Feed = (send: Send) => Promise<void>

/** One line of an answer. */
export type Answer<Item extends object = object, Result extends object = object> =
  | { readonly progress: { readonly done: number; readonly total: number } }
  | { readonly item: Item }
  | { readonly bytes: string }
  | { readonly result: Result }
  | { readonly error: WireError }

/** The media type of binary bodies and answers. */
export const BINARY = 'application/octet-stream'
export const FRAME_HEAD_BYTES = 8
export const JSON_FRAME = 0
export const BYTES_FRAME = 1

/** An error in transit to another process. */
interface WireError {
  readonly kind: ControlErrorKind
  readonly message: string
  readonly path?: string
}

/** Validated settings of a mount: flags of mount(8), and options of avfs itself. */
export interface MountSettings {
  readonly readOnly: boolean
  readonly allowOther: boolean
  readonly cacheMb: number
  /** Undefined: the vault's own setting. */
  readonly commitMs: number | undefined
  readonly avfsdir: 'hidden' | 'visible' | 'off'
  /**
   * Microseconds that the session polls for the next request before it sleeps; undefined: the
   * session's default.
   */
  readonly pollUs: number | undefined
  readonly trace: boolean
  /** Flags for the kernel, by their names in mount(8): nosuid, nodev, noexec, noatime ... */
  readonly flags: readonly string[]
}

/** Everything that a daemon needs to know. Paths are absolute and free of links. */
export interface DaemonConfig {
  readonly name: string
  readonly vaultPath: string
  readonly mountPoint: string
  readonly socket: string
  readonly settings: MountSettings
}

/** From the daemon to its parent: any number of notices, then ready or failed. */
export type DaemonMessage =
  | { readonly notice: string }
  | { readonly ready: { readonly pid: number } }
  | { readonly failed: WireError }

/** The form in which an error crosses a process boundary. */
export function toWire(error: unknown): WireError {
  if (error instanceof ControlError) {
    const path = error.path === undefined ? {} : { path: error.path }
    return { kind: error.kind, message: error.message, ...path }
  }
  if (error instanceof StoreError && error.kind === 'locked') {
    return { kind: 'locked', message: error.message }
  }
  return { kind: kindOf(error), message: error instanceof Error ? error.message : String(error) }
}

/** The error given to `toWire`, as far as it can be rebuilt. */
export function fromWire(error: WireError): ControlError {
  return new ControlError(error.kind, error.message, error.path)
}

function kindOf(error: unknown): ControlErrorKind {
  return systemCode(error) === 'EBUSY' ? 'busy' : 'failed'
}
