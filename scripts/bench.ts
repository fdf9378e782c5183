// `make bench`: fsbench on a vault, on a plain folder of the same disk, on libfuse's passthrough_ll
// in both modes (PTLL=its path) and on fuse-native's toy (FUSE_NATIVE=a folder it is installed in),
// interleaved in one run: once on an idle machine, once beside two niced busy loops. Prints medians
// as a table.
//
//   node scripts/bench.ts [--rounds 5] [--files 2000] [--mib 128] [--only idle|loaded] [--write]

import { parseArgs } from 'node:util'
import { amount, machine, median, table, writeSection } from './bench-report.ts'
import {
  buildC,
  dropCaches,
  keepBusy,
  mountPassthrough,
  mountVault,
  PEER,
  type Place,
  plainFolder,
  withPlaces,
} from './bench-support.ts'
import { mountToy } from './bench-toy.ts'
import { type Figures, lines, measure } from './fsbench.ts'

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    files: { type: 'string', default: '2000' },
    mib: { type: 'string', default: '128' },
    only: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
})
const { rounds, files, mib } = options
const counts = { rounds: Number(rounds), files, mib }

const report = await withPlaces(async (work, keep) => {
  const fsbench = buildC('fsbench.c')
  const places: Place[] = [keep(plainFolder(work))]
  const program = process.env.PTLL
  if (program)
    for (const isSame of [false, true]) places.push(keep(mountPassthrough(work, program, isSame)))
  else console.error('passthrough_ll: not measured, give its path as PTLL=')
  const toy = await mountToy(work)
  if (typeof toy === 'string') console.error(`fuse-native: not measured, ${toy}`)
  else places.push(keep(toy))
  places.push(keep(mountVault(work)))

  const parts = [machine()]
  if (!dropCaches()) parts.push('Not run as root: the rows named cold are warm.')
  parts.push(
    `fsbench DIR ${files} ${mib}, medians of ${rounds}, all places in one run; operations or MiB a second, more is better.`,
  )
  for (const condition of ['idle', 'loaded']) {
    if (options.only !== undefined && options.only !== condition) continue
    const stop = condition === 'loaded' ? keepBusy() : () => {}
    try {
      const title = condition === 'idle' ? 'Idle machine' : 'Two niced busy loops beside'
      parts.push(`### ${title}`, compare(measure(fsbench, places, counts, condition), places))
    } finally {
      stop()
    }
  }
  return parts.join('\n\n')
})
console.log(report)
if (options.write) writeSection('fsbench', `## fsbench\n\n${report}`)

function compare(figures: Figures, places: readonly Place[]): string {
  const rows = [...figures].map(([row, ofRow]) => {
    const middle = (name: string): number | undefined => {
      const all = ofRow.get(name)
      return all === undefined ? undefined : median(all)
    }
    const peer = middle(PEER)
    const vault = middle('vault')
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
  return table(['', ...names, 'vault / same mode', 'line', ''], rows)
}
