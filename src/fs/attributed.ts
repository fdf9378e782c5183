// Says who acts before each operation that can change something, so that the rows it makes can tell. What the kernel writes
// back is nobody's: the file is its writer's when that one closes it.

import type { FsContext } from './context.ts'
import type { Caller, Operations } from './operations.ts'

/** Operations whose caller is the author of what they change. */
const CHANGING = [
  'setattr',
  'mknod',
  'mkdir',
  'symlink',
  'create',
  'tmpfile',
  'link',
  'unlink',
  'rmdir',
  'rename',
  'flush',
  'fsync',
  'fallocate',
  'copyFileRange',
  'setxattr',
  'removexattr',
] as const

/** The same operations, with their callers known to the vault as actors. */
export function attributed(fs: FsContext, operations: Operations): Operations {
  const { actors } = fs.core
  const changing = CHANGING.map((name) => {
    const run = operations[name] as (caller: Caller, ...rest: unknown[]) => unknown
    const attributedRun = (caller: Caller, ...rest: unknown[]): unknown => {
      actors.act(caller.uid, caller.pid)
      return run(caller, ...rest)
    }
    return [name, attributedRun]
  })
  return {
    ...operations,
    ...(Object.fromEntries(changing) as Pick<Operations, (typeof CHANGING)[number]>),
    write(caller, ino, offset, data, killPrivileges, cached) {
      if (cached) actors.actAs(null)
      else actors.act(caller.uid, caller.pid)
      return operations.write(caller, ino, offset, data, killPrivileges, cached)
    },
  }
}
