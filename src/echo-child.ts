// The process that makes changes once more through the mount, for those who watch it (src/fs/echo.ts): started by echoes.ts, told
// what to do over IPC, and gone with the daemon. A process and not a thread: a thread of the daemon that waits for the daemon's own
// answer would keep its descriptors open when it is killed, and the mount would hang for good.

import { renameSync, rmdirSync, unlinkSync } from 'node:fs'
import { type EntryHead, entryRecord } from './archive/records.ts'
import { addon } from './base/native.ts'
import type { EchoAttributes, EchoStep } from './fs/echo-step.ts'

function bytes(path: string): Buffer {
  return Buffer.from(path, 'latin1')
}

/** Sets owner, mode and times, to the nanosecond. */
function touch(path: string, to: EchoAttributes): void {
  const head: EntryHead = {
    ...to,
    flags: 0,
    parent: 0,
    id: 0,
    nlink: 1,
    rdev: 0,
    size: 0,
    key: '',
  }
  addon().writeAttributes(bytes(path), entryRecord(head, '', []))
}

function take(step: EchoStep): void {
  if (step.do === 'touch') touch(step.path, step.to)
  else if (step.do === 'move') renameSync(bytes(step.from), bytes(step.to))
  else if (step.do === 'unlink') unlinkSync(bytes(step.path))
  else rmdirSync(bytes(step.path))
}

process.on('message', (steps: readonly EchoStep[]) => {
  const refused: string[] = []
  for (const step of steps) {
    try {
      take(step)
    } catch (error) {
      // Whose daemon is not root may not do everything: then somebody does not hear of it.
      refused.push(error instanceof Error ? error.message : String(error))
    }
  }
  process.send?.(refused)
})
process.on('disconnect', () => process.exit())
