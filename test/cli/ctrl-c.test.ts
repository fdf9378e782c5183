// Ctrl-C while a command changes a vault that nobody has open: it ends with the exit code of the
// signal or completes, and nothing is half done. AVFS_SEED chooses the moment, AVFS_ROUNDS how
// often.

import t from 'tap'
import { fillForCommands } from '../support/command-calls.ts'
import { createVault } from '../support/mount.ts'
import { randomFrom, seedOf } from '../support/random.ts'
import { assertNoTrace, assertWhole, calls, end, type Way, wordsOf } from './ended.ts'

t.setTimeout(290_000)

t.test('Ctrl-C at any time leaves nothing half done', async (t) => {
  const vault = createVault(t)
  await fillForCommands(vault)
  const seed = seedOf('AVFS_SEED')
  t.comment(`AVFS_SEED=${seed}`)
  const random = randomFrom(seed)
  const began = performance.now()
  vault.avfs(['--version'])
  const startMs = Math.round(performance.now() - began)
  const rounds = Number(process.env.AVFS_ROUNDS ?? 1)
  for (let turn = 30; turn < 30 + rounds; turn++)
    for (const [command, call] of calls(vault, turn, false)) {
      if (call.readsOnly === true) continue
      const interruptMs = startMs / 2 + random.below(2 * startMs)
      const way: Way = { stdout: 'read', stderr: 'read', interruptMs }
      const ended = await end(vault, wordsOf(command, call), way)
      const what = `${command} after ${interruptMs} ms`
      assertNoTrace(t, ended, what)
      const isSane = ended.signal === 'SIGINT' || [0, 1, 2, 13, 130].includes(ended.code ?? -1)
      t.ok(isSane, `${what}: ended with ${ended.code ?? ended.signal} ${ended.stderr}`)
    }
  assertWhole(t, vault)
})
