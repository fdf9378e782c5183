// What keeping history costs: fsbench's create4k, rewrite and unlink in a vault with history and in
// one with history=off, interleaved in one run.
//
//   node scripts/bench-history.ts [--rounds 5] [--files 2000] [--write]

import { execFileSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { amount, machine, median, table, writeSection } from './bench-report.ts'
import { buildC, mountVault, withPlaces } from './bench-support.ts'

const ROWS = ['create4k', 'rewrite_fsync', 'unlink']
/** At most 15 % slower. */
const RATIO_MIN = 1 / 1.15

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    files: { type: 'string', default: '2000' },
    write: { type: 'boolean', default: false },
  },
})

const report = await withPlaces((work, keep) => {
  const fsbench = buildC('fsbench.c')
  const places = [keep(mountVault(work, 'history-on')), keep(mountVault(work, 'history-off'))]
  places[1]?.configure('history=off')
  const figures = new Map<string, number[]>()
  for (let round = 0; round < Number(options.rounds); round++)
    // The first of two has the colder machine: they take turns.
    for (const place of round % 2 === 0 ? places : places.toReversed()) {
      const output = execFileSync(fsbench, [place.dir, options.files, '16'], { encoding: 'utf8' })
      for (const row of ROWS) {
        const key = `${row} ${place.name}`
        const figure = Number(new RegExp(`^${row} +([\\d.]+)`, 'm').exec(output)?.[1])
        figures.set(key, [...(figures.get(key) ?? []), figure])
      }
    }
  const rows = ROWS.map((row) => {
    const [on, off] = places.map(({ name }) => median(figures.get(`${row} ${name}`) ?? []))
    const ratio = (on ?? 0) / (off ?? 1)
    const verdict = ratio >= RATIO_MIN ? 'holds' : 'fails'
    return [
      row,
      amount(on ?? 0),
      amount(off ?? 0),
      ratio.toFixed(2),
      `>= ${RATIO_MIN.toFixed(2)}`,
      verdict,
    ]
  })
  return [
    machine(),
    `fsbench DIR ${options.files} 16, medians of ${options.rounds}; operations a second, more is better.`,
    table(['', 'history=on', 'history=off', 'on / off', 'line', ''], rows),
  ].join('\n\n')
})
console.log(report)
if (options.write) writeSection('history', `## The cost of history\n\n${report}`)
