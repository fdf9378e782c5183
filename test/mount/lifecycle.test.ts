// Mounting and unmounting by the command line: what is left behind, what is refused, how a daemon
// ends.

import { spawn } from 'node:child_process'
import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import {
  avfsProgram,
  createVault,
  isAlive,
  mountedVault,
  type TestVault,
  until,
} from '../support/mount.ts'
import { attempt, needProgram, run } from '../support/program.ts'

t.setTimeout(300_000)

/** What is in the folder of vaults; LMDB's lock file stays beside its vault. */
function vaultsOf(vault: TestVault): string[] {
  return readdirSync(vault.home)
    .filter((name) => !name.endsWith('.lmdb-lock'))
    .sort()
}

function onlyTheVault(t: Test, vault: TestVault): void {
  t.same(vaultsOf(vault), [`${vault.name}${vault.backend.suffix}`], 'the vault alone is left')
}

t.test(
  'mount answers when the directory is ready, and unmount leaves exactly one file',
  async (t) => {
    const vault = createVault(t)
    onlyTheVault(t, vault)
    vault.mount()
    t.same(readdirSync(vault.dir), [])
    writeFileSync(join(vault.dir, 'f'), 'kept')
    t.equal(vault.isMounted(), true)
    const pid = vault.daemonPid()
    vault.unmount()
    t.equal(vault.isMounted(), false)
    await until(() => !isAlive(pid), 'the daemon has ended')
    t.same(readdirSync(vault.dir), [], 'the mount point is as it was')
    onlyTheVault(t, vault)
  },
)

t.test('the same vault mounts again right after it was unmounted', (t) => {
  const vault = createVault(t)
  for (let turn = 0; turn < 3; turn++) {
    vault.mount()
    t.equal(readdirSync(vault.dir).length, turn)
    writeFileSync(join(vault.dir, `f${turn}`), String(turn))
    vault.unmount()
  }
  vault.mount()
  t.equal(readFileSync(join(vault.dir, 'f1'), 'utf8'), '1')
  vault.unmount()
  t.end()
})

t.test('umount(8) ends the daemon as well as avfs unmount does', async (t) => {
  const vault = mountedVault(t)
  const pid = vault.daemonPid()
  writeFileSync(join(vault.dir, 'f'), 'kept')
  run('umount', [vault.dir])
  await until(() => !isAlive(pid), 'the daemon has ended')
  onlyTheVault(t, vault)
  vault.mount()
  t.equal(readFileSync(join(vault.dir, 'f'), 'utf8'), 'kept')
})

t.test('a second mount is refused and names the pid and the mount point', (t) => {
  const vault = mountedVault(t)
  const other = join(vault.root, 'other')
  run('mkdir', [other])
  const { status, stderr } = vault.avfs(['mount', vault.name, other])
  t.equal(status, 11)
  t.match(stderr, String(vault.daemonPid()))
  t.match(stderr, vault.dir)
  t.equal(vault.isMounted(), true)
  t.end()
})

t.test('a mount of what does not exist says so', (t) => {
  const vault = createVault(t)
  t.equal(vault.avfs(['mount', 'nosuchvault', vault.dir]).status, 10)
  t.equal(vault.avfs(['mount', vault.name, join(vault.root, 'missing')]).status, 1)
  t.equal(vault.avfs(['mount', vault.name, vault.dir, '-o', 'bogus']).status, 2)
  t.equal(vault.avfs(['mount', vault.name]).status, 2)
  t.equal(vault.avfs(['unmount', vault.dir]).status, 1)
  t.equal(vault.isMounted(), false)
  onlyTheVault(t, vault)
  t.end()
})

t.test('a busy mount is not unmounted, unless lazily', async (t) => {
  const vault = mountedVault(t)
  const pid = vault.daemonPid()
  const fd = openSync(join(vault.dir, 'f'), 'w+')
  writeFileSync(fd, 'before')
  const { status, stderr } = vault.avfs(['unmount', vault.dir])
  t.equal(status, 1)
  t.match(stderr, String(process.pid), 'it names who is in the way')
  t.equal(vault.isMounted(), true)
  t.equal(vault.avfs(['unmount', '--lazy', vault.dir]).status, 0)
  t.equal(vault.isMounted(), false)
  writeFileSync(fd, ' and after')
  closeSync(fd)
  await until(() => !isAlive(pid), 'the daemon has ended')
  vault.mount()
  t.equal(readFileSync(join(vault.dir, 'f'), 'utf8'), 'before and after')
})

t.test('a vault that is mounted elsewhere too is unmounted here, and one is told', async (t) => {
  const vault = mountedVault(t)
  const pid = vault.daemonPid()
  const beside = t.testdir()
  run('mount', ['--bind', vault.dir, beside])
  const { status, stderr } = vault.avfs(['unmount', vault.dir])
  t.equal(status, 0)
  t.match(stderr, beside)
  writeFileSync(join(beside, 'f'), 'kept')
  t.equal(vault.avfs(['unmount', beside]).status, 0)
  await until(() => !isAlive(pid), 'the daemon has ended')

  vault.mount()
  // A copy of all mounts, as a container has one until it lets go of it.
  const other = spawn('unshare', ['--mount', '--propagation', 'private', 'cat'])
  await until(
    () => readlinkSync(`/proc/${other.pid}/ns/mnt`) !== readlinkSync('/proc/self/ns/mnt'),
    'it has a namespace of its own',
  )
  const serving = vault.daemonPid()
  const elsewhere = vault.avfs(['unmount', vault.dir])
  t.equal(elsewhere.status, 0)
  t.match(elsewhere.stderr, /namespace/)
  t.match(elsewhere.stderr, String(serving))
  t.equal(vault.isMounted(), false)
  other.stdin.end()
  await until(() => !isAlive(serving), 'the daemon has ended')
  vault.mount()
  t.equal(readFileSync(join(vault.dir, 'f'), 'utf8'), 'kept')
})

