// Fuzzer of requests of the control socket, valid and damaged: their bytes, their parameters, their
// streams. Both ends are in this process; the vault is in memory and made anew for each input. Each
// request is answered or cut off, the server answers the next one, no bug is logged, the vault
// stays sound, and read-only methods change nothing.

import { createHash } from 'node:crypto'
import { connect } from 'node:net'
import { join } from 'node:path'
import { serialize } from 'node:v8'
import { setLog } from '../../src/base/log.ts'
import type { MethodName } from '../../src/control/methods/method-types.ts'
import { isMethodName, methods } from '../../src/control/methods/methods.ts'
import { startControlServer } from '../../src/control/server.ts'
import { daemonInfo } from '../../src/control/wire/client.ts'
import { Searcher } from '../../src/search/searcher.ts'
import { collections } from '../../src/store/collections.ts'
import { openMemory } from '../../src/store/memory.ts'
import type { Store } from '../../src/store/store.ts'
import { configure } from '../../src/vault/core/configuration.ts'
import { copyStore } from '../../src/vault/transfer/copy-rows.ts'
import { birthBatch, Vault } from '../../src/vault/vault.ts'
import { callProperly } from '../support/bad-callers.ts'
import { type MethodCall, making, methodCall, requestBytes } from '../support/method-calls.ts'
import { type Random, randomFrom } from '../support/random.ts'
import { type FuzzInput, isMistake } from './input.ts'
import { mutated, randomJson } from './mutate.ts'

const REQUESTS = 6
const ALL = 1_000_000
/** An answer that does not end within this never does. */
const WAIT_MS = 20_000

const names = Object.keys(methods).filter(isMethodName)
const looking = names.filter((name) => methods[name].readOnly)

export const controlInput: FuzzInput = {
  canary: /a bug/,
  seeds: 10,
  async open({ folder, isBroken }) {
    const socket = join(folder, 's')
    const base = await baseStore(socket)
    return {
      run: (seed) => fuzzControl(base, socket, randomFrom(seed), isBroken),
      close: () => base.close(),
    }
  },
}

async function fuzzControl(
  base: Store,
  socket: string,
  random: Random,
  isBroken: boolean,
): Promise<void> {
  const bugs: string[] = []
  setLog('info', (line) => bugs.push(line))
  const store = openMemory()
  await copyStore(base, store, { damaged: () => undefined })
  const vault = new Vault(store, '/', { commitMs: 1e9, sealMs: 1e9 })
  if (isBroken)
    vault.info = () => {
      throw new TypeError('a bug')
    }
  const isLooking = random.below(2) === 0
  await vault.sync()
  const before = isLooking ? rowsOf(store) : []
  const sent: Buffer[] = []
  await served(vault, socket, async () => {
    for (let at = 0; at < REQUESTS; at++) {
      const method = random.pick(isLooking ? looking : names)
      const bytes = randomRequest(method, random)
      sent.push(bytes)
      await exchanged(socket, bytes)
    }
    await daemonInfo(socket)
  })
  const shown = sent.map((bytes) => bytes.toString('latin1').slice(0, 2000)).join('\n')
  const bug = bugs.find(isMistake)
  if (bug !== undefined) throw new Error(`${bug}\n${shown}`)
  await vault.sync()
  const { problems } = await vault.check({ deep: true })
  if (problems.length > 0) throw new Error(`${JSON.stringify(problems.slice(0, 3))}\n${shown}`)
  const after = isLooking ? rowsOf(store) : []
  const changed = after.findIndex((row, at) => row !== before[at])
  if (changed >= 0 || after.length !== before.length)
    throw new Error(`looking changed ${after[changed] ?? 'the number of rows'}\n${shown}`)
  await vault.close()
}

/** Does something while a server answers for the vault. */
async function served(vault: Vault, socket: string, work: () => Promise<void>): Promise<void> {
  const searcher = Searcher.start(vault)
  const server = await startControlServer(socket, {
    vault,
    searcher,
    info: { name: 'v', path: '/', mountPoint: '', pid: 0, version: '', since: '', methods: [] },
    kernel: {
      entryChanged: async () => undefined,
      inodeChanged: async () => undefined,
      holds: () => true,
    },
    metrics: () => '',
  })
  try {
    await work()
  } finally {
    await server.close()
    await searcher.close()
  }
}

async function baseStore(socket: string): Promise<Store> {
  const store = openMemory()
  await store.commit(birthBatch())
  const vault = new Vault(store, '/', { commitMs: 1e9, sealMs: 1e9 })
  configure(vault.core, { search: 'off' })
  await served(vault, socket, async () => {
    for (const call of [...making.first, ...making.later]) {
      await callProperly(socket, call)
      vault.core.moments.last += 2_000_000
    }
  })
  const copy = openMemory()
  await vault.sync()
  await copyStore(store, copy, { damaged: () => undefined })
  await vault.close()
  return copy
}

function randomRequest(method: MethodName, random: Random): Buffer {
  const call = methodCall(method, random.below(1000))
  switch (random.below(5)) {
    case 0:
      return mutated(requestBytes(call), random)
    case 1:
      return requestBytes(
        call.body === undefined ? call : { ...call, body: mutated(call.body, random) },
      )
    default:
      return requestBytes({ ...call, parameters: oddParameters(call, random) })
  }
}

/** Some of them something else. */
function oddParameters({ parameters }: MethodCall, random: Random): MethodCall['parameters'] {
  const values = Object.values(parameters)
  const odd = Object.entries(parameters).map(([name, value]): [string, unknown] => [
    name,
    random.below(2) === 0 ? value : randomJson([value, ...values, '/', '/d/f1', 'before'], random),
  ])
  if (random.below(4) === 0)
    odd.push([
      random.pick(['state', 'dryRun', 'path', 'limit', 'glob']),
      randomJson(values.length > 0 ? values : [0], random),
    ])
  return Object.fromEntries(odd)
}

/** Sends bytes and reads until the server is done with them. */
function exchanged(path: string, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => {
      reject(new Error(`no end of the answer to ${bytes.toString('latin1').slice(0, 2000)}`))
      socket.destroy()
    }, WAIT_MS)
    const socket = connect(path)
    socket.on('error', () => undefined)
    socket.resume()
    socket.once('close', () => {
      clearTimeout(late)
      resolve()
    })
    socket.end(bytes)
  })
}

function rowsOf(store: Store): string[] {
  return collections.flatMap((collection) =>
    store
      .scan(collection, { limit: ALL })
      .map(
        (row) =>
          `${collection.name} ${createHash('sha256').update(serialize(row)).digest('hex')} ${JSON.stringify(row).slice(0, 200)}`,
      ),
  )
}
