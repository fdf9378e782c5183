// What an import and an export cost: many small files into a vault and out of it, beside cp -a of
// the same files onto the disk of the vault, interleaved in one run. cp -a leaves its files in the
// host's memory; an import ends when everything is durable.
//
//   node scripts/bench-import.ts [--rounds 3] [--files 100000] [--write]

import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { amount, machine, median, table, writeSection } from './bench-report.ts'
import { withPlaces } from './bench-support.ts'

const FILES_A_DIRECTORY = 100
/** Sizes of source files: mostly small, a few large. Repeated in turn. */
const SIZES = [200, 700, 1200, 2000, 3000, 900, 4500, 1500, 300, 12000]
/** At least half as fast as cp -a. */
const RATIO_MIN = 0.5

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    files: { type: 'string', default: '100000' },
    write: { type: 'boolean', default: false },
  },
})
const files = Number(options.files)
const avfs = join(resolve(import.meta.dirname, '..'), 'scripts', 'avfs')

const report = await withPlaces((work) => {
  const tree = join(work, 'tree')
  makeTree(tree)
  const home = join(work, 'home')
  mkdirSync(home)
  const env = { ...process.env, AVFS_HOME: home, XDG_RUNTIME_DIR: work }
  const run = (program: string, ...args: string[]): void => {
    execFileSync(program, args, { env, stdio: ['ignore', 'ignore', 'inherit'] })
  }
  const figures = new Map<string, number[]>()
  const measure = (name: string, work: () => void): void => {
    const start = performance.now()
    work()
    const perSecond = files / ((performance.now() - start) / 1000)
    figures.set(name, [...(figures.get(name) ?? []), perSecond])
  }
  const [copy, out, mount] = [join(work, 'copy'), join(work, 'out'), join(work, 'mount')]
  mkdirSync(mount)
  for (let round = 0; round < Number(options.rounds); round++) {
    const parts = [
      () => {
        measure('cp -a', () => run('cp', '-a', tree, copy))
        rmSync(copy, { recursive: true })
      },
      () => {
        run(avfs, 'vault', 'create', 'plain')
        measure('import', () => run(avfs, 'import', tree, 'plain:/'))
        measure('again', () => run(avfs, 'import', tree, 'plain:/'))
        measure('export', () => run(avfs, 'export', 'plain:/', out, '-r'))
        rmSync(out, { recursive: true })
        run(avfs, 'vault', 'delete', 'plain', '--yes')
      },
      () => {
        run(avfs, 'vault', 'create', 'mounted')
        run(avfs, 'mount', 'mounted', mount)
        measure('mounted', () => run(avfs, 'import', tree, mount))
        run(avfs, 'unmount', mount)
        run(avfs, 'vault', 'delete', 'mounted', '--yes')
      },
    ]
    // The first of several has the colder machine: they take turns.
    for (const part of round % 2 === 0 ? parts : parts.toReversed()) part()
  }
  const base = median(figures.get('cp -a') ?? [])
  const row = (name: string, key: string, line: number | undefined): string[] => {
    const figure = median(figures.get(key) ?? [])
    const ratio = figure / base
    const verdict =
      line === undefined ? ['', ''] : [`>= ${line}`, ratio >= line ? 'holds' : 'fails']
    return [name, amount(figure), ratio.toFixed(2), ...verdict]
  }
  return [
    machine(),
    `${files} files, medians of ${options.rounds} interleaved runs; files a second, more is better.`,
    table(
      ['', 'files/s', 'of cp -a', 'line', ''],
      [
        row('cp -a', 'cp -a', undefined),
        row('avfs import', 'import', RATIO_MIN),
        row('avfs import into a mounted vault', 'mounted', undefined),
        row('avfs import again, nothing to do', 'again', undefined),
        row('avfs export', 'export', undefined),
      ],
    ),
  ].join('\n\n')
})
console.log(report)
if (options.write) writeSection('import', `## Import and export\n\n${report}`)

function makeTree(root: string): void {
  mkdirSync(root)
  const words = Buffer.from('every word of it is text, and none of it is worth reading; ')
  for (let at = 0; at < files; at++) {
    const dir = join(root, `d${Math.floor(at / FILES_A_DIRECTORY)}`)
    if (at % FILES_A_DIRECTORY === 0) mkdirSync(dir)
    const text = Buffer.alloc(SIZES[at % SIZES.length] ?? 1000, words)
    text.write(String(at))
    writeFileSync(join(dir, `f${at}.txt`), text)
  }
}
