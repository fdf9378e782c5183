// A current directory that is gone: removed, or in a mount that died. What needs none must work
// there all the same, but Node starts no thread where getcwd(3) fails.

import { ControlError } from '../control/wire/errors.ts'

/**
 * Where nothing has a name that anybody types, and nothing can be made: no relative path may come
 * to mean something else.
 */
const NOWHERE = '/proc/self/fdinfo'

/**
 * Leaves a directory that is gone. From then on whoever asks for the current directory is told that
 * it is gone.
 */
export function leaveDeadDirectory(): void {
  try {
    process.cwd()
    return
  } catch {
    process.chdir(NOWHERE)
  }
  process.cwd = () => {
    throw new ControlError(
      'failed',
      'the current directory is gone: it was removed, or what is mounted there died; enter it again (cd .), or say an absolute path',
    )
  }
}
