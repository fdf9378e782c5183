// What the views cost beside a live directory of the same form: names and attributes listed,
// everything walked, copied out, and each name looked up by its path. Processor time of the program
// and the daemon together, so that other work on the machine counts little.
//
//   node scripts/bench-views.ts [--sizes 1000,10000] [--rounds 3] [--backend sqlite] [--only
//   deleted] [--commands ls,stat] [--write]

import { execFileSync } from 'node:child_process'
import {
  linkSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { amount, machine, median, table, writeSection } from './bench-report.ts'
import { mountVault, type VaultPlace, withPlaces } from './bench-support.ts'

/** Names that live shorter are not listed among the deleted. */
const LIFETIME_MS = 1200
const RATIO_MAX = 5
const PER_DIRECTORY = 100
/** How often each name is deleted where names are deleted again and again. */
const OFTEN = 10
/** What a search finds at most. */
const FOUND_MAX = 1000

const { values: options } = parseArgs({
  options: {
    sizes: { type: 'string', default: '1000,10000' },
    rounds: { type: 'string', default: '3' },
    backend: { type: 'string', default: 'sqlite' },
    only: { type: 'string', default: '' },
    commands: { type: 'string', default: '' },
    write: { type: 'boolean', default: false },
  },
})

/** Shell commands: the directory is $1, a file with the names in it $2. */
const COMMANDS = {
  ls: 'ls "$1"',
  'ls -l': 'ls -l "$1"',
  find: 'find "$1" -size +1M',
  'cp -r': 'rm -rf "$2.copy"; cp -r "$1" "$2.copy"',
  stat: 'cd "$1" && xargs -d "\\n" -a "$2" stat -c %s',
} as const
type Command = keyof typeof COMMANDS
const ALL = Object.keys(COMMANDS) as Command[]

/** A view and the live directory that it is compared with. */
interface Pair {
  readonly live: string
  readonly view: string
  readonly commands: readonly Command[]
}

type Scene = (top: string, size: number) => Pair[] | Promise<Pair[]>

const scenes: Readonly<Record<string, Scene>> = {
  'deleted/': (top, size) => removed(top, (gone) => fill(gone, size, size), unlinkAll),
  'deleted/ of directories': (top, size) =>
    removed(top, (gone) => fill(gone, size, PER_DIRECTORY), removeAll, ['ls -l', 'find', 'cp -r']),
  'deleted/DIR': (top, size) =>
    removed(top, (gone) => fill(join(gone, 'dir'), size, size), removeAll, ALL, 'dir'),
  'deleted/DIR, a tree': (top, size) =>
    removed(
      top,
      (gone) => fill(join(gone, 'dir'), size, PER_DIRECTORY),
      removeAll,
      ['ls -l', 'find', 'cp -r'],
      'dir',
    ),
  'deleted/, ten times each': oftenDeleted,
  'versions/NAME': savedOften,
  'versions/': (top, size) => [
    {
      live: pairs(top, size),
      view: filled(top, size, '.avfs/versions'),
      commands: ['ls -l', 'find', 'cp -r', 'stat'],
    },
  ],
  'at/WHEN': (top, size) => before(top, size, size),
  'at/WHEN, a tree': (top, size) => before(top, size, PER_DIRECTORY, ['find', 'cp -r']),
  'at/': (top, size) => [
    { live: filled(top, size), view: filled(top, size, '.avfs/at'), commands: ['ls -l'] },
  ],
  'snapshots/': manySnapshots,
  'tags/TAG': tagged,
  'tags/': manyTags,
  'search/QUERY': found,
  'history.json': (top, size) => [
    { live: filled(top, size), view: filled(top, size, '.avfs'), commands: ['ls -l'] },
  ],
}

const rows: string[][] = []
const report = await withPlaces(async (work, keep) => {
  for (const size of options.sizes.split(',').map(Number))
    for (const [what, scene] of Object.entries(scenes)) {
      if (!what.includes(options.only)) continue
      const name = `scene-${rows.length}`
      const vault = keep(mountVault(work, name, [], options.backend))
      for (const pair of await scene(join(vault.dir, 'top'), size))
        await measure(vault, work, what, size, pair)
      vault.close()
    }
  return [
    machine(),
    `Milliseconds of processor time, program and daemon, medians of ${options.rounds} interleaved; ${options.backend}. First: of a vault that was just mounted; again: right after that, when the kernel has what it may keep. The line: the first time at most ${RATIO_MAX} times the live directory.`,
    table(['', 'entries', 'live', 'view', 'ratio', '', 'live again', 'view again', 'ratio'], rows),
  ].join('\n\n')
})
console.log(report)
if (options.write) writeSection('views', `## Views beside live directories\n\n${report}`)

async function measure(
  vault: VaultPlace,
  work: string,
  what: string,
  size: number,
  { live, view, commands }: Pair,
): Promise<void> {
  for (const command of commands) {
    if (options.commands !== '' && !options.commands.split(',').includes(command)) continue
    const taken: [number[], number[], number[], number[]] = [[], [], [], []]
    for (let round = 0; round < Number(options.rounds); round++)
      for (const [at, directory] of [live, view].entries()) {
        const names = readdirSync(directory)
        await vault.unmounted(() => Promise.resolve())
        for (const again of [0, 2])
          taken[at + again]?.push(cpuOf(vault, work, COMMANDS[command], directory, names))
      }
    const [first, firstView, again, againView] = taken.map(median) as [
      number,
      number,
      number,
      number,
    ]
    rows.push([
      `${command} ${what}`,
      ...[size, first, firstView, firstView / first].map(amount),
      firstView <= RATIO_MAX * first ? 'holds' : 'fails',
      ...[again, againView, againView / again].map(amount),
    ])
    console.error(rows.at(-1)?.join(' | '))
  }
}

/** Milliseconds of processor time that a command takes, with what the daemon does for it. */
function cpuOf(
  vault: VaultPlace,
  work: string,
  command: string,
  directory: string,
  its: readonly string[],
): number {
  const names = join(work, 'names')
  writeFileSync(names, its.join('\n'))
  const before = vault.cpuMs()
  const timed = `TIMEFORMAT='%U %S'; { time { ${command}; } >/dev/null 2>/dev/null; } 2>&1`
  const output = execFileSync('bash', ['-c', timed, 'bash', directory, names], {
    encoding: 'utf8',
  })
  const [user = 0, system = 0] = output.trim().split(' ').map(Number)
  return (user + system) * 1000 + vault.cpuMs() - before
}

function fill(directory: string, size: number, perDirectory: number): void {
  mkdirSync(directory, { recursive: true })
  for (let at = 0; at < size; at++) {
    const below =
      perDirectory < size ? join(directory, `${Math.floor(at / perDirectory)}`) : directory
    if (at % perDirectory === 0) mkdirSync(below, { recursive: true })
    writeFileSync(join(below, `name-${at}.txt`), `text ${at}\n`)
  }
}

/** A directory of so many files, made once; `view` is a path below it. */
function filled(top: string, size: number, view = ''): string {
  const directory = join(top, 'filled')
  try {
    readdirSync(directory)
  } catch {
    fill(directory, size, size)
  }
  return join(directory, view)
}

/** Directories that hold a file and a symlink each. */
function pairs(top: string, size: number): string {
  for (let at = 0; at < size; at++) {
    const directory = join(top, 'pairs', `name-${at}.txt`)
    mkdirSync(directory, { recursive: true })
    writeFileSync(join(directory, '1.txt'), `text ${at}\n`)
    symlinkSync('1.txt', join(directory, 'latest'))
  }
  return join(top, 'pairs')
}

function unlinkAll(directory: string): void {
  for (const name of readdirSync(directory)) unlinkSync(join(directory, name))
}

function removeAll(directory: string): void {
  for (const name of readdirSync(directory)) rmSync(join(directory, name), { recursive: true })
}

async function removed(
  top: string,
  make: (directory: string) => void,
  remove: (directory: string) => void,
  commands: readonly Command[] = ALL,
  below = '',
): Promise<Pair[]> {
  const [live, gone] = [join(top, 'live'), join(top, 'gone')]
  make(live)
  make(gone)
  await sleep(LIFETIME_MS)
  remove(gone)
  return [{ live: join(live, below), view: join(gone, '.avfs/deleted', below), commands }]
}

async function oftenDeleted(top: string, size: number): Promise<Pair[]> {
  const [live, gone] = [join(top, 'live'), join(top, 'gone')]
  fill(live, size, size)
  for (let round = 0; round < OFTEN; round++) {
    fill(gone, size / OFTEN, size)
    await sleep(LIFETIME_MS)
    unlinkAll(gone)
  }
  return [{ live, view: join(gone, '.avfs/deleted'), commands: ALL }]
}

function savedOften(top: string, size: number): Pair[] {
  const live = join(top, 'live')
  fill(live, size, size)
  const file = join(top, 'file.txt')
  for (let at = 0; at < size; at++) {
    writeFileSync(`${file}~`, `text ${at}\n`)
    renameSync(`${file}~`, file)
  }
  return [{ live, view: join(top, '.avfs/versions/file.txt'), commands: ALL }]
}

/** The directory as it was before each of its files was replaced. */
async function before(
  top: string,
  size: number,
  perDirectory: number,
  commands = ALL,
): Promise<Pair[]> {
  const [live, changed] = [join(top, 'live'), join(top, 'changed')]
  fill(live, size, perDirectory)
  fill(changed, size, perDirectory)
  await sleep(LIFETIME_MS)
  const moment = Math.floor(Date.now() / 1000)
  await sleep(LIFETIME_MS)
  removeAll(changed)
  fill(changed, size, perDirectory)
  return [{ live, view: join(changed, `.avfs/at/@${moment}`), commands }]
}

function manySnapshots(top: string, size: number): Pair[] {
  const live = join(top, 'live')
  for (let at = 0; at < size; at++) mkdirSync(join(live, `snapshot-${at}`), { recursive: true })
  for (let at = 0; at < size; at++) mkdirSync(join(top, '.avfs/snapshots', `snapshot-${at}`))
  return [{ live, view: join(top, '.avfs/snapshots'), commands: ['ls', 'ls -l', 'stat'] }]
}

function tagged(top: string, size: number): Pair[] {
  const [live, labelled, tag] = [
    join(top, 'live'),
    join(top, 'labelled'),
    join(top, '.avfs/tags/red'),
  ]
  fill(live, size, size)
  fill(labelled, size, size)
  mkdirSync(tag)
  for (const name of readdirSync(labelled)) linkSync(join(labelled, name), join(tag, name))
  return [{ live, view: tag, commands: ALL }]
}

function manyTags(top: string, size: number): Pair[] {
  const [live, labelled] = [join(top, 'live'), join(top, 'labelled')]
  for (let at = 0; at < size; at++) mkdirSync(join(live, `tag-${at}`), { recursive: true })
  fill(labelled, size, size)
  for (const [at, name] of readdirSync(labelled).entries()) {
    const tag = join(top, '.avfs/tags', `tag-${at}`)
    mkdirSync(tag)
    linkSync(join(labelled, name), join(tag, name))
  }
  return [{ live, view: join(top, '.avfs/tags'), commands: ['ls', 'ls -l', 'stat'] }]
}

async function found(top: string, size: number): Promise<Pair[]> {
  const live = join(top, 'live')
  fill(live, Math.min(size, FOUND_MAX), size)
  const search = join(top, '.avfs/search/text')
  for (
    let tries = 0;
    readdirSync(search).length < Math.min(size, FOUND_MAX) && tries < 100;
    tries++
  )
    await sleep(LIFETIME_MS)
  return [
    { live, view: search, commands: ALL },
    { live, view: join(search, '.all'), commands: ALL },
  ]
}
