// Callers of the control socket may go away at any point, stop reading, or send nonsense: the
// daemon goes on, the vault stays sound, and the same call works afterwards. Tries each method in
// each of these ways, with both ends in this process.

import { mkdtempSync, rmSync } from 'node:fs'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { setLog } from '../../src/base/log.ts'
import { isMethodName, methods } from '../../src/control/methods/methods.ts'
import { type ControlServer, startControlServer } from '../../src/control/server.ts'
import { Searcher } from '../../src/search/searcher.ts'
import { openStore } from '../../src/store/open.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import { birthBatch, Vault } from '../../src/vault/vault.ts'
import { answersStill, badCallers, callProperly } from '../support/bad-callers.ts'
import { testedBackends } from '../support/engines.ts'
import { making, methodCall } from '../support/method-calls.ts'

t.setTimeout(280_000)
setLog('error', () => undefined)

interface Rig {
  readonly vault: Vault
  readonly socket: string
  readonly server: ControlServer
  /** What nobody caught so far. */
  readonly uncaught: unknown[]
}

/** A vault with some of everything, served on a socket as a daemon serves a mounted one. */
async function rigOf(t: Test, backend: string, suffix: string): Promise<Rig> {
  const folder = mkdtempSync(join(tmpdir(), 'avfs-callers-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const path = join(folder, `v${suffix}`)
  const store = await openStore(path, { create: true, backend })
  await store.commit(birthBatch())
  const vault = await retryUntilLoaded(() => new Vault(store, path, {}))
  const searcher = Searcher.start(vault)
  const socket = join(folder, 's')
  const served = {
    vault,
    searcher,
    info: { name: 'v', path, mountPoint: '', pid: 0, version: '', since: '', methods: [] },
    kernel: {
      entryChanged: async () => undefined,
      inodeChanged: async () => undefined,
      holds: () => true,
    },
    metrics: () => '',
  }
  const server = await startControlServer(socket, served)
  const uncaught: unknown[] = []
  const note = (error: unknown): void => void uncaught.push(error)
  process.on('uncaughtException', note).on('unhandledRejection', note)
  t.teardown(async () => {
    process.off('uncaughtException', note).off('unhandledRejection', note)
    await server.close()
    await searcher.close()
    await vault.close()
  })
  for (const call of making.first) await callProperly(socket, call)
  await sleep(1100)
  for (const call of making.later) await callProperly(socket, call)
  return { vault, socket, server, uncaught }
}

// One whose reads are answered at once, and one whose reads wait; the methods know of no other
// difference.
const backends = testedBackends.filter(({ name }) => ['sqlite', 'leveldb'].includes(name))

for (const { name: backend, suffix } of backends)
  t.test(`no caller ends the daemon or leaves work half done, on ${backend}`, async (t) => {
    const rig = await rigOf(t, backend, suffix)
    let turn = 0
    for (const method of Object.keys(methods).filter(isMethodName)) {
      const open: Socket[] = []
      for (const [way, caller] of Object.entries(badCallers)) {
        const call = methodCall(method, ++turn)
        try {
          await caller(rig.socket, call, open)
        } catch (error) {
          t.fail(`${method}, of which the caller ${way}: ${error}`)
        }
        if (rig.uncaught.length > 0) {
          t.fail(`${method}, of which the caller ${way}: ${rig.uncaught.splice(0)[0]}`)
        }
      }
      await answersStill(rig.socket, methodCall(method, ++turn))
      for (const socket of open) socket.destroy()
      await answersStill(rig.socket, methodCall(method, ++turn))
      t.same(rig.uncaught.splice(0), [], `after all calls of ${method}`)
    }
    const { problems } = await rig.vault.check({ deep: true })
    t.same(problems, [])
  })
