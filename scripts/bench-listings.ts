// What long listings cost: the versions of a file that was saved 10,000 times by rename, and
// 100,000 deleted names compared with the same names before they are deleted.
//
//   node scripts/bench-listings.ts [--rounds 3] [--versions 10000] [--names 100000] [--write]

import { execFileSync } from 'node:child_process'
import { mkdirSync, renameSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { amount, machine, median, table, writeSection } from './bench-report.ts'
import { avfs, mountVault, type VaultPlace, withPlaces } from './bench-support.ts'

/** Names that live shorter are not listed among the deleted. */
const LIFETIME_MS = 1200

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    versions: { type: 'string', default: '10000' },
    names: { type: 'string', default: '100000' },
    write: { type: 'boolean', default: false },
  },
})
const versions = Number(options.versions)
const names = Number(options.names)

/** A command, its milliseconds in a daemon that has just started, and when it is asked again. */
type Row = readonly [what: string, first: number, again: number]

const report = await withPlaces(async (work, keep) => {
  const vault = keep(mountVault(work, 'listings'))
  const rows = [...versionRows(vault), ...(await nameRows(vault))]
  const cells = rows.map(([what, first, again]) => [what, amount(first), amount(again)])
  return [
    machine(),
    `Milliseconds, medians of ${options.rounds} mounts.`,
    table(['', 'first', 'again'], cells),
  ].join('\n\n')
})
console.log(report)
if (options.write) writeSection('listings', `## Long listings\n\n${report}`)

function measure(vault: VaultPlace, what: string, command: readonly [string, ...string[]]): Row {
  const figures: [number[], number[]] = [[], []]
  for (let round = 0; round < Number(options.rounds); round++) {
    vault.remount()
    for (const taken of figures) {
      const from = performance.now()
      execFileSync(command[0], command.slice(1), {
        env: vault.env,
        stdio: ['ignore', 'ignore', 'inherit'],
      })
      taken.push(performance.now() - from)
    }
  }
  return [what, median(figures[0]), median(figures[1])]
}

function versionRows(vault: VaultPlace): Row[] {
  const file = join(vault.dir, 'file.txt')
  const once = join(vault.dir, 'once.txt')
  writeFileSync(once, 'once')
  for (let at = 0; at < versions; at++) {
    writeFileSync(`${file}~`, `${at}\n`)
    renameSync(`${file}~`, file)
  }
  const listed = join(vault.dir, '.avfs', 'versions', 'file.txt')
  const count = amount(versions)
  return [
    measure(vault, `ls versions/, ${count} versions`, ['ls', listed]),
    measure(vault, `ls -l versions/, ${count} versions`, ['ls', '-l', listed]),
    measure(vault, `avfs log, ${count} versions`, [avfs, 'log', file]),
    measure(vault, 'avfs log, 1 version', [avfs, 'log', once]),
  ]
}

async function nameRows(vault: VaultPlace): Promise<Row[]> {
  const dir = join(vault.dir, 'names')
  mkdirSync(dir)
  for (let at = 0; at < names; at++) writeFileSync(join(dir, `name-${at}.txt`), `${at}`)
  await sleep(LIFETIME_MS)
  const count = `${amount(names)} names`
  const present = [
    measure(vault, `ls of ${count} that are there`, ['ls', dir]),
    measure(vault, `ls -l of ${count} that are there`, ['ls', '-l', dir]),
  ]
  for (let at = 0; at < names; at++) unlinkSync(join(dir, `name-${at}.txt`))
  const deleted = join(dir, '.avfs', 'deleted')
  return [
    ...present,
    measure(vault, `ls deleted/, ${count}`, ['ls', deleted]),
    measure(vault, `ls -l deleted/, ${count}`, ['ls', '-l', deleted]),
  ]
}
