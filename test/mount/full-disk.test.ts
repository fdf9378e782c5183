// A small disk that fills up, with each engine: first by the vault, then by another program to the
// last byte. Writers get ENOSPC, everything that was acknowledged stays readable, deleting and
// pruning make room, and the vault is sound at the end.

import {
  chmodSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { testedBackends } from '../support/engines.ts'
import { createVault, type TestVault, until } from '../support/mount.ts'
import { attempt, run } from '../support/program.ts'
import { randomFrom } from '../support/random.ts'

const MIB = 1024 * 1024
const DISK_MIB = 128
/** Each size until it fits no more, so that the disk is really full at the end. */
const SIZES = [8 * MIB, MIB, 128 * 1024, 4096]
const FULL = { code: 'ENOSPC' }

t.setTimeout(800_000)

/** What was acknowledged: the length of each file, whose bytes come from its name. */
type Files = Map<string, number>

/** A vault on a disk of its own, mounted. */
interface Small {
  readonly vault: TestVault
  readonly disk: string
  readonly path: string
  readonly files: Files
}

for (const { name, suffix } of testedBackends) {
  t.test(`${name}: a vault that fills its disk refuses more, and can be emptied`, async (t) => {
    const small = mountedOnSmallDisk(t, suffix)
    const { vault, files } = small
    write(small, 'kept', 100_000)
    write(small, 'cut', MIB)
    fill(small)
    const taken = [...files.values()].reduce((sum, size) => sum + size, 0)
    t.ok(taken > (DISK_MIB * MIB) / 8, `${Math.round(taken / MIB)} MiB were taken`)
    t.ok(leftIn(vault.dir) < 4 * MIB, `df says full: ${leftIn(vault.dir)} bytes are left`)
    await copyFails(t, small)
    holds(t, small)

    chmodSync(join(vault.dir, 'kept'), 0o600)
    truncateSync(join(vault.dir, 'cut'))
    files.set('cut', 0)
    renameSync(join(vault.dir, 'cut'), join(vault.dir, 'renamed'))
    files.set('renamed', 0)
    files.delete('cut')
    for (const name of [...files.keys()].filter((name) => name.includes('-'))) remove(small, name)
    succeeds(t, vault, 'prune', vault.dir, '--older-than', '0h')
    succeeds(t, vault, 'vault', 'compact', small.path)
    for (let count = 0; count < 4; count++) write(small, `again${count}`, 4 * MIB)
    holds(t, small)
    ends(t, small)
  })

  t.test(`${name}: a disk that others fill to the last byte harms nothing`, async (t) => {
    const small = mountedOnSmallDisk(t, suffix)
    const { vault, disk } = small
    write(small, 'before', 4 * MIB)
    const pid = daemonOf(small)
    attempt('dd', ['if=/dev/zero', `of=${join(disk, 'other')}`, 'bs=64K'])
    attempt('dd', ['if=/dev/zero', `of=${join(disk, 'rest')}`, 'bs=1'])
    t.equal(leftIn(disk), 0)
    // The daemon measures for df; what it knew before may be 100 ms old.
    t.equal(leftIn(vault.dir), 0, 'df says full')
    t.throws(() => write(small, 'refused', MIB), FULL)
    t.throws(() => mkdirSync(join(vault.dir, 'refused')), FULL)
    holds(t, small)
    t.equal(daemonOf(small), pid, 'the daemon lives')
    rmSync(join(disk, 'other'))
    rmSync(join(disk, 'rest'))
    await until(() => leftIn(vault.dir) > MIB, 'df says that there is room')
    write(small, 'after', 4 * MIB)
    remove(small, 'before')
    holds(t, small)
    ends(t, small)
  })
}

function mountedOnSmallDisk(t: Test, suffix: string): Small {
  const vault = createVault(t)
  const disk = join(vault.root, 'disk')
  mkdirSync(disk)
  run('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MIB}m`, 'none', disk])
  t.teardown(() => attempt('umount', ['-l', disk]))
  const path = join(disk, `small${suffix}`)
  succeeds(t, vault, 'vault', 'create', path)
  succeeds(t, vault, 'mount', path, vault.dir)
  return { vault, disk, path, files: new Map() }
}

function succeeds(t: Test, vault: TestVault, ...args: readonly string[]): void {
  const { status, stdout, stderr } = vault.avfs(args)
  t.equal(status, 0, `avfs ${args.join(' ')}: ${stdout}${stderr}`)
}

function bytesOf(name: string, size: number): Buffer {
  const seed = [...name].reduce((sum, char) => sum * 31 + char.charCodeAt(0), 7) % 1_000_003
  return Buffer.from(randomFrom(seed).bytes(size))
}

/** Throws what write(2), fsync(2) or close(2) say. */
function write({ vault, files }: Small, name: string, size: number): void {
  writeFileSync(join(vault.dir, name), bytesOf(name, size), { flush: true })
  files.set(name, size)
}

function remove({ vault, files }: Small, name: string): void {
  rmSync(join(vault.dir, name))
  files.delete(name)
}

function fill(small: Small): void {
  for (const size of SIZES)
    for (let count = 0; ; count++) {
      try {
        write(small, `${size}-${count}`, size)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== FULL.code) throw error
        // What had room of a file that had not.
        rmSync(join(small.vault.dir, `${size}-${count}`), { force: true })
        break
      }
    }
}

/**
 * cp(1) hears of it when it writes or closes. The kernel writes back in no order: a later part may
 * have found room when an earlier one had none, which is a hole then.
 */
async function copyFails(t: Test, { vault, disk }: Small): Promise<void> {
  const source = join(vault.root, 'source')
  writeFileSync(source, bytesOf('source', (DISK_MIB * MIB) / 2))
  const { status, stderr } = attempt('cp', [source, join(vault.dir, 'copy')])
  t.equal(status, 1)
  t.match(stderr, /No space left on device/)
  // What the kernel has of it in its cache goes when it is told, a moment later.
  const left = () =>
    (statSync(join(vault.dir, 'copy'), { throwIfNoEntry: false })?.blocks ?? 0) * 512
  await until(() => left() < statSync(source).size, 'a part of the copy is left')
  rmSync(join(vault.dir, 'copy'), { force: true })
  t.ok(leftIn(disk) > 0, 'the reserve is not used up')
}

function daemonOf({ path }: Small): number {
  return JSON.parse(readFileSync(`${path}.lock`, 'utf8')).pid
}

function leftIn(dir: string): number {
  const { bavail, bsize } = statfsSync(dir)
  return bavail * bsize
}

/** All that was acknowledged is there. */
function holds(t: Test, { vault, files }: Small): void {
  const wrong = [...files].filter(([name, size]) => {
    const found = readFileSync(join(vault.dir, name))
    return !found.equals(bytesOf(name, size))
  })
  t.same(wrong, [], `${files.size} files are as they were written`)
}

/** Mounted, unmounted and mounted again it is sound. */
function ends(t: Test, small: Small): void {
  const { vault, path } = small
  succeeds(t, vault, 'unmount', vault.dir)
  succeeds(t, vault, 'vault', 'check', path, '--deep')
  succeeds(t, vault, 'mount', path, vault.dir)
  holds(t, small)
  succeeds(t, vault, 'unmount', vault.dir)
}
