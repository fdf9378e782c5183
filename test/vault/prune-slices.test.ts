// How long pruning and collecting hold up other work, and that the space comes back. In a process of its own: what other
// tests leave to the collector of garbage would be measured too. Time is the processor time of the main thread, so that
// other processes on the machine do not count.

import { statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { setLog } from '../../src/base/log.ts'
import { createFileSystem } from '../../src/fs/file-system.ts'
import type { Caller } from '../../src/fs/operations.ts'
import { prune } from '../../src/vault/prune.ts'
import { type Slices, slicesOf } from '../../src/vault/slices.ts'
import { createVault, openVault, ROOT_INO } from '../../src/vault/vault.ts'

setLog('error')
const caller: Caller = { uid: 0, gid: 0, pid: 1 }
const FILES = 1500

// Names that live under a second leave no trace: a second passes at each save.
const clock = Date.now
let passedMs = 0
Date.now = () => clock() + passedMs

/** Milliseconds that the main thread has worked. Node before 24 knows them only for the whole process. */
function workedMs(): number {
  const { user, system } = process.threadCpuUsage?.() ?? process.cpuUsage()
  return (user + system) / 1000
}

/** The same slices, and the longest stretch of work between two of them. */
function measured(inner: Slices): { slices: Slices; longestMs(): number } {
  let from = workedMs()
  let longestMs = 0
  const measure = (pause: Promise<void> | undefined): Promise<void> | undefined => {
    if (pause === undefined) return undefined
    longestMs = Math.max(longestMs, workedMs() - from)
    return pause.then(() => {
      from = workedMs()
    })
  }
  const slices: Slices = {
    turn: () => measure(inner.turn()),
    changed: (weight) => inner.changed(weight),
    settle: async () => measure(inner.settle()),
  }
  return { slices, longestMs: () => longestMs }
}

t.test('pruning lets other work come in, and compact shrinks the file', async (t) => {
  const path = join(t.testdir(), 'vault.avfs')
  await createVault(path, 'sqlite')
  const vault = await openVault(path)
  const fs = createFileSystem(vault, { readOnly: false })
  for (let round = 0; round < 4; round++) {
    for (let at = 0; at < FILES; at++) {
      passedMs += 1500
      const name = `f${at}`
      const { ino } =
        fs.lookup(caller, ROOT_INO, name) ?? fs.create(caller, ROOT_INO, name, 0o644, 0, 0)
      fs.write(caller, ino, 0, Buffer.alloc(6000, `${round} ${at} `), false, false)
      fs.flush(caller, ino)
      fs.forget(ino, 1)
    }
    await vault.sync()
  }
  await vault.compact()
  const before = statSync(path).size
  const { slices, longestMs } = measured(slicesOf(vault.core))
  const report = await prune(vault.core, { rules: { youngerMs: 0 } }, slices)
  t.match(report, { versions: 3 * FILES, blocks: 3 * FILES })
  t.comment(`the longest slice took ${longestMs()} ms`)
  t.ok(longestMs() < 20)
  await vault.compact()
  t.ok(statSync(path).size < before * 0.6)
  await vault.close()
})
