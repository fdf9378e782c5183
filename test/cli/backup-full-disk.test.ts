// A backup to a disk that fills up, on each engine: the error says so, no incomplete file has the
// name of a backup, and the former backup is whole; once there is room again the same command
// completes it.

import { existsSync, mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { setLog } from '../../src/base/log.ts'
import { createFileSystem } from '../../src/fs/file-system.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { createVault, openVault } from '../../src/vault/vault.ts'
import { testedBackends } from '../support/engines.ts'
import { attempt, run } from '../support/program.ts'
import { randomFrom } from '../support/random.ts'
import { wholeVault } from '../vault/whole-vault.ts'
import { type Cli, emptyCli } from './cli.ts'

const MIB = 1024 * 1024
const DISK_MIB = 96
/** More than is left on the disk when it is filled. */
const NEW_MIB = 24
const LEFT_MIB = 14
const caller = { uid: 0, gid: 0, pid: 1 }

setLog('error')
t.setTimeout(300_000)

async function grow(path: string, name: string, mib: number): Promise<void> {
  const vault = await openVault(path)
  const random = randomFrom(mib)
  const fs = await retryUntilLoaded(() => createFileSystem(vault, { readOnly: false }))
  const { ino } = fs.create(caller, ROOT_INO, name, 0o644, 0, 0)
  for (let at = 0; at < mib; at++) {
    fs.write(caller, ino, at * MIB, Buffer.from(random.bytes(MIB)), false, false)
    await vault.sync()
  }
  fs.flush(caller, ino)
  fs.forget(ino, 1)
  await vault.close()
}

function smallDisk(t: Test, cli: Cli): string {
  const disk = cli.folder('disk')
  run('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MIB}m`, 'none', disk])
  t.teardown(() => attempt('umount', ['-l', disk]))
  return disk
}

/** Takes all but a little of the room; returns what gives it back. */
function fill(disk: string): () => void {
  const { bavail, bsize } = statfsSync(disk)
  const other = join(disk, 'other')
  writeFileSync(other, Buffer.alloc(bavail * bsize - LEFT_MIB * MIB))
  return () => rmSync(other)
}

/** All but blocks: those that are new change nothing by themselves. */
async function rowsOf(path: string): Promise<unknown> {
  return (await wholeVault(path)).filter(({ name }) => name !== 'block')
}

async function contentOf(path: string): Promise<unknown> {
  return (await wholeVault(path)).filter(({ name }) => name !== 'setting')
}

for (const { name: backend, suffix } of testedBackends)
  t.test(`${backend}: a backup that fills its disk is none, and is gone on with`, async (t) => {
    const cli = emptyCli(t)
    mkdirSync(cli.home, { recursive: true })
    const path = join(cli.home, 'one.avfs')
    await createVault(path, 'sqlite')
    await grow(path, 'first', 2)
    const disk = smallDisk(t, cli)
    const former = join(disk, `former${suffix}`)
    const fresh = join(disk, `fresh${suffix}`)
    cli.json('vault', 'backup', 'one', former)
    const before = await rowsOf(former)
    await grow(path, 'second', NEW_MIB)
    for (const args of [[fresh], [former], [former, '-i']]) {
      const emptied = fill(disk)
      const { status, stderr } = cli.avfs('vault', 'backup', 'one', ...args)
      emptied()
      t.equal(status, 1, `backup ${args.join(' ')}`)
      // lmdb says on standard error what it met, too.
      t.match(stderr.trimEnd().split('\n').at(-1), /^avfs: .*(no space|full)/i)
      t.notOk(existsSync(fresh), 'nothing has the name of a backup')
      t.same(await rowsOf(former), before, 'the former one is as it was')
    }
    const { status, stdout, stderr } = cli.avfs('vault', 'backup', 'one', fresh, '--json')
    t.equal(status, 0, stderr)
    t.match(stderr, /going on with it/)
    // RocksDB and sled want more room for themselves than there was.
    if (backend !== 'rocksdb' && backend !== 'sled')
      t.ok(JSON.parse(stdout).written.bytes < NEW_MIB * MIB, 'what was there is not copied again')
    t.same(await contentOf(fresh), await contentOf(path))
    rmSync(fresh, { recursive: true })
    t.equal(cli.avfs('vault', 'backup', 'one', former, '-i').status, 0)
    t.same(await contentOf(former), await contentOf(path))
  })
