// Another user of the host has left something under a name that avfs uses, or a vault has come from
// elsewhere with such a file: links, folders, locks, notes, logs, sockets and caches. None of it is
// followed, believed, removed, moved or truncated.

import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import t, { type Test } from 'tap'
import { socketPath } from '../../src/control/vaults/paths.ts'
import { backendOf, persistentBackends } from '../../src/store/open.ts'
import { avfsProgram, createVault, FULL, mountedVault, type TestVault } from '../support/mount.ts'
import { attempt, needProgram, type Outcome, run } from '../support/program.ts'
import { A, B, folderOf, listenAs, runAs, sharedFolder } from '../support/users.ts'
import { type Cli, emptyCli } from './cli.ts'

t.setTimeout(600_000)

/** A vault of root in a folder that is everybody's, and a file of root that must stay as it is. */
interface Shared {
  readonly cli: Cli
  readonly folder: string
  readonly vault: string
  readonly victim: string
}

function inShared(t: Test, suffix = '.avfs'): Shared {
  const cli = emptyCli(t)
  const folder = sharedFolder(cli.root)
  const vault = join(folder, `v${suffix}`)
  cli.json('vault', 'create', vault)
  const victim = join(cli.root, 'victim')
  writeFileSync(victim, 'precious')
  return { cli, folder, vault, victim }
}

/** Gives what lies somewhere to user b, a link itself. */
function giveToB(path: string): void {
  run('chown', ['-hR', `${B}:${B}`, path])
}

function refused(t: Test, { status, stderr }: Outcome, why: RegExp, what: string): void {
  t.not(status, 0, `${what}: refused`)
  t.match(stderr, why, what)
}

t.test('a lock file that somebody has planted is neither followed nor believed', (t) => {
  const { cli, vault, victim } = inShared(t)
  const lock = `${vault}.lock`
  const commands = [
    ['log', `${vault}:/`],
    ['vault', 'compact', vault],
    ['mount', vault, cli.folder('m')],
    ['vault', 'migrate', vault, '--to', 'leveldb'],
    ['vault', 'delete', vault, '--yes'],
  ]
  const fifo = (): string => run('mkfifo', [lock])
  const claim = { pid: 1, host: 'h', mountPoint: '/m', socket: victim, since: 'x' }
  const planted: [string, () => void, RegExp][] = [
    ['link', () => symlinkSync(victim, lock), /is a link/],
    ['dangling link', () => symlinkSync(join(cli.root, 'none'), lock), /is a link/],
    ['second name', () => linkSync(victim, lock), /has another name/],
    ['FIFO', fifo, /is no regular file/],
    ['folder', () => mkdirSync(lock), /is no regular file|EISDIR/],
    ['file', () => writeFileSync(lock, JSON.stringify(claim)), /user/],
  ]
  for (const [what, plant, why] of planted) {
    plant()
    if (what !== 'second name') giveToB(lock)
    for (const command of what === 'link' ? commands : commands.slice(1, 3))
      refused(t, cli.avfs(...command), why, `${what}: avfs ${command.join(' ')}`)
    t.equal(readFileSync(victim, 'utf8'), 'precious', what)
    t.notOk(existsSync(join(cli.root, 'none')))
    rmSync(lock, { recursive: true })
  }
  t.match(cli.json('vault', 'info', vault), { backend: 'sqlite' }, 'and all is as it was')
  t.end()
})

t.test('what a lock file names is not unmounted unless it is of this vault', (t) => {
  const cli = emptyCli(t)
  cli.json('vault', 'create', 'one')
  cli.json('vault', 'create', 'two')
  const dead = cli.folder('dead')
  t.equal(cli.avfs('mount', 'one', dead).status, 0)
  t.teardown(() => void run('umount', ['-l', dead]))
  const lock = join(cli.home, 'one.avfs.lock')
  process.kill(JSON.parse(readFileSync(lock, 'utf8')).pid, 'SIGKILL')
  const claim = { ...JSON.parse(readFileSync(lock, 'utf8')), mountPoint: dead }
  writeFileSync(join(cli.home, 'two.avfs.lock'), JSON.stringify(claim))
  const m = cli.folder('m')
  t.equal(cli.avfs('mount', 'two', m).status, 0)
  t.ok(readFileSync('/proc/self/mounts', 'utf8').includes(` ${dead} `), 'the other is still there')
  t.equal(cli.avfs('unmount', m).status, 0)
  t.end()
})

