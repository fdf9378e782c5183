// One request from its bytes to its reply: finds the row, runs it, and turns what it throws into an
// errno. Between session.ts, which reads requests, and ops.ts, which knows what each one says. The
// only place where errors end.

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

interface DispatcherOptions {
  readonly channel: Channel
  readonly operations: Operations
  readonly metrics: SessionMetrics
  /** Takes a line for each reply. */
  readonly trace: ((line: string) => void) | undefined
  readonly onInit: (negotiated: Negotiated) => void
  /** Called after each delayed reply. */
  readonly onDelayedReply: () => void
}

/**
 * A request that is answered later, with what that takes. Not made for those that are answered at
 * once.
 */
interface Run {
  readonly request: Request
  readonly row: Row
  readonly began: number
  readonly label: string
  readonly faults: number
  /** What it has found out in the slices before; see base/step.ts. */
  kept: Slice['kept']
}

/**
 * Thrown by a read that must wait (class Fault of the store): await load, then run the operation
 * from its start.
 */
interface FaultLike {
  load(): Promise<void>
  readonly isPause?: boolean
}

export class Dispatcher {
  readonly #options: DispatcherOptions
  readonly #channel: Channel
  readonly #operations: Operations
  readonly #metrics: SessionMetrics
  readonly #trace: ((line: string) => void) | undefined
  readonly #context: Context = { listing: createListing(), negotiated: undefined }
  readonly #reply = replyOf(REPLY_BYTES_MAX)
  readonly #slice: Slice = { untilMs: 0, isBegun: false, kept: undefined }
  readonly #longWork = new LongWork()
  /** The request of the receive buffer, into which later ones are read. */
  #original: Request | undefined
  #idleCallbacks: (() => void)[] = []

  constructor(options: DispatcherOptions) {
    this.#options = options
    this.#channel = options.channel
    this.#operations = options.operations
    this.#metrics = options.metrics
    this.#trace = options.trace
  }

