// Fuzzer of requests of the kernel, valid and damaged, several at a time, against a file system
// with views on a vault with history; every other vault is on a store whose reads must wait.
// Whatever comes in, the session answers once, with a reply that the kernel would accept, logs no
// bug, and the vault stays sound.

import { setLog } from '../../src/base/log.ts'
import { createFileSystem } from '../../src/fs/file-system.ts'
import type { Operations } from '../../src/fs/operations.ts'
import { openMemory } from '../../src/store/memory.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import { birthBatch, Vault } from '../../src/vault/vault.ts'
import { faulting } from '../support/faulting.ts'
import { type FakeMount, fakeMount } from '../support/fuse-wire.ts'
import { randomFrom } from '../support/random.ts'
import { HistoryRun } from '../vault/history-run.ts'
import type { FuzzInput } from './input.ts'
import { learn, newKernel, randomRequest, type Sent } from './requests.ts'

const HEADER_BYTES = 40
const REPLY_HEADER_BYTES = 16
const ERRNO_MAX = 4095
const REQUESTS = 400
const STEPS = 40
/**
 * Requests that get no reply: FORGET, BATCH_FORGET, INTERRUPT, NOTIFY_REPLY, and 0, which is none.
 */
const SILENT = new Set([0, 2, 42, 36, 41])
/** A waiting reply (fsync, a write under pressure, reads that wait) comes within a few turns. */
const TURNS_MAX = 100_000

export const protocolInput: FuzzInput = {
  canary: /a bug/,
  seeds: 10,
  open: async ({ isBroken }) => ({
    run: (seed) => fuzzProtocol(seed, REQUESTS, isBroken ? withBug : undefined),
    close: async () => undefined,
  }),
}

function withBug(operations: Operations): Operations {
  return {
    ...operations,
    setxattr: () => {
      throw new TypeError('a bug')
    },
  }
}

/**
 * Sends `count` requests; throws, with what was sent, at the first that is not answered as it must
 * be.
 */
export async function fuzzProtocol(
  seed: number,
  count: number,
  breakIt: (operations: Operations) => Operations = (operations) => operations,
): Promise<void> {
  const random = randomFrom(seed)
  const bugs: string[] = []
  setLog('error', (line) => bugs.push(line))
  const memory = openMemory()
  await memory.commit(birthBatch())
  const store = seed % 2 === 0 ? memory : faulting(memory, { gets: true })
  const vault = await retryUntilLoaded(() => new Vault(store, '/', { commitMs: 1e9, sealMs: 1e9 }))
  const past = await retryUntilLoaded(() => new HistoryRun(vault, seed))
  for (let step = 0; step < STEPS; step++) await past.step()
  await past.sealAll()
  const operations = breakIt(
    await retryUntilLoaded(() => createFileSystem(vault, { readOnly: false })),
  )
  const mount = fakeMount(operations)
  const kernel = newKernel()
  for (let at = 0; at < count; ) {
    const sent = Array.from({ length: 1 + random.below(3) }, () => randomRequest(kernel, random))
    at += sent.length
    const replies = await exchanged(mount, sent)
    const where = `request ${at}: ${sent.map(({ bytes }) => bytes.toString('hex')).join(', ')}`
    if (bugs.length > 0) throw new Error(`${where}\n${bugs.join('')}`)
    for (const one of sent) {
      const its = replies.get(one.unique) ?? []
      if (its.length > 1) throw new Error(`${where}: two replies`)
      for (const reply of its) {
        assertReply(reply, where)
        learn(kernel, one, reply)
      }
      if (its.length === 0 && isAnswered(one))
        throw new Error(`${where}: no reply to the one of number ${one.unique}`)
    }
  }
  await vault.sync()
  const { problems } = await vault.check({ deep: true })
  if (problems.length > 0) throw new Error(JSON.stringify(problems.slice(0, 5)))
  await mount.session.stop()
  await vault.close()
}

function isAnswered({ bytes, opcode }: Sent): boolean {
  return bytes.length >= HEADER_BYTES && !SILENT.has(opcode)
}

/** What comes back, by the number of the request. Waits until all is answered that must be. */
async function exchanged(
  { channel }: FakeMount,
  sent: readonly Sent[],
): Promise<Map<number, Buffer[]>> {
  channel.replies.length = 0
  channel.send(...sent.map(({ bytes }) => bytes))
  const replies = new Map<number, Buffer[]>()
  const isWaiting = (one: Sent): boolean => isAnswered(one) && !replies.has(one.unique)
  for (let turns = 0; turns < TURNS_MAX; turns++) {
    for (const text of channel.replies.splice(0)) {
      const reply = Buffer.from(text, 'hex')
      const unique = reply.length >= REPLY_HEADER_BYTES ? Number(reply.readBigUInt64LE(8)) : 0
      replies.set(unique, [...(replies.get(unique) ?? []), reply])
    }
    if (!sent.some(isWaiting)) break
    await new Promise((go) => setImmediate(go))
  }
  return replies
}

function assertReply(reply: Buffer, where: string): void {
  if (reply.length < REPLY_HEADER_BYTES || reply.readUInt32LE(0) !== reply.length)
    throw new Error(`${where}: the reply says a wrong length: ${reply.toString('hex')}`)
  const error = reply.readInt32LE(4)
  if (error > 0 || error < -ERRNO_MAX) throw new Error(`${where}: errno ${error}`)
  if (error !== 0 && reply.length !== REPLY_HEADER_BYTES)
    throw new Error(`${where}: an error with a body`)
}
