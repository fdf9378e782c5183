// Repairs LevelDB's MANIFEST after a power cut. LevelDB appends to it which tables exist: it syncs
// their names, then the MANIFEST. A disk whose power fails in between may have the MANIFEST without
// the names, and LevelDB refuses to open it: "missing files". Then no commit depends on the new
// edits, and their source files still exist, because LevelDB removes those after the sync. So the
// end of the MANIFEST is cut off.
//
// It has the form of a log (log.ts). An edit is a sequence of fields, each a varint tag and:
//
//   1 comparator       string               5 compact pointer  level, string
//   2 log number       number               6 deleted table    level, number
//   3 next file        number               7 new table        level, number, size, string, string
//   4 last sequence    number               9 previous log     number
//
// Numbers are varints, strings have their length in front.

import { readdirSync } from 'node:fs'
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { BLOCK_BYTES, begins, ends, fragments } from './log.ts'

interface Edit {
  /** Its offset in the file. */
  readonly at: number
  readonly log: number | undefined
  readonly added: readonly number[]
  readonly deleted: readonly number[]
}

/**
 * The names of the tables in use; other table files are being written, or obsolete. Rejects if the
 * MANIFEST cannot be read.
 */
export async function tableFiles(path: string): Promise<string[]> {
  const tables = new Set<number>()
  for (const { added, deleted } of editsOf(await readFile(await manifestOf(path)))) {
    for (const table of deleted) tables.delete(table)
    for (const table of added) tables.add(table)
  }
  return readdirSync(path).filter(
    (name) => /\.(ldb|sst)$/.test(name) && tables.has(Number.parseInt(name, 10)),
  )
}

async function manifestOf(path: string): Promise<string> {
  return join(path, (await readFile(join(path, 'CURRENT'), 'latin1')).trim())
}

/**
 * Cuts unsynced edits off the MANIFEST of a folder that no process has open. False, and nothing is
 * changed, if such edits are not what is wrong.
 */
export async function takeBackUnsynced(path: string): Promise<boolean> {
  const manifest = await manifestOf(path)
  const edits = [...editsOf(await readFile(manifest))]
  const first = firstUnsynced(edits, new Set(readdirSync(path)))
  if (first === undefined) return false
  const file = await open(manifest, 'r+')
  try {
    await file.truncate(first.at)
    await file.sync()
  } finally {
    await file.close()
  }
  return true
}

/** The first edit after the last state whose files all exist: its tables, and its current log. */
function firstUnsynced(edits: readonly Edit[], names: ReadonlySet<string>): Edit | undefined {
  const isThere = (table: number): boolean =>
    ['ldb', 'sst'].some((ending) => names.has(fileName(table, ending)))
  const tables = new Set<number>()
  let log: number | undefined
  let first: Edit | undefined
  for (const [index, edit] of edits.entries()) {
    for (const table of edit.deleted) tables.delete(table)
    for (const table of edit.added) tables.add(table)
    log = edit.log ?? log
    const isLogThere = log !== undefined && names.has(fileName(log, 'log'))
    if (isLogThere && [...tables].every(isThere)) first = edits[index + 1]
  }
  return first
}

function fileName(number: number, ending: string): string {
  return `${String(number).padStart(6, '0')}.${ending}`
}

function* editsOf(bytes: Buffer): Generator<Edit> {
  let parts: Buffer[] = []
  let began = 0
  for (let block = 0; block < bytes.length; block += BLOCK_BYTES)
    for (const fragment of fragments(bytes.subarray(block, block + BLOCK_BYTES))) {
      // The end of the file is torn.
      if (fragment === undefined) return
      if (begins(fragment)) {
        parts = []
        began = block + fragment.at
      }
      parts.push(fragment.bytes)
      if (ends(fragment)) yield editOf(Buffer.concat(parts), began)
    }
}

function editOf(bytes: Buffer, at: number): Edit {
  let next = 0
  const number = (): number => {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes.readUInt8(next++)
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
  }
  const skipString = (): void => {
    const length = number()
    next += length
  }
  let log: number | undefined
  const added: number[] = []
  const deleted: number[] = []
  while (next < bytes.length) {
    const tag = number()
    if (tag === 1) skipString()
    else if (tag === 2) log = number()
    else if (tag === 3 || tag === 4 || tag === 9) number()
    else if (tag === 5) {
      number()
      skipString()
    } else if (tag === 6) {
      number()
      deleted.push(number())
    } else if (tag === 7) {
      number()
      added.push(number())
      number()
      skipString()
      skipString()
    } else throw new Error(`the MANIFEST has an unknown field ${tag}`)
  }
  return { at, log, added, deleted }
}
