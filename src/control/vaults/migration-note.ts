// The note beside a vault that is being migrated, so that whoever comes after a crash knows what is
// whole. While the note and the vault are both there, the vault is what counts, whatever else has
// its name:
//
//   copying     the partial copy is worth nothing
//   switching   the copy is whole, and perhaps has its name already; the vault is about to go
//   no vault    the copy has taken its place; what is left of the vault is to be removed
//
// Where the copy lies follows from the vault's own path and the engine: a note names no path, since
// a vault may come from a stranger.

import { lstatSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { readOwn } from '../../base/own-files.ts'
import { syncOne } from '../../base/sync-files.ts'
import { persistentBackends } from '../../store/open.ts'
import { writeWhole } from './vault-files.ts'

interface MigrationNote {
  readonly step: 'copying' | 'switching'
  /** The engine of the copy. */
  readonly backend: string
  /**
   * Digest of the settings of the copy when it was whole; '' before. Who uses a vault changes them.
   */
  readonly settings: string
}

/** What follows the path of a vault in that of its note. */
export const NOTE_ENDING = '.migration'
const NOTE_BYTES_MAX = 4096

function notePath(vaultPath: string): string {
  return vaultPath + NOTE_ENDING
}

/**
 * The note beside a vault, or undefined when there is none that makes sense. Throws StrangerError
 * for that of another user.
 */
export function readNote(vaultPath: string): MigrationNote | undefined {
  const text = readOwn(notePath(vaultPath), NOTE_BYTES_MAX)
  if (text === undefined) return undefined
  try {
    const parsed: unknown = JSON.parse(text)
    return isNote(parsed) ? parsed : undefined
  } catch {
    return undefined
  }
}

function isNote(value: unknown): value is MigrationNote {
  if (typeof value !== 'object' || value === null) return false
  const { step, backend, settings } = value as Record<string, unknown>
  const isKnown = persistentBackends.some(({ name }) => name === backend)
  return isKnown && (step === 'copying' || step === 'switching') && typeof settings === 'string'
}

/** Writes the note, whole or not at all; durable when it returns. */
export function writeNote(vaultPath: string, note: MigrationNote): void {
  writeWhole(notePath(vaultPath), `${JSON.stringify(note)}\n`)
}

export function removeNote(vaultPath: string): void {
  rmSync(`${notePath(vaultPath)}.new`, { force: true })
  rmSync(notePath(vaultPath), { force: true })
  syncOne(dirname(vaultPath))
}

export function hasNote(vaultPath: string): boolean {
  return lstatSync(notePath(vaultPath), { throwIfNoEntry: false }) !== undefined
}