t.test('a note of a stranger, or with a path in it, moves and removes nothing', (t) => {
  const cli = emptyCli(t)
  const vault = join(cli.home, 'v.leveldb')
  cli.json('vault', 'create', 'v', '--backend', 'leveldb')
  cli.json('vault', 'create', 'other', '--backend', 'leveldb')
  const outside = cli.folder('outside')
  writeFileSync(join(outside, 'kept'), 'precious')
  const all = (): string[] => [...readdirSync(cli.home), ...readdirSync(outside)].sort()
  const before = all()
  const ino = `${lstatSync(vault).ino}`
  const switches = [
    { fresh: '../outside', ino: '1', former: null },
    { fresh: outside, ino: '1', former: null },
    { fresh: 'other.leveldb', ino: '1', former: null },
    { fresh: 'v.leveldb', ino, former: null },
    { fresh: '..', ino: '1', former: null },
    { fresh: '', ino: '1', former: null },
    { fresh: 'v.leveldb.repaired/../../outside', ino: '1', former: null },
    { fresh: 'v.leveldb.repaired', ino, former: '../outside' },
    { fresh: 'v.leveldb.repaired', ino, former: 'other.leveldb' },
    { fresh: 'v.leveldb.repaired', ino, former: 'v.damaged/../other.leveldb' },
  ]
  const note = `${vault}.switch`
  for (const its of switches) {
    writeFileSync(note, JSON.stringify(its))
    const { status, stderr } = cli.avfs('vault', 'check', 'v', '--repair')
    t.not(status, 0, JSON.stringify(its))
    t.match(stderr, /makes no sense/)
    rmSync(note)
    t.same(all(), before)
  }
  writeFileSync(note, JSON.stringify({ fresh: 'v.leveldb.repaired', ino: '1', former: null }))
  giveToB(note)
  refused(t, cli.avfs('vault', 'check', 'v', '--repair'), /belongs to user/, "a stranger's note")
  rmSync(note)

  for (const place of [outside, '../outside']) {
    const its = { backend: 'sqlite', target: place, partial: place, settings: '' }
    writeFileSync(`${vault}.migration`, JSON.stringify({ step: 'switching', ...its }))
    t.equal(cli.avfs('vault', 'migrate', 'v', '--to', 'sqlite').status, 0)
    const back = join(cli.home, 'v.avfs.migration')
    writeFileSync(back, JSON.stringify({ step: 'copying', ...its, backend: 'leveldb' }))
    t.equal(cli.avfs('vault', 'migrate', 'v', '--to', 'leveldb').status, 0)
    t.same(all(), before, place)
  }
  writeFileSync(`${vault}.migration`, JSON.stringify({ step: 'copying', partial: outside }))
  t.equal(cli.avfs('vault', 'delete', 'v', '--yes').status, 0)
  t.same(
    all(),
    before.filter((name) => name !== 'v.leveldb'),
  )
  t.equal(readFileSync(join(outside, 'kept'), 'utf8'), 'precious')
  t.end()
})

t.test('links in the way of a copy or a note are not followed', (t) => {
  const { cli, vault, victim } = inShared(t)
  cli.json('tag', 'add', `${vault}:/`, 'x')
  const folder = cli.folder('full')
  writeFileSync(join(folder, 'kept'), 'precious')
  for (const to of persistentBackends.map(({ name }) => name).filter((name) => name !== 'sqlite')) {
    const target = join(vault, `../v${backendOf('', to).suffix}`)
    for (const end of ['.migration.new', '.removed']) {
      symlinkSync(victim, vault + end)
      giveToB(vault + end)
    }
    for (const end of ['.partial', '.partial.removed']) {
      symlinkSync(folder, target + end)
      giveToB(target + end)
    }
    const { status, stderr } = cli.avfs('vault', 'migrate', vault, '--to', to)
    t.equal(status, 0, stderr)
    const back = cli.avfs('vault', 'migrate', join(vault, '../v'), '--to', 'sqlite')
    t.equal(back.status, 0, back.stderr)
    t.equal(readFileSync(victim, 'utf8'), 'precious', to)
    t.same(readdirSync(folder), ['kept'])
  }
  t.end()
})

