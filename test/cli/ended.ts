// Runs commands with readers that go away, outputs that cannot be written, and signals; and checks
// what must hold afterwards.

import { spawn } from 'node:child_process'
import { closeSync, openSync, readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { type CommandCall, commandCalls } from '../support/command-calls.ts'
import { avfsProgram, type TestVault } from '../support/mount.ts'

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

type Output = 'read' | 'closed' | 'head' | 'full'

export interface Way {
  readonly stdout: Output
  readonly stderr: Output
  readonly interruptMs?: number
}

/** Runs a command; 'head' reads the first bytes and goes, 'closed' none. */
export async function end(vault: TestVault, words: readonly string[], way: Way): Promise<Ended> {
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

export function assertNoTrace(t: Test, { stdout, stderr }: Ended, what: string): void {
  t.notMatch(stdout + stderr, /^\s+at .*[:)]\d*/m, `${what}: no stack trace`)
}

export function calls(vault: TestVault, turn: number, isMounted: boolean): [string, CommandCall][] {
  return Object.entries(commandCalls(vault, turn)).filter(
    ([, call]) => !(isMounted ? call.needsFile : call.needsMount),
  )
}

export function wordsOf(command: string, { args }: CommandCall): string[] {
  return [...command.split(' '), ...args]
}

export function assertWhole(t: Test, vault: TestVault): void {
  for (const name of readdirSync(vault.root).filter((its) => its.startsWith('point')))
    vault.avfs(['unmount', name])
  vault.check()
  const left = readdirSync(vault.root).filter(
    (name) =>
      /\.(partial|lock|migration)$/.test(name) &&
      // A copy that was stopped goes on with what it has.
      !/^(backup|restored)\d+\..*\.partial$/.test(name),
  )
  t.same(left, [], 'nothing is left of work that was not ended')
}
