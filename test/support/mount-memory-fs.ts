// Mounts the toy of memory-fs.ts until it is unmounted or gets SIGINT or SIGTERM:
//   node test/support/mount-memory-fs.ts DIR [pollUs=50] [trace] [-o OPTIONS]
// Prints "mounted" when INIT has been answered, and at the end the counts of requests.

import { realpathSync } from 'node:fs'
import { openDevice } from '../../src/fuse/device.ts'
import { clearDeadMount, mount, unmount } from '../../src/fuse/mount.ts'
import { operationTable } from '../../src/fuse/ops.ts'
import { startSession } from '../../src/fuse/session.ts'
import { createMemoryFs } from './memory-fs.ts'

const [at = '', ...words] = process.argv.slice(2)
const pollUs = Number(words.find((word) => word.startsWith('pollUs='))?.slice(7) ?? 50)
const options = words.includes('-o') ? [words[words.indexOf('-o') + 1] ?? ''] : []
clearDeadMount(at)
const directory = realpathSync(at)
const fd = mount({ source: 'memory', directory, options })
const session = startSession({
  channel: openDevice(fd),
  operations: createMemoryFs(),
  pollUs,
  ...(words.includes('trace') ? { trace: (line: string) => console.log(line) } : {}),
  onInit: ({ minor }) => console.log(`mounted, protocol 7.${minor}`),
  onDestroy() {
    const { requests } = session.metrics
    const counts = operationTable.flatMap((row) =>
      row !== undefined && requests[row.opcode] ? [`${row.name}=${requests[row.opcode]}`] : [],
    )
    console.log(counts.join(' '))
    process.exit(0)
  },
})
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => unmount(directory, true))
