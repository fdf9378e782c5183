// The caller's end of the control socket; the protocol is in protocol.ts. Knows nothing of vaults
// or methods.

import type { ClientRequest, IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { StrangerError } from '../../base/own-files.ts'
import { Units } from '../../base/units.ts'
import { CALLER_HEADER, callerHeader } from './caller.ts'
import { connected } from './connect.ts'
import { ControlError, systemCode } from './errors.ts'
import { request } from './http.ts'
import {
  type Answer,
  BINARY,
  BYTES_FRAME,
  type DaemonInfo,
  type Feed,
  FRAME_HEAD_BYTES,
  fromWire,
  type Receive,
  type Report,
} from './protocol.ts'
import { ANSWER_MS, SilentDaemonError, watchSilence } from './silence.ts'

/** No process listens on the socket: the daemon has ended, or is about to. */
export class NoDaemonError extends ControlError {
  constructor(socket: string, cause: unknown) {
    super('failed', `no daemon answers on ${socket}`, socket, { cause })
    this.name = 'NoDaemonError'
  }
}

/**
 * The daemon's DaemonInfo. Throws NoDaemonError, SilentDaemonError, ControlError for an incomplete
 * answer.
 */
export async function daemonInfo(socket: string): Promise<DaemonInfo> {
  return parsed(await textAt(socket, '/'), socket) as DaemonInfo
}

/**
 * The daemon's /metrics, as Prometheus text. Throws NoDaemonError, ControlError for an incomplete
 * answer.
 */
export async function daemonMetricsText(socket: string): Promise<string> {
  return await textAt(socket, '/metrics')
}

async function textAt(socket: string, path: string): Promise<string> {
  const response = await send(socket, 'GET', path, undefined, ANSWER_MS)
  const pieces: Buffer[] = []
  for await (const piece of piecesOf(response, socket)) pieces.push(piece)
  return Buffer.concat(pieces).toString()
}

/** The pieces of a response up to its end. Throws ControlError if the connection breaks before. */
async function* piecesOf(response: IncomingMessage, socket: string): AsyncGenerator<Buffer> {
  try {
    yield* response as AsyncIterable<Buffer>
  } catch (cause) {
    const message = 'the daemon ended in the middle of its answer'
    throw new ControlError('failed', message, socket, { cause })
  }
}

function parsed(text: string, socket: string): object {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value
  } catch {
    // Reported below.
  }
  throw noAnswer(socket)
}

function noAnswer(socket: string, cause?: unknown): ControlError {
  return new ControlError('failed', `what came from ${socket} is no answer of avfs`, socket, {
    cause,
  })
}

/**
 * Runs a method in the daemon and returns its result, whose type the caller knows; `receive` gets
 * the pieces before it, `feed` sends the method's input meanwhile. `pid` is the daemon's, for
 * messages. Throws NoDaemonError if the method was not started, SilentDaemonError if the daemon no
 * longer answers even GET /, and errors of the method as ControlError.
 */
export async function callDaemon<Item extends object, Result extends object>(
  socket: string,
  method: string,
  parameters: object,
  report: Report,
  receive: Receive<Item> = () => undefined,
  feed?: Feed,
  pid?: number,
): Promise<Result> {
  let sent: ClientRequest | undefined
  let silent: SilentDaemonError | undefined
  const watch = watchSilence(
    () => daemonInfo(socket),
    (cause) => {
      if (!(cause instanceof SilentDaemonError)) return
      silent = new SilentDaemonError(socket, pid, cause)
      sent?.destroy(silent)
    },
  )
  const note = (its: ClientRequest): void => {
    sent = its
  }
  const heard: Receive<Item> = (unit) => {
    watch.sign()
    return receive(unit)
  }
  try {
    return await called(
      { socket, method, body: JSON.stringify(parameters), note },
      report,
      heard,
      feed,
    )
  } catch (error) {
    throw silent ?? error
  } finally {
    watch.end()
  }
}

/** A request for a method; `note` gets it once it has been sent. */
interface MethodCall {
  readonly socket: string
  readonly method: string
  readonly body: string
  note(sent: ClientRequest): void
}

async function called<Item extends object, Result extends object>(
  { socket, method, body, note }: MethodCall,
  report: Report,
  receive: Receive<Item>,
  feed: Feed | undefined,
): Promise<Result> {
  const [response, fed] =
    feed === undefined
      ? [await send(socket, 'POST', `/${method}`, body, 0, note), undefined]
      : await sendFed(socket, `/${method}`, body, feed, note)
  try {
    return await answerOf(response, method, socket, report, receive)
  } catch (error) {
    // If the source failed, that ended the stream and is the actual reason.
    throw (
      (await fed?.failure()) ?? (systemCode(error) === 'ECONNRESET' ? ended(method, socket) : error)
    )
  }
}

