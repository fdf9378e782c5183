// The vaults that avfs bench measures: one on each engine, new and temporary, mounted in turn and
// removed in any case.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { mountAt } from '../control/host/mount-table.ts'
import { unmount } from '../control/host/unmount.ts'
import { lockHolder } from '../control/vaults/lock.ts'
import { mountPointPath, socketPath } from '../control/vaults/paths.ts'
import { bytesOf, removeFiles } from '../control/vaults/vault-files.ts'
import { ControlError } from '../control/wire/errors.ts'
import { backendOf } from '../store/open.ts'
import { createVault } from '../vault/vault.ts'
import { type Figures, measureReads, measureWrites } from './bench-work.ts'
import { mountSettings } from './mount-options.ts'
import { startDaemon } from './start-daemon.ts'

const WAIT_MS = 30_000
const POLL_MS = 20

export interface Measured {
  readonly figures: Figures
  /** Size on disk after it was unmounted. */
  readonly bytes: number
}

/**
 * Runs `work` with a new folder below `parent`, which is removed with all that is mounted in it.
 */
export async function withBenchFolder<T>(
  parent: string,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(mountPointPath(parent), 'avfs-bench-'))
  try {
    return await work(folder)
  } finally {
    const point = join(folder, 'mnt')
    if (mountAt(point) !== undefined) await unmount(point, true).catch(() => undefined)
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Measures one engine once. `assertGoing` throws when it is to end. */
export async function measureEngine(
  folder: string,
  backend: string,
  assertGoing: () => void,
): Promise<Measured> {
  const path = join(folder, `vault${backendOf('', backend).suffix}`)
  const point = join(folder, 'mnt')
  mkdirSync(point, { recursive: true })
  await createVault(path, backend)
  try {
    const written = await mounted(path, point, folder, () => measureWrites(point))
    assertGoing()
    const read = await mounted(path, point, folder, () => measureReads(point))
    assertGoing()
    return { figures: { ...written, ...read }, bytes: bytesOf(path) }
  } finally {
    removeFiles(path)
  }
}

async function mounted<T>(path: string, point: string, folder: string, work: () => T): Promise<T> {
  const settings = mountSettings({}, process.getuid?.() === 0)
  await startDaemon(
    { name: 'bench', vaultPath: path, mountPoint: point, socket: socketPath(point), settings },
    join(folder, 'daemon.log'),
  )
  try {
    return work()
  } finally {
    await closed(path, point)
  }
}

async function closed(path: string, point: string): Promise<void> {
  await unmount(point, false)
  const until = performance.now() + WAIT_MS
  while (lockHolder(path) !== undefined) {
    if (performance.now() > until)
      throw new ControlError('failed', `the daemon of ${path} does not end`, path)
    await sleep(POLL_MS)
  }
}
