// fsbench on a vault of each engine that is available and on libfuse's passthrough_ll (PTLL=its
// path), interleaved in one run; then the disk space of the vaults and the memory of their daemons.
//
//   node scripts/bench-engines.ts [--rounds 3] [--files 2000] [--mib 128] [--write]

import { parseArgs } from 'node:util'
import { availabilityOfBackend, backends } from '../src/store/open.ts'
import { amount, machine, median, table, writeSection } from './bench-report.ts'
import { buildC, mountPassthrough, mountVault, withPlaces } from './bench-support.ts'
import { lines, measure } from './fsbench.ts'

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    files: { type: 'string', default: '2000' },
    mib: { type: 'string', default: '128' },
    write: { type: 'boolean', default: false },
  },
})
const { rounds, files, mib } = options

const report = await withPlaces(async (work, keep) => {
  const fsbench = buildC('fsbench.c')
  const engines: string[] = []
  for (const backend of backends) {
    if (backend.suffix === '') continue
    if ((await availabilityOfBackend(backend)).available) engines.push(backend.name)
    else console.error(`${backend.name}: not measured, it is not available`)
  }
  const vaults = engines.map((engine) => keep(mountVault(work, engine, [], engine)))
  const peer = process.env.PTLL ? keep(mountPassthrough(work, process.env.PTLL, true)) : undefined
  if (peer === undefined) console.error('passthrough_ll: not measured, give its path as PTLL=')
  const places = [...vaults, ...(peer === undefined ? [] : [peer])]
  const counts = { rounds: Number(rounds), files, mib }
  const figures = measure(fsbench, places, counts, 'engines')
  const rows = [...figures].map(([row, ofRow]) => {
    const middle = (name: string): number => median(ofRow.get(name) ?? [])
    const line = lines[row]
    const cells = places.map(({ name }) => {
      if (peer === undefined || name === peer.name) return amount(middle(name))
      return `${amount(middle(name))} (${(middle(name) / middle(peer.name)).toFixed(2)})`
    })
    return [row, ...cells, line === undefined ? '-' : `>= ${line}`]
  })
  const costs = vaults.map((vault) => {
    const { now, highest } = vault.memoryMib()
    return [vault.name, `${vault.sizeMib()}`, `${now}`, `${highest}`]
  })
  return [
    machine(),
    `fsbench DIR ${files} ${mib}, medians of ${rounds}, all in one run; operations or MiB a second, in brackets the share of passthrough_ll's in the same mode.`,
    table(['', ...places.map(({ name }) => name), 'line'], rows),
    'Afterwards, with the history of all rounds, in MiB:',
    table(['', 'on disk', 'resident', 'highest'], costs),
  ].join('\n\n')
})
console.log(report)
if (options.write) writeSection('engines', `## Engines\n\n${report}`)
