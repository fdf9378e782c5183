// Requests of the kernel with bytes changed, cut and joined at random, against a file system on a vault in memory. Whatever comes in,
// the session answers once, with a reply that the kernel would take, logs no bug, and the vault stays sound.

import { setLog } from '../../src/base/log.ts'
import { createFileSystem } from '../../src/fs/file-system.ts'
import type { Operations } from '../../src/fs/operations.ts'
import { openMemory } from '../../src/store/memory.ts'
import { birthBatch, Vault } from '../../src/vault/vault.ts'
import { golden } from '../support/fuse-golden.ts'
import { fakeMount } from '../support/fuse-wire.ts'
import { randomFrom } from '../vault/plain-model.ts'

const HEADER_BYTES = 40
const REPLY_HEADER_BYTES = 16
const ERRNO_MAX = 4095
const NODES = 12
/** Requests that get no reply: FORGET, BATCH_FORGET, INTERRUPT, NOTIFY_REPLY, and 0, which is none. DESTROY would end the session. */
const SILENT = new Set([0, 2, 42, 36, 41])
const DESTROY = 38
const INIT = 26

/** Sends `count` requests; throws, with what was sent, at the first that is not answered as it must be. */
export async function fuzzProtocol(
  seed: number,
  count: number,
  breakIt: (operations: Operations) => Operations = (operations) => operations,
): Promise<void> {
  const random = randomFrom(seed)
  const bugs: string[] = []
  setLog('error', (line) => bugs.push(line))
  const store = openMemory()
  await store.commit(birthBatch())
  const vault = new Vault(store, '/', { commitMs: 1_000_000 })
  const operations = breakIt(createFileSystem(vault, { readOnly: false }))
  const { channel, ask, session } = fakeMount(operations)
  const samples = Object.values(golden).map((each) => each.request)
  for (let at = 0; at < count; at++) {
    const bytes = mutate(samples[random(samples.length)] as Buffer, random)
    const opcode = bytes.length >= 8 ? bytes.readUInt32LE(4) : 0
    if (opcode === DESTROY || opcode === INIT) continue
    const before = channel.replies.length
    const answer = ask(bytes)
    const where = `seed ${seed}, request ${at}: ${bytes.toString('hex')}`
    if (bugs.length > 0) throw new Error(`${where}\n${bugs.join('')}`)
    if (channel.replies.length > before + 1) throw new Error(`${where}: two replies`)
    if (answer !== undefined) assertReply(Buffer.from(answer, 'hex'), bytes, where)
    else if (bytes.length >= HEADER_BYTES && !SILENT.has(opcode))
      await settled(channel.replies, before, where)
    channel.replies.length = 0
  }
  await vault.sync()
  const { problems } = await vault.check({ deep: true })
  if (problems.length > 0) throw new Error(`seed ${seed}: ${JSON.stringify(problems.slice(0, 5))}`)
  await session.stop()
  await vault.close()
}

function mutate(sample: Buffer, random: (below: number) => number): Buffer {
  let bytes = Buffer.from(sample)
  // Most requests go to inodes that may be there.
  if (random(4) > 0) bytes.writeUInt32LE(1 + random(NODES), 16)
  for (let changes = random(4); changes > 0; changes--) {
    const kind = random(10)
    const at = random(bytes.length)
    if (kind < 5) bytes[at] = random(256)
    else if (kind < 7 && bytes.length > HEADER_BYTES + 8)
      bytes.writeUInt32LE(random(3) === 0 ? 0xffffffff : random(70_000), at % (bytes.length - 4))
    else if (kind < 8) bytes = bytes.subarray(0, Math.max(1, at))
    else bytes = Buffer.concat([bytes, Buffer.alloc(random(200), random(256))])
  }
  // A wrong length is one kind of damage among others.
  if (bytes.length >= 4 && random(5) > 0) bytes.writeUInt32LE(bytes.length, 0)
  return bytes
}

/** A waiting reply (fsync, a write under pressure) comes within a few turns. */
async function settled(replies: readonly string[], before: number, where: string): Promise<void> {
  for (let turns = 0; turns < 200; turns++) {
    if (replies.length > before) return
    await new Promise((go) => setImmediate(go))
  }
  throw new Error(`${where}: no reply`)
}

function assertReply(reply: Buffer, request: Buffer, where: string): void {
  if (reply.length < REPLY_HEADER_BYTES || reply.readUInt32LE(0) !== reply.length)
    throw new Error(`${where}: the reply says a wrong length: ${reply.toString('hex')}`)
  const error = reply.readInt32LE(4)
  if (error > 0 || error < -ERRNO_MAX) throw new Error(`${where}: errno ${error}`)
  if (error !== 0 && reply.length !== REPLY_HEADER_BYTES)
    throw new Error(`${where}: an error with a body`)
  if (request.length >= 16 && !reply.subarray(8, 16).equals(request.subarray(8, 16)))
    throw new Error(`${where}: the reply is to another request`)
}
