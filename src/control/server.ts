// The daemon's end of the control socket; see protocol.ts for what is said. Knows the methods only as a table.

import { chmodSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { log } from '../base/log.ts'
import type { Searcher } from '../search/searcher.ts'
import type { Actor } from '../vault/actors.ts'
import type { Kernel } from '../vault/announce.ts'
import type { Vault } from '../vault/vault.ts'
import { CALLER_HEADER, callerOf } from './caller.ts'
import { ControlError } from './errors.ts'
import { isMethodName, methods, type Parameters } from './methods.ts'
import {
  type Answer,
  BINARY,
  BYTES_FRAME,
  type DaemonInfo,
  FRAME_HEAD_BYTES,
  JSON_FRAME,
  type Piece,
  toWire,
} from './protocol.ts'
import { throttled } from './throttle.ts'

/** What the server needs of its daemon; `metrics` is Prometheus text. */
export interface Served {
  readonly vault: Vault
  readonly info: DaemonInfo
  readonly kernel?: Kernel
  readonly searcher: Searcher
  metrics(): string
}

export interface ControlServer {
  /** Takes no more requests, cuts those that run, removes the socket. */
  close(): Promise<void>
}

const BODY_BYTES_MAX = 1024 * 1024

/** Listens on `socket` (mode 0600); a socket file that is there is a leftover, because the caller holds the vault's lock. */
export async function startControlServer(socket: string, served: Served): Promise<ControlServer> {
  rmSync(socket, { force: true })
  const server = createServer((request, response) => {
    answer(served, request, response).catch((error: unknown) => {
      log('warn', `control request ${request.method} ${request.url} failed`, error)
      response.destroy()
    })
  })
  // A large import takes as long as it takes.
  server.requestTimeout = 0
  await listen(server, socket)
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function listen(server: Server, socket: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    // The mode of the file is set by the umask at bind(2): chmod alone would leave an instant for others.
    const umask = process.umask(0o177)
    server.listen(socket, () => {
      chmodSync(socket, 0o600)
      resolve()
    })
    process.umask(umask)
  })
}

async function answer(
  served: Served,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = new URL(request.url ?? '/', 'http://daemon').pathname
  if (request.method === 'GET' && path === '/') return sendJson(response, 200, served.info)
  if (request.method === 'GET' && path === '/metrics') {
    response.setHeader('content-type', 'text/plain; version=0.0.4')
    response.end(served.metrics())
    return
  }
  const name = path.slice(1)
  if (!isMethodName(name)) return refuse(response, 404, `no such method: ${name}`)
  if (request.method !== 'POST') return refuse(response, 405, `${name} wants POST`)
  const isFed = request.headers['content-type'] === BINARY
  const [text, body] = isFed ? await firstLine(request) : [await readText(request), undefined]
  const parameters = parametersOf(text)
  if (parameters === undefined) return refuse(response, 400, 'the body must be a JSON object')
  const caller = callerOf(request.headers[CALLER_HEADER])
  const isFramed = request.headers.accept === BINARY
  const writer = isFramed ? framed(response) : lined(response)
  await runMethod(served, name, parameters, body, caller, writer)
}

/** How an answer is written; both return false when the caller is behind. */
interface Writer {
  readonly response: ServerResponse
  line(answer: Answer): boolean
  bytes(piece: Uint8Array): boolean
}

async function runMethod(
  { vault, kernel, searcher }: Served,
  name: keyof typeof methods,
  parameters: Parameters,
  body: AsyncIterable<Uint8Array> | undefined,
  caller: Actor,
  { response, line, bytes }: Writer,
): Promise<void> {
  const send = async (piece: Piece): Promise<void> => {
    const taken = piece instanceof Uint8Array ? bytes(piece) : line(piece)
    if (!taken) await drained(response)
  }
  const report = throttled((done, total) => line({ progress: { done, total } }))
  try {
    // A method that changes something does so, or keeps in mind who asked, before it lets anybody else go on.
    if (!methods[name].readOnly) vault.core.actors.actAs(caller)
    const isGone = (): boolean => response.destroyed
    const call = { report, send, kernel, isGone, body, searcher: () => searcher }
    line({ result: await methods[name].run(vault, parameters, call) })
  } catch (error) {
    // A refusal is an answer; all else is worth a line.
    if (!(error instanceof ControlError)) log('warn', `control method ${name} failed`, error)
    line({ error: toWire(error) })
  }
  response.end()
}

function lined(response: ServerResponse): Writer {
  response.setHeader('content-type', 'application/x-ndjson')
  return {
    response,
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
    response,
    line: (answer) => write(JSON_FRAME, Buffer.from(JSON.stringify(answer))),
    bytes: (piece) => write(BYTES_FRAME, piece),
  }
}

/** Resolves when the caller has read what waits for it. Rejects when it is gone. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve, reject) => {
    const gone = (): void => reject(new ControlError('failed', 'the caller is gone'))
    if (response.destroyed) return gone()
    response.once('close', gone)
    response.once('drain', () => {
      response.off('close', gone)
      resolve()
    })
  })
}

async function readText(request: IncomingMessage): Promise<string | undefined> {
  let body = ''
  request.setEncoding('utf8')
  for await (const chunk of request) {
    body += chunk
    if (body.length > BODY_BYTES_MAX) return undefined
  }
  return body
}

/** The first line of a body, and the rest as it comes. */
async function firstLine(
  request: IncomingMessage,
): Promise<[string | undefined, AsyncIterable<Uint8Array>]> {
  const pieces: AsyncIterator<Buffer> = request[Symbol.asyncIterator]()
  let head = Buffer.alloc(0)
  for (;;) {
    const next = await pieces.next()
    if (next.done === true || head.length > BODY_BYTES_MAX) return [undefined, request]
    head = Buffer.concat([head, next.value])
    const end = head.indexOf(0x0a)
    if (end < 0) continue
    const rest = head.subarray(end + 1)
    return [head.toString('utf8', 0, end), joined(rest, pieces)]
  }
}

async function* joined(first: Buffer, pieces: AsyncIterator<Buffer>): AsyncGenerator<Uint8Array> {
  if (first.length > 0) yield first
  for (;;) {
    const next = await pieces.next()
    if (next.done === true) return
    yield next.value
  }
}

function parametersOf(text: string | undefined): Parameters | undefined {
  if (text === undefined) return undefined
  try {
    const parsed: unknown = JSON.parse(text === '' ? '{}' : text)
    const isObject = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)
    return isObject ? (parsed as Parameters) : undefined
  } catch {
    return undefined
  }
}

function refuse(response: ServerResponse, status: number, message: string): void {
  sendJson(response, status, { error: { kind: 'failed', message } })
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(`${JSON.stringify(body)}\n`)
}
