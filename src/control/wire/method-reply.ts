// Sends the answer of a method to its caller, as lines or frames, and handles a caller that
// disconnects or stops reading: the method notices when it sends something, or may ask; nothing
// else is affected.

import type { ServerResponse } from 'node:http'
import { log } from '../../base/log.ts'
import { ControlError } from './errors.ts'
import {
  type Answer,
  BINARY,
  BYTES_FRAME,
  FRAME_HEAD_BYTES,
  JSON_FRAME,
  type Piece,
  type Report,
} from './protocol.ts'
import { throttled } from './throttle.ts'

export interface MethodReply {
  /** Dropped once the caller has gone. */
  readonly report: Report
  /** Resolves when the next piece may be sent. Rejects with GoneError; need not be awaited. */
  readonly send: (piece: Piece) => Promise<void>
  readonly isGone: () => boolean
  /** Ends the answer with the result, or an error. */
  end(answer: Answer): void
}

/** The caller no longer waits for the answer. */
export class GoneError extends ControlError {
  constructor() {
    super('failed', 'the caller is gone')
    this.name = 'GoneError'
  }
}

/** Throws GoneError if the caller has gone; for methods that only read, between two steps. */
export function assertWanted(isGone: () => boolean): void {
  if (isGone()) throw new GoneError()
}

/** The answer of one method; `isFramed` selects the binary form in protocol.ts. */
export function replyTo(response: ServerResponse, isFramed: boolean): MethodReply {
  // Errors are handled by callbacks and `close`; without a listener this event would throw.
  response.on('error', (error) => log('debug', 'an answer was cut off', error))
  const writer = isFramed ? framed(response) : lined(response)
  // From here on its caller knows that the method has begun, and must not run it again elsewhere.
  response.flushHeaders()
  // Work that the method did not wait for may still report after the answer.
  const isOpen = (): boolean => !response.destroyed && !response.writableEnded
  const deliver = async (piece: Piece): Promise<void> => {
    if (!isOpen()) throw new GoneError()
    const isWelcome = piece instanceof Uint8Array ? writer.bytes(piece) : writer.line(piece)
    if (!isWelcome) await drained(response)
  }
  return {
    isGone: () => response.destroyed,
    report: throttled((done, total) => {
      if (isOpen()) writer.line({ progress: { done, total } })
    }),
    send(piece) {
      const delivered = deliver(piece)
      // Nobody may be waiting for it, and its failure must not end the daemon.
      delivered.catch(() => undefined)
      return delivered
    },
    end(answer) {
      if (isOpen()) writer.line(answer)
      response.end()
    },
  }
}

/** Writes an answer; both methods return false if the caller is behind. */
interface Writer {
  line(answer: Answer): boolean
  bytes(piece: Uint8Array): boolean
}

function lined(response: ServerResponse): Writer {
  response.setHeader('content-type', 'application/x-ndjson')
  return {
    line: (answer) => response.write(`${JSON.stringify(answer)}\n`),
    // What JSON.stringify would write; base64 needs no escaping, and is one byte per char.
    bytes({ buffer, byteOffset, length }) {
      const base64 = Buffer.from(buffer, byteOffset, length).toString('base64')
      return response.write(`{"bytes":"${base64}"}\n`, 'latin1')
    },
  }
}

function framed(response: ServerResponse): Writer {
  response.setHeader('content-type', BINARY)
  const write = (kind: number, body: Uint8Array): boolean => {
    const head = Buffer.alloc(FRAME_HEAD_BYTES)
    head.writeUInt32LE(FRAME_HEAD_BYTES + body.length, 0)
    head.writeUInt32LE(kind, 4)
    // Copied to one chunk, since the sender may reuse the memory of `body` at once.
    return response.write(Buffer.concat([head, body]))
  }
  return {
    line: (answer) => write(JSON_FRAME, Buffer.from(JSON.stringify(answer))),
    bytes: (piece) => write(BYTES_FRAME, piece),
  }
}

/** Resolves when the caller has read everything pending. Rejects with GoneError. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve, reject) => {
    const gone = (): void => {
      response.off('drain', welcome)
      reject(new GoneError())
    }
    const welcome = (): void => {
      response.off('close', gone)
      resolve()
    }
    if (response.destroyed) return gone()
    response.once('close', gone)
    response.once('drain', welcome)
  })
}
