// Whether cost grows with a vault: create4k in a vault of 1,000,000 files against one of 1,000, the
// time to mount the large one, and the daemon's memory under --cache-mb 64 while it is in use.
// Takes some minutes, most of them to fill the large vault.
//
//   node scripts/bench-growth.ts [--files 1000000] [--rounds 5] [--write]

import { execFileSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readdirSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { amount, machine, median, table, writeSection } from './bench-report.ts'
import { buildC, mountVault, withPlaces } from './bench-support.ts'

const FILES_PER_FOLDER = 1000
const SMALL_VAULT_FILES = 1000
const CREATE_RATIO_MIN = 0.7
const MOUNT_MS_MAX = 1000
const MEMORY_MIB_MAX = 400

const { values: options } = parseArgs({
  options: {
    files: { type: 'string', default: '1000000' },
    rounds: { type: 'string', default: '5' },
    write: { type: 'boolean', default: false },
  },
})
const files = Number(options.files)

const report = await withPlaces((work, keep) => {
  const fsbench = buildC('fsbench.c')
  const small = keep(mountVault(work, 'small', ['--cache-mb', '64']))
  const large = keep(mountVault(work, 'large', ['--cache-mb', '64']))
  fill(small.dir, SMALL_VAULT_FILES)
  const from = performance.now()
  fill(large.dir, files)
  const fillRate = files / ((performance.now() - from) / 1000)
  const mountMs = median([1, 2, 3].map(() => large.remount()))

  const create = (dir: string): number => {
    const output = execFileSync(fsbench, [dir, '2000', '16'], { encoding: 'utf8' })
    return Number(/^create4k +([\d.]+)/m.exec(output)?.[1])
  }
  const ofSmall: number[] = []
  const ofLarge: number[] = []
  for (let round = 0; round < Number(options.rounds); round++) {
    ofSmall.push(create(small.dir))
    ofLarge.push(create(large.dir))
  }
  walk(large.dir)
  const memory = large.memoryMib()
  const ratio = median(ofLarge) / median(ofSmall)

  const held = (holds: boolean): string => (holds ? 'holds' : 'fails')
  const rows = [
    [
      `create4k in a vault of ${amount(SMALL_VAULT_FILES)} files, files/s`,
      amount(median(ofSmall)),
      '-',
      '-',
    ],
    [`create4k in a vault of ${amount(files)} files, files/s`, amount(median(ofLarge)), '-', '-'],
    ['ratio', ratio.toFixed(2), `>= ${CREATE_RATIO_MIN}`, held(ratio >= CREATE_RATIO_MIN)],
    ['filling it, files/s', amount(fillRate), '-', '-'],
    ['mounting it, ms', amount(mountMs), `< ${MOUNT_MS_MAX}`, held(mountMs < MOUNT_MS_MAX)],
    [
      'highest memory of its daemon since that mount, MiB',
      amount(memory.highest),
      `< ${MEMORY_MIB_MAX}`,
      held(memory.highest < MEMORY_MIB_MAX),
    ],
    ["size of the vault's file, MiB", amount(large.sizeMib()), '-', '-'],
  ]
  return `${machine()}\n\n${table(['', 'measured', 'line', ''], rows)}`
})
console.log(report)
if (options.write) writeSection('growth', `## Does it grow with the vault\n\n${report}`)

/** Files of 100 bytes, a thousand a folder. */
function fill(dir: string, count: number): void {
  for (let file = 0; file < count; file++) {
    const folder = join(dir, `folder-${Math.floor(file / FILES_PER_FOLDER)}`)
    if (file % FILES_PER_FOLDER === 0) mkdirSync(folder)
    const fd = openSync(join(folder, `file-${file}`), 'w')
    writeSync(fd, `file ${file} `.padEnd(100, '.'))
    closeSync(fd)
    if (file % 100_000 === 99_999) console.error(`${amount(file + 1)} of ${amount(count)} files`)
  }
}

/** Lists and stats all, which sends every inode and name through the daemon's caches. */
function walk(dir: string): void {
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name)
    statSync(path)
    if (entry.isDirectory()) walk(path)
  }
}
