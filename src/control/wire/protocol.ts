// What the daemon and its callers say to each other. Types only, and the forms of errors. HTTP/1.1
// over a Unix socket:
//
//   GET  /          a DaemonInfo
//   GET  /metrics   Prometheus text
//   POST /METHOD    JSON parameters in, who asks in a header (caller.ts); NDJSON out: any number of
//                   {"progress":{"done":1,"total":9}}, {"item":{...}} and {"bytes":"base64"},
//                   then one {"result":{...}} or {"error":{"kind":"busy","message":"..."}}.
//                   Who accepts application/octet-stream gets the same in frames: u32 length
//                   (little-endian, all of it), u32 kind,
//                   then (kind 0) the JSON of a line or (kind 1) bytes.
//                   With content-type application/octet-stream the parameters are the first line,
//                   and the rest is the
//                   method's own: bytes, which it takes while it answers.
//
// Between the process that runs `avfs mount` and the daemon that it starts: DaemonMessage over
// Node's own IPC.

import { StoreError } from '../../store/store.ts'
import { ControlError, type ControlErrorKind, systemCode } from './errors.ts'

/** What GET / answers. */
export interface DaemonInfo {
  readonly name: string
  readonly path: string
  readonly mountPoint: string
  readonly pid: number
  readonly version: string
  readonly since: string
  readonly methods: readonly string[]
}

/** Called now and then by long work; total is 0 when it is not known. */
export type Report = (done: number, total: number) => void

/** What a method hands over before its result: content, or one of many things. */
export type Piece<Item extends object = object> = Uint8Array | { readonly item: Item }

/** Takes pieces in order; the sender waits for it. */
export type Receive<Item extends object = object> = (piece: Piece<Item>) => Promise<void> | void

/**
 * Sends bytes to a method, in order; resolves when the memory may be used again. Rejects once
 * nobody listens.
 */
type Send = (piece: Uint8Array) => Promise<void>

/** Sends all that a method is to take. */
export type Feed = (send: Send) => Promise<void>

/** One line of an answer. */
export type Answer<Item extends object = object, Result extends object = object> =
  | { readonly progress: { readonly done: number; readonly total: number } }
  | { readonly item: Item }
  | { readonly bytes: string }
  | { readonly result: Result }
  | { readonly error: WireError }

/** The media type of bodies and answers that are more than text. */
export const BINARY = 'application/octet-stream'
export const FRAME_HEAD_BYTES = 8
export const JSON_FRAME = 0
export const BYTES_FRAME = 1

/** An error on its way to another process. */
interface WireError {
  readonly kind: ControlErrorKind
  readonly message: string
  readonly path?: string
}

/** What the mount(8) flags of a mount are, and what avfs itself is told; all of it checked. */
export interface MountSettings {
  readonly readOnly: boolean
  readonly allowOther: boolean
  readonly cacheMb: number
  /** Undefined: what the vault is set to. */
  readonly commitMs: number | undefined
  readonly avfsdir: 'hidden' | 'visible' | 'off'
  /**
   * Microseconds that the session polls for the next request before it sleeps; undefined: as the
   * session sees fit.
   */
  readonly pollUs: number | undefined
  readonly trace: boolean
  /** Flags for the kernel, by their names in mount(8): nosuid, nodev, noexec, noatime ... */
  readonly flags: readonly string[]
}

/** All that a daemon needs to know. Paths are absolute and free of links. */
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

/** The error that `toWire` was given, as far as it is known here. */
export function fromWire(error: WireError): ControlError {
  return new ControlError(error.kind, error.message, error.path)
}

function kindOf(error: unknown): ControlErrorKind {
  return systemCode(error) === 'EBUSY' ? 'busy' : 'failed'
}
