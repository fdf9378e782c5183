// How the answer of a method goes to its caller, in lines or frames, and what becomes of it when
// the caller goes away or stops reading: the method hears of it when it hands something over, and
// may ask; nothing else does.

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
  /** Drops what nobody hears any more. */
  readonly report: Report
  /** Resolves when the next piece is welcome. Rejects with GoneError; may be left alone. */
  readonly send: (piece: Piece) => Promise<void>
  readonly isGone: () => boolean
  /** The last of it: the result, or an error. */
  end(answer: Answer): void
}

/** Nobody waits for the answer any more. */
export class GoneError extends ControlError {
  constructor() {
    super('failed', 'the caller is gone')
    this.name = 'GoneError'
  }
}

/**
 * Throws GoneError once nobody waits for the answer; for a method that only looks, between two
 * steps.
 */
export function assertWanted(isGone: () => boolean): void {
  if (isGone()) throw new GoneError()
}

/** The answer of one method; with `isFramed` as protocol.ts has it for those that accept bytes. */
export function replyTo(response: ServerResponse, isFramed: boolean): MethodReply {
  // It comes by the callbacks and by `close` too; without a listener it would be an exception.
  response.on('error', (error) => log('debug', 'an answer was cut off', error))
  const writer = isFramed ? framed(response) : lined(response)
  // Its caller knows from here on that the method has begun, and must not be tried again elsewhere.
  response.flushHeaders()
  // Work that was only waited for in part may report when its method has answered.
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
      // Who does not wait for it must not end the daemon when it fails.
      delivered.catch(() => undefined)
      return delivered
    },
    end(answer) {
      if (isOpen()) writer.line(answer)
      response.end()
    },
  }
}

/** How an answer is written; both return false when the caller is behind. */
interface Writer {
  line(answer: Answer): boolean
  bytes(piece: Uint8Array): boolean
}

function lined(response: ServerResponse): Writer {
  response.setHeader('content-type', 'application/x-ndjson')
  return {
    line: (answer) => response.write(`${JSON.stringify(answer)}\n`),
    // As JSON.stringify would have it; base64 needs no look for what to escape, and a byte a char.
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
    // One chunk: the memory of `body` may be the sender's again at once.
    return response.write(Buffer.concat([head, body]))
  }
  return {
    line: (answer) => write(JSON_FRAME, Buffer.from(JSON.stringify(answer))),
    bytes: (piece) => write(BYTES_FRAME, piece),
  }
}

/** Resolves when the caller has read what waits for it. Rejects with GoneError. */
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
