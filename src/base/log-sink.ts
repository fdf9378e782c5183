// Where the daemon's log lines go: standard error, which may be a file on a full disk, or a pipe or
// terminal whose reader has gone or stopped. None of this may end or block the daemon, so a line
// that cannot be written is dropped.

import { constants, fstatSync, openSync, writeSync } from 'node:fs'

const { O_NOCTTY, O_NONBLOCK, O_WRONLY } = constants

/** Returns a sink for setLog. Once lines can be written again, it reports how many were dropped. */
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
 * A descriptor that does not block. O_NONBLOCK is a flag of the open file description, which other
 * programs on the terminal share, so the file is opened again.
 */
function ownDescriptor(): number {
  const { fd } = process.stderr
  const stat = fstatSync(fd)
  // Writing to a file does not wait for a reader, and a second description would have its own
  // offset.
  if (!stat.isFIFO() && !stat.isCharacterDevice()) return fd
  try {
    return openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY)
  } catch {
    // The terminal belongs to another user.
    return fd
  }
}
