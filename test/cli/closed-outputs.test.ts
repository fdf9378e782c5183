// Every command with a reader that goes away, with outputs that are closed or cannot be written, and with Ctrl-C at any time: no
// stack trace, an exit code that says what happened, nothing half done, and a mount that goes on.
// AVFS_SEED chooses when Ctrl-C comes, AVFS_ROUNDS how often.

import { spawn } from 'node:child_process'
import { closeSync, openSync, readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import {
  type CommandCall,
  commandCalls,
  commandsOfHelp,
  fillForCommands,
} from '../support/command-calls.ts'
import { avfsProgram, createVault, type TestVault } from '../support/mount.ts'
import { randomFrom, seedOf } from '../support/random.ts'

t.setTimeout(280_000)

interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

type Output = 'read' | 'closed' | 'head' | 'full'

interface Way {
  readonly stdout: Output
  readonly stderr: Output
  readonly interruptMs?: number
}

/** Runs a command; 'head' reads the first bytes and goes, 'closed' none. */
async function end(vault: TestVault, words: readonly string[], way: Way): Promise<Ended> {
  const full = openSync('/dev/full', 'w')
  const stdio = (output: Output) => (output === 'full' ? full : ('pipe' as const))
  const child = spawn(avfsProgram, words, {
    cwd: vault.root,
    env: { ...process.env, ...vault.env, NO_COLOR: '1' },
    stdio: ['ignore', stdio(way.stdout), stdio(way.stderr)],
  })
  closeSync(full)
  const said = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    const stream = child[name]
    if (way[name] === 'closed') stream?.destroy()
    stream?.setEncoding('utf8').on('data', (text: string) => {
      said[name] += text
      if (way[name] === 'head') stream.destroy()
    })
  }
  const ended = new Promise<Pick<Ended, 'code' | 'signal'>>((resolve) =>
    child.once('exit', (code, signal) => resolve({ code, signal })),
  )
  if (way.interruptMs !== undefined) {
    await Promise.race([sleep(way.interruptMs), ended])
    child.kill('SIGINT')
  }
  const how = await ended
  // What is still in the pipe.
  await sleep(1)
  return { ...how, ...said }
}

/** How a command of these words ends when its results cannot be written. */
function failureOf(words: string): number {
  return words === 'grep' ? 2 : 1
}

function assertNoTrace(t: Test, { stdout, stderr }: Ended, what: string): void {
  t.notMatch(stdout + stderr, /^\s+at .*[:)]\d*/m, `${what}: no stack trace`)
}

function calls(vault: TestVault, turn: number, isMounted: boolean): [string, CommandCall][] {
  return Object.entries(commandCalls(vault, turn)).filter(
    ([, call]) => !(isMounted ? call.needsFile : call.needsMount),
  )
}

function wordsOf(command: string, { args }: CommandCall): string[] {
  return [...command.split(' '), ...args]
}

function assertWhole(t: Test, vault: TestVault): void {
  for (const name of readdirSync(vault.root).filter((its) => its.startsWith('point')))
    vault.avfs(['unmount', name])
  vault.check()
  const left = readdirSync(vault.root).filter((name) => /\.(partial|lock|migration)$/.test(name))
  t.same(left, [], 'nothing is left of work that was not ended')
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

t.test('Ctrl-C at any time leaves nothing half done', async (t) => {
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
