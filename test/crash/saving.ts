// A process that saves files durably (versions-writer.ts) in a mounted vault, and a check that none
// of that was lost when the daemon was killed.

import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestVault } from '../support/mount.ts'
import type { Random } from '../support/random.ts'
import { type Acknowledged, digestOf, readAcknowledged, readJournal } from './journal.ts'

export interface SavingWriter {
  readonly process: ChildProcess
  readonly dir: string
  readonly journalPath: string
  readonly exit: Promise<unknown>
}

/** Starts a writer in a new directory `name` of the vault. */
export function startSaving(vault: TestVault, name: string, random: Random): SavingWriter {
  const dir = join(vault.dir, name)
  mkdirSync(dir)
  const journalPath = join(vault.root, `journal-${name}`)
  const script = join(import.meta.dirname, 'versions-writer.ts')
  const child = spawn(process.execPath, [script, dir, journalPath, String(random.below(2 ** 31))], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, NODE_NO_WARNINGS: '1' },
  })
  const exit = new Promise((resolve) => child.on('exit', (code, signal) => resolve(signal ?? code)))
  return { process: child, dir, journalPath, exit }
}

/** True when the writer has begun. */
export function isSaving({ journalPath }: SavingWriter): boolean {
  return existsSync(journalPath) && readJournal(journalPath).isReady
}

/** What was acknowledged and is not there, a line each, of how many saves and deletions. */
export function lostBy({ dir, journalPath }: SavingWriter): {
  lost: string[]
  saves: number
  deletions: number
} {
  const acknowledged = readAcknowledged(journalPath)
  const saves = [...acknowledged.saves.values()].reduce((sum, its) => sum + its.length, 0)
  return { lost: missing(dir, acknowledged), saves, deletions: acknowledged.deleted.size }
}

function missing(dir: string, { saves, deleted }: Acknowledged): string[] {
  const found: string[] = []
  for (const [name, saved] of saves) {
    const versions = versionsOf(dir, name)
    let at = 0
    for (const { digest, size } of saved) {
      while (at < versions.length && versions[at] !== `${digest} ${size}`) at++
      if (at++ < versions.length) continue
      found.push(`${name}: ${digest} of ${size} bytes is not among ${versions.length} versions`)
      break
    }
    if (!deleted.has(name)) continue
    const last = saved[saved.length - 1]
    if (existsSync(join(dir, name))) found.push(`${name} was deleted, and is there`)
    else if (contentOf(join(dir, '.avfs', 'deleted', name)) !== `${last?.digest} ${last?.size}`)
      found.push(`${name} is not what deleted/ shows`)
  }
  return found
}

/** The contents of a name's versions, oldest first, as `contentOf` gives them. */
export function versionsOf(dir: string, name: string): (string | undefined)[] {
  const folder = join(dir, '.avfs', 'versions', name)
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((its) => /^\d+/.test(its))
    .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10))
    .map((its) => contentOf(join(folder, its)))
}

/** Digest and size of a file; undefined when there is none. */
export function contentOf(path: string): string | undefined {
  if (!existsSync(path)) return undefined
  const bytes = readFileSync(path)
  return `${digestOf(bytes)} ${bytes.length}`
}
