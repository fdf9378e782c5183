// A vault for one test: a temporary AVFS_HOME, the CLI as child processes, a mount point, and
// cleanup after every failure. A watcher process outlives the test, however that ends: it kills
// what still runs for this vault, unmounts lazily and removes the folder. The test process itself
// never accesses a vault's internals.

import { spawn } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { UNCAUGHT } from '../../src/base/guard.ts'
import { type Backend, sizeOnDisk } from '../../src/store/open.ts'
import { testBackend } from './engines.ts'
import { attempt, type Outcome, type RunOptions } from './program.ts'

/** The checkout's own CLI. */
export const avfsProgram = join(import.meta.dirname, '../../scripts/avfs')

/** The mount options under which a vault is a full file system to every user. */
export const FULL = ['--allow-other', '-o', 'suid,dev'] as const

export interface TestVault {
  readonly name: string
  readonly backend: Backend
  /** The temporary folder that holds all of this; other folders of a test may be made in it. */
  readonly root: string
  readonly home: string
  readonly file: string
  readonly dir: string
  /** The variables under which the CLI finds this vault. */
  readonly env: Readonly<Record<string, string>>
  /** Runs the CLI; any exit code is a result. */
  avfs(args: readonly string[], options?: RunOptions): Outcome
  /** Mounts; throws what the CLI said when it fails. */
  mount(...options: readonly string[]): Outcome
  /** Unmounts by the CLI; throws what it said when it fails. */
  unmount(): Outcome
  isMounted(): boolean
  /** The process that serves the mount; throws when the lock names none. */
  daemonPid(): number
  /** What the daemon has logged so far. */
  log(): string
  /** SIGKILL to the daemon; returns when the process is gone. The dead mount stays. */
  kill(): Promise<void>
  /** `vault check --deep`; throws what it said unless the vault is clean. */
  check(): void
}

/**
 * A temporary folder that every user may enter, removed after the test. The test fails if a daemon
 * that logs in it (XDG_STATE_HOME) met an error that no code caught.
 */
export function temporaryFolder(t: Test): string {
  const root = mkdtempSync(join(tmpdir(), 'avfs-test-'))
  chmodSync(root, 0o755)
  const letGo = watchOver(root)
  t.teardown(() => {
    try {
      assertAllCaught(join(root, 'avfs'))
    } finally {
      letGo()
    }
  })
  return root
}

/** Throws what the logs in a folder have of errors that nobody caught. */
function assertAllCaught(folder: string): void {
  if (!existsSync(folder)) return
  for (const name of readdirSync(folder).filter((its) => its.endsWith('.log'))) {
    const text = readFileSync(join(folder, name), 'utf8')
    const at = text.indexOf(UNCAUGHT)
    if (at >= 0) throw new Error(`in ${name}: ${text.slice(at, at + 4000)}`)
  }
}

/**
 * Creates a vault of AVFS_TEST_BACKEND, or of an engine that the test is about, and its mount
 * point; unmounts it after the test, however that went.
 */
export function createVault(t: Test, backend: Backend = testBackend): TestVault {
  const name = 'testvault'
  const root = temporaryFolder(t)
  const home = join(root, 'home')
  const dir = join(root, 'mnt')
  mkdirSync(home)
  mkdirSync(dir)
  const vault = vaultAt({ name, root, home, dir, backend })
  const create = ['vault', 'create', name, '--backend', backend.name]
  const { status, stdout, stderr } = vault.avfs(create)
  if (status !== 0) throw new Error(`vault create ended with ${status}\n${stdout}${stderr}`)
  t.teardown(async () => {
    if (vault.isMounted()) vault.avfs(['unmount', dir])
    if (!vault.isMounted()) return
    attempt('umount', ['-l', dir])
    await vault.kill().catch(() => undefined)
  })
  return vault
}

/** The same, mounted for every user, with device nodes and setuid. */
export function mountedVault(t: Test, ...options: readonly string[]): TestVault {
  const vault = createVault(t)
  vault.mount(...FULL, ...options)
  return vault
}

type Place = Pick<TestVault, 'name' | 'root' | 'home' | 'dir' | 'backend'>