t.test(
  'after kill -9 of the daemon the next mount clears the dead mount and says so',
  async (t) => {
    const vault = mountedVault(t)
    const pid = vault.daemonPid()
    writeFileSync(join(vault.dir, 'f'), 'synced', { flush: true })
    statSync(vault.dir)
    await vault.kill()
    t.equal(vault.isMounted(), true, 'the dead mount is still there')
    t.ok(statSync(vault.dir).isDirectory(), 'and the kernel answers for it what it has cached')
    t.throws(() => readdirSync(vault.dir), /ENOTCONN|ECONNABORTED/)
    const { stdout, stderr } = vault.mount()
    t.match(stdout + stderr, /dead|died|clear|left/i)
    t.match(stdout + stderr, String(pid))
    t.equal(readFileSync(join(vault.dir, 'f'), 'utf8'), 'synced')
    t.not(vault.daemonPid(), pid)
    vault.check()
    vault.unmount()
    onlyTheVault(t, vault)
  },
)

t.test('the vault of a killed daemon can be mounted elsewhere', async (t) => {
  const vault = mountedVault(t)
  writeFileSync(join(vault.dir, 'f'), 'synced', { flush: true })
  await vault.kill()
  const other = join(vault.root, 'other')
  run('mkdir', [other])
  t.equal(vault.avfs(['mount', vault.name, other]).status, 0)
  t.equal(readFileSync(join(other, 'f'), 'utf8'), 'synced')
  t.equal(vault.avfs(['unmount', other]).status, 0)
})

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  t.test(`${signal} flushes, unmounts and exits with 0`, async (t) => {
    const vault = createVault(t)
    const daemon = spawn(avfsProgram, ['mount', vault.name, vault.dir, '--foreground'], {
      env: { ...process.env, ...vault.env },
      stdio: 'ignore',
    })
    const exit = new Promise((resolve) => daemon.on('exit', (code) => resolve(code)))
    await until(() => vault.isMounted(), 'the vault is mounted')
    writeFileSync(join(vault.dir, 'f'), 'not synced')
    process.kill(vault.daemonPid(), signal)
    t.equal(await exit, 0)
    t.equal(vault.isMounted(), false)
    onlyTheVault(t, vault)
    vault.mount()
    t.equal(readFileSync(join(vault.dir, 'f'), 'utf8'), 'not synced')
    vault.unmount()
  })
}

// A mount namespace of its own: /dev/fuse for everyone, as udev makes it, and the checkout where
// everyone may go.
const ORDINARY_USER = `
cd "$root"
mkdir dev checkout runtime
mount -t tmpfs -o mode=755 none dev
mknod -m 666 dev/fuse c 10 229
mount --bind dev/fuse /dev/fuse
mount --bind "$source" checkout
chown 65534:65534 home mnt runtime
nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all "$@"; }
nobody checkout/scripts/avfs vault create his --backend "$backend"
nobody checkout/scripts/avfs mount his mnt
nobody sh -c 'echo mine > mnt/f; cat mnt/f; stat -c %u:%g mnt/f'
nobody findmnt -n -o SOURCE,FSTYPE mnt
ls mnt 2>&1 | grep -o 'Permission denied'
nobody checkout/scripts/avfs unmount mnt
ls mnt | wc -l
`

t.test('what another thread of the command reads meanwhile is left alone', async (t) => {
  const vault = createVault(t)
  // Node reads these in a thread of its own, which closes the file when it has read it.
  const certificates = join(vault.root, 'certificates')
  run('mkfifo', [certificates])
  const writer = openSync(certificates, 'r+')
  const child = spawn(avfsProgram, ['mount', vault.name, vault.dir], {
    env: { ...process.env, ...vault.env, NODE_EXTRA_CA_CERTS: certificates },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const over = new Promise((resolve) => child.once('exit', resolve))
  const children = `/proc/${child.pid}/task/${child.pid}/children`
  const hasDaemon = (): boolean =>
    readFileSync(children, 'utf8')
      .trim()
      .split(' ')
      .some((pid) => attempt('cat', [`/proc/${pid}/cmdline`]).stdout.includes('daemon.ts'))
  await until(hasDaemon, 'the daemon begins')
  rmSync(certificates)
  writeFileSync(certificates, '')
  closeSync(writer)
  t.equal(await over, 0, said)
  t.ok(vault.isMounted())
  vault.unmount()
})

t.test('an ordinary user mounts and unmounts through fusermount3', (t) => {
  needProgram('fusermount3', 'unshare', 'setpriv')
  const vault = createVault(t)
  const { name: backend, suffix } = vault.backend
  const runtime = join(vault.root, 'runtime')
  const { status, stdout, stderr } = attempt('unshare', ['--mount', 'sh', '-c', ORDINARY_USER], {
    env: {
      ...vault.env,
      HOME: runtime,
      XDG_RUNTIME_DIR: runtime,
      XDG_STATE_HOME: runtime,
      root: vault.root,
      backend,
      source: join(import.meta.dirname, '../..'),
    },
  })
  t.equal(status, 0, stderr)
  t.match(stdout, 'mine\n65534:65534\n')
  t.match(stdout, /his +fuse.avfs/)
  t.match(stdout, 'Permission denied', 'nobody else gets in, not even root')
  t.match(stdout, /^0\n$/m, 'and then it is unmounted')
  t.same(vaultsOf(vault), [`his${suffix}`, `${vault.name}${suffix}`])
  t.end()
})
