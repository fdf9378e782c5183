// Callers of the control socket that go away, stop reading, or send nonsense; each as a way to make
// one call.

import { connect, type Socket } from 'node:net'
import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import { callDaemon, daemonInfo } from '../../src/control/wire/client.ts'
import { type MethodCall, requestBytes } from './method-calls.ts'

/** Makes a call and is gone when it resolves, but for what it leaves in `open`. */
export type BadCaller = (socket: string, call: MethodCall, open: Socket[]) => Promise<void>

const turns = [0, 1, 2, 5, 13, 34]
const answerBytes = [1, 1000, 70_000]
/** Of the request, in hundredths. */
const parts = [0, 10, 60, 99]
const WAIT_MS = 10_000

/**
 * All ways, by name. In one process with the daemon, a turn of the event loop is a step of the
 * method.
 */
export const badCallers: Readonly<Record<string, BadCaller>> = Object.fromEntries<BadCaller>([
  ...turns.map((count): [string, BadCaller] => [
    `goes after ${count} turns`,
    async (path, call) => {
      const socket = await connected(path)
      await written(socket, requestBytes(call))
      for (let turn = 0; turn < count; turn++) await setImmediate()
      socket.destroy()
    },
  ]),
  ...answerBytes.map((count): [string, BadCaller] => [
    `goes after ${count} bytes of the answer`,
    async (path, call) => {
      const socket = await connected(path)
      await written(socket, requestBytes(call))
      await received(socket, count)
      socket.destroy()
    },
  ]),
  ...parts.map((part): [string, BadCaller] => [
    `sends ${part} % of the request and goes`,
    async (path, call) => {
      const bytes = requestBytes(call)
      const socket = await connected(path)
      await written(socket, bytes.subarray(0, Math.floor((bytes.length * part) / 100)))
      await setImmediate()
      socket.destroy()
    },
  ]),
  [
    'says that nothing more comes from it',
    async (path, call) => {
      const socket = await connected(path)
      socket.end(requestBytes(call))
      await received(socket, Number.POSITIVE_INFINITY)
    },
  ],
  [
    'stops reading',
    async (path, call, open) => {
      const socket = await connected(path)
      open.push(socket)
      await written(socket, requestBytes(call))
      socket.pause()
      await sleep(5)
    },
  ],
  [
    'stops in the middle of the request',
    async (path, call, open) => {
      const bytes = requestBytes(call)
      const socket = await connected(path)
      open.push(socket)
      await written(socket, bytes.subarray(0, bytes.length - 1))
    },
  ],
  ...[null, [], 'x', -1, {}].map((wrong): [string, BadCaller] => [
    `sends ${JSON.stringify(wrong)} for every parameter`,
    async (path, call) => {
      const names = Object.keys(call.parameters)
      const parameters = Object.fromEntries(names.map((name) => [name, wrong]))
      await asked(path, { ...call, parameters })
    },
  ]),
  ['sends no parameters', (path, call) => asked(path, { ...call, parameters: {} })],
  [
    'sends no JSON',
    async (path, call) => {
      const text = requestBytes(call).toString('latin1').replace(/\{/g, '[')
      await exchanged(path, Buffer.from(text, 'latin1'))
    },
  ],
  [
    'sends a stream that is none',
    (path, call) => asked(path, { ...call, body: Buffer.alloc(5000, 7) }),
  ],
])

/** Throws unless the daemon answers, and does the call as it should, whatever that comes to. */
export async function answersStill(path: string, call: MethodCall): Promise<void> {
  await daemonInfo(path)
  await settled(callProperly(path, call))
}

/** The call as avfs itself makes it. */
export function callProperly(path: string, { method, parameters, body }: MethodCall) {
  const feed =
    body === undefined ? undefined : (send: (piece: Uint8Array) => Promise<void>) => send(body)
  return callDaemon(
    path,
    method,
    parameters,
    () => undefined,
    () => undefined,
    feed,
  )
}

/** Waits for an end of any kind; throws when there is none. */
async function settled(work: Promise<unknown>): Promise<void> {
  const late = sleep(WAIT_MS, 'late', { ref: false })
  const end = await Promise.race([work.catch(() => undefined), late])
  if (end === 'late') throw new Error(`there was no answer after ${WAIT_MS} ms`)
}

async function asked(path: string, call: MethodCall): Promise<void> {
  await exchanged(path, requestBytes(call))
}

/** Sends bytes and reads to the end of the answer; the daemon may cut it. */
async function exchanged(path: string, bytes: Buffer): Promise<void> {
  const socket = await connected(path)
  socket.end(bytes)
  await settled(received(socket, Number.POSITIVE_INFINITY))
  socket.destroy()
}

function connected(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path, allowHalfOpen: true })
    socket.once('connect', () => resolve(socket))
    // Cut by the daemon: that is its right.
    socket.on('error', reject)
  })
}

function written(socket: Socket, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    socket.write(bytes, () => resolve())
    socket.once('close', () => resolve())
  })
}

/** Resolves when so many bytes came, or no more do. */
function received(socket: Socket, count: number): Promise<void> {
  return new Promise((resolve) => {
    let seen = 0
    socket.on('data', (piece) => {
      seen += piece.length
      if (seen >= count) resolve()
    })
    socket.once('end', () => resolve())
    socket.once('close', () => resolve())
  })
}
