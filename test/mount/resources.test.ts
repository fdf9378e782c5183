// Resources of the daemon while it works: memory does not grow with the size of files, and the
// journal stays bounded.

import { readFileSync } from 'node:fs'
import t from 'tap'
import { backendNamed, testBackend } from '../support/engines.ts'
import { createVault, mountedVault, sizeOf } from '../support/mount.ts'
import { syscalls, syscallsBeside } from '../support/syscalls.ts'

t.setTimeout(300_000)

const MIB = 1024 ** 2

/**
 * The most memory that the process has had, in MiB; where the vault is a mapped file without that,
 * which is the kernel's.
 */
function peakMemoryMb(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const mib = (field: string): number =>
    Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) / 1024
  return mib('VmHWM') - (testBackend.name === 'lmdb' ? mib('RssFile') : 0)
}

t.test("the daemon's memory does not grow with the size of a file", (t) => {
  const vault = mountedVault(t, '--cache-mb', '64')
  const pid = vault.daemonPid()
  const pass = (name: string, mib: number): number => {
    const size = mib * MIB
    const outcome = syscalls(
      vault.dir,
      `open ${name} O_CREAT,O_RDWR`,
      `noise 0 0 ${size} ${mib}`,
      'fsync 0',
      'drop_caches 3',
      `same 0 0 ${size}`,
    )
    t.same(outcome, ['0', String(size), '0', '0', `${size} mixed`])
    return peakMemoryMb(pid)
  }
  const small = pass('small', 192)
  const large = pass('large', 640)
  t.comment(`peak memory ${small.toFixed(0)} MiB after 192 MiB, ${large.toFixed(0)} after 640`)
  t.ok(large < 400, `${large.toFixed(0)} MiB`)
  t.ok(large < small + 100, `${small.toFixed(0)} MiB grew to ${large.toFixed(0)}`)
  t.end()
})

t.test("SQLite's journal stays bounded under constant load", async (t) => {
  const vault = createVault(t, backendNamed('sqlite'))
  vault.mount()
  const journal = `${vault.file}-wal`
  let largest = 0
  const watch = setInterval(() => {
    largest = Math.max(largest, sizeOf(journal))
  }, 20)
  const outcomes = await Promise.all([
    syscallsBeside(vault.dir, `rewrite f ${4 * MIB} 5000`),
    syscallsBeside(vault.dir, `rewrite g 4096 5000`),
  ])
  clearInterval(watch)
  const turns = outcomes.map(([turns]) => Number(turns))
  t.comment(`${turns} rewrites, journal at most ${(largest / MIB).toFixed(1)} MiB`)
  t.ok(turns.every((count) => count > 10))
  t.ok(largest > 0, 'there is a journal')
  t.ok(largest < 192 * MIB, `${largest} bytes`)
  vault.unmount()
  t.equal(sizeOf(journal), 0)
  vault.check()
})
