// One request from its bytes to its reply: finds the row, runs it, and turns what it throws into an errno.
// Between session.ts, which reads requests, and ops.ts, which knows what each one says. The only place where errors end.

import { EAGAIN, EIO, ENODEV, ENOENT, ENOSYS, errnoName, FsError } from '../base/errno.ts'
import { log } from '../base/log.ts'
import { enterSlice, renewSlice, type Slice, startStep } from '../base/step.ts'
import { SLICE_MS } from '../base/turns.ts'
import type { Operations } from '../fs/operations.ts'
import { FUSE_INIT } from './abi.ts'
import type { Channel } from './channel.ts'
import { createListing } from './dirent.ts'
import { type Negotiated, REPLY_BYTES_MAX } from './init.ts'
import { LongWork } from './long-work.ts'
import { countLatency, type SessionMetrics } from './metrics.ts'
import { type Context, operationTable, type Row } from './ops.ts'
import { clear, replyOf, seal } from './reply.ts'
import { ARGUMENTS, copyRequest, decodeHeader, MalformedError, type Request } from './request.ts'
import { describeReply, describeRequest } from './trace.ts'

/** An operation that faults more often than this would never end. */
const FAULTS_MAX = 10000
const noPieces: readonly Uint8Array[] = []

interface Dispatcher {
  /**
   * Runs the request in the first `received` bytes of the buffer, and replies now or later. `began` is when it was
   * received, in milliseconds of performance.now(). Never throws.
   */
  dispatch(request: Request, received: number, began: number): void
  /** Resolves when no reply is waited for. */
  idle(): Promise<void>
}

interface DispatcherOptions {
  readonly channel: Channel
  readonly operations: Operations
  readonly metrics: SessionMetrics
  /** Takes a line for each reply. */
  readonly trace: ((line: string) => void) | undefined
  readonly onInit: (negotiated: Negotiated) => void
  /** A reply left that had been waited for. */
  readonly onDelayedReply: () => void
}

/** A request under way: its row, and what is told of it later. Made only where that is not at once. */
interface Run {
  readonly request: Request
  readonly row: Row
  readonly began: number
  readonly label: string
  readonly faults: number
  /** What it has found out in the slices before; see base/step.ts. */
  kept: Slice['kept']
}

/** Thrown by a read that must wait (class Fault of the store): await load, then run the operation from its start. */
interface FaultLike {
  load(): Promise<void>
  readonly isPause?: boolean
}

