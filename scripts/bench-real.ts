// Everyday work, timed on a vault, on passthrough_ll in the same mode (PTLL=its path, needed) and on a
// plain folder in one run: git clone, git status, cp -r and rm -rf of a 300-file tree, 200 separate
// SQLite transactions. The vault may take at most 1.3 times as long as passthrough_ll.
//
//   node scripts/bench-real.ts [--rounds 5] [--write]

import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import Database from 'better-sqlite3'
import { amount, machine, median, table, writeSection } from './bench-report.ts'
import {
  dropCaches,
  mountPassthrough,
  mountVault,
  PEER,
  type Place,
  plainFolder,
  withPlaces,
} from './bench-support.ts'

const TIME_RATIO_MAX = 1.3
const TREE_FILES = 300
const TRANSACTIONS = 200

interface Task {
  readonly name: string
  /** Runs untimed before, for what the task needs or must not find. */
  readonly prepare?: (dir: string) => void
  readonly run: (dir: string, repository: string) => void
}

const tasks: readonly Task[] = [
  {
    name: 'git clone',
    run: (dir, repository) =>
      command('git', 'clone', '-q', '--no-local', repository, join(dir, 'tree')),
  },
  {
    name: 'git status',
    run: (dir) => command('git', '-C', join(dir, 'tree'), 'status', '--porcelain'),
  },
  {
    name: 'git status, nothing cached',
    prepare: () => dropCaches(),
    run: (dir) => command('git', '-C', join(dir, 'tree'), 'status', '--porcelain'),
  },
  { name: 'cp -r', run: (dir) => command('cp', '-r', join(dir, 'tree'), join(dir, 'copy')) },
  { name: 'rm -rf', run: (dir) => command('rm', '-rf', join(dir, 'copy')) },
  { name: `${TRANSACTIONS} SQLite transactions`, run: (dir) => transactions(dir, 'delete') },
  { name: `${TRANSACTIONS} SQLite transactions, WAL`, run: (dir) => transactions(dir, 'wal') },
]

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    write: { type: 'boolean', default: false },
  },
})
const rounds = Number(options.rounds)
const program = process.env.PTLL
if (!program) throw new Error('give the path of passthrough_ll as PTLL=')

const report = await withPlaces((work, keep) => {
  const repository = makeRepository(work)
  const places: Place[] = [
    keep(plainFolder(work)),
    keep(mountPassthrough(work, program, true)),
    keep(mountVault(work)),
  ]
  const times = new Map<string, number[]>()
  for (let round = 0; round < rounds; round++) {
    const first = round % places.length
    for (const place of [...places.slice(first), ...places.slice(0, first)]) {
      console.error(`round ${round + 1} of ${rounds}: ${place.name}`)
      const dir = join(place.dir, `round-${round}`)
      mkdirSync(dir)
      for (const task of tasks) {
        task.prepare?.(dir)
        const from = performance.now()
        task.run(dir, repository)
        const key = `${task.name} ${place.name}`
        times.set(key, [...(times.get(key) ?? []), performance.now() - from])
      }
      command('rm', '-rf', dir)
    }
  }
  const rows = tasks.map((task) => {
    const middle = (place: string): number => median(times.get(`${task.name} ${place}`) ?? [])
    const ratio = middle('vault') / middle(PEER)
    return [
      task.name,
      ...places.map((place) => amount(middle(place.name))),
      ratio.toFixed(2),
      `<= ${TIME_RATIO_MAX}`,
      ratio <= TIME_RATIO_MAX ? 'holds' : 'fails',
    ]
  })
  const names = places.map((place) => place.name)
  return [
    machine(),
    `A repository of ${TREE_FILES} files and 20 commits, medians of ${rounds}, all places in one run; milliseconds, less is better.`,
    table(['', ...names, 'vault / same mode', 'line', ''], rows),
  ].join('\n\n')
})
console.log(report)
if (options.write) writeSection('real', `## Everyday work\n\n${report}`)

function command(name: string, ...args: string[]): void {
  execFileSync(name, args, { stdio: ['ignore', 'ignore', 'inherit'] })
}

/** Each transaction is an insert of its own, made durable before the next. */
function transactions(dir: string, journal: 'delete' | 'wal'): void {
  const db = new Database(join(dir, `${journal}.db`))
  db.pragma(`journal_mode = ${journal}`)
  db.pragma('synchronous = full')
  db.exec('create table note (id integer primary key, body text)')
  const insert = db.prepare('insert into note (body) values (?)')
  for (let n = 0; n < TRANSACTIONS; n++) insert.run(`note ${n} `.repeat(10))
  db.close()
}

/**
 * The same content each time: text files of 1 to 24 KiB in 30 folders, every commit changing some.
 */
function makeRepository(work: string): string {
  const dir = join(work, 'repository')
  const git = (...args: string[]): void =>
    command('git', '-C', dir, '-c', 'user.name=bench', '-c', 'user.email=bench@localhost', ...args)
  mkdirSync(dir)
  git('init', '-q')
  const put = (file: number, edition: number): void => {
    const folder = join(dir, `folder-${file % 30}`)
    mkdirSync(folder, { recursive: true })
    const lines = 16 + ((file * 37) % 384)
    const text = Array.from({ length: lines }, (_, n) =>
      `${((n + 1) * (file + 7) * 2654435761) % 4294967291} line ${n} of ${file}, edition ${edition}`.padEnd(
        63,
      ),
    )
    writeFileSync(join(folder, `file-${file}.txt`), `${text.join('\n')}\n`)
  }
  for (let commit = 0; commit < 20; commit++) {
    for (let file = 0; file < TREE_FILES; file++) {
      if (commit === 0 || file % 20 === commit) put(file, commit)
    }
    git('add', '-A')
    git('commit', '-q', '-m', `edition ${commit}`)
  }
  return dir
}
