// What an import costs with its index beside it, and without one: rows of bench-search.ts.

import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { median, verdict } from './bench-report.ts'
import { avfs } from './bench-support.ts'

const IMPORT_MAX = 2

export interface Environment {
  readonly work: string
  readonly backend: string
  readonly tree: string
  readonly rounds: number
}

/**
 * An import into a vault that is not mounted, until its index has all of it: a search waits for
 * what the import has left.
 */
export function importRow(name: string, environment: Environment): string[] {
  return pairedRow(name, environment, (run, tree) => ({
    import: () => run('import', tree, 'v:/'),
    isUpToDate: () => JSON.parse(run('search', '--status', 'v:/', '--json')).waiting === 0,
    catchUp: () => run('search', '--limit', '1', 'name:f1', 'v:/'),
    end: () => undefined,
  }))
}

/** The same into a mounted vault, whose daemon is asked until it has all. */
export function mountedRow(name: string, environment: Environment): string[] {
  const mount = join(environment.work, 'import-mount')
  mkdirSync(mount, { recursive: true })
  return pairedRow(`${name}, mounted`, environment, (run, tree) => {
    run('mount', 'v', mount)
    const isUpToDate = (): boolean =>
      JSON.parse(run('search', '--status', mount, '--json')).waiting === 0
    return {
      import: () => run('import', tree, mount),
      isUpToDate,
      catchUp: () => {
        while (!isUpToDate());
      },
      end: () => run('unmount', mount),
    }
  })
}

interface ImportWays {
  import(): unknown
  isUpToDate(): boolean
  catchUp(): unknown
  end(): unknown
}

function pairedRow(
  name: string,
  { work, backend, tree, rounds }: Environment,
  waysOf: (run: (...args: string[]) => string, tree: string) => ImportWays,
): string[] {
  const home = join(work, 'home')
  const run = (...args: string[]): string => {
    const env = { ...process.env, AVFS_HOME: home, XDG_RUNTIME_DIR: work }
    return execFileSync(avfs, args, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
  }
  const seconds = (part: () => unknown): number => {
    const start = performance.now()
    part()
    return (performance.now() - start) / 1000
  }
  const without: number[] = []
  const indexed: number[] = []
  for (let round = 0; round < rounds; round++) {
    const parts = [
      () => {
        run('vault', 'create', 'v', '--backend', backend)
        run('vault', 'config', 'v', 'search=off')
        const ways = waysOf(run, tree)
        without.push(seconds(ways.import))
        ways.end()
      },
      () => {
        run('vault', 'create', 'v', '--backend', backend)
        const ways = waysOf(run, tree)
        const imported = seconds(ways.import)
        // Not counted where nothing is left: a program more would only look.
        indexed.push(imported + (ways.isUpToDate() ? 0 : seconds(ways.catchUp)))
        ways.end()
      },
    ]
    for (const part of round % 2 === 0 ? parts : parts.toReversed()) {
      rmSync(home, { recursive: true, force: true })
      mkdirSync(home)
      part()
    }
  }
  rmSync(home, { recursive: true })
  const ratio = median(indexed) / median(without)
  const cells = [name, median(without).toFixed(2), median(indexed).toFixed(2), ratio.toFixed(2)]
  return [...cells, ...verdict(ratio <= IMPORT_MAX, `<= ${IMPORT_MAX}`)]
}
