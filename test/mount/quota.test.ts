// Quotas on a mount, by real users: growth beyond a quota fails where it fails on a file system of
// that size, at write(2) or at the latest at fsync(2) and close(2); df shows the limit; other users
// can go on; and the count is right after kill -9.

import {
  closeSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { createVault, FULL, mountedVault, type TestVault } from '../support/mount.ts'
import { attempt, needProgram, run } from '../support/program.ts'
import { syscalls } from '../support/syscalls.ts'

const KIB = 1024
const MIB = 1024 * KIB
const A = 61_001
const B = 61_002

t.setTimeout(300_000)

function configure(vault: TestVault, ...changes: readonly string[]): string {
  const { status, stdout, stderr } = vault.avfs(['vault', 'config', vault.name, ...changes])
  if (status !== 0) throw new Error(stderr)
  return stdout
}

/** Runs steps as a user; every line of what they answer. */
function as(uid: number, dir: string, ...steps: readonly string[]): string[] {
  return syscalls(dir, `as ${uid} ${uid}`, ...steps).slice(1)
}

/** Node has no name for EDQUOT. */
const FULL_CODE = { message: /system error -122/ }

/** Inodes and bytes that the directory may have, its own inode counted. */
const SMALL = { bytes: MIB, files: 16 }

/** Each is one thing that a program does; it fails with what the first step of it fails with. */
const story: readonly (readonly string[])[] = [
  ['open a O_CREAT,O_RDWR', `fill 0 0 ${600 * KIB} x`, 'fsync 0', 'close 0'],
  // Too much, at once and piece by piece; what came in of it is taken away again.
  ['open b O_CREAT,O_RDWR', `fill 0 0 ${600 * KIB} x`, 'fsync 0', 'close 0'],
  ['unlink b'],
  ['open b O_CREAT,O_RDWR', `noise 0 0 ${3 * MIB} 1`, 'close 0'],
  ['unlink b'],
  // To the last byte, and not one more.
  ['open c O_CREAT,O_RDWR', `fill 0 0 ${424 * KIB} y`, 'fsync 0', 'close 0'],
  ['open d O_CREAT,O_RDWR', 'fill 0 0 1 z', 'fsync 0', 'close 0'],
  ['open a O_WRONLY,O_APPEND', 'write 0 more', 'fsync 0', 'close 0'],
  ['open a O_WRONLY,O_DIRECT,O_APPEND', `fill 0 0 ${4 * KIB} z`, 'close 0'],
  ['open a O_RDWR', `fill 0 ${600 * KIB} 4096 z`, 'close 0'],
  // What is covered can be written, and holes cost nothing before they are.
  ['open a O_RDWR', `fill 0 4096 ${100 * KIB} z`, 'fsync 0', 'close 0'],
  [`truncate a ${10 * MIB}`],
  ['open a O_RDWR', `fill 0 ${8 * MIB} 4096 z`, 'fsync 0', 'close 0'],
  ['open a O_RDWR', `fallocate 0 allocate ${8 * MIB} 4096`, 'close 0'],
  ['open a O_RDWR', 'open d O_CREAT,O_RDWR', 'copy_file_range 0 0 1 0 8192', 'fsync 1'],
  // Punched and cut, it is free again.
  ['open a O_RDWR', 'fallocate 0 punch,keep 0 8192', 'close 0'],
  ['open a O_RDWR', 'open d O_RDWR', 'copy_file_range 0 8192 1 0 8192', 'fsync 1', 'close 1'],
  ['open e O_CREAT,O_RDWR', 'fill 0 0 4096 z', 'fsync 0', 'close 0'],
  [`truncate a ${100 * KIB}`],
  ['open e O_RDWR', `fill 0 0 ${400 * KIB} z`, 'fsync 0', 'close 0'],
  // Another name costs nothing, and the last one frees; but not before who has it open lets it go.
  ['link e e2', 'unlink e'],
  ['open g O_CREAT,O_RDWR', `fill 0 0 ${300 * KIB} z`, 'fsync 0', 'close 0'],
  ['open e2 O_RDWR', 'unlink e2', 'open g O_RDWR', `fill 1 0 ${300 * KIB} z`, 'fsync 1'],
  ['open g O_RDWR', `fill 0 0 ${300 * KIB} z`, 'fsync 0', 'close 0'],
  ['rename g a'],
  ['open h O_CREAT,O_RDWR', `fill 0 0 ${200 * KIB} z`, 'fsync 0', 'close 0'],
  ['open . O_TMPFILE,O_RDWR', `fill 0 0 ${200 * KIB} z`, 'fsync 0', 'close 0'],
  // Inodes: those of the directory, a, c, d and h are there.
  ...Array.from({ length: 10 }, (_, at) => [`mkdir dir${at} 755`]),
  ['mknod fifo fifo 600'],
  ['mkdir one-too-many 755'],
  ['open one-too-many O_CREAT,O_RDWR'],
  ['open . O_TMPFILE,O_RDWR'],
  ['mknod one-too-many fifo 600'],
  ['symlink target one-too-many'],
  ['rename c one-less'],
  ['open h O_RDWR', 'fill 0 0 4096 z', 'fsync 0', 'close 0'],
  ['unlink fifo'],
  ['mkdir one-less2 755'],
  ['stat one-less size'],
]

/** What each part of the story comes to: 'full', or what its last step says. */
function tell(dir: string): string[] {
  return story.map((steps) => {
    const answers = syscalls(dir, ...steps)
    const failed = answers.find((answer) => /^E[A-Z]+$/.test(answer))
    // A file system that sets pages aside writes what fits.
    const isShort = steps.some((step, at) => {
      const [call, , , bytes] = step.split(' ')
      return call === 'fill' && Number(answers[at]) < Number(bytes)
    })
    const isFull = isShort || failed === 'ENOSPC' || failed === 'EDQUOT'
    return `${steps.join('; ')}: ${isFull ? 'full' : (failed ?? answers.at(-1))}`
  })
}

t.test('a vault with a quota is full where a file system of that size is', (t) => {
  const vault = mountedVault(t)
  const disk = join(vault.root, 'disk')
  mkdirSync(disk)
  run('mount', ['-t', 'tmpfs', '-o', `size=${SMALL.bytes},nr_inodes=${SMALL.files}`, 'none', disk])
  t.teardown(() => attempt('umount', ['-l', disk]))
  configure(vault, `quota=${SMALL.bytes}`, `quota.files=${SMALL.files}`)
  const wanted = tell(disk)
  const found = tell(vault.dir)
  t.same(found, wanted)
  t.ok(found.filter((line) => line.endsWith(': full')).length > 12, 'much of it is refused')
  const [ours, theirs] = [statfsSync(vault.dir), statfsSync(disk)]
  t.equal(ours.blocks * ours.bsize, theirs.blocks * theirs.bsize)
  t.equal(ours.bavail * ours.bsize, theirs.bavail * theirs.bsize)
  t.equal(ours.bfree, ours.bavail)
  t.equal(ours.files, theirs.files)
  t.equal(ours.ffree, theirs.ffree)
  vault.unmount()
  vault.check()
  t.end()
})

t.test('one user fills a quota, and the others go on', (t) => {
  const vault = mountedVault(t)
  const { dir } = vault
  for (const [name, uid] of [
    ['a', A],
    ['b', B],
  ] as const) {
    mkdirSync(join(dir, name))
    run('chown', [`${uid}:${uid}`, join(dir, name)])
  }
  configure(vault, `quota.user.${B}=1M`, `quota.user-files.${B}=5`)
  const fill = (name: string, bytes: number) => [
    `open ${name} O_CREAT,O_RDWR`,
    `fill 0 0 ${bytes} x`,
    'fsync 0',
    'close 0',
  ]
  t.same(as(B, dir, ...fill('b/full', 900 * KIB)).slice(-2), ['0', '0'])
  t.ok(as(B, dir, ...fill('b/more', 300 * KIB)).includes('EDQUOT'))
  t.same(as(A, dir, ...fill('a/f', 3 * MIB)).slice(-2), ['0', '0'], 'a is not b')
  rmSync(join(dir, 'b/more'))

  // What root gives b is b's, and what b gives away is not.
  writeFileSync(join(dir, 'b/gift'), Buffer.alloc(200 * KIB))
  t.match(attempt('chown', [`${B}`, join(dir, 'b/gift')]).stderr, /Disk quota exceeded/)
  t.equal(statSync(join(dir, 'b/gift')).uid, 0)
  run('chown', [`${A}`, join(dir, 'b/full')])
  run('chown', [`${B}`, join(dir, 'b/gift')])
  t.same(as(B, dir, ...fill('b/new', 700 * KIB)).slice(-2), ['0', '0'])

  // df tells each of them what holds for them.
  const df = (uid: number): number[] => {
    const line = `df --output=size,used,avail,itotal,iavail -B1 ${dir} | tail -1`
    const args = [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', 'sh', '-c', line]
    return run('setpriv', args).trim().split(/\s+/).map(Number)
  }
  needProgram('setpriv')
  t.same(df(B), [MIB, 900 * KIB, 124 * KIB, 5, 2])
  t.ok((df(A)[0] ?? 0) > 100 * MIB, 'a sees the disk')
  configure(vault, 'quota=10M')
  t.same(df(B).slice(0, 3), [MIB, 900 * KIB, 124 * KIB], 'the smaller one')
  t.equal(df(A)[0], 10 * MIB)

  t.same(as(B, dir, 'mkdir b/d1 755', 'mkdir b/d2 755', 'mkdir b/d3 755'), ['0', '0', 'EDQUOT'])
  t.same(as(A, dir, 'mkdir a/d1 755'), ['0'])
  vault.unmount()
  vault.check()
  t.end()
})

t.test('a change of a quota holds at once, and lets what is there stay', (t) => {
  const vault = mountedVault(t)
  const { dir } = vault
  writeFileSync(join(dir, 'f'), Buffer.alloc(MIB))
  configure(vault, 'quota=100K')
  t.throws(() => writeFileSync(join(dir, 'g'), 'x'), FULL_CODE)
  t.same(statfsSync(dir).bavail, 0)
  const overwrite = ['open f O_RDWR', 'fill 0 0 500000 y', 'fsync 0', 'close 0']
  t.same(syscalls(dir, ...overwrite), ['0', '500000', '0', '0'], 'it can be written as it is')
  run('mv', [join(dir, 'f'), join(dir, 'h')])
  run('chmod', ['600', join(dir, 'h')])
  configure(vault, 'quota=2M')
  writeFileSync(join(dir, 'g'), 'x', { flush: true })
  configure(vault, 'quota=0')
  t.throws(() => writeFileSync(join(dir, 'i'), 'x'), FULL_CODE)
  configure(vault, 'quota=')
  writeFileSync(join(dir, 'i'), Buffer.alloc(MIB))
  t.ok(statfsSync(dir).blocks * statfsSync(dir).bsize > 100 * MIB)

  for (const [change, told] of [
    ['quota=10GB', /quota=10GB: give a size, such as 500M or 10G/],
    ['quota.files=-1', /give a whole number/],
    ['quota.user.no-such-user=1G', /no user is named 'no-such-user' here; a uid does as well/],
    ['quota.users=1', /no setting is named quota.users: .*quota.user.NAME/],
  ] as const) {
    const { status, stderr } = vault.avfs(['vault', 'config', vault.name, change])
    t.equal(status, 2, change)
    t.match(stderr, told)
  }
  t.match(configure(vault, 'quota.user.root=3G'), /^quota\.user\.root=3G$/m)
  t.match(configure(vault, 'quota.user.0=4G'), /^quota\.user\.root=4G$/m, 'a name and its number')
  t.match(configure(vault, `quota.user.${A}=5G`), new RegExp(`^quota\\.user\\.${A}=5G$`, 'm'))
  t.notMatch(configure(vault, 'quota.user.root='), /quota\.user\.root/)
  t.end()
})

t.test('bytes that the kernel had taken are never lost without an error', (t) => {
  const vault = mountedVault(t)
  const { dir } = vault
  configure(vault, 'quota=1M')
  const open = 'open f O_CREAT,O_RDWR'
  const big = `fill 0 0 ${2 * MIB} x`
  const whole = `${2 * MIB}`
  t.same(syscalls(dir, open, big, 'close 0'), ['0', whole, 'EDQUOT'], 'close tells')
  t.ok(statSync(join(dir, 'f')).size <= MIB, 'what is not there is not shown')
  rmSync(join(dir, 'f'))
  const synced = [open, 'open f O_RDWR', big, 'fsync 0', 'fsync 1', 'write 1 y', 'close 0']
  t.same(syscalls(dir, ...synced), ['0', '1', whole, 'EDQUOT', 'EDQUOT', 'EDQUOT', 'EDQUOT'])
  rmSync(join(dir, 'f'))
  const mapped = [open, `ftruncate 0 ${2 * MIB}`, `mmap 0 ${2 * MIB}`]
  const pokes = Array.from({ length: 512 }, (_, at) => `poke ${at * 4096} x`)
  const last = syscalls(dir, ...mapped, ...pokes, 'msync', 'munmap', 'close 0').slice(-3)
  t.ok(last.includes('EDQUOT'), `a mapped file: ${last}`)
  rmSync(join(dir, 'f'))
  t.same(
    syscalls(dir, 'open f O_CREAT,O_RDWR,O_SYNC', big, 'write 0 x').slice(1),
    ['EDQUOT', 'EDQUOT'],
    'O_SYNC hears of it at once',
  )
  rmSync(join(dir, 'f'))
  // Once somebody has heard of it, the file is one as all others.
  t.same(syscalls(dir, open, `fill 0 0 ${500 * KIB} x`, 'fsync 0', 'close 0').at(-1), '0')
  vault.unmount()
  vault.check()
  t.end()
})

t.test('a file of which bytes were refused has its true size, while it is open', (t) => {
  const vault = mountedVault(t)
  const { dir } = vault
  const path = join(dir, 'log')
  writeFileSync(path, 'first\n')
  configure(vault, 'quota=500K')
  const follower = openSync(path, 'r')
  const appender = openSync(path, 'a')
  const answers = syscalls(dir, 'open log O_RDWR', `fill 0 6 ${2 * MIB} x`, 'close 0')
  t.same(answers, ['0', `${2 * MIB}`, 'EDQUOT'])
  const { size, blocks } = statSync(path)
  t.ok(size <= 500 * KIB, `${size} bytes`)
  t.equal(fstatSync(follower).size, size)
  t.ok(blocks * 512 <= 500 * KIB)
  configure(vault, 'quota=1M')
  writeSync(appender, 'appended\n')
  const text = readFileSync(path, 'latin1')
  t.ok(/^first\nx*appended\n$/.test(text), 'no zeros')
  for (const fd of [appender, follower]) closeSync(fd)
  vault.unmount()
  vault.mount()
  t.ok(readFileSync(path, 'latin1') === text, 'in a new mount, too')
  vault.unmount()
  vault.check()
  t.end()
})

t.test('what is charged is right after kill -9', async (t) => {
  const vault = mountedVault(t)
  const { dir } = vault
  configure(vault, 'quota=10M')
  const used = (): number => {
    const { blocks, bfree, bsize } = statfsSync(dir)
    return (blocks - bfree) * bsize
  }
  writeFileSync(join(dir, 'kept'), Buffer.alloc(MIB, 1), { flush: true })
  writeFileSync(join(dir, 'open'), Buffer.alloc(2 * MIB, 2), { flush: true })
  t.same(syscalls(dir, 'open . O_TMPFILE,O_RDWR', `fill 0 0 ${MIB} z`, 'fsync 0').at(-1), '0')
  const fd = openSync(join(dir, 'open'), 'r+')
  rmSync(join(dir, 'open'))
  const other = openSync(join(dir, 'kept'), 'r+')
  writeSync(other, Buffer.alloc(300 * KIB, 3), 0, 300 * KIB, 900 * KIB)
  fsyncSync(other)
  t.equal(used(), 3 * MIB + 176 * KIB, 'who has a file open has it')
  await vault.kill()
  for (const its of [fd, other]) t.throws(() => closeSync(its))
  vault.mount(...FULL)
  t.equal(used(), MIB + 176 * KIB)
  vault.unmount()
  vault.check()
})

t.test('commands keep to a quota, and say so', async (t) => {
  const vault = createVault(t)
  vault.mount()
  const { dir } = vault
  writeFileSync(join(dir, 'f'), Buffer.alloc(600 * KIB, 1))
  writeFileSync(join(dir, 'f'), Buffer.alloc(600 * KIB, 2))
  writeFileSync(join(dir, 'gone'), Buffer.alloc(600 * KIB, 3))
  await sleep(1200)
  rmSync(join(dir, 'gone'))
  configure(vault, 'quota=1M', 'quota.files=4')
  const source = join(vault.root, 'source')
  mkdirSync(source)
  for (const name of ['1', '2'])
    writeFileSync(join(source, name), Buffer.alloc((name === '1' ? 600 : 700) * KIB, 4))
  const refused = /a quota of the vault does not let it grow any more/
  const fails = (...args: string[]): void => {
    const { status, stderr } = vault.avfs(args)
    t.equal(status, 1, args.join(' '))
    t.match(stderr, refused)
  }
  const succeeds = (...args: string[]): void => {
    const { status, stderr } = vault.avfs(args)
    t.equal(status, 0, `${args.join(' ')}: ${stderr}`)
  }
  const at = (path: string): string => `${vault.name}:/${path}`
  const all = (): void => {
    fails('restore', at('gone'))
    fails('restore', at('f'), '-v', '1', '--to', at('f2'))
    fails('import', source, at('source'))
    // In the place of what is as large it fits, and so does what is a little larger.
    succeeds('restore', at('f'), '-v', '1')
    succeeds('restore', at('f'), '-v', '2')
    succeeds('import', join(source, '1'), at('f'))
    succeeds('import', join(source, '2'), at('f'))
  }
  t.throws(() => run('mv', [join(dir, '.avfs/deleted/gone'), dir]), /Disk quota exceeded/)
  all()
  vault.unmount()
  all()
  vault.check()
})
