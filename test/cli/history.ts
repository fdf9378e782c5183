// A vault for the tests of the history commands, which must work mounted and not: the same commands
// with both forms of the path.

import { join } from 'node:path'
import type { Test } from 'tap'
import { type Cli, emptyCli } from './cli.ts'

export interface HistoryCli extends Cli {
  /** Where the vault 'one' is mounted, or would be. */
  readonly dir: string
  /** The path of a file below the mount point. */
  at(path: string): string
  mount(): void
  unmount(): void
  /** What a command writes to standard output; throws unless it ends with 0. */
  out(...args: readonly string[]): string
}

/** A vault 'one', mounted. */
export function historyCli(t: Test, backend = 'sqlite'): HistoryCli {
  const cli = emptyCli(t)
  cli.json('vault', 'create', 'one', '--backend', backend)
  const dir = cli.folder('mnt')
  const out = (...args: readonly string[]): string => {
    const { status, stdout, stderr } = cli.avfs(...args)
    if (status !== 0) throw new Error(`avfs ${args.join(' ')} ended with ${status}: ${stderr}`)
    return stdout
  }
  const mount = (): void => void out('mount', 'one', dir)
  mount()
  t.teardown(() => cli.avfs('unmount', dir))
  return {
    ...cli,
    dir,
    out,
    at: (path) => join(dir, path),
    mount,
    unmount: () => void out('unmount', dir),
  }
}

/**
 * Runs `check` with the paths of a mounted vault, then unmounts it and runs it again with
 * NAME:/paths.
 */
export function bothWays(cli: HistoryCli, check: (at: (path: string) => string) => void): void {
  check(cli.at)
  cli.unmount()
  check((path) => `one:/${path}`)
}

/**
 * Names that live shorter than a second are taken for temporary ones, and times as people write
 * them are of seconds.
 */
export function aSecond(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1100))
}
