// The caller's end of the control socket; see protocol.ts for what is said. Knows nothing of vaults or of the methods.

import { type IncomingMessage, request } from 'node:http'
import { CALLER_HEADER, callerHeader } from './caller.ts'
import { ControlError, systemCode } from './errors.ts'
import { type Answer, type DaemonInfo, fromWire, type Receive, type Report } from './protocol.ts'

/** A daemon that does not answer within this is taken for dead. */
const INFO_TIMEOUT_MS = 5_000

/** Nobody listens on the socket: the daemon is gone, or about to go. */
export class NoDaemonError extends ControlError {
  constructor(socket: string, cause: unknown) {
    super('failed', `no daemon answers on ${socket}`, socket, { cause })
    this.name = 'NoDaemonError'
  }
}

/** Asks the daemon who it is. Throws NoDaemonError. */
export async function daemonInfo(socket: string): Promise<DaemonInfo> {
  const response = await send(socket, 'GET', '/', undefined, INFO_TIMEOUT_MS)
  let body = ''
  for await (const chunk of response.setEncoding('utf8')) body += chunk
  return JSON.parse(body) as DaemonInfo
}

/** What the daemon says at /metrics, as Prometheus text. Throws NoDaemonError. */
export async function daemonMetricsText(socket: string): Promise<string> {
  const response = await send(socket, 'GET', '/metrics', undefined, INFO_TIMEOUT_MS)
  let body = ''
  for await (const chunk of response.setEncoding('utf8')) body += chunk
  return body
}

/**
 * Runs a method in the daemon and returns its result; `receive` gets what it hands over before that. Throws NoDaemonError when
 * it did not begin, and what the method threw, as ControlError.
 */
export async function callDaemon(
  socket: string,
  method: string,
  parameters: object,
  report: Report,
  receive: Receive = () => undefined,
): Promise<object> {
  const response = await send(socket, 'POST', `/${method}`, JSON.stringify(parameters))
  for await (const line of linesOf(response)) {
    const answer = JSON.parse(line) as Answer
    if ('bytes' in answer) await receive(Buffer.from(answer.bytes, 'base64'))
    else if ('item' in answer) await receive(answer)
    else if ('progress' in answer) report(answer.progress.done, answer.progress.total)
    else if ('error' in answer) throw fromWire(answer.error)
    else return answer.result
  }
  throw new ControlError('failed', `the daemon ended before ${method} was done`, socket)
}

/** Lines as they come; unlike node:readline it reads no further than it is asked. */
async function* linesOf(response: IncomingMessage): AsyncGenerator<string> {
  let rest = ''
  for await (const chunk of response.setEncoding('utf8')) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
  if (rest !== '') yield rest
}

function send(
  socketPath: string,
  method: string,
  path: string,
  body: string | undefined,
  timeoutMs = 0,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = { [CALLER_HEADER]: callerHeader() }
    const sent = request({ socketPath, method, path, headers, timeout: timeoutMs }, resolve)
    sent.on('timeout', () => sent.destroy(new Error('timed out')))
    sent.on('error', (error) => reject(asControlError(socketPath, error)))
    sent.end(body)
  })
}

function asControlError(socket: string, error: Error): ControlError {
  const code = systemCode(error)
  if (code === 'EACCES') {
    return new ControlError('failed', `the daemon on ${socket} belongs to another user`, socket)
  }
  return new NoDaemonError(socket, error)
}
