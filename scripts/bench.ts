// `make bench`: fsbench on a vault, on a plain folder of the same disk, on libfuse's passthrough_ll
// (PTLL=its path) and on fuse-native's toy (FUSE_NATIVE=a folder it is installed in), interleaved in
// one run: once on an idle machine, once beside two niced busy loops. Prints medians as a table.
//
//   node scripts/bench.ts [--rounds 5] [--files 2000] [--mib 128] [--only idle|loaded] [--write]

import { execFileSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { amount, machine, median, table, writeSection } from './bench-report.ts'
import {
  buildC,
  dropCaches,
  keepBusy,
  mountPassthrough,
  mountVault,
  type Place,
  plainFolder,
  withPlaces,
} from './bench-support.ts'
import { mountToy } from './bench-toy.ts'

/** The rows of fsbench, and what the vault must make of passthrough_ll's figure. */
const lines: Readonly<Record<string, number>> = {
  create4k: 1.3,
  stat_cold: 1.5,
  stat_warm: 0.9,
  read4k_cold: 1.5,
  read4k_warm: 4,
  ls_l: 1.5,
  rename: 1,
  rewrite_fsync: 0.5,
  unlink: 1,
  write_seq: 0.25,
  read_seq_cold: 0.6,
  rand_read4k: 1.5,
  rand_write4k: 0.7,
}

/** Row -> place -> one figure a round. */
type Figures = Map<string, Map<string, number[]>>

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    files: { type: 'string', default: '2000' },
    mib: { type: 'string', default: '128' },
    only: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
})
const rounds = Number(options.rounds)

const report = await withPlaces(async (work, keep) => {
  const fsbench = buildC('fsbench.c')
  const places: Place[] = [keep(plainFolder(work))]
  if (process.env.PTLL) places.push(keep(mountPassthrough(work, process.env.PTLL)))
  else console.error('passthrough_ll: not measured, give its path as PTLL=')
  const toy = await mountToy(work)
  if (typeof toy === 'string') console.error(`fuse-native: not measured, ${toy}`)
  else places.push(keep(toy))
  places.push(keep(mountVault(work)))

  const parts = [machine()]
  if (!dropCaches()) parts.push('Not run as root: the rows named cold are warm.')
  parts.push(
    `fsbench DIR ${options.files} ${options.mib}, medians of ${rounds}, all places in one run; operations or MiB a second, more is better.`,
  )
  for (const condition of ['idle', 'loaded']) {
    if (options.only !== undefined && options.only !== condition) continue
    const stop = condition === 'loaded' ? keepBusy() : () => {}
    try {
      const title = condition === 'idle' ? 'Idle machine' : 'Two niced busy loops beside'
      parts.push(`### ${title}`, compare(measure(fsbench, places, condition), places))
    } finally {
      stop()
    }
  }
  return parts.join('\n\n')
})
console.log(report)
if (options.write) writeSection('fsbench', `## fsbench\n\n${report}`)

/** Runs fsbench in every place once a round; each round starts with another place. */
function measure(fsbench: string, places: readonly Place[], condition: string): Figures {
  const figures: Figures = new Map()
  for (let round = 0; round < rounds; round++) {
    const first = round % places.length
    for (const place of [...places.slice(first), ...places.slice(0, first)]) {
      console.error(`${condition}, round ${round + 1} of ${rounds}: ${place.name}`)
      const output = execFileSync(fsbench, [place.dir, options.files, options.mib], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      for (const [, row, figure] of output.matchAll(/^(\w+) +([\d.]+)/gm)) {
        if (row === undefined || figure === undefined) continue
        const ofRow = figures.get(row) ?? new Map<string, number[]>()
        figures.set(row, ofRow)
        ofRow.set(place.name, [...(ofRow.get(place.name) ?? []), Number(figure)])
      }
    }
  }
  return figures
}

function compare(figures: Figures, places: readonly Place[]): string {
  const rows = [...figures].map(([row, ofRow]) => {
    const middle = (name: string): number | undefined => {
      const all = ofRow.get(name)
      return all === undefined ? undefined : median(all)
    }
    const vault = middle('vault')
    const peer = middle('passthrough_ll')
    const line = lines[row]
    const ratio = vault === undefined || peer === undefined ? undefined : vault / peer
    return [
      row,
      ...places.map((place) => amount(middle(place.name) ?? Number.NaN)),
      ratio === undefined ? '-' : ratio.toFixed(2),
      line === undefined ? '-' : `>= ${line}`,
      ratio === undefined || line === undefined ? '-' : ratio >= line ? 'holds' : 'fails',
    ]
  })
  const names = places.map((place) => place.name)
  return table(['', ...names, 'vault / passthrough_ll', 'line', ''], rows)
}
