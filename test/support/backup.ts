// Vaults that are backed up, for tests: how a backup reads a vault that nobody has open, and new
// content for it.

import { callVault } from '../../src/control/call.ts'
import type { Ask, BackupOptions } from '../../src/control/offline/backup.ts'
import { createFileSystem } from '../../src/fs/file-system.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { openVault } from '../../src/vault/vault.ts'
import { randomFrom } from './random.ts'

const FILES = 12
const caller = { uid: 0, gid: 0, pid: 1 }

export async function askOf(vault: string): Promise<Pick<BackupOptions, 'id' | 'ask'>> {
  const { id } = await callVault(vault, 'info', {}, () => undefined)
  const ask: Ask = (receive, have, report, over) =>
    callVault(vault, 'backup', { over }, report, receive, (send) => send(have))
  return { id, ask }
}

/** Makes some files, and deletes some of those of the round before. */
export async function changeVault(path: string, round: number): Promise<void> {
  const vault = await openVault(path)
  const random = randomFrom(round)
  const fs = await retryUntilLoaded(() => createFileSystem(vault, { readOnly: false }))
  for (let at = 0; at < FILES; at++) {
    const name = `new-${round}-${at}`
    const { ino } = await retryUntilLoaded(() => fs.create(caller, ROOT_INO, name, 0o644, 0, 0))
    const bytes = random.bytes(random.pick([10, 3000, 200_000]))
    await retryUntilLoaded(() => fs.write(caller, ino, 0, bytes, false, false))
    await retryUntilLoaded(() => fs.flush(caller, ino))
    await retryUntilLoaded(() => fs.forget(ino, 1))
    const old = `new-${round - 1}-${at * 2}`
    const there = await retryUntilLoaded(() => fs.lookup(caller, ROOT_INO, old))
    if (there === undefined) continue
    await retryUntilLoaded(() => fs.forget(there.ino, 1))
    await retryUntilLoaded(() => fs.unlink(caller, ROOT_INO, old))
  }
  await vault.close()
}
