// What reading the past costs: fsbench's read rows over a tree as it is now, as it was (at/) and in
// a snapshot, interleaved in one run, with a daemon that has just started and with one that has
// read it all before.
//
//   node scripts/bench-past.ts [--rounds 3] [--files 10000] [--mib 64] [--rewritten 100] [--write]

import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { amount, machine, median, table, writeSection } from './bench-report.ts'
import { buildC, mountVault, type VaultPlace, withPlaces } from './bench-support.ts'

const ROWS = [
  'stat_cold',
  'stat_warm',
  'read4k_cold',
  'read4k_warm',
  'ls_l',
  'read_seq_cold',
  'rand_read4k',
] as const
/** At most twice what the present costs. */
const RATIO_MIN = 0.5
const DAEMONS = ['just started', 'has read it before'] as const

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    files: { type: 'string', default: '10000' },
    mib: { type: 'string', default: '64' },
    /** Percent of the files that changed since. */
    rewritten: { type: 'string', default: '100' },
    write: { type: 'boolean', default: false },
  },
})
const { files, mib } = options

const report = await withPlaces(async (work, keep) => {
  const fsread = buildC('fsread.c')
  const vault = keep(mountVault(work, 'past', ['-o', 'noatime']))
  const ways = await makePast(fsread, vault)
  const figures = new Map<string, number[]>()
  for (let round = 0; round < Number(options.rounds); round++)
    // The first of several has the colder machine: they take turns.
    for (const [way, path] of round % 2 === 0 ? [...ways] : [...ways].reverse()) {
      vault.remount()
      for (const daemon of DAEMONS) {
        const output = execFileSync(fsread, ['read', path, files, mib], { encoding: 'utf8' })
        for (const row of ROWS) {
          const key = `${row} ${way} ${daemon}`
          const figure = Number(new RegExp(`^${row} +([\\d.]+)`, 'm').exec(output)?.[1])
          figures.set(key, [...(figures.get(key) ?? []), figure])
        }
      }
    }
  return [
    machine(),
    `fsread, ${files} files of 4 KiB and one of ${mib} MiB, ${options.rewritten} % of them rewritten since; medians of ${options.rounds}; operations or MiB a second, more is better. The line: present / past <= 2.`,
    ...DAEMONS.map(
      (daemon) => `The daemon ${daemon}:\n\n${compared(figures, daemon, [...ways.keys()])}`,
    ),
  ].join('\n\n')
})
console.log(report)
if (options.write) writeSection('past', `## Reading the past\n\n${report}`)

/** A tree of two versions; the ways to the present and to the older one by name. */
async function makePast(fsread: string, vault: VaultPlace): Promise<ReadonlyMap<string, string>> {
  const tree = join(vault.dir, 'tree')
  const past = join(tree, '.avfs')
  mkdirSync(tree)
  execFileSync(fsread, ['write', tree, files, mib, '1'])
  mkdirSync(join(past, 'snapshots', 'before'))
  const moment = Math.floor(Date.now() / 1000) + 1
  await sleep((moment + 2) * 1000 - Date.now())
  const changed = Math.round((Number(files) * Number(options.rewritten)) / 100)
  if (changed > 0) execFileSync(fsread, ['write', tree, `${changed}`, mib, '2'])
  return new Map([
    ['present', tree],
    ['at/TIME', join(past, 'at', `@${moment}`)],
    ['at/1s', join(past, 'at', '1s')],
    ['snapshots/', join(past, 'snapshots', 'before')],
  ])
}

function compared(
  figures: ReadonlyMap<string, readonly number[]>,
  daemon: string,
  ways: readonly string[],
): string {
  const rows = ROWS.map((row) => {
    const values = ways.map((way) => median(figures.get(`${row} ${way} ${daemon}`) ?? []))
    const ratios = values.slice(1).map((value) => value / (values[0] ?? 1))
    const verdict = ratios.every((ratio) => ratio >= RATIO_MIN) ? 'holds' : 'fails'
    const costs = ratios.map((ratio) => (1 / ratio).toFixed(2))
    return [row, ...values.map(amount), ...costs, verdict]
  })
  const costHeads = ways.slice(1).map((way) => `present / ${way}`)
  return table(['', ...ways, ...costHeads, ''], rows)
}
