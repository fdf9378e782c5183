// The daemon's end of the control socket; the protocol is in wire/protocol.ts. Knows the methods
// only as a table.

import { chmodSync, rmSync } from 'node:fs'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { log } from '../base/log.ts'
import { isTrusted } from '../base/own-files.ts'
import type { Searcher } from '../search/searcher.ts'
import type { Actor } from '../vault/core/actors.ts'
import type { Kernel } from '../vault/tree/announce.ts'
import type { Vault } from '../vault/vault.ts'
import type { Parameters } from './methods/method.ts'
import type { MethodName } from './methods/method-types.ts'
import { isMethodName, methods } from './methods/methods.ts'
import { isObject } from './methods/parameters.ts'
import { CALLER_HEADER, callerOf } from './wire/caller.ts'
import { peerUser } from './wire/connect.ts'
import { ControlError, systemCode } from './wire/errors.ts'
import { createServer } from './wire/http.ts'
import { type MethodReply, replyTo } from './wire/method-reply.ts'
import { BINARY, type DaemonInfo, toWire } from './wire/protocol.ts'

/** What the server needs from the daemon; `metrics` returns Prometheus text. */
interface Served {
  readonly vault: Vault
  readonly info: DaemonInfo
  readonly kernel?: Kernel
  readonly searcher: Searcher
  metrics(): string
}

export interface ControlServer {
  /**
   * Accepts no more requests, disconnects the callers of running ones, waits until these end, and
   * removes the socket.
   */
  close(): Promise<void>
}

const BODY_BYTES_MAX = 1024 * 1024
/** Each takes a descriptor, and the mount must not run out of them. */
const CONNECTIONS_MAX = 256

/**
 * Listens on `socket` (mode 0600). An existing socket file is a leftover, because the caller holds
 * the vault's lock.
 */
export async function startControlServer(socket: string, served: Served): Promise<ControlServer> {
  rmSync(socket, { force: true })
  const running = new Set<Promise<void>>()
  const server = createServer((request, response) => {
    const answered = answer(served, request, response).catch((error: unknown) => {
      // A client that disconnects early is not a failure.
      if (systemCode(error) !== 'ECONNRESET')
        log('warn', `control request ${request.method} ${request.url} failed`, error)
      response.destroy()
    })
    running.add(answered)
    void answered.then(() => running.delete(answered))
  })
  // No time limit: a large import may take long.
  server.requestTimeout = 0
  server.on('connection', (socket) => {
    if (!isOwnCaller(socket)) socket.destroy()
  })
  server.maxConnections = CONNECTIONS_MAX
  await listen(server, socket)
  server.on('error', (error) => log('warn', 'the control socket took no caller', error))
  return {
    async close() {
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
      // The vault is closed next, so methods that change it must have ended, or stopped at a safe
      // point.
      await Promise.all(running)
    },
  }
}

/** Whether the peer is this user or root; a second check beside the modes of the socket. */
function isOwnCaller(socket: Socket): boolean {
  try {
    return isTrusted(peerUser(socket))
  } catch {
    return false
  }
}

function listen(server: Server, socket: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    // The umask sets the mode at bind(2); with chmod others could connect for an instant.
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
  const path = URL.parse(request.url ?? '/', 'http://daemon')?.pathname
  if (path === undefined) return refuse(response, 400, 'the request names no path')
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
  const reply = replyTo(response, request.headers.accept === BINARY)
  await runMethod(served, name, parameters, body, caller, reply)
}

async function runMethod(
  { vault, kernel, searcher }: Served,
  name: MethodName,
  parameters: Parameters,
  body: AsyncIterable<Uint8Array> | undefined,
  caller: Actor,
  reply: MethodReply,
): Promise<void> {
  const { report, send, isGone } = reply
  try {
    // Valid until the method first yields: it must make its changes, or note the actor, before
    // that.
    if (!methods[name].readOnly) vault.core.actors.actAs(caller)
    const call = { report, send, kernel, isGone, body, searcher: () => searcher }
    const result = await methods[name].run(vault, parameters, call)
    if (!methods[name].readOnly) await kernel?.told?.()
    reply.end({ result })
  } catch (error) {
    // Refusals are only returned. Anything else is logged, less urgently if the caller has gone.
    const level = isGone() ? 'info' : 'warn'
    if (!(error instanceof ControlError)) log(level, `control method ${name} failed`, error)
    reply.end({ error: toWire(error) })
  }
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

/** The first line of a body, and the rest as a stream. */
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
    return isObject(parsed) ? parsed : undefined
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
