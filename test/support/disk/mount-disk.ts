// Mounts a disk that records every operation, as a child process with a channel to its parent:
// mount-disk.ts DIR. It sends 'mounted'. Its parent sends it the path of a file: it writes the log
// there (v8.serialize), sends 'written' and ends.
//
// The kernel does not gather writes here (no FUSE_WRITEBACK_CACHE): each write(2) is an event of
// its own, so that a power cut may lose any of them.

import { writeFileSync } from 'node:fs'
import { serialize } from 'node:v8'
import { FUSE_INIT, FUSE_WRITEBACK_CACHE } from '../../../src/fuse/abi.ts'
import type { Channel } from '../../../src/fuse/channel.ts'
import { openDevice } from '../../../src/fuse/device.ts'
import { fuse_in_header, fuse_init_in } from '../../../src/fuse/layout.ts'
import { mount, unmount } from '../../../src/fuse/mount.ts'
import { startSession } from '../../../src/fuse/session.ts'
import type { Recorded } from './events.ts'
import { createRecordingFs } from './recording-fs.ts'

const [directory = ''] = process.argv.slice(2)
const log: Recorded[] = []
const session = startSession({
  channel: withoutWriteback(openDevice(mount({ source: 'disk', directory }))),
  operations: createRecordingFs(log),
  onInit: () => process.send?.('mounted'),
})
process.once('message', async (path: string) => {
  unmount(directory, true)
  await session.stop()
  writeFileSync(path, serialize(log))
  process.send?.('written', () => process.exit(0))
})
process.once('disconnect', () => process.exit(1))

/** The same channel, over which the kernel offers no cache for writes. */
function withoutWriteback(channel: Channel): Channel {
  const flagsAt = fuse_in_header.size + fuse_init_in.offsets.flags
  return {
    ...channel,
    receive(into, pollUs) {
      const received = channel.receive(into, pollUs)
      const view = new DataView(into)
      if (received > 0 && view.getUint32(fuse_in_header.offsets.opcode, true) === FUSE_INIT) {
        view.setUint32(flagsAt, view.getUint32(flagsAt, true) & ~FUSE_WRITEBACK_CACHE, true)
      }
      return received
    },
  }
}
