// Reads the commits of a git repository as records: the first-parent line, oldest first, each
// commit a step with its time. Files that git detects as renamed are moved, so that they keep their
// history; tags on the line become snapshots. git does the reading: `log --raw` lists changes,
// `cat-file --batch` returns content on request, so memory is bounded.

import { ENAMETOOLONG, errnoName } from '../base/errno.ts'
import { S_IFDIR, S_IFLNK, S_IFREG } from '../base/mode.ts'
import { SLASH } from '../base/names.ts'
import { timesOfCommits } from './commit-times.ts'
import { ArchiveError } from './errors.ts'
import { dateOf, ended, linesOf, Objects } from './git-objects.ts'
import { GitError, openRepository, type Repository } from './git-repository.ts'
import type { SourceOptions } from './host-source.ts'
import { Outbox } from './outbox.ts'
import {
  BY_PATH,
  DATA_BYTES_MAX,
  dataRecord,
  type EntryHead,
  endRecord,
  entryRecord,
  IMPLIED,
  plainHead,
  RECORD_NAME_BYTES_MAX,
  stepRecord,
  WHOLE,
  WHOLE_BYTES_MAX,
} from './records.ts'

const GITLINK = 0o160000
/** Longer paths are cut in messages. */
const SHOWN_BYTES_MAX = 200
/**
 * Objects requested before the first is read: git's answers may fill the pipe, but the requests
 * must fit theirs.
 */
const ASKED_MAX = 64

interface Change {
  readonly mode: number
  readonly object: string
  /** A, M, T, D or R. */
  readonly status: string
  readonly path: string
  /** The old path of a renamed file. */
  readonly from: string | undefined
  /** Renamed without other changes. */
  readonly isSame: boolean
}

/** Seconds since 1970. */
interface When {
  /** The commit's own date. */
  readonly date: number
  /** Its time in the history. */
  readonly time: number
}

interface Commit extends When {
  readonly hash: string
  readonly changes: Change[]
}

interface Run {
  readonly out: Outbox
  readonly options: Pick<SourceOptions, 'problem' | 'read'>
  readonly objects: Objects
  lastId: number
}

interface GitReport {
  readonly commits: number
  readonly snapshots: number
  /** Tags on commits that are not on the first-parent line. */
  readonly tagsLeftOut: number
}

/**
 * Sends the history of HEAD. Rejects with Error if git fails, with ArchiveError if the history is
 * incomplete: the commits before the gap have been sent.
 */
export async function readGit(
  path: string,
  send: (piece: Buffer) => Promise<void>,
  options: Pick<SourceOptions, 'problem' | 'read'>,
): Promise<GitReport> {
  const repository = openRepository(path)
  try {
    return await readRepository(repository, send, options)
  } finally {
    repository.close()
  }
}

async function readRepository(
  repository: Repository,
  send: (piece: Buffer) => Promise<void>,
  options: Pick<SourceOptions, 'problem' | 'read'>,
): Promise<GitReport> {
  const tags = await tagsOf(repository)
  const objects = new Objects(repository)
  const run: Run = { out: new Outbox(send), options, objects, lastId: 0 }
  let [commits, snapshots] = [0, 0]
  let current: string | undefined
  try {
    for await (const commit of commitsOf(repository, await whenOf(repository, objects))) {
      current = commit.hash
      await run.out.push(stepRecord({ step: 'time' }, commit.time * 1_000_000))
      if (commits++ === 0)
        await run.out.push(entryRecord(headOf(run, commit, 0, S_IFDIR | 0o755), '', []))
      await sendCommit(run, commit)
      for (const name of tags.get(commit.hash) ?? []) {
        await run.out.push(stepRecord({ step: 'snapshot', name: name.replaceAll('/', SLASH) }))
        snapshots++
      }
    }
    await run.out.flush()
  } catch (error) {
    const isCut = error instanceof GitError || error instanceof ArchiveError
    if (!isCut || current === undefined) throw error
    await run.out.flush()
    const whole = Math.max(0, commits - 1)
    const where = `in commit ${current} behind ${whole} whole ones`
    throw new ArchiveError(`${error.message}, ${where}${repository.isPartial ? PARTIAL : ''}`)
  } finally {
    objects.close()
  }
  let all = 0
  for (const names of tags.values()) all += names.length
  return { commits, snapshots, tagsLeftOut: all - snapshots }
}