function vaultAt({ name, root, home, dir, backend }: Place): TestVault {
  const file = join(home, `${name}${backend.suffix}`)
  const env = { AVFS_HOME: home, XDG_RUNTIME_DIR: root, XDG_STATE_HOME: root }
  const avfs = (args: readonly string[], options: RunOptions = {}): Outcome =>
    attempt(avfsProgram, args, {
      timeoutMs: 60_000,
      cwd: root,
      ...options,
      env: { ...env, ...options.env },
    })
  const log = (): string => {
    const path = join(root, 'avfs', `${name}.log`)
    return existsSync(path) ? readFileSync(path, 'utf8') : ''
  }
  const must = (args: readonly string[]): Outcome => {
    const outcome = avfs(args)
    if (outcome.status === 0) return outcome
    throw new Error(
      `avfs ${args.join(' ')} ended with ${outcome.status}\n${outcome.stdout}${outcome.stderr}${log().slice(-4000)}`,
    )
  }
  const daemonPid = (): number => {
    const { pid } = JSON.parse(readFileSync(`${file}.lock`, 'utf8'))
    if (typeof pid !== 'number') throw new Error(`${file}.lock names no pid`)
    return pid
  }
  return {
    name,
    backend,
    root,
    home,
    file,
    dir,
    env,
    avfs,
    mount: (...options) => must(['mount', name, dir, ...options]),
    unmount: () => must(['unmount', dir]),
    isMounted: () => isMountPoint(dir),
    daemonPid,
    log,
    kill: () => killProcess(daemonPid()),
    check: () => void must(['vault', 'check', name, '--deep']),
  }
}

/** Whether something is mounted there; asks the mount table, so a dead mount does not block it. */
export function isMountPoint(dir: string): boolean {
  return readFileSync('/proc/self/mounts', 'utf8').includes(` ${dir} `)
}

/**
 * The SQLite file of an unmounted vault, so that its rows and views can be asked in SQL. On another
 * engine it is a copy that `avfs vault migrate` makes, with all rows of the vault.
 */
export function sqliteFile(vault: TestVault): string {
  if (vault.backend.name === 'sqlite') return vault.file
  const copy = join(mkdtempSync(join(vault.root, 'sqlite-')), 'copy.avfs')
  const migrate = ['vault', 'migrate', vault.name, '--to', 'sqlite', '--output', copy]
  const { status, stdout, stderr } = vault.avfs(migrate)
  if (status !== 0) throw new Error(`vault migrate ended with ${status}\n${stdout}${stderr}`)
  return copy
}

/** Bytes of a vault on disk: all its files. */
export function vaultBytes(vault: TestVault): number {
  return sizeOnDisk(vault.file).bytes
}

/** Size of a file in bytes; 0 when there is none. */
export function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}

/** SIGKILL; returns when the process is gone. */
export async function killProcess(pid: number): Promise<void> {
  process.kill(pid, 'SIGKILL')
  await until(() => !isAlive(pid), `process ${pid} is gone`)
}

/** Whether a process runs; one that ended and was not waited for does not. */
export function isAlive(pid: number): boolean {
  try {
    if (!/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))) return true
    // The first thread has ended; the files stay open as long as another one runs.
    return readdirSync(`/proc/${pid}/task`).length > 1
  } catch {
    return false
  }
}

/** Waits until the condition holds; throws after the limit. */
export async function until(
  condition: () => boolean,
  what: string,
  timeoutMs = 20_000,
): Promise<void> {
  const end = Date.now() + timeoutMs
  while (!condition()) {
    if (Date.now() > end) throw new Error(`waited ${timeoutMs} ms in vain until ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

// The pipe on its input closes when the test process ends, by whatever cause. Its own processes are
// those that were started with this AVFS_HOME; nothing else is ever killed.
const WATCHER = `
cat > /dev/null
for p in /proc/[0-9]*; do
  if tr '\\0' '\\n' < $p/environ 2> /dev/null | grep -qxF "AVFS_HOME=$0/home"; then kill -9 "\${p#/proc/}"; fi
done
sleep 0.1
grep -F " $0/" /proc/mounts | cut -d ' ' -f 2 | while read -r at; do umount -l "$at"; done
rm -rf --one-file-system "$0"
`

/** Returns what ends it before the test process does. */
function watchOver(root: string): () => void {
  const watcher = spawn('sh', ['-c', WATCHER, root], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  watcher.unref()
  // Nothing is ever written to it; open it must stay, but not hold the test process.
  if ('unref' in watcher.stdin && typeof watcher.stdin.unref === 'function') watcher.stdin.unref()
  return () => watcher.stdin.end()
}
