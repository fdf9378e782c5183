// Every command with a reader that goes away, and with outputs that are closed or cannot be
// written: no stack trace, an exit code that says what happened, nothing half done, and a mount
// that goes on.

import { readdirSync } from 'node:fs'
import t from 'tap'
import { commandCalls, commandsOfHelp, fillForCommands } from '../support/command-calls.ts'
import { createVault } from '../support/mount.ts'
import { assertNoTrace, assertWhole, calls, end, type Way, wordsOf } from './ended.ts'

t.setTimeout(290_000)

/** How a command of these words ends when its results cannot be written. */
function failureOf(words: string): number {
  return words === 'grep' ? 2 : 1
}

const vault = createVault(t)
await fillForCommands(vault)

t.test('every command of the help is called here', async (t) => {
  t.same(commandsOfHelp(vault).sort(), Object.keys(commandCalls(vault, 0)).sort())
})

t.test('a reader that goes away ends no daemon and no work, on a mounted vault', async (t) => {
  vault.mount()
  const pid = vault.daemonPid()
  let turn = 10
  const ways: readonly Way[] = [
    { stdout: 'head', stderr: 'read' },
    { stdout: 'closed', stderr: 'closed' },
  ]
  for (const way of ways) {
    for (const [command, call] of calls(vault, ++turn, true)) {
      // Who prints one result in the end meets the same at both.
      if (way.stdout === 'head' && call.readsOnly !== true && command !== 'prune') continue
      const ended = await end(vault, wordsOf(command, call), way)
      const what = `${command}, stdout ${way.stdout}, stderr ${way.stderr}`
      assertNoTrace(t, ended, what)
      t.ok([0, 1, 2, 13].includes(ended.code ?? -1), `${what}: ended with ${ended.code}`)
      if (command === 'export' && way.stdout === 'closed')
        t.equal(ended.code, 1, 'an archive that is not whole is no success')
    }
    t.equal(vault.daemonPid(), pid)
    t.ok(readdirSync(vault.dir).includes('d'), 'the mount works')
  }
  // They were all done, whether somebody read of it or not.
  t.ok(readdirSync(vault.dir).includes(`restored${turn}`))
  t.ok(readdirSync(vault.dir).includes(`imported${turn}`))
  vault.unmount()
  assertWhole(t, vault)
})

t.test('results that cannot be written are a failure, and what was done is whole', async (t) => {
  for (const [command, call] of calls(vault, 22, false)) {
    const ended = await end(vault, wordsOf(command, call), { stdout: 'full', stderr: 'read' })
    assertNoTrace(t, ended, command)
    if (['unmount', 'bench'].includes(command)) continue
    t.equal(ended.code, failureOf(command), `${command}: ${ended.stderr}`)
    t.match(
      ended.stderr,
      /standard output cannot be written: ENOSPC|there is no|has no tag/,
      command,
    )
  }
  const both = await end(vault, ['vault', 'list'], { stdout: 'full', stderr: 'full' })
  t.equal(both.code, 1)
  assertWhole(t, vault)
})
