// What the steps of one import share: its options, its progress, and where it goes.

import { EDQUOT, ENOSPC, EROFS, errnoName, FsError } from '../../base/errno.ts'
import type { Actor } from '../core/actors.ts'
import type { Core } from '../core/core.ts'
import type { Inode } from '../core/inode.ts'
import type { Moment } from '../core/moment.ts'
import type { Observer } from '../core/observer.ts'
import { findEntry } from '../tree/directory.ts'
import { findInode } from '../tree/inodes.ts'
import type { Vault } from '../vault.ts'

/** A file whose content is still arriving. */
export interface LargeFile extends Spot {
  readonly record: Buffer
  /** The inode it is built in; undefined as long as it equals `same`. */
  made: Inode | undefined
  /** The present file that it may be equal to. */
  same: Inode | undefined
  /** The end of what has arrived. */
  reached: number
}

export interface ImportOptions extends Observer {
  /** Where the tree goes; the name '' means the directory itself. */
  readonly parent: number
  readonly name: string
  /** The path of that, for messages; a byte string without a trailing slash ('' for the root). */
  readonly path: string
  /** The name of a file that goes into an existing directory. */
  readonly basename: string
  /** Other work may run between two records. */
  readonly isShared: boolean
  /** Called with what was refused. */
  problem(path: string, message: string): void
  progress(files: number, bytes: number): void
}

export interface ImportReport {
  directories: number
  files: number
  /** Files that were the same already. */
  unchanged: number
  bytes: number
}

/**
 * A directory that is being filled; a refused one has no inode, and what is below it is skipped.
 */
export interface Target {
  readonly ino: number | undefined
  readonly path: string
  /** Its record, whose attributes it gets when it is complete. */
  readonly record: Buffer
  readonly isNew: boolean
}

/** The name for a record. */
export interface Spot {
  readonly parent: number
  readonly name: string
  readonly path: string
}

export interface Run {
  /** Who imports; set again after each pause, when others may have acted. */
  readonly actor: Actor | null
  readonly vault: Vault
  readonly core: Core
  readonly options: ImportOptions
  readonly report: ImportReport
  readonly directories: Map<number, Target>
  readonly large: Map<number, LargeFile>
  /** Present inodes by the key of their file, for files with several names. */
  readonly links: Map<string, number>
  /** Inodes that the kernel has written back for the current record. */
  readonly writtenBack: Set<number>
  /** The moment that the steps of a foreign history have reached. */
  pretended: Moment | undefined
}

/** What is at a place now. */
export function existing(core: Core, { parent, name }: Spot): Inode | undefined {
  const ino = name === '' ? parent : findEntry(core, parent, name)?.ino
  return ino === undefined ? undefined : findInode(core, ino)
}

/** Reports what was refused; errors in `FINAL` end the import. */
export function guard(run: Run, path: string, work: () => void): void {
  try {
    work()
  } catch (error) {
    if (!(error instanceof FsError) || FINAL.includes(error.errno)) throw error
    run.options.problem(path, errnoName(error.errno))
  }
}

/**
 * Errors that all further records would get, too: the disk or a quota is full, or the vault is
 * closed.
 */
const FINAL: readonly number[] = [ENOSPC, EDQUOT, EROFS]