t.test('what is planted among the files of an engine is refused', (t) => {
  for (const { name, suffix, companions, isFolder } of persistentBackends) {
    const { cli, vault, victim } = inShared(t, suffix)
    const inside = isFolder ? ['/000099.ldb', '/LOG.old', '/x'] : []
    for (const end of companions) {
      const path = vault + end
      rmSync(path, { recursive: true, force: true })
      symlinkSync(victim, path)
      refused(t, cli.avfs('vault', 'compact', vault), /is a link/, `${name}: a link ${end}`)
      rmSync(path)
      writeFileSync(path, 'hostile')
      giveToB(path)
      refused(t, cli.avfs('vault', 'compact', vault), /belongs to user/, `${name}: ${end} of b`)
      rmSync(path)
    }
    for (const end of inside) {
      rmSync(vault + end, { force: true })
      symlinkSync(victim, vault + end)
      refused(t, cli.avfs('vault', 'compact', vault), /is a link/, `${name}: a link ${end}`)
      rmSync(vault + end)
    }
    t.equal(readFileSync(victim, 'utf8'), 'precious')
    t.equal(cli.avfs('vault', 'check', vault).status, 0, name)
    // One that is yet to be made has no such file either.
    for (const end of companions.slice(0, 1)) {
      const fresh = join(vault, `../fresh${suffix}`)
      symlinkSync(victim, fresh + end)
      refused(t, cli.avfs('vault', 'create', fresh), /is a link/, `${name}: create, ${end}`)
      rmSync(fresh + end, { force: true })
      t.notOk(existsSync(fresh))
    }
    t.equal(readFileSync(victim, 'utf8'), 'precious')
  }
  t.end()
})

t.test('logs are written into an own folder, and through no link', (t) => {
  const vault = createVault(t)
  const victim = join(vault.root, 'victim')
  writeFileSync(victim, 'precious')
  mkdirSync(join(vault.root, 'avfs'), { recursive: true, mode: 0o700 })
  const log = join(vault.root, 'avfs', `${vault.name}.log`)
  const mount = (...more: string[]): Outcome =>
    vault.avfs(['mount', vault.name, vault.dir, ...more])
  symlinkSync(victim, log)
  refused(t, mount(), /is a link/, 'the log is a link')
  rmSync(log)
  const shared = sharedFolder(vault.root)
  symlinkSync(victim, join(shared, 'log'))
  refused(t, mount('--log-file', join(shared, 'log')), /is a link/, '--log-file is a link')
  linkSync(victim, join(shared, 'hard'))
  refused(t, mount('--log-file', join(shared, 'hard')), /another name/, 'a second name')
  folderOf(B, join(shared, 'avfs'), 0o777)
  const elsewhere = vault.avfs(['mount', vault.name, vault.dir], {
    env: { XDG_STATE_HOME: shared },
  })
  refused(t, elsewhere, /XDG_STATE_HOME/, 'the folder of logs is of b')
  t.equal(readFileSync(victim, 'utf8'), 'precious')
  t.same(readdirSync(join(shared, 'avfs')), [])
  t.equal(mount('--log-file', '/dev/null').status, 0, 'a device is no file')
  t.end()
})

