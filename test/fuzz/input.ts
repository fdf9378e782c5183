// The interface of a fuzzer: a kind of input that is made from a seed and given to the code as
// untrusted input would be. The errors by which code may refuse an input are known; anything else
// that it throws is a bug.

import { ArchiveError } from '../../src/archive/errors.ts'
import { CompressionError } from '../../src/archive/unpacked.ts'
import { FsError } from '../../src/base/errno.ts'
import { GlobError } from '../../src/base/glob.ts'
import { StrangerError } from '../../src/base/own-files.ts'
import { UsageError } from '../../src/cli/errors.ts'
import { ControlError } from '../../src/control/wire/errors.ts'
import { QuerySyntaxError } from '../../src/search/tokens.ts'
import { StoreError } from '../../src/store/store.ts'
import { ConfigurationError } from '../../src/vault/core/configuration.ts'

/** A fuzzer that is ready to run. */
export interface FuzzRun {
  /**
   * Makes an input of a seed, gives it to the code and looks at what became of it. The same seed
   * does the same, whatever ran before. Rejects with what is wrong; ends by itself, and within
   * seconds.
   */
  run(seed: number): Promise<void>
  close(): Promise<void>
}

export interface FuzzOptions {
  /** A folder of its own. */
  readonly folder: string
  /** The code is given a bug that the fuzzer has to find: a canary. */
  readonly isBroken: boolean
}

export interface FuzzInput {
  open(options: FuzzOptions): Promise<FuzzRun>
  /** What the canary's failure says. */
  readonly canary: RegExp
  /** How many seeds `make test` runs: about a second's. */
  readonly seeds: number
}

const refusals = [
  ArchiveError,
  CompressionError,
  ConfigurationError,
  ControlError,
  FsError,
  GlobError,
  QuerySyntaxError,
  StoreError,
  StrangerError,
  UsageError,
]

/**
 * What engines of JavaScript say of a mistake in a program, whatever the class of the error that
 * carries it on.
 */
const MISTAKE =
  /TypeError|ReferenceError|AssertionError|Cannot (read|set|convert|mix|access|destructure)|is not (a function|iterable|a constructor|defined)|Maximum call stack|Invalid (array|typed array|string|count|code) |out of (range|bounds|memory)|is not valid JSON|ERR_(INVALID|OUT_OF|BUFFER|INTERNAL)|cannot be converted to|although the step has changed/

/** True for words that only a mistake of the program has. */
export function isMistake(text: string): boolean {
  return MISTAKE.test(text)
}

/** Throws an error that is no refusal. */
export function assertRefusal(error: unknown): void {
  const isKnown = refusals.some((refusal) => error instanceof refusal) || isOfSystem(error)
  if (isKnown && !isMistake((error as Error).message)) return
  throw error instanceof Error ? error : new Error(`thrown: ${String(error)}`)
}

/** A system call that failed: told with its errno and the path. */
function isOfSystem(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && 'errno' in error && 'path' in error
}

/** What work comes to; undefined when it was refused. Rejects with what is no refusal. */
export async function refusable<T>(work: () => Promise<T> | T): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    assertRefusal(error)
    return undefined
  }
}
