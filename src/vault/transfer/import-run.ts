// What the steps of one import share: what is wanted, what has come, and where it goes.

import { EDQUOT, ENOSPC, EROFS, errnoName, FsError } from '../../base/errno.ts'
import type { Actor } from '../core/actors.ts'
import type { Core } from '../core/core.ts'
import type { Inode } from '../core/inode.ts'
import type { Moment } from '../core/moment.ts'
import type { Observer } from '../core/observer.ts'
import { findEntry } from '../tree/directory.ts'
import { findInode } from '../tree/inodes.ts'
import type { Vault } from '../vault.ts'

/** A file of which pieces are still to come. */
export interface LargeFile extends Spot {
  readonly record: Buffer
  /** What it is built in; undefined as long as it is the same as `same`. */
  made: Inode | undefined
  /** The file of now that it may be the same as. */
  same: Inode | undefined
  /** How far it has come. */
  reached: number
}

export interface ImportOptions extends Observer {
  /** Where the tree goes; the name '' stands for the directory itself. */
  readonly parent: number
  readonly name: string
  /** The path of that, for messages; a byte string without a slash at its end ('' for the root). */
  readonly path: string
  /** What a file is called that goes into an existing directory. */
  readonly basename: string
  /** Other work may go on between two records. */
  readonly isShared: boolean
  /** Hears of what was refused. */
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
 * A directory that is being filled; refused ones have no inode, and what is below them is left out.
 */
export interface Target {
  readonly ino: number | undefined
  readonly path: string
  /** What it is to be when it is complete. */
  readonly record: Buffer
  readonly isNew: boolean
}

/** A name that a record is to have. */
export interface Spot {
  readonly parent: number
  readonly name: string
  readonly path: string
}

export interface Run {
  /** On whose behalf all is done: others act in between. */
  readonly actor: Actor | null
  readonly vault: Vault
  readonly core: Core
  readonly options: ImportOptions
  readonly report: ImportReport
  readonly directories: Map<number, Target>
  readonly large: Map<number, LargeFile>
  /** Inodes of now by the key of their file, for those with several names. */
  readonly links: Map<string, number>
  /** What the kernel has handed over for the record that is being taken. */
  readonly writtenBack: Set<number>
  /** The moment that the steps of a foreign history have come to. */
  pretended: Moment | undefined
}

/** What is at a place now. */
export function existing(core: Core, { parent, name }: Spot): Inode | undefined {
  const ino = name === '' ? parent : findEntry(core, parent, name)?.ino
  return ino === undefined ? undefined : findInode(core, ino)
}

/** Tells what was refused; a full or closed vault ends all. */
export function guard(run: Run, path: string, work: () => void): void {
  try {
    work()
  } catch (error) {
    if (!(error instanceof FsError) || FINAL.includes(error.errno)) throw error
    run.options.problem(path, errnoName(error.errno))
  }
}

/**
 * What goes for all that is still to come: the vault is full, by its disk or a quota, or closed.
 */
const FINAL: readonly number[] = [ENOSPC, EDQUOT, EROFS]
