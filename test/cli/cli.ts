// The command line as a child process, with a home of its own, so that no vault of the user who
// runs the tests is touched.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { avfsProgram, temporaryFolder } from '../support/mount.ts'
import { attempt, type Outcome } from '../support/program.ts'

export interface Cli {
  /** A temporary folder; the vaults are in `home` below it. */
  readonly root: string
  readonly home: string
  /** Makes a folder below `root` and returns its path. */
  folder(name: string): string
  /** Runs avfs; any exit code is a result. */
  avfs(...args: readonly string[]): Outcome
  /** The same, under more variables. */
  avfsUnder(env: Readonly<Record<string, string>>, ...args: readonly string[]): Outcome
  /** Runs avfs with --json and parses what it printed; throws when it failed. */
  json(...args: readonly string[]): unknown
  /**
   * Runs avfs with --json and parses the error it must end with; adds the exit code as `status`.
   */
  failure(...args: readonly string[]): { status: number; message: string; errno: string | null }
}

export function emptyCli(t: Test): Cli {
  const root = temporaryFolder(t)
  const home = join(root, 'home')
  mkdirSync(home)
  const env = { AVFS_HOME: home, XDG_RUNTIME_DIR: root, XDG_STATE_HOME: root, NO_COLOR: '1' }
  const avfsUnder = (more: Readonly<Record<string, string>>, ...args: readonly string[]): Outcome =>
    attempt(avfsProgram, args, { env: { ...env, ...more }, cwd: root })
  const avfs = (...args: readonly string[]): Outcome => avfsUnder({}, ...args)
  return {
    root,
    home,
    avfs,
    avfsUnder,
    folder(name) {
      mkdirSync(join(root, name))
      return join(root, name)
    },
    json(...args) {
      const { status, stdout, stderr } = avfs(...args, '--json')
      if (status !== 0) throw new Error(`avfs ${args.join(' ')} ended with ${status}: ${stderr}`)
      return JSON.parse(stdout)
    },
    failure(...args) {
      const { status, stdout, stderr } = avfs(...args, '--json')
      if (stdout !== '') throw new Error(`a failure must print no result: ${stdout}`)
      const lines = stderr.trimEnd().split('\n')
      if (lines.length !== 1) throw new Error(`a failure must print one line: ${stderr}`)
      return { status, ...JSON.parse(stderr) }
    },
  }
}