t.test('no socket is looked for where others can put one', async (t) => {
  const vault = createVault(t)
  vault.mount()
  const socket = basename(socketPath(vault.dir, { XDG_RUNTIME_DIR: vault.root }))
  const shared = sharedFolder(vault.root)
  const planted = folderOf(B, join(shared, 'avfs-0'), 0o755)
  const other = folderOf(B, join(shared, 'avfs'), 0o755)
  const listeners = [
    await listenAs(t, B, join(planted, socket)),
    await listenAs(t, B, join(other, socket)),
  ]
  const commands = (env: Record<string, string>): Outcome[] =>
    [
      ['log', vault.dir],
      ['tag', 'add', vault.dir, 'x'],
    ].map((command) => vault.avfs(command, { env }))
  for (const outcome of commands({ XDG_RUNTIME_DIR: '', TMPDIR: shared, XDG_STATE_HOME: shared }))
    refused(t, outcome, /./, 'without XDG_RUNTIME_DIR')
  for (const outcome of commands({ XDG_RUNTIME_DIR: shared, TMPDIR: shared }))
    refused(t, outcome, /user|directory/, 'with XDG_RUNTIME_DIR')
  const second = vault.avfs(['mount', vault.name, vault.dir], { env: { XDG_RUNTIME_DIR: shared } })
  t.not(second.status, 0)
  t.notOk(
    listeners.some((its) => its.isAsked()),
    'b has heard nothing',
  )
  t.equal(vault.avfs(['log', vault.dir]).status, 0)
})

t.test("without a home directory nothing is loaded from a folder that is everybody's", (t) => {
  const cli = emptyCli(t)
  const shared = sharedFolder(cli.root)
  const told = join(cli.root, 'told.cjs')
  writeFileSync(
    told,
    `process.on('exit', () => console.log(require('node:module').getCompileCacheDir() ?? 'none'))`,
  )
  const user = folderOf(A, join(cli.root, 'a'))
  const cacheUnder = (env: Record<string, string>): string => {
    const all = { NODE_OPTIONS: `--require=${told}`, HOME: '', XDG_CACHE_HOME: '', ...env }
    const unset = ['-u', 'NODE_COMPILE_CACHE', ...(all.HOME === '' ? ['-u', 'HOME'] : [])]
    const outcome = runAs(A, 'env', [...unset, avfsProgram, '--version'], {
      env: { ...all, TMPDIR: shared },
      cwd: '/',
    })
    t.equal(outcome.status, 0, outcome.stderr)
    return outcome.stdout.trim().split('\n').at(-1) ?? ''
  }
  t.equal(cacheUnder({}), 'none')
  t.match(cacheUnder({ HOME: user }), join(user, '.cache/avfs'))
  t.match(cacheUnder({ XDG_CACHE_HOME: shared }), join(shared, 'avfs'), 'his own, in one as /tmp')
  rmSync(join(shared, 'avfs'), { recursive: true })
  folderOf(B, join(shared, 'avfs'), 0o777)
  t.equal(cacheUnder({ XDG_CACHE_HOME: shared }), 'none', "b's")
  t.same(readdirSync(join(shared, 'avfs')), [])
  rmSync(join(shared, 'avfs'), { recursive: true })
  symlinkSync(folderOf(B, join(shared, 'b')), join(shared, 'avfs'))
  t.equal(cacheUnder({ XDG_CACHE_HOME: shared }), 'none', "a link to b's")
  const open = join(cli.root, 'open')
  mkdirSync(join(open, 'avfs'), { recursive: true })
  chownSync(join(open, 'avfs'), A, A)
  chmodSync(open, 0o777)
  t.equal(cacheUnder({ XDG_CACHE_HOME: open }), 'none', 'one that b could exchange')
  t.same(
    readdirSync('/tmp').filter((name) => name === `avfs-${A}`),
    [],
  )
  t.end()
})

