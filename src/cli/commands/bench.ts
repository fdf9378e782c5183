// `avfs bench`: how fast each engine is on this machine and this disk, and which to take.

import { existsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { CommandModule } from 'yargs'
import { stoppable } from '../../control/host/stopping.ts'
import { existingVault } from '../../control/vaults/vault-names.ts'
import { availabilityOfBackend, persistentBackends } from '../../store/open.ts'
import { advised, type Score, scores, type Workload, workloads } from '../bench-advice.ts'
import { type Measured, measureEngine, withBenchFolder } from '../bench-vaults.ts'
import type { FigureName, Figures } from '../bench-work.ts'
import { UsageError } from '../errors.ts'
import { formatBytes, notice, printResult, progressBar, table } from '../output.ts'
import type { CommonArguments } from './common.ts'

interface BenchArguments extends CommonArguments {
  where: string
  workload: Workload
  rounds: number
}

export const benchCommand: CommandModule<object, BenchArguments> = {
  command: 'bench <where>',
  describe: 'measure each engine on this machine and say which to take',
  builder: (yargs) =>
    yargs
      .positional('where', {
        type: 'string',
        demandOption: true,
        describe: 'a directory on the disk that counts, or the name of a vault that lies there',
      })
      .option('workload', {
        choices: workloads,
        default: 'general' as const,
        describe: 'what is done most',
      })
      .option('rounds', {
        type: 'number',
        default: 3,
        requiresArg: true,
        describe: 'how often; medians are shown',
      })
      .example('$0 bench .', 'on the disk of this directory')
      .example('$0 bench myproject --workload write-heavy', 'beside the vault myproject'),
  handler: async ({ where, workload, rounds, json }) => {
    if (!Number.isSafeInteger(rounds) || rounds < 1)
      throw new UsageError('--rounds wants 1 or more')
    const { folder, backend } = placeOf(where)
    const measured = await measureAll(folder, rounds)
    const figures = new Map([...measured].map(([name, measurement]) => [name, measurement.figures]))
    const ranked = scores(figures, workload)
    const advice = advised(ranked, backend ?? 'sqlite')
    const result = {
      folder,
      workload,
      rounds,
      engines: [...measured].map(([name, measurement]) => ({
        backend: name,
        ...measurement.figures,
        bytes: measurement.bytes,
      })),
      ranked,
      advised: advice ?? null,
    }
    const text = [tableOf(measured), '', adviceText(ranked, workload, advice, where, backend)]
    printResult(json === true, result, text.join('\n'))
  },
}

/** Where to measure, and the engine of the vault that was named. */
function placeOf(where: string): { folder: string; backend: string | undefined } {
  if (existsSync(where) && statSync(where).isDirectory() && !isVault(where))
    return { folder: where, backend: undefined }
  const { path, backend } = existingVault(where)
  return { folder: dirname(path), backend }
}

/** A folder may be a vault of an engine that keeps one. */
function isVault(path: string): boolean {
  return persistentBackends.some(({ isFolder, suffix }) => isFolder && path.endsWith(suffix))
}

async function measureAll(folder: string, rounds: number): Promise<Map<string, Measured>> {
  const engines: string[] = []
  for (const backend of persistentBackends) {
    const { available, why } = await availabilityOfBackend(backend)
    if (available) engines.push(backend.name)
    else notice(`${backend.name} is not measured: ${why}`)
  }
  const runs = new Map<string, Measured[]>(engines.map((name) => [name, []]))
  const bar = progressBar('measuring')
  const measure = (assertGoing: () => void): Promise<void> =>
    withBenchFolder(folder, async (work) => {
      for (let round = 0; round < rounds; round++)
        for (let index = 0; index < engines.length; index++) {
          // Each round begins with another, so that none is always the first.
          const name = engines[(index + round) % engines.length] as string
          bar.report(round * engines.length + index, rounds * engines.length, ` ${name}`)
          runs.get(name)?.push(await measureEngine(work, name, assertGoing))
        }
    })
  try {
    await stoppable('nothing is left behind', ({ assertGoing }) => measure(assertGoing))
  } finally {
    bar.finish()
  }
  return new Map([...runs].map(([name, repeats]) => [name, medians(repeats)]))
}

function medians(runs: readonly Measured[]): Measured {
  const first = runs[0] as Measured
  const names = Object.keys(first.figures) as FigureName[]
  const figures = Object.fromEntries(
    names.map((name) => [name, median(runs.map((run) => run.figures[name]))]),
  )
  return { figures: figures as unknown as Figures, bytes: median(runs.map(({ bytes }) => bytes)) }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}

const headings: Readonly<Record<FigureName, string>> = {
  createSmall: 'FILES MADE/s',
  fsync: 'FSYNCS/s',
  metadata: 'NAMES/s',
  writeLarge: 'WRITE MiB/s',
  readSmall: 'FILES READ/s',
  readLarge: 'READ MiB/s',
  randomRead: 'RANDOM 4K/s',
}

function tableOf(measured: ReadonlyMap<string, Measured>): string {
  const names = Object.keys(headings) as FigureName[]
  const rows = [...measured].map(([backend, { figures, bytes }]) => [
    backend,
    ...names.map((name) => String(Math.round(figures[name]))),
    formatBytes(bytes),
  ])
  return table([['ENGINE', ...names.map((name) => headings[name]), 'ON DISK'], ...rows])
}

function adviceText(
  ranked: readonly Score[],
  workload: Workload,
  advice: string | undefined,
  where: string,
  backend: string | undefined,
): string {
  const order = ranked.map(({ backend: name, score }) => `${name} ${Math.round(score * 100)} %`)
  const lines = [`of the best in each column, for ${workload}: ${order.join(', ')}`]
  if (advice === undefined) return lines.join('\n')
  if (backend === undefined)
    lines.push(`take ${advice}: avfs vault create NAME --backend ${advice}`)
  else if (advice === backend)
    lines.push(`${where} is on ${backend}, which is the one to take here`)
  else lines.push(`take ${advice}: avfs vault migrate ${where} --to ${advice}`)
  return lines.join('\n')
}
