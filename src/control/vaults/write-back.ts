// Makes the kernel write back its cache for a mounted vault, from a command. If the daemon is
// stopped, no system call in its mount returns, so it is asked for a sign of life before and
// meanwhile.

import { MOUNT_TYPE, mountAt } from '../host/mount-table.ts'
import { writeBack } from '../host/unmount.ts'
import { SilentDaemonError, watchSilence } from '../wire/silence.ts'
import { findDaemon } from './find-daemon.ts'

/**
 * Writes back what programs have written to unclosed files at `mountPoint`, if a vault is mounted
 * there. Throws SilentDaemonError if its daemon does not answer.
 */
export async function writtenBackAt(mountPoint: string): Promise<void> {
  const mounted = mountAt(mountPoint)
  if (mounted?.type !== MOUNT_TYPE) return
  const isThere = () => findDaemon(mounted)
  await isThere()
  const silence = new AbortController()
  const watch = watchSilence(isThere, (cause) => {
    if (cause instanceof SilentDaemonError) silence.abort(cause)
  })
  try {
    await writeBack(mountPoint, silence.signal)
    silence.signal.throwIfAborted()
  } finally {
    watch.end()
  }
}
