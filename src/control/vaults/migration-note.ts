// The note beside a vault that is being migrated, which says after a crash what is whole. While
// both the note and the vault exist, the vault is valid, and any copy is not:
//
//   copying     the partial copy is worthless
//   switching   the copy is whole, and perhaps has its name already; the vault is about to go
//   no vault    the copy has replaced it; what is left of the vault is to be removed
//
// The path of the copy follows from the vault's own path and the engine: a note contains no path,
// since a vault may come from another user.

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
   * Digest of the copy's settings when it was completed; '' before. Any use of a vault changes
   * them.
   */
  readonly settings: string
}

/** The suffix of the note, after the vault's path. */
export const NOTE_ENDING = '.migration'
const NOTE_BYTES_MAX = 4096

function notePath(vaultPath: string): string {
  return vaultPath + NOTE_ENDING
}

/**
 * The note beside a vault, or undefined if there is no valid one. Throws StrangerError for a note
 * of another user.
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

/** Writes the note atomically; durable when it returns. */
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
