// Pruning and garbage collection run in small parts, with requests and commits in between, and the
// space is freed. How long a part takes is measured by scripts/bench-prune.ts.

import { statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { setLog } from '../../src/base/log.ts'
import { createFileSystem } from '../../src/fs/file-system.ts'
import type { Caller } from '../../src/fs/operations.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { type Slices, slicesOf } from '../../src/vault/core/time-slices.ts'
import { prune } from '../../src/vault/prune/prune.ts'
import { createVault, openVault } from '../../src/vault/vault.ts'
import { testClock } from '../support/clock.ts'

setLog('error')
const caller: Caller = { uid: 0, gid: 0, pid: 1 }
const FILES = 1500

// Names that live under a second leave no trace: a second passes at each save.
const clock = testClock()

/** The same slices, and how often the work paused. */
function counted(inner: Slices): { slices: Slices; pauses(): number } {
  let pauses = 0
  const slices: Slices = {
    turn() {
      const pause = inner.turn()
      if (pause !== undefined) pauses++
      return pause
    },
    changed: (weight) => inner.changed(weight),
    settle: () => inner.settle(),
  }
  return { slices, pauses: () => pauses }
}

t.test('pruning lets other work come in, and compact shrinks the file', async (t) => {
  const path = join(t.testdir(), 'vault.avfs')
  await createVault(path, 'sqlite')
  const vault = await openVault(path)
  const fs = createFileSystem(vault, { readOnly: false })
  for (let round = 0; round < 4; round++) {
    for (let at = 0; at < FILES; at++) {
      clock.pass(1500)
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
  const { slices, pauses } = counted(slicesOf(vault.core))
  const commits = vault.core.commits.commits
  const report = await prune(vault.core, { rules: { youngerMs: 0 } }, slices)
  t.match(report, { versions: 3 * FILES, blocks: 3 * FILES })
  // 4,500 times a version, a state, an extent and a block, in commits of 2,000 rows or 100 blocks.
  t.ok(vault.core.commits.commits - commits >= 45, 'it commits in small parts')
  t.ok(pauses() >= 45)
  t.ok(vault.core.longestSliceMs > 0, 'and the vault knows how long they took')
  await vault.compact()
  t.ok(statSync(path).size < before * 0.6)
  await vault.close()
})