export function createDispatcher(options: DispatcherOptions): Dispatcher {
  const { channel, operations, metrics, trace, onInit, onDelayedReply } = options
  const context: Context = { listing: createListing(), negotiated: undefined }
  const reply = replyOf(REPLY_BYTES_MAX)
  const slice: Slice = { untilMs: 0, isBegun: false, kept: undefined }
  const long = new LongWork()
  /** The one that others are read into. */
  let original: Request | undefined
  let idleCallbacks: (() => void)[] = []

  function dispatch(request: Request, received: number, began: number): void {
    metrics.bytesReceived += received
    try {
      decodeHeader(request, received)
    } catch (error) {
      refuseUndecoded(request, error)
      return
    }
    const row = operationTable[request.opcode]
    if (row === undefined) {
      log('debug', `opcode ${request.opcode} is not known`)
      sendErrno(request, ENOSYS)
      return
    }
    metrics.requests[row.opcode] = (metrics.requests[row.opcode] ?? 0) + 1
    const label = trace === undefined ? '' : describeRequest(row, request)
    original = request
    renewSlice(slice, SLICE_MS, undefined)
    run(request, row, began, label, 0)
  }

  function run(request: Request, row: Row, began: number, label: string, faults: number): void {
    clear(reply)
    request.cursor = ARGUMENTS + (row.request?.size ?? 0)
    startStep()
    enterSlice(slice)
    try {
      if (request.length - ARGUMENTS < row.requestBytesMin) throw new MalformedError('too short')
      if (context.negotiated === undefined && row.opcode !== FUSE_INIT) {
        throw new MalformedError('it came before INIT')
      }
      const wait = row.handler(operations, request, reply, context)
      if (wait !== undefined) {
        defer({ request, row, began, label, faults, kept: undefined }, wait)
        return
      }
    } catch (error) {
      if (isFault(error)) rerun({ request, row, began, label, faults, kept: slice.kept }, error)
      else refuse(request, row, began, label, error)
      return
    } finally {
      enterSlice(undefined)
    }
    if (!row.silent) send(request, row, label)
    else trace?.(label)
    countLatency(metrics, row.opcode, performance.now() - began)
  }

  function send(request: Request, row: Row, label: string): void {
    const length = seal(reply, request.uniqueLow, request.uniqueHigh, 0)
    trace?.(`${label} -> ${describeReply(row, reply)}`)
    metrics.bytesSent += length
    const sent = channel.reply(reply.buffer, reply.length, reply.pieces)
    if (sent < 0) {
      row.undo?.(operations, reply)
      undelivered(row.name, sent)
    }
    if (row.opcode === FUSE_INIT && context.negotiated !== undefined) onInit(context.negotiated)
  }

  // The reply is encoded by now; a copy of it waits, because the buffer goes on to other requests.
  function defer(run: Run, wait: Promise<void>): void {
    const { request, row, began, label } = run
    const { uniqueLow, uniqueHigh } = request
    seal(reply, uniqueLow, uniqueHigh, 0)
    const head = reply.buffer.slice(0, reply.length)
    const answer = trace === undefined ? '' : describeReply(row, reply)
    const unique = { uniqueLow, uniqueHigh, nodeid: request.nodeid }
    later(
      wait.then(
        () => {
          trace?.(`${label} -> ${answer}`)
          metrics.bytesSent += head.byteLength
          const sent = channel.reply(head, head.byteLength, noPieces)
          if (sent < 0) undelivered(row.name, sent)
          countLatency(metrics, row.opcode, performance.now() - began)
        },
        (error: unknown) => refuse(unique, row, began, label, error),
      ),
    )
  }

  // The bytes are copied before anything else is read into their buffer.
  function rerun({ request, row, began, label, faults, kept }: Run, fault: FaultLike): void {
    if (faults >= FAULTS_MAX) {
      refuse(request, row, began, label, new Error(`${faults} reads had to wait, and no end`))
      return
    }
    const isNew = request === original
    const { uid } = request.caller
    const isLong = fault.isPause === true
    if (isLong && !long.enter(uid, isNew)) {
      refuse(request, row, began, label, new FsError(EAGAIN))
      return
    }
    const copy = isNew ? copyRequest(request) : request
    later(
      fault.load().then(
        () => {
          if (isLong) long.leave(uid)
          renewSlice(slice, SLICE_MS, kept)
          run(copy, row, began, label, isLong ? faults : faults + 1)
        },
        (error: unknown) => refuse(copy, row, began, label, error),
      ),
    )
  }

  function later(work: Promise<void>): void {
    metrics.waiting++
    void work
      .catch((error: unknown) => log('error', 'a delayed reply failed', error))
      .then(() => {
        metrics.waiting--
        onDelayedReply()
        if (metrics.waiting > 0) return
        for (const callback of idleCallbacks) callback()
        idleCallbacks = []
      })
  }

  function refuse(
    request: Pick<Request, 'uniqueLow' | 'uniqueHigh' | 'nodeid'>,
    row: Row,
    began: number,
    label: string,
    error: unknown,
  ): void {
    const errno = error instanceof FsError ? error.errno : EIO
    if (error instanceof MalformedError) {
      log('warn', `malformed ${row.name}: ${error.message}`)
    } else if (!(error instanceof FsError)) {
      log('error', `${row.name} of inode ${request.nodeid} failed`, error)
    }
    if (row.silent) return
    trace?.(`${label} -> ${errnoName(errno)}`)
    metrics.refusals[row.opcode] = (metrics.refusals[row.opcode] ?? 0) + 1
    sendErrno(request, errno)
    countLatency(metrics, row.opcode, performance.now() - began)
  }

  function refuseUndecoded(request: Request, error: unknown): void {
    log('warn', 'malformed request', error instanceof Error ? error.message : error)
    const row = operationTable[request.opcode]
    if (request.opcode !== 0 && row?.silent !== true) sendErrno(request, EIO)
  }

  function sendErrno(request: Pick<Request, 'uniqueLow' | 'uniqueHigh'>, errno: number): void {
    clear(reply)
    metrics.bytesSent += seal(reply, request.uniqueLow, request.uniqueHigh, errno)
    const sent = channel.reply(reply.buffer, reply.length, reply.pieces)
    if (sent < 0) undelivered(errnoName(errno), sent)
  }

  // ENOENT: whoever asked was killed meanwhile. ENODEV: the mount is gone.
  function undelivered(what: string, result: number): void {
    if (result === -ENOENT || result === -ENODEV) return
    log('error', `the kernel refused a reply (${what}): ${errnoName(-result)}`)
  }

  function idle(): Promise<void> {
    if (metrics.waiting === 0) return Promise.resolve()
    return new Promise((resolve) => idleCallbacks.push(resolve))
  }

  return { dispatch, idle }
}

function isFault(error: unknown): error is FaultLike {
  return error instanceof Error && 'load' in error && typeof error.load === 'function'
}
