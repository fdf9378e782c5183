// A process that repeats changes through the mount, so that programs that watch it (inotify) notice
// them (src/fs/echo.ts). echoes.ts starts it and sends tasks over IPC; it ends with the daemon. It
// is a process because a thread of the daemon that waits for the daemon's own answer would keep its
// descriptors open when the daemon is killed, and the mount would hang for good.

import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  renameSync,
  rmdirSync,
  truncateSync,
  unlinkSync,
} from 'node:fs'
import { type EntryHead, entryRecord } from '../archive/records.ts'
import { addon } from '../base/native.ts'
import type { EchoAttributes, EchoStep, EchoTask } from '../fs/echo-step.ts'

/** open(2): opens a directory for path lookups only, without an event to watchers. */
const O_PATH = 0x200000

function bytes(path: string): Buffer {
  return Buffer.from(path, 'latin1')
}

/** Sets owner, mode and times, to the nanosecond. */
function touch(path: Buffer, to: EchoAttributes): void {
  const rest = { flags: 0, parent: 0, id: 0, nlink: 1, rdev: 0, size: 0, key: '' }
  const head: EntryHead = { ...to, ...rest }
  addon().writeAttributes(path, entryRecord(head, '', []))
}

/**
 * Sets the size of a file, if the name still refers to that file: a user may have replaced it, for
 * example by a link to a file of the host.
 */
function resize(path: Buffer, device: number, ino: number, size: number): void {
  const found = openSync(path, O_PATH | constants.O_NOFOLLOW)
  try {
    const stats = fstatSync(found)
    if (stats.dev !== device || stats.ino !== ino || !stats.isFile()) return
    truncateSync(`/proc/self/fd/${found}`, size)
  } finally {
    closeSync(found)
  }
}

function take(step: EchoStep, path: Buffer, device: number, source: string): void {
  if (step.do === 'touch') touch(path, step.to)
  else if (step.do === 'resize') resize(path, device, step.ino, step.size)
  else if (step.do === 'move') renameSync(bytes(`${source}/${step.from}`), path)
  else if (step.do === 'unlink') unlinkSync(path)
  else rmdirSync(path)
}

/**
 * Does a step in its directory, which is held open meanwhile. Nothing outside of the mount may be
 * changed: another file system may be mounted over a part of it, or the mount may be gone.
 */
function takeWithin(step: EchoStep, device: number, source: string): void {
  const directory = openSync(bytes(step.directory), O_PATH | constants.O_DIRECTORY)
  try {
    if (fstatSync(directory).dev !== device) throw new Error('another file system lies over it')
    take(step, bytes(`/proc/self/fd/${directory}/${step.name}`), device, source)
  } finally {
    closeSync(directory)
  }
}

/**
 * Does as many steps as possible; returns the errors of the others. Without root, some steps may be
 * refused, and their watchers notice nothing.
 */
function run({ source, steps }: EchoTask): string[] {
  const refused: string[] = []
  const attempt = (work: () => void): void => {
    try {
      work()
    } catch (error) {
      refused.push(error instanceof Error ? error.message : String(error))
    }
  }
  attempt(() => {
    const { dev } = lstatSync(bytes(source))
    for (const step of steps) attempt(() => takeWithin(step, dev, source))
  })
  return refused
}

process.on('message', (task: EchoTask) => process.send?.(run(task)))
process.on('disconnect', () => process.exit())
