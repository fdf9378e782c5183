// A mount and its daemon keep nothing of the terminal, pipes and directory from which they were
// started; and a shell in a mount that died works again once it is mounted again.

import { spawn } from 'node:child_process'
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { avfsProgram, createVault, mountedVault, type TestVault, until } from '../support/mount.ts'
import { attempt, run } from '../support/program.ts'

t.setTimeout(300_000)

/** Runs lines of bash in which $AVFS, $VAULT and $DIR are what they say. */
function bash(vault: TestVault, lines: string, cwd = vault.root) {
  const { name, dir, root, env } = vault
  const all = { ...env, AVFS: avfsProgram, VAULT: name, DIR: dir, ROOT: root }
  return attempt('bash', ['-c', lines], { env: all, cwd, timeoutMs: 60_000 })
}

t.test('a mount after a crash comes about, whether its messages are read or not', async (t) => {
  const vault = createVault(t)
  vault.mount()
  for (const reader of ['head -1', 'true', 'cat']) {
    await vault.kill()
    const { stdout } = bash(
      vault,
      `"$AVFS" mount "$VAULT" "$DIR" 2>&1 | ${reader}; ls "$DIR"; echo $?`,
    )
    t.match(stdout, /^0$/m, reader)
    if (reader !== 'true') t.match(stdout, 'took over the lock', reader)
    t.equal(vault.isMounted(), true)
  }
})

t.test('a daemon holds no directory, terminal or pipe of whoever started it', async (t) => {
  const vault = createVault(t)
  const cwd = join(vault.root, 'cwd')
  mkdirSync(cwd)
  // One descriptor beyond those that Node closes by itself. If the daemon had one, cat would wait
  // for it.
  const { status, stdout } = bash(vault, '"$AVFS" mount "$VAULT" "$DIR" 7>&1 60>&1 | cat', cwd)
  t.equal(status, 0)
  t.match(stdout, 'is mounted at')
  const pid = vault.daemonPid()
  t.equal(readlinkSync(`/proc/${pid}/cwd`), '/')
  rmdirSync(cwd)
  const [, , , , , session] = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\)/, '0 (x)')
    .split(' ')
  t.equal(Number(session), pid, 'a session of its own')
  const open = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`))
  t.same(
    open.filter((its) => /^\/dev\/(pts|tty)/.test(its)),
    [],
  )
})

t.test('a mount in the foreground outlives its outputs, and ends with its terminal', async (t) => {
  const vault = createVault(t)
  const child = spawn(avfsProgram, ['mount', vault.name, vault.dir, '--foreground', '--trace'], {
    env: { ...process.env, ...vault.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  await until(() => vault.isMounted(), 'it is mounted')
  child.stdout.destroy()
  child.stderr.destroy()
  for (let index = 0; index < 300; index++) writeFileSync(join(vault.dir, `f${index}`), 'kept')
  t.equal(readdirSync(vault.dir).length, 300)
  child.kill('SIGHUP')
  t.equal(await ended, 0)
  t.equal(vault.isMounted(), false)
  vault.mount()
  t.equal(readdirSync(vault.dir).length, 300)
})

t.test('a log that nobody reads holds up no mount in the foreground', async (t) => {
  const vault = createVault(t)
  const { stdout } = bash(
    vault,
    `"$AVFS" mount "$VAULT" "$DIR" --foreground --trace 2>&1 | sleep 50 &
    until mountpoint -q "$DIR"; do sleep 0.05; done
    cd "$DIR" && for n in $(seq 1000); do echo $n > f; done; timeout 20 cat f; cd /
    timeout 20 "$AVFS" unmount "$DIR" && echo unmounted; kill %1`,
  )
  t.match(stdout, /^1000\n.*unmounted/s)
})

t.test('a shell in a mount that died works once it is mounted again, after cd .', async (t) => {
  const vault = mountedVault(t)
  mkdirSync(join(vault.dir, 'd'))
  writeFileSync(join(vault.dir, 'd/f'), 'kept')
  run('sync', ['d/f', 'd'], { cwd: vault.dir })
  const { stdout, stderr } = bash(
    vault,
    `cd "$DIR/d"; kill -9 ${vault.daemonPid()}; while kill -0 ${vault.daemonPid()} 2>/dev/null; do sleep 0.05; done
    echo "dead: $("$AVFS" log f 2>&1)"
    "$AVFS" mount "$VAULT" "$DIR" >/dev/null
    echo "relative: $("$AVFS" log f 2>&1)"
    "$AVFS" vault list | grep -o "$DIR"
    "$AVFS" cat "$DIR/d/f"; echo
    cd . && "$AVFS" cat f && echo && cat f`,
  )
  t.match(stdout, /^dead: .*its daemon has died/m)
  t.match(stdout, /^relative: .*the current directory is gone.*cd \./ms)
  t.same(stdout.trim().split('\n').slice(-4), [vault.dir, 'kept', 'kept', 'kept'], stderr)
})

t.test('what needs no current directory works in one that was removed', async (t) => {
  const vault = createVault(t)
  const { stdout, stderr } = bash(
    vault,
    `mkdir gone; cd gone; rmdir ../gone; echo text > ../text
    "$AVFS" vault create other && "$AVFS" mount other "$DIR" && "$AVFS" unmount "$DIR"
    "$AVFS" import "$ROOT/text" "$VAULT:/t" && "$AVFS" export "$VAULT:/t" "$ROOT/out" && cat "$ROOT/out"
    "$AVFS" export "$VAULT:/t" - --format tar | tar t
    "$AVFS" vault migrate other --to lmdb --output "$ROOT/copy"
    for relative in "import text $VAULT:/u" "export $VAULT:/t out2" "find" "mount $VAULT m" "vault create ./x"
    do "$AVFS" $relative; echo "$relative: $?"; done`,
  )
  t.match(stdout, /^text$/m, stderr)
  t.match(stdout, /^t$/m)
  t.match(stdout, 'copied from sqlite to lmdb')
  for (const relative of ['import text', 'export ', 'find', 'mount ', 'vault create'])
    t.match(stdout, new RegExp(`^${relative}.*: 1$`, 'm'))
  t.equal(stderr.split('the current directory is gone').length - 1, 5)
})
