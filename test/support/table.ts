// Tests of what a directory must do, as values: a sentence -> a function of a fresh directory. The
// same table runs on a plain folder, which tests the tests, and on a mounted vault. Knows nothing
// of how a vault is mounted.

import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { TestVault } from './mount.ts'
import { runScript, syscalls, syscallsBeside } from './syscalls.ts'

/** What a test has beside its directory. */
export interface Context {
  readonly t: Test
  /**
   * Runs a script of steps (test/support/syscalls.ts) in the directory, compares, and returns what
   * each step printed.
   */
  script(text: string): string[]
  /** Runs steps in the directory and returns what each printed. */
  sys(...steps: string[]): string[]
  /** The same in the background. */
  beside(...steps: string[]): Promise<string[]>
  /** The vault that the directory is in; undefined on a plain folder. */
  readonly vault: TestVault | undefined
}

export type DirectoryTest = (dir: string, context: Context) => void | Promise<void>

/** A test that a plain folder cannot pass, with the reason. */
export interface MountedTest {
  readonly onlyMounted: string
  readonly test: DirectoryTest
}

export type Table = Readonly<Record<string, DirectoryTest | MountedTest>>

/** Runs the tables' tests as subtests of `t` named
 * after the place, each in its own directory below `root`, which is removed after it. */
export async function runTables(
  t: Test,
  place: string,
  root: string,
  tables: readonly Table[],
  vault?: TestVault,
): Promise<void> {
  let count = 0
  for (const [name, entry] of tables.flatMap((table) => Object.entries(table))) {
    if (typeof entry !== 'function' && vault === undefined) continue
    const test = typeof entry === 'function' ? entry : entry.test
    const dir = join(root, `d${++count}`)
    await t.test(`${place}: ${name}`, async (t) => {
      mkdirSync(dir)
      t.teardown(() => rmSync(dir, { recursive: true, force: true }))
      await test(dir, contextOf(t, dir, vault))
    })
  }
}

function contextOf(t: Test, dir: string, vault: TestVault | undefined): Context {
  return {
    t,
    vault,
    script(text) {
      const { wanted, found, values } = runScript(dir, text)
      t.same(found, wanted, 'every step prints what it should')
      return values
    },
    sys: (...steps) => syscalls(dir, ...steps),
    beside: (...steps) => syscallsBeside(dir, ...steps),
  }
}