async function sendCommit(run: Run, commit: Commit): Promise<void> {
  const changes = untangled(commit.changes)
  for (const its of changes)
    if (its.status === 'D') await run.out.push(stepRecord({ step: 'remove', path: its.path }))
  for (const { from, path } of changes)
    if (from !== undefined) await run.out.push(stepRecord({ step: 'move', from, to: path }))
  const puts = changes.filter((its) => its.status !== 'D' && !its.isSame && isFile(run, its))
  for (let at = 0; at < puts.length; at += ASKED_MAX) {
    const some = puts.slice(at, at + ASKED_MAX)
    run.objects.ask(some.map(({ object }) => object))
    for (const its of some) await sendFile(run, commit, its)
  }
}

/** Files that exchange names are written anew: no order of moves would do. */
function untangled(changes: readonly Change[]): Change[] {
  const targets = new Set(changes.map(({ path }) => path))
  return changes.map((its) =>
    its.from !== undefined && targets.has(its.from)
      ? { ...its, from: undefined, isSame: false, status: 'A' }
      : its,
  )
}

function isFile({ options }: Run, { mode, path }: Change): boolean {
  const why =
    mode === GITLINK
      ? 'a submodule is a repository of its own and was left out'
      : path.length > RECORD_NAME_BYTES_MAX
        ? errnoName(ENAMETOOLONG)
        : undefined
  if (why !== undefined) options.problem(path.slice(0, SHOWN_BYTES_MAX), why)
  return why === undefined
}

async function sendFile(run: Run, commit: Commit, { mode, path }: Change): Promise<void> {
  const type = mode === S_IFLNK ? S_IFLNK | 0o777 : S_IFREG | (mode & 0o777)
  const { reader } = run.objects
  const size = await run.objects.next()
  run.options.read(1, size)
  if (size <= WHOLE_BYTES_MAX) {
    const content = await reader.exactly(size)
    const head = { ...headOf(run, commit, BY_PATH, type), flags: WHOLE, id: 0, size }
    await run.out.push(entryRecord(head, path, [], [content]))
  } else {
    const head = { ...headOf(run, commit, BY_PATH, type), size }
    await run.out.push(entryRecord(head, path, []))
    for (let at = 0; at < size; ) {
      const bytes = await reader.some(Math.min(DATA_BYTES_MAX, size - at))
      await run.out.push(dataRecord(head.id, at, [bytes]))
      at += bytes.length
    }
    await run.out.push(endRecord(head.id, size, 0))
  }
  // Each object is followed by a line feed.
  await reader.skip(1)
}

function headOf(run: Run, { date }: Commit, parent: number, mode: number): EntryHead {
  return { ...plainHead(date), flags: IMPLIED, parent, id: ++run.lastId, mode }
}

/**
 * The names of tags by the commit they point to; a tag whose target is missing is under its own
 * hash.
 */
async function tagsOf(repository: Repository): Promise<Map<string, string[]>> {
  const refs = await linesOf(repository, [
    'for-each-ref',
    '--format=%(objectname) %(refname:lstrip=2)',
    'refs/tags',
  ])
  const objects = refs.map((line) => line.slice(0, line.indexOf(' ')))
  // Not by for-each-ref, which stops at the first missing object.
  const asked = objects.map((object) => `${object}^{}\n`).join('')
  const peeled = await linesOf(repository, ['cat-file', '--batch-check=%(objectname)'], asked)
  const tags = new Map<string, string[]>()
  refs.forEach((line, at) => {
    const its = /^[0-9a-f]+$/.exec(peeled[at] ?? '')?.[0] ?? (objects[at] as string)
    tags.set(its, [...(tags.get(its) ?? []), line.slice(line.indexOf(' ') + 1)])
  })
  return tags
}