// A mount namespace of its own: /dev/fuse for everyone, as udev makes it, and users who have names.
const OF_A_USER = `
cd "$root"
mkdir dev
mount -t tmpfs -o mode=755 none dev
mknod -m 666 dev/fuse c 10 229
mount --bind dev/fuse /dev/fuse
(cat /etc/passwd; for id in $a $b; do echo "u$id:x:$id:$id::$root/$id:/bin/sh"; done) >passwd
mount --bind passwd /etc/passwd
unset AVFS_HOME XDG_RUNTIME_DIR XDG_STATE_HOME XDG_DATA_HOME
as() { id=$1; shift; HOME=$root/$id setpriv --reuid=$id --regid=$id --clear-groups --inh-caps=-all "$@"; }
say() { echo "$1: $2"; }
v=$root/$a/v.avfs
as $a "$avfs" vault create $v >&2
as $a "$avfs" mount $v $root/$a/m >&2; say mounted $?
as $a "$avfs" log $root/$a/m >&2; say "a asks" $?
socket=$(as $a "$avfs" vault info $v | awk '/^socket/ { print $2 }'); say socket $socket
# As if he had let everybody into his home directory.
chmod 755 $root/$a
as $b "$avfs" log $v:/ >&2; say "b asks" $?
as $b "$avfs" unmount $root/$a/m >&2; say "b unmounts" $?
as $b "$node" -e 'require("node:net").connect(process.argv[1]).on("error", ({ code }) => console.log("b connects:", code))' $socket
"$avfs" log $v:/ >&2; say "root asks" $?
as $a rm $v
as $a sh -c "echo x > $root/$a/m/f; sync $root/$a/m/f" || say fsync failed
as $a "$avfs" unmount $root/$a/m 2>&1 | grep -o 'all that it held is in .*'
as $a stat -c '%n %u %a' $root/$a/v.rescued.avfs
`

t.test("a user's mount is his own, as is what is kept of it", (t) => {
  needProgram('fusermount3', 'unshare', 'setpriv')
  const root = emptyCli(t).root
  for (const uid of [A, B]) folderOf(uid, join(root, `${uid}`))
  folderOf(A, join(root, `${A}/m`))
  const { status, stdout, stderr } = attempt('unshare', ['--mount', 'sh', '-c', OF_A_USER], {
    env: { root, avfs: avfsProgram, node: process.execPath, a: `${A}`, b: `${B}` },
  })
  t.equal(status, 0, stderr)
  const copy = join(root, `${A}/v.rescued.avfs`)
  t.match(stdout, /^mounted: 0\na asks: 0\n/, stderr)
  t.match(stdout, `socket: ${join(root, `${A}/.local/state/avfs/run/`)}`, 'in no shared folder')
  t.match(stdout, /^b asks: [1-9]/m)
  t.match(stdout, /^b unmounts: [1-9]/m)
  t.match(stdout, /^b connects: EACCES$/m)
  t.match(stdout, /^root asks: 0$/m)
  t.match(stdout, `fsync: failed\nall that it held is in ${copy}\n${copy} ${A} 600`)
  t.end()
})

t.test(
  'on the mount of another user commands say whose it is, and what is there for others',
  (t) => {
    const { dir } = mountedVault(t, ...FULL)
    writeFileSync(join(dir, 'file'), 'text')
    for (const args of [
      ['log', join(dir, 'file')],
      ['search', 'text', dir],
      ['find', dir],
    ]) {
      const { status, stderr } = runAs(A, avfsProgram, args, { env: { HOME: '/nonexistent' } })
      t.equal(status, 1)
      t.match(stderr, /mounted by user 0, and its daemon answers .* \.avfs/, args.join(' '))
    }
    t.end()
  },
)

t.test('a reader removes no folder of another user from the folder of temporary files', (t) => {
  const vault: TestVault = createVault(t)
  run('chmod', ['-R', 'a+rX', vault.home])
  const shared = sharedFolder(vault.root)
  const his = folderOf(B, join(shared, 'avfs-reading-999999999-x'))
  symlinkSync(vault.home, join(shared, 'avfs-reading-999999998-x'))
  const own = folderOf(A, join(vault.root, 'a'))
  const env = { ...vault.env, HOME: own, XDG_RUNTIME_DIR: own, XDG_STATE_HOME: own, TMPDIR: shared }
  const mine = folderOf(A, join(shared, 'avfs-reading-999999997-x'))
  const read = (uid: number, tmp = shared): Outcome =>
    runAs(uid, avfsProgram, ['vault', 'check', vault.file], { env: { ...env, TMPDIR: tmp } })
  t.equal(read(A).status, 0)
  t.ok(existsSync(his))
  t.ok(lstatSync(join(shared, 'avfs-reading-999999998-x')).isSymbolicLink())
  t.equal(existsSync(mine), vault.backend.linked(vault.file) === undefined, 'but its own')
  t.end()
})
