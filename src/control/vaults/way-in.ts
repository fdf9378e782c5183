// Whether a path leads into a mounted vault, found without accessing the mount: if its daemon is
// stopped, every system call there would block. Paths are byte strings.

import { lstatSync, readlinkSync } from 'node:fs'
import { posix } from 'node:path'
import { LINKS_MAX } from '../../base/own-files.ts'
import { MOUNT_TYPE, type MountEntry, mounts } from '../host/mount-table.ts'
import { toBytes } from '../wire/byte-strings.ts'

/** The first mount of a vault that an absolute path leads through, or undefined. */
export function mountOnTheWay(absolute: string): MountEntry | undefined {
  const all = mounts()
  const on = (path: string): MountEntry | undefined =>
    all.findLast(({ mountPoint }) => toBytes(mountPoint) === path)
  const rest = absolute.split('/').filter((name) => name !== '')
  let at = '/'
  for (let links = 0; ; ) {
    const mounted = on(at)
    if (mounted?.type === MOUNT_TYPE) return mounted
    const name = rest.shift()
    if (name === undefined) return undefined
    const next = posix.join(at, name)
    const target = on(next) === undefined ? linkAt(next) : undefined
    if (target === undefined) {
      at = next
      continue
    }
    if (++links > LINKS_MAX) return undefined
    rest.unshift(...target.split('/').filter((part) => part !== ''))
    if (target.startsWith('/')) at = '/'
  }
}

function linkAt(path: string): string | undefined {
  const bytes = Buffer.from(path, 'latin1')
  try {
    return lstatSync(bytes).isSymbolicLink() ? readlinkSync(bytes, 'latin1') : undefined
  } catch {
    // Missing, or not permitted.
    return undefined
  }
}
