// Two users of the host, by ids that are not in use, and what they do: run programs, leave files,
// listen on sockets. Needs root.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import type { Test } from 'tap'
import { attempt, needProgram, type Outcome, type RunOptions } from './program.ts'

/** Ids of the users and of the groups that they have alone. */
export const A = 4001
export const B = 4002

/** Runs a program as a user, in no group but his own. */
export function runAs(
  uid: number,
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Outcome {
  needProgram('setpriv')
  return attempt('setpriv', [...identity(uid), program, ...args], options)
}

/** What Node prints as a user, without keeping the test from going on meanwhile. */
export async function outputAs(uid: number, args: readonly string[]): Promise<string> {
  const child = spawn('setpriv', [...identity(uid), process.execPath, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return await text(child.stdout as Readable).then((its) => its.trim())
}

/** A folder of a user's own, with this mode. */
export function folderOf(uid: number, path: string, mode = 0o700): string {
  mkdirSync(path)
  chownSync(path, uid, uid)
  chmodSync(path, mode)
  return path
}

/** What listens on a socket until the test has ended, and whether anybody has said a word to it. */
export interface Listener {
  readonly path: string
  isAsked(): boolean
}

const LISTEN = `const [path, asked, vault] = process.argv.slice(1)
require('node:http').createServer((request, response) => {
  require('node:fs').writeFileSync(asked, request.url)
  response.end(JSON.stringify({ name: 'x', path: vault, mountPoint: '/x', pid: process.pid, methods: [] }))
}).listen(path, () => { require('node:fs').chmodSync(path, 0o600); console.log('listens') })`

/**
 * Has a user listen on a socket in a folder that he can write, and answer as the daemon of `vault`
 * would.
 */
export async function listenAs(
  t: Test,
  uid: number,
  path: string,
  vault = '/x',
): Promise<Listener> {
  const asked = `${path}.asked`
  const child: ChildProcess = spawn(
    'setpriv',
    [...identity(uid), process.execPath, '-e', LISTEN, path, asked, vault],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  t.teardown(() => child.kill('SIGKILL'))
  await once(child.stdout as NodeJS.ReadableStream, 'data')
  return { path, isAsked: () => existsSync(asked) }
}

function identity(uid: number): string[] {
  return [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--inh-caps=-all']
}

/** A folder that is everybody's, as /tmp is. */
export function sharedFolder(root: string, name = 'shared'): string {
  const path = join(root, name)
  mkdirSync(path)
  chmodSync(path, 0o1777)
  return path
}
