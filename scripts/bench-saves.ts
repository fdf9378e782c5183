// What each save of a growing file costs: a line is appended to a log, which is closed each time,
// so that each save is a version. Measures history, the search index, rows by kind, and the
// daemon's processor time and memory, for few and for many saves: the cost of each save should not
// grow.
//
//   node scripts/bench-saves.ts [--saves 20000] [--bytes 80] [--write]

import { execFileSync } from 'node:child_process'
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import {
  actor,
  type Collection,
  entryPast,
  extent,
  extentPast,
  inodePast,
  numbering,
  version,
} from '../src/store/collections.ts'
import { retryUntilLoaded } from '../src/store/retry.ts'
import { openVault } from '../src/vault/vault.ts'
import { amount, machine, table, writeSection } from './bench-report.ts'
import { avfs, mountVault, type VaultPlace, withPlaces } from './bench-support.ts'

const { values: options } = parseArgs({
  options: {
    saves: { type: 'string', default: '20000' },
    bytes: { type: 'string', default: '80' },
    write: { type: 'boolean', default: false },
  },
})
const many = Number(options.saves)
const lineBytes = Number(options.bytes)
const INDEX_MAX = 2
const CPU_MAX = 2
const TICKS_A_SECOND = 100
const ALL = { limit: Number.MAX_SAFE_INTEGER }

interface Cost {
  readonly cpuSeconds: number
  readonly highestMib: number
}

interface Stats {
  readonly search: { readonly bytes: number } | null
}

const collections = { version, inodePast, extent, extentPast, entryPast, actor, numbering }

const report = await withPlaces(async (work, keep) => {
  const costRows: string[][] = []
  const rowRows: string[][] = []
  for (const backend of ['sqlite', 'leveldb'])
    for (const saves of [Math.round(many / 4), many]) {
      const name = `${backend}-${saves}`
      const without = keep(mountVault(work, `${name}-off`, [], backend))
      without.configure('search=off')
      append(without, saves)
      const off = costOf(without)
      const place = keep(mountVault(work, name, [], backend))
      append(place, saves)
      // Waits for the index; a word of all lines would cost the answer, too.
      execFileSync(avfs, ['search', `${saves - 1}`, place.dir], { env: place.env, stdio: 'ignore' })
      const on = costOf(place)
      const indexBytes = statsOf(place).search?.bytes ?? 0
      const historyBytes = without.sizeMib() * 2 ** 20
      const isHeld = indexBytes <= INDEX_MAX * historyBytes
      const isQuick = on.cpuSeconds <= CPU_MAX * off.cpuSeconds
      costRows.push([
        `${backend}, ${amount(saves)}`,
        amount(Math.round(historyBytes / saves)),
        amount(Math.round(indexBytes / saves)),
        (indexBytes / historyBytes).toFixed(2),
        isHeld ? 'holds' : 'fails',
        ((1e6 * off.cpuSeconds) / saves).toFixed(0),
        ((1e6 * on.cpuSeconds) / saves).toFixed(0),
        (on.cpuSeconds / off.cpuSeconds).toFixed(2),
        isQuick ? 'holds' : 'fails',
        `${off.highestMib}, ${on.highestMib}`,
      ])
      rowRows.push([`${backend}, ${amount(saves)}`, ...(await rowsOf(place, saves))])
    }
  return [
    machine(),
    `A line of ${lineBytes} bytes a save; bytes and microseconds a save. Lines: the index at most ${INDEX_MAX} times history, processor time of the daemon at most ${CPU_MAX} times that with search=off.`,
    table(
      [
        ...['saves', 'history', 'index', 'ratio', 'line'],
        ...['search=off, us', 'on, us', 'ratio', 'line', 'memory, highest MiB'],
      ],
      costRows,
    ),
    'Rows a save, of each kind:',
    table(['saves', ...Object.keys(collections)], rowRows),
  ].join('\n\n')
})
console.log(report)
if (options.write)
  writeSection(
    'saves',
    `## A save of a growing file\n\n\`node scripts/bench-saves.ts --write\`\n\n${report}`,
  )

function append({ dir }: VaultPlace, saves: number): void {
  const path = join(dir, 'log')
  for (let save = 0; save < saves; save++) {
    const line = `line ${save} of user${save % 97} took ${(save * 7919) % 1000} ms, path p${(save * 31) % 5000}`
    const file = openSync(path, 'a')
    writeSync(file, `${line.padEnd(lineBytes - 1, ' ').slice(0, lineBytes - 1)}\n`)
    closeSync(file)
  }
}

/** Of the daemon since it began, when all is durable. */
function costOf({ dir, file, memoryMib }: VaultPlace): Cost {
  execFileSync('sync', ['-f', dir])
  const { pid }: { pid: number } = JSON.parse(readFileSync(`${file}.lock`, 'utf8'))
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ticks = Number(fields[11]) + Number(fields[12])
  return { cpuSeconds: ticks / TICKS_A_SECOND, highestMib: memoryMib().highest }
}

function statsOf({ name, env }: VaultPlace): Stats {
  return JSON.parse(
    execFileSync(avfs, ['vault', 'stats', name, '--json'], { env, encoding: 'utf8' }),
  )
}

async function rowsOf(place: VaultPlace, saves: number): Promise<string[]> {
  return await place.unmounted(async () => {
    const vault = await openVault(place.file)
    const counts: string[] = []
    for (const collection of Object.values(collections)) {
      const its = collection as unknown as Collection<{ ino: number }>
      const { store } = vault.core.overlay
      const rows = await retryUntilLoaded(() => store.project(its, its.fields.slice(0, 1), ALL))
      counts.push((rows.length / saves).toFixed(3))
    }
    await vault.close()
    return counts
  })
}
