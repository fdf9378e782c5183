// The note beside a vault that is being migrated, so that whoever comes after a crash knows what is whole. While the note
// and the vault are both there, the vault is what counts, whatever else has its name:
//
//   copying     the partial copy is worth nothing
//   switching   the copy is whole, and perhaps has its name already; the vault is about to go
//   no vault    the copy has taken its place; what is left of the vault is to be removed

import { existsSync, readFileSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { syncOne } from '../base/sync-files.ts'
import { systemCode } from './errors.ts'
import { writeWhole } from './vault-files.ts'

export interface MigrationNote {
  readonly step: 'copying' | 'switching'
  /** Engine and path of the copy, and where it lies until it is whole. */
  readonly backend: string
  readonly target: string
  readonly partial: string
  /** Digest of the settings of the copy when it was whole; '' before. Who uses a vault changes them. */
  readonly settings: string
}

/** What follows the path of a vault in that of its note. */
export const NOTE_ENDING = '.migration'

function notePath(vaultPath: string): string {
  return vaultPath + NOTE_ENDING
}

/** The note beside a vault, or undefined when there is none that makes sense. */
export function readNote(vaultPath: string): MigrationNote | undefined {
  try {
    const parsed: unknown = JSON.parse(readFileSync(notePath(vaultPath), 'utf8'))
    return isNote(parsed) ? parsed : undefined
  } catch (error) {
    if (systemCode(error) === undefined || systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}

function isNote(value: unknown): value is MigrationNote {
  if (typeof value !== 'object' || value === null) return false
  const { step, backend, target, partial, settings } = value as Record<string, unknown>
  const texts = [backend, target, partial, settings]
  return (
    (step === 'copying' || step === 'switching') && texts.every((its) => typeof its === 'string')
  )
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
  return existsSync(notePath(vaultPath))
}
