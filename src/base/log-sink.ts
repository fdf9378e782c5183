// Where the lines of a daemon go: standard error, which may be a file on a full disk, or a pipe or
// terminal whose reader has gone or has stopped. None of that may end the daemon or hold it up, so
// a line that does not fit is dropped.

import { constants, fstatSync, openSync, writeSync } from 'node:fs'

const { O_NOCTTY, O_NONBLOCK, O_WRONLY } = constants

/** Takes lines for setLog. Says, once there is room again, how many were dropped. */
export function standardErrorSink(): (line: string) => void {
  const fd = ownDescriptor()
  let dropped = 0
  return (line) => {
    const gap = dropped === 0 ? '' : `(${dropped} lines could not be written here)\n`
    try {
      writeSync(fd, gap + line)
      dropped = 0
    } catch {
      dropped++
    }
  }
}

/**
 * One that does not wait for a reader. Whether it does is a matter of the open file, which other
 * programs of the terminal share, so that it is opened once more.
 */
function ownDescriptor(): number {
  const { fd } = process.stderr
  const stat = fstatSync(fd)
  // A file has no reader to wait for, and a second open file would have a place of its own in it.
  if (!stat.isFIFO() && !stat.isCharacterDevice()) return fd
  try {
    return openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY)
  } catch {
    // Another user's terminal.
    return fd
  }
}
