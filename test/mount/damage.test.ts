// Damage below a mounted vault of SQLite: damaged blocks in the file, a disk that is full. The
// daemon answers with an errno, only for what is affected, and goes on. full-disk.test.ts fills the
// disks of the other engines.

import { closeSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import { CHUNK_BYTES } from '../../src/base/limits.ts'
import { backendNamed } from '../support/engines.ts'
import { createVault, until } from '../support/mount.ts'
import { attempt, run } from '../support/program.ts'
import { randomFrom } from '../support/random.ts'
import { syscalls } from '../support/syscalls.ts'

t.setTimeout(300_000)

t.test('a damaged block is EIO for its bytes alone, and the log and check name it', (t) => {
  const vault = createVault(t, backendNamed('sqlite'))
  vault.mount()
  const bytes = randomFrom(1).bytes(4 * CHUNK_BYTES)
  writeFileSync(join(vault.dir, 'f'), bytes)
  writeFileSync(join(vault.dir, 'other'), 'whole')
  vault.unmount()
  const database = new Database(vault.file)
  const third = database
    .prepare('select hash, block.data as data from block join extent using (hash) where offset = ?')
    .get(2 * CHUNK_BYTES)
  if (!isBlock(third)) throw new Error('no block for the third chunk')
  third.data.writeUInt8(third.data.readUInt8(1000) ^ 1, 1000)
  database.prepare('update block set data = ? where hash = ?').run(third.data, third.hash)
  database.close()

  const unmounted = vault.avfs(['vault', 'check', vault.name, '--deep'])
  t.not(unmounted.status, 0)
  t.match(unmounted.stdout + unmounted.stderr, third.hash.toString('hex'))

  vault.mount()
  const fd = openSync(join(vault.dir, 'f'), 'r')
  const chunk = Buffer.alloc(CHUNK_BYTES)
  for (const index of [0, 1, 3]) {
    readSync(fd, chunk, 0, CHUNK_BYTES, index * CHUNK_BYTES)
    const wanted = bytes.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES)
    t.ok(chunk.equals(wanted), `chunk ${index} is whole`)
  }
  t.throws(() => readSync(fd, chunk, 0, CHUNK_BYTES, 2 * CHUNK_BYTES), { code: 'EIO' })
  closeSync(fd)
  t.equal(readFileSync(join(vault.dir, 'other'), 'utf8'), 'whole')
  const mounted = vault.avfs(['vault', 'check', vault.name, '--deep'])
  t.match(mounted.stdout + mounted.stderr, third.hash.toString('hex'))
  t.match(vault.log(), third.hash.toString('hex'))
  // Written anew, the file is whole again.
  writeFileSync(join(vault.dir, 'f'), bytes.subarray(0, CHUNK_BYTES))
  t.equal(readFileSync(join(vault.dir, 'f')).length, CHUNK_BYTES)
  t.end()
})

function isBlock(row: unknown): row is { hash: Buffer; data: Buffer } {
  return (
    typeof row === 'object' &&
    row !== null &&
    'hash' in row &&
    Buffer.isBuffer(row.hash) &&
    'data' in row &&
    Buffer.isBuffer(row.data)
  )
}

t.test('a full disk is an error to the writer, and what was synced before stays', async (t) => {
  const vault = createVault(t)
  const disk = join(vault.root, 'disk')
  run('mkdir', [disk])
  run('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'none', disk])
  t.teardown(() => attempt('umount', ['-l', disk]))
  const path = join(disk, 'small.avfs')
  t.equal(vault.avfs(['vault', 'create', path]).status, 0)
  t.equal(vault.avfs(['mount', path, vault.dir]).status, 0)
  writeFileSync(join(vault.dir, 'kept'), 'synced', { flush: true })
  const outcome = syscalls(
    vault.dir,
    'open big O_CREAT,O_RDWR',
    'noise 0 0 60000000 1',
    'fsync 0',
    'close 0',
  )
  t.match(outcome.join(' '), /ENOSPC|EIO/)
  t.equal(readFileSync(join(vault.dir, 'kept'), 'utf8'), 'synced', 'the daemon lives')
  run('mount', ['-o', 'remount,size=200m', disk])
  // There is room again; the daemon may need a moment to see it.
  await until(() => {
    const [opened] = syscalls(vault.dir, 'open after O_CREAT,O_WRONLY')
    return opened === '0'
  }, 'writing works again')
  writeFileSync(join(vault.dir, 'after'), 'x', { flush: true })
  t.equal(vault.avfs(['unmount', vault.dir]).status, 0)
  t.equal(vault.avfs(['mount', path, vault.dir]).status, 0)
  t.equal(readFileSync(join(vault.dir, 'kept'), 'utf8'), 'synced')
  t.equal(readFileSync(join(vault.dir, 'after'), 'utf8'), 'x')
  t.equal(vault.avfs(['vault', 'check', path, '--deep']).status, 0)
  t.equal(vault.avfs(['unmount', vault.dir]).status, 0)
})
