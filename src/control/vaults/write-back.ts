// Has the kernel write back what it holds for a mounted vault, from a command. The daemon is to
// answer for that, and where it is stopped no system call in its mount returns, so it is asked
// whether it is there, before and meanwhile.

import { MOUNT_TYPE, mountAt } from '../host/mount-table.ts'
import { writeBack } from '../host/unmount.ts'
import { SilentDaemonError, watchSilence } from '../wire/silence.ts'
import { findDaemon } from './find-daemon.ts'

/**
 * Makes the kernel hand over what programs have written and not closed at `mountPoint`, if a vault
 * is mounted there. Throws SilentDaemonError when its daemon does not answer.
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
