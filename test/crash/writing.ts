// Processes that work in a mounted vault until the mount dies (writer.ts), and how much of their
// work must exist after a crash, according to their journals.

import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { TestVault } from '../support/mount.ts'
import type { Random } from '../support/random.ts'
import { type Journal, readJournal } from './journal.ts'

/** The commit interval of a second, and some patience with a machine that does other things too. */
const LOSS_MAX_US = 3_000_000

export interface Writer {
  readonly process: ChildProcess
  readonly dir: string
  readonly journalPath: string
  readonly seed: number
  readonly exit: Promise<unknown>
}

/**
 * Starts a writer in a new directory below `top`; `name` tells it from all others of the test. It
 * syncs after so many operations, by default as chance has it.
 */
export function startWriter(
  vault: TestVault,
  top: string,
  name: string,
  random: Random,
  // Those who seldom sync show that the commit interval holds.
  syncEvery = random.pick([2, 10, 50, 100_000]),
): Writer {
  const dir = join(top, name)
  mkdirSync(dir)
  const journalPath = join(vault.root, `journal-${name}`)
  const seed = random.below(2 ** 31)
  const script = join(import.meta.dirname, 'writer.ts')
  const child = spawn(
    process.execPath,
    [script, dir, journalPath, String(seed), String(syncEvery)],
    { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, NODE_NO_WARNINGS: '1' } },
  )
  const exit = new Promise((resolve) => child.on('exit', (code, signal) => resolve(signal ?? code)))
  return { process: child, dir, journalPath, seed, exit }
}

export function isReady({ journalPath }: Writer): boolean {
  return existsSync(journalPath) && readJournal(journalPath).isReady
}

/** How many operations must be there, and how many can be. */
export interface Bounds {
  readonly least: number
  readonly most: number
}

/**
 * What each of several writers must find after a crash: what its own fsync acknowledged by
 * `heardUs`, what it had done when an fsync of any of them began that was acknowledged by then, and
 * what is older than the commit interval at `crashedUs`. Nothing that it began after `heardUs` can
 * be there.
 */
export function boundsOf(
  journals: readonly Journal[],
  { crashedUs, heardUs }: { readonly crashedUs: number; readonly heardUs: number },
): Bounds[] {
  const heard = journals.map(({ syncs }) => syncs.filter(({ endedUs }) => endedUs <= heardUs))
  const lastSyncUs = Math.max(0, ...heard.flat().map(({ beganUs }) => beganUs))
  return journals.map(({ doneUs, isLost }, index) => {
    const countBefore = (limitUs: number): number => {
      const after = doneUs.findIndex((us, number) => number > 0 && us >= limitUs)
      return after < 0 ? Math.max(0, doneUs.length - 1) : after - 1
    }
    const ownSync = Math.max(0, ...(heard[index] ?? []).map(({ number }) => number))
    const done = countBefore(heardUs)
    const isUnderWay = isLost || done < doneUs.length - 1
    return {
      least: Math.max(ownSync, countBefore(lastSyncUs), countBefore(crashedUs - LOSS_MAX_US)),
      most: done + (isUnderWay ? 1 : 0),
    }
  })
}
