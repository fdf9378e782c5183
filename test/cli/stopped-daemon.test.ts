// A daemon that is stopped (SIGSTOP): every command that needs it says so and ends, and the mount
// can still be removed.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { mock } from 'node:test'
import t from 'tap'
import { mountOnTheWay } from '../../src/control/vaults/way-in.ts'
import { SilentDaemonError, watchSilence } from '../../src/control/wire/silence.ts'
import { avfsProgram, FULL, mountedVault, type TestVault } from '../support/mount.ts'

t.setTimeout(300_000)

interface Said {
  readonly status: number | null
  readonly stderr: string
}

/** What waits for ever is killed after this. */
const STUCK_MS = 120_000

/**
 * Runs a command beside others. It begins once there is a line to read, so that it can be in a
 * mount that is stopped until then.
 */
function started(vault: TestVault, args: readonly string[], cwd = vault.root): ChildProcess {
  return spawn('sh', ['-c', 'read line; exec "$0" "$@" < /dev/null', avfsProgram, ...args], {
    cwd,
    env: { ...process.env, ...vault.env },
    stdio: ['pipe', 'ignore', 'pipe'],
    timeout: STUCK_MS,
    killSignal: 'SIGKILL',
  })
}

async function said(child: ChildProcess): Promise<Said> {
  child.stdin?.end('go\n')
  let stderr = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const [status] = await once(child, 'close')
  return { status, stderr }
}

t.test('commands give up with a clear line, and lazily the mount can be taken away', async (t) => {
  const vault = mountedVault(t)
  const { dir, name, root } = vault
  mkdirSync(join(dir, 'sub'))
  writeFileSync(join(dir, 'sub', 'file'), 'text')
  symlinkSync(join(dir, 'sub'), join(root, 'link'))
  const pid = vault.daemonPid()
  const commands: readonly (readonly string[])[] = [
    ['log', join(dir, 'sub', 'file')],
    ['log', `${name}:/sub/file`],
    ['cat', join(root, 'link', 'file')],
    ['vault', 'info', name],
    ['find', dir],
    ['search', 'text', dir],
    ['search', 'text', name],
    ['snapshot', 'create', 'now', name],
    ['vault', 'backup', name, join(root, 'backup')],
    ['unmount', dir],
    ['mount', name, dir],
    ['vault', 'check', name],
  ]
  const children = commands.map((args) => started(vault, args))
  children.push(started(vault, ['log', 'file'], join(dir, 'sub')))
  process.kill(pid, 'SIGSTOP')
  try {
    const outcomes = await Promise.all(children.map(said))
    for (const [at, { status, stderr }] of outcomes.entries()) {
      const what = commands[at]?.join(' ') ?? 'log in the mount'
      t.match(stderr, new RegExp(`^avfs: .*process ${pid}.*kill -CONT ${pid}`), what)
      t.equal(stderr.trimEnd().split('\n').length, 1, `one line: ${stderr}`)
      t.ok(status !== null && status > 0, `${what} ends with ${status}`)
    }
  } finally {
    process.kill(pid, 'SIGCONT')
  }
  const after = await said(started(vault, ['log', join(dir, 'sub', 'file')]))
  t.equal(after.status, 0, 'then all is as before')
  process.kill(pid, 'SIGSTOP')
  try {
    const { status, stderr } = await said(started(vault, ['unmount', '--lazy', dir]))
    t.equal(status, 0, stderr)
    t.notOk(vault.isMounted())
  } finally {
    process.kill(pid, 'SIGCONT')
  }
})

t.test('a way into a mount is found by links, and without looking into it', async (t) => {
  const vault = mountedVault(t, ...FULL)
  const { dir, root } = vault
  symlinkSync('mnt/sub', join(root, 'relative'))
  symlinkSync(join(root, 'relative'), join(root, 'further'))
  symlinkSync('loop', join(root, 'loop'))
  symlinkSync('../..', join(root, 'above'))
  const leads = (path: string): boolean => mountOnTheWay(path)?.mountPoint === dir
  for (const path of [dir, `${dir}/x/y`, `${root}/relative`, `${root}/further/x`])
    t.ok(leads(path), path)
  t.ok(leads(`${root}/mnt/../relative`), 'it is on the way')
  for (const path of [root, `${root}/none`, `${root}/loop`, `${root}/above`, '/'])
    t.notOk(leads(path), path)
})

t.test('who is asked and answers may take as long as it takes', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  let asked = 0
  let isThere = true
  let silent = 0
  const watch = watchSilence(
    async () => {
      asked++
      if (!isThere) throw new SilentDaemonError('/socket', undefined)
    },
    () => silent++,
  )
  for (let seconds = 0; seconds < 120; seconds += 6) {
    mock.timers.tick(6000)
    await new Promise((resolve) => process.nextTick(resolve))
  }
  t.ok(asked >= 10, `${asked} times`)
  t.equal(silent, 0)
  isThere = false
  mock.timers.tick(6000)
  await new Promise((resolve) => process.nextTick(resolve))
  t.equal(silent, 1)
  watch.end()
})