async function answerOf<Item extends object, Result extends object>(
  response: IncomingMessage,
  method: string,
  socket: string,
  report: Report,
  receive: Receive<Item>,
): Promise<Result> {
  for await (const frame of framesOf(response, socket)) {
    const body = frame.subarray(FRAME_HEAD_BYTES)
    if (frame.readUInt32LE(4) === BYTES_FRAME) {
      await receive(body)
      continue
    }
    const answer = parsed(body.toString('utf8'), socket) as Answer<Item, Result>
    if ('item' in answer) await receive(answer)
    else if ('progress' in answer) report(answer.progress.done, answer.progress.total)
    else if ('error' in answer) throw fromWire(answer.error)
    else if ('result' in answer) return answer.result
  }
  throw ended(method, socket)
}

function ended(method: string, socket: string): ControlError {
  return new ControlError('failed', `the daemon ended before ${method} was done`, socket)
}

/** Frames as they arrive, read on demand. Throws ControlError if they are invalid or cut off. */
async function* framesOf(response: IncomingMessage, socket: string): AsyncGenerator<Buffer> {
  const units = new Units()
  for await (const piece of piecesOf(response, socket)) {
    let rest = added(units, piece, socket)
    while (rest !== undefined && rest.length >= FRAME_HEAD_BYTES) {
      const length = rest.readUInt32LE(0)
      if (length < FRAME_HEAD_BYTES) throw noAnswer(socket)
      if (rest.length < length) break
      yield rest.subarray(0, length)
      rest = rest.subarray(length)
    }
    if (rest !== undefined) units.keep(rest)
  }
}

function added(units: Units, piece: Buffer, socket: string): Buffer | undefined {
  try {
    return units.add(piece)
  } catch (cause) {
    throw noAnswer(socket, cause)
  }
}

interface Fed {
  /** Why the source ended early, if it did. */
  failure(): Promise<unknown>
}

/** A request whose body is still sent while it is answered. */
async function sendFed(
  socketPath: string,
  path: string,
  parameters: string,
  feed: Feed,
  note: (sent: ClientRequest) => void,
): Promise<[IncomingMessage, Fed]> {
  const headers = { accept: BINARY, 'content-type': BINARY, [CALLER_HEADER]: callerHeader() }
  const createConnection = await opened(socketPath)
  const sent = request({ createConnection, path, method: 'POST', headers })
  note(sent)
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    sent.once('response', resolve)
    sent.on('error', (error) => reject(asControlError(socketPath, error)))
  })
  answered.catch(() => undefined)
  let failure: unknown
  let isClosed = false
  sent.once('close', () => {
    isClosed = true
  })
  const write = (piece: Uint8Array): Promise<void> =>
    new Promise((resolve, reject) => {
      if (isClosed) return reject(new NoListener())
      const gone = (): void => reject(new NoListener())
      sent.once('close', gone)
      sent.write(piece, () => {
        sent.off('close', gone)
        resolve()
      })
    })
  sent.write(`${parameters}\n`)
  const response = new Promise<IncomingMessage>((resolve, reject) => {
    answered.then((its) => {
      // The method has ended, perhaps before it took all input.
      its.once('end', () => sent.destroy())
      resolve(its)
    }, reject)
  })
  const fed = feed(write).then(
    () => void sent.end(),
    (error: unknown) => {
      if (!(error instanceof NoListener)) failure = error
      sent.destroy()
    },
  )
  return [
    await response.catch(async (error: unknown) => {
      await fed
      throw failure ?? error
    }),
    { failure: () => fed.then(() => failure) },
  ]
}

class NoListener extends Error {}

async function send(
  socketPath: string,
  method: string,
  path: string,
  body: string | undefined,
  timeoutMs: number,
  note?: (sent: ClientRequest) => void,
): Promise<IncomingMessage> {
  const headers = { accept: BINARY, [CALLER_HEADER]: callerHeader() }
  const createConnection = await opened(socketPath)
  return await new Promise((resolve, reject) => {
    const sent = request({ createConnection, method, path, headers }, resolve)
    note?.(sent)
    // The option `timeout` only applies to sockets that http itself makes.
    sent.setTimeout(timeoutMs)
    sent.on('timeout', () => sent.destroy(new SilentDaemonError(socketPath, undefined)))
    sent.on('error', (error) => reject(asControlError(socketPath, error)))
    sent.end(body)
  })
}

/** A connection for one request, to a daemon verified to be the owner's. */
async function opened(path: string): Promise<() => Socket> {
  try {
    const socket = await connected(path)
    return () => socket
  } catch (error) {
    throw error instanceof StrangerError ? error : asControlError(path, error as Error)
  }
}

function asControlError(socket: string, error: Error): ControlError {
  if (error instanceof SilentDaemonError) return error
  const code = systemCode(error)
  if (code === 'EACCES') {
    return new ControlError('failed', `the daemon on ${socket} belongs to another user`, socket)
  }
  return new NoDaemonError(socket, error)
}
