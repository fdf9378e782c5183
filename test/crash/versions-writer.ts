// A process that saves files in a directory of a mounted vault until the mount dies, in the ways
// that programs use: in place, by appending, by renaming a new file over the old one:
// versions-writer.ts DIR JOURNAL SEED. Each save or deletion is made durable before the journal
// (outside the vault) records it.

import { closeSync, fsyncSync, openSync, renameSync, unlinkSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { type Random, randomFrom } from '../support/random.ts'
import { digestOf } from './journal.ts'
import { someBytes, sync } from './operations.ts'

/** What system calls answer when the daemon behind them has gone. */
const GONE = ['ENOTCONN', 'ECONNABORTED', 'ECONNREFUSED', 'EIO']
/** A name that lived for less than a second is a temporary one, which deleted/ does not show. */
const LIFETIME_MIN_MS = 1300
const FILES_MAX = 6

const [dir, journalPath, seed] = process.argv.slice(2)
if (dir === undefined || journalPath === undefined)
  throw new Error('versions-writer.ts DIR JOURNAL SEED')

interface File {
  readonly name: string
  readonly bornMs: number
  content: Buffer
}

const journal = openSync(journalPath, 'a')
const note = (line: string): void => void writeSync(journal, `${line}\n`)
const random = randomFrom(Number(seed))
const files: File[] = []

/**
 * Writes at an offset and returns when it is durable: by fsync of the file before it is closed, or
 * of the directory after.
 */
function write(path: string, flags: string, bytes: Buffer, offset: number | null): void {
  const fd = openSync(path, flags, 0o644)
  for (let done = 0; done < bytes.length; )
    done += writeSync(fd, bytes, done, undefined, offset === null ? null : offset + done)
  const isFirst = random.below(2) === 0
  if (isFirst) fsyncSync(fd)
  closeSync(fd)
  if (!isFirst) sync(dir as string)
}

function save(random: Random, file: File): void {
  const path = join(dir as string, file.name)
  const bytes = someBytes(random)
  switch (random.below(4)) {
    case 0:
      write(path, 'w', bytes, null)
      file.content = bytes
      break
    case 1:
      write(path, 'a', bytes, null)
      file.content = Buffer.concat([file.content, bytes])
      break
    case 2: {
      const offset = random.below(file.content.length + 1)
      write(path, 'r+', bytes, offset)
      const next = Buffer.alloc(Math.max(file.content.length, offset + bytes.length))
      file.content.copy(next)
      bytes.copy(next, offset)
      file.content = next
      break
    }
    default:
      write(`${path}.new`, 'wx', bytes, null)
      renameSync(`${path}.new`, path)
      sync(dir as string)
      file.content = bytes
  }
  note(`saved ${file.name} ${digestOf(file.content)} ${file.content.length}`)
}

function create(random: Random, number: number): void {
  const bytes = someBytes(random)
  const name = `n${number}`
  write(join(dir as string, name), 'wx', bytes, null)
  files.push({ name, bornMs: Date.now(), content: bytes })
  note(`saved ${name} ${digestOf(bytes)} ${bytes.length}`)
}

function remove(file: File): void {
  unlinkSync(join(dir as string, file.name))
  files.splice(files.indexOf(file), 1)
  sync(dir as string)
  note(`deleted ${file.name}`)
}

note('ready')
try {
  for (let number = 1; ; number++) {
    const file = files[random.below(files.length + 1)]
    const [oldest] = files
    if (file !== undefined && (files.length >= FILES_MAX || random.below(4) > 0)) save(random, file)
    else if (files.length < FILES_MAX) create(random, number)
    else if (oldest !== undefined && Date.now() - oldest.bornMs > LIFETIME_MIN_MS) remove(oldest)
  }
} catch (error) {
  const code = error instanceof Error && 'code' in error ? String(error.code) : undefined
  if (code === undefined || !GONE.includes(code)) throw error
  note(`lost 0 ${code}`)
}