  /**
   * Runs the request in the first `received` bytes of the buffer, and replies now or later. `began`
   * is when it was received, in milliseconds of performance.now(). Never throws.
   */
  dispatch(request: Request, received: number, began: number): void {
    this.#metrics.bytesReceived += received
    try {
      decodeHeader(request, received)
    } catch (error) {
      this.#refuseUndecoded(request, error)
      return
    }
    const row = operationTable[request.opcode]
    if (row === undefined) {
      log('debug', `opcode ${request.opcode} is not known`)
      this.#sendErrno(request, ENOSYS)
      return
    }
    this.#metrics.requests[row.opcode] = (this.#metrics.requests[row.opcode] ?? 0) + 1
    const label = this.#trace === undefined ? '' : describeRequest(row, request)
    this.#original = request
    renewSlice(this.#slice, SLICE_MS, undefined)
    this.#run(request, row, began, label, 0)
  }

  #run(request: Request, row: Row, began: number, label: string, faults: number): void {
    clear(this.#reply)
    request.cursor = ARGUMENTS + (row.request?.size ?? 0)
    startStep()
    enterSlice(this.#slice)
    try {
      if (request.length - ARGUMENTS < row.requestBytesMin) throw new MalformedError('too short')
      if (this.#context.negotiated === undefined && row.opcode !== FUSE_INIT) {
        throw new MalformedError('it came before INIT')
      }
      const wait = row.handler(this.#operations, request, this.#reply, this.#context)
      if (wait !== undefined) {
        this.#defer({ request, row, began, label, faults, kept: undefined }, wait)
        return
      }
    } catch (error) {
      if (isFault(error))
        this.#rerun({ request, row, began, label, faults, kept: this.#slice.kept }, error)
      else this.#refuse(request, row, began, label, error)
      return
    } finally {
      enterSlice(undefined)
    }
    if (!row.silent) this.#send(request, row, label)
    else this.#trace?.(label)
    countLatency(this.#metrics, row.opcode, performance.now() - began)
  }

  #send(request: Request, row: Row, label: string): void {
    const length = seal(this.#reply, request.uniqueLow, request.uniqueHigh, 0)
    this.#trace?.(`${label} -> ${describeReply(row, this.#reply)}`)
    this.#metrics.bytesSent += length
    const sent = this.#channel.reply(this.#reply.buffer, this.#reply.length, this.#reply.pieces)
    if (sent < 0) {
      row.undo?.(this.#operations, this.#reply)
      this.#undelivered(row.name, sent)
    }
    if (row.opcode === FUSE_INIT && this.#context.negotiated !== undefined)
      this.#options.onInit(this.#context.negotiated)
  }

  // The reply is encoded by now; a copy of it waits, because the buffer goes on to other requests.
  #defer(run: Run, wait: Promise<void>): void {
    const { request, row, began, label } = run
    const { uniqueLow, uniqueHigh } = request
    seal(this.#reply, uniqueLow, uniqueHigh, 0)
    const head = this.#reply.buffer.slice(0, this.#reply.length)
    const answer = this.#trace === undefined ? '' : describeReply(row, this.#reply)
    const unique = { uniqueLow, uniqueHigh, nodeid: request.nodeid }
    this.#later(
      wait.then(
        () => {
          this.#trace?.(`${label} -> ${answer}`)
          this.#metrics.bytesSent += head.byteLength
          const sent = this.#channel.reply(head, head.byteLength, noPieces)
          if (sent < 0) this.#undelivered(row.name, sent)
          countLatency(this.#metrics, row.opcode, performance.now() - began)
        },
        (error: unknown) => this.#refuse(unique, row, began, label, error),
      ),
    )
  }

  // The bytes are copied before anything else is read into their buffer.
  #rerun({ request, row, began, label, faults, kept }: Run, fault: FaultLike): void {
    if (faults >= FAULTS_MAX) {
      this.#refuse(request, row, began, label, new Error(`${faults} reads had to wait, and no end`))
      return
    }
    const isNew = request === this.#original
    const { uid } = request.caller
    const isLong = fault.isPause === true
    if (isLong && !this.#longWork.enter(uid, isNew)) {
      this.#refuse(request, row, began, label, new FsError(EAGAIN))
      return
    }
    const copy = isNew ? copyRequest(request) : request
    this.#later(
      fault.load().then(
        () => {
          if (isLong) this.#longWork.leave(uid)
          renewSlice(this.#slice, SLICE_MS, kept)
          this.#run(copy, row, began, label, isLong ? faults : faults + 1)
        },
        (error: unknown) => this.#refuse(copy, row, began, label, error),
      ),
    )
  }

  #later(work: Promise<void>): void {
    this.#metrics.waiting++
    void work
      .catch((error: unknown) => log('error', 'a delayed reply failed', error))
      .then(() => {
        this.#metrics.waiting--
        this.#options.onDelayedReply()
        if (this.#metrics.waiting > 0) return
        for (const callback of this.#idleCallbacks) callback()
        this.#idleCallbacks = []
      })
  }

  #refuse(
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
    this.#trace?.(`${label} -> ${errnoName(errno)}`)
    this.#metrics.refusals[row.opcode] = (this.#metrics.refusals[row.opcode] ?? 0) + 1
    this.#sendErrno(request, errno)
    countLatency(this.#metrics, row.opcode, performance.now() - began)
  }

  #refuseUndecoded(request: Request, error: unknown): void {
    log('warn', 'malformed request', error instanceof Error ? error.message : error)
    const row = operationTable[request.opcode]
    if (request.opcode !== 0 && row?.silent !== true) this.#sendErrno(request, EIO)
  }

  #sendErrno(request: Pick<Request, 'uniqueLow' | 'uniqueHigh'>, errno: number): void {
    clear(this.#reply)
    this.#metrics.bytesSent += seal(this.#reply, request.uniqueLow, request.uniqueHigh, errno)
    const sent = this.#channel.reply(this.#reply.buffer, this.#reply.length, this.#reply.pieces)
    if (sent < 0) this.#undelivered(errnoName(errno), sent)
  }

  // ENOENT: whoever asked was killed meanwhile. ENODEV: the mount is gone.
  #undelivered(what: string, result: number): void {
    if (result === -ENOENT || result === -ENODEV) return
    log('error', `the kernel refused a reply (${what}): ${errnoName(-result)}`)
  }

  /** Resolves when no reply is waited for. */
  idle(): Promise<void> {
    if (this.#metrics.waiting === 0) return Promise.resolve()
    return new Promise((resolve) => this.#idleCallbacks.push(resolve))
  }
}

function isFault(error: unknown): error is FaultLike {
  return error instanceof Error && 'load' in error && typeof error.load === 'function'
}