const PARTIAL =
  ' (a partial clone, of which nothing is fetched here: git fetch --refetch --no-filter makes it whole)'

// States every option whose default depends on settings or versions of git.
const LINE = ['log', '--no-show-signature', '--reverse', '--first-parent']
const LOG = [
  ...LINE,
  '--diff-merges=first-parent',
  '--root',
  '-M',
  '--no-ext-diff',
  '--no-textconv',
]
const FORM = ['--raw', '-z', '--no-abbrev', '--format=commit %H', '--end-of-options']

/** The times of the commits on the line by hash, oldest first. */
async function whenOf(repository: Repository, objects: Objects): Promise<Map<string, When>> {
  const child = repository.git([...LINE, '-z', '--format=%H %ct', 'HEAD'], 'ignore')
  const over = ended(child)
  const hashes: string[] = []
  const dates: (number | undefined)[] = []
  for await (const token of tokensOf((child.stdout ?? []) as AsyncIterable<Buffer>)) {
    const [hash = '', text = ''] = token.split(' ')
    hashes.push(hash)
    // git does not print dates before 1970, though commits have them.
    dates.push(text === '' ? await objects.dateOf(hash) : dateOf(text))
  }
  await over
  const times = timesOfCommits(dates, Math.floor(Date.now() / 1000))
  return new Map(
    hashes.map((hash, at) => {
      const time = times[at] as number
      return [hash, { date: dates[at] ?? time, time }]
    }),
  )
}

async function* commitsOf(
  repository: Repository,
  when: ReadonlyMap<string, When>,
): AsyncGenerator<Commit> {
  // HEAD may move meanwhile.
  const tip = [...when.keys()].pop() ?? 'HEAD'
  const child = repository.git([...LOG, ...FORM, tip], 'ignore')
  const over = ended(child)
  let commit: Commit | undefined
  const tokens = tokensOf((child.stdout ?? []) as AsyncIterable<Buffer>)
  try {
    for (;;) {
      const next = await tokens.next()
      if (next.done === true) break
      const token = next.value.replace(/^\n/, '')
      const [, hash = ''] = /^commit ([0-9a-f]+)$/.exec(token) ?? []
      const its = when.get(hash)
      if (its !== undefined) {
        if (commit !== undefined) yield commit
        commit = { ...its, hash, changes: [] }
      } else if (commit === undefined || !token.startsWith(':'))
        throw new GitError(`git log said what is unknown here: ${token}`)
      else commit.changes.push(await changeOf(token, tokens))
    }
    await over
    if (commit !== undefined) yield commit
  } finally {
    child.kill()
  }
}

/** Parses ':100644 100755 OLD NEW R086', followed by one path, or two. */
async function changeOf(token: string, tokens: AsyncGenerator<string>): Promise<Change> {
  const [, mode = '', , object = '', status = ''] = token.split(' ')
  const path = async (): Promise<string> => {
    const next = await tokens.next()
    if (next.done === true) throw new GitError('git log ended too early')
    return next.value
  }
  const first = await path()
  const letter = status[0] ?? ''
  const isRename = letter === 'R'
  const second = isRename ? await path() : first
  const [, oldMode] = /^:(\d+)/.exec(token) ?? []
  return {
    mode: Number.parseInt(mode, 8),
    object,
    status: letter,
    path: second,
    from: isRename ? first : undefined,
    isSame: status === 'R100' && oldMode === mode,
  }
}

/** The NUL-separated tokens of a stream, as byte strings. */
async function* tokensOf(source: AsyncIterable<Buffer> | Iterable<Buffer>): AsyncGenerator<string> {
  let rest = ''
  for await (const piece of source) {
    const tokens = (rest + piece.toString('latin1')).split('\0')
    rest = tokens.pop() ?? ''
    for (const token of tokens) if (token !== '') yield token
  }
  if (rest !== '') yield rest
}
