// Where git runs, and with what: the one place that sets its environment and its configuration. A
// repository may come from anybody, and its settings name programs (signatures, transports,
// filters, monitors, hooks, pagers) or can end git. So git never reads them: it works in a folder
// of ours that has the repository's HEAD, links to its refs, and a configuration of our own;
// objects are read where they are. Of the settings only two words count, which say how objects and
// refs are written.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { oddFile } from './odd-file.ts'

/** git(1) over the objects and refs of one repository. */
export interface Repository {
  /** Starts git with these arguments; its output and errors are pipes. */
  git(args: readonly string[], stdin: 'ignore' | 'pipe'): ChildProcess
  /** Whether objects may be missing, because they were to be fetched when they are needed. */
  readonly isPartial: boolean
  close(): void
}

/** What git does not do. */
export class GitError extends Error {}

/** A HEAD, a pointer to another folder. */
const SMALL_BYTES_MAX = 64 * 1024
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
/** So deep git follows objects that lie elsewhere. */
const ALTERNATES_MAX = 5
/** Links of the folder of ours: what says which commits there are. */
const linked = ['refs', 'packed-refs', 'reftable', 'shallow']

/**
 * The repository that `path` is, or lies in; also another user's, since nothing of it is run.
 * Throws GitError where there is none. Its folder of temporary files goes with `close`, or with the
 * process. While it is open, the first signal that ends programs ends git alone.
 */
export function openRepository(path: string): Repository {
  const own = gitFolderOf(resolve(path))
  if (own === undefined) throw new GitError(`git: ${path} is not in a git repository`)
  // The folder of a worktree names the one that has all but its HEAD.
  const common = pointer(join(own, 'commondir'), own) ?? own
  const objects = join(common, 'objects')
  const folder = mkdtempSync(join(tmpdir(), 'avfs-git-'))
  const children = new Set<ChildProcess>()
  // Another signal ends the process at once.
  const stop = (): void => {
    for (const signal of SIGNALS) process.off(signal, stop)
    for (const child of children) child.kill()
  }
  const close = (): void => {
    process.off('exit', close)
    stop()
    rmSync(folder, { recursive: true, force: true })
  }
  process.on('exit', close)
  // Whoever waits for git hears then that it has ended.
  for (const signal of SIGNALS) process.on(signal, stop)
  const environment = environmentOf(folder, objects)
  const odd = oddFile([...linked.map((name) => join(common, name)), ...objectFolders(objects)])
  if (odd !== undefined) {
    close()
    throw new GitError(`git: ${odd} is neither a file nor a directory`)
  }
  writeFileSync(join(folder, 'HEAD'), smallFile(join(own, 'HEAD')) ?? '')
  for (const name of linked)
    if (existsSync(join(common, name))) symlinkSync(join(common, name), join(folder, name))
  const form = ['objectFormat', 'refStorage'].map(
    (name) => [name, settingOf(join(common, 'config'), name, environment)] as const,
  )
  writeFileSync(join(folder, 'config'), configurationOf(form))
  return {
    git(args, stdin) {
      const child = spawn('git', ['--no-pager', '--no-replace-objects', ...args], {
        cwd: folder,
        env: environment,
        stdio: [stdin, 'pipe', 'pipe'],
      })
      children.add(child)
      child.once('close', () => children.delete(child))
      return child
    },
    isPartial: hasPromises(join(objects, 'pack')),
    close,
  }
}

/** Nothing that git would take from its caller but where programs are. */
function environmentOf(folder: string, objects: string): NodeJS.ProcessEnv {
  const { PATH } = process.env
  return {
    ...(PATH === undefined ? {} : { PATH }),
    LC_ALL: 'C',
    HOME: folder,
    GIT_DIR: folder,
    GIT_OBJECT_DIRECTORY: objects,
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_TERMINAL_PROMPT: '0',
    // What is not here is not fetched: before git 2.44 only the list of transports that are
    // allowed, which is empty, says that.
    GIT_NO_LAZY_FETCH: '1',
    GIT_ALLOW_PROTOCOL: '',
  }
}

/** Derived data of the repository's (graphs of commits, indexes over packs) is not believed. */
function configurationOf(form: readonly (readonly [string, string | undefined])[]): string {
  const extensions = form.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]))
  return [
    '[core]',
    `repositoryFormatVersion = ${extensions.length === 0 ? 0 : 1}`,
    'bare = true',
    'quotePath = false',
    'commitGraph = false',
    'multiPackIndex = false',
    '[diff]',
    'renameLimit = 10000',
    ...(extensions.length === 0 ? [] : ['[extensions]']),
    ...extensions.map(([name, value]) => `${name} = ${value}`),
    '',
  ].join('\n')
}

const forms: readonly string[] = ['sha256', 'reftable']

/**
 * How something is written, where the repository says that it is not as usual. Settings that git
 * cannot read say nothing.
 */
function settingOf(config: string, name: string, env: NodeJS.ProcessEnv): string | undefined {
  const text = smallFile(config)
  if (text === undefined) return undefined
  try {
    const args = ['config', '--file', '-', '--no-includes', '--get', `extensions.${name}`]
    const told = execFileSync('git', args, {
      env,
      cwd: '/',
      input: text,
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    const value = told.toString().trim()
    return forms.includes(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** Where objects are: in the repository, and where it says that more of them are. */
function objectFolders(objects: string): string[] {
  const folders = new Set<string>()
  const add = (folder: string, depth: number): void => {
    folders.add(folder)
    if (depth > ALTERNATES_MAX) return
    const text = smallFile(join(folder, 'info/alternates'))?.toString() ?? ''
    for (const line of text.split('\n')) {
      const next = resolve(folder, line)
      if (line !== '' && !line.startsWith('#') && !folders.has(next)) add(next, depth + 1)
    }
  }
  add(objects, 0)
  return [...folders]
}

/** The git folder of a working tree or a bare repository, or of what it lies in. */
function gitFolderOf(path: string): string | undefined {
  for (let at = path; ; at = dirname(at)) {
    const inside = join(at, '.git')
    for (const folder of [inside, pointer(inside, at, 'gitdir: '), at])
      if (folder !== undefined && isGitFolder(folder)) return realpathSync(folder)
    if (at === dirname(at)) return undefined
  }
}

function isGitFolder(path: string): boolean {
  return ['HEAD', 'objects', 'refs'].every(
    (name) =>
      existsSync(join(path, name)) ||
      // A worktree's own.
      (name !== 'HEAD' && existsSync(join(path, 'commondir'))),
  )
}

/** The folder that a small file names, relative to `folder`. */
function pointer(file: string, folder: string, prefix = ''): string | undefined {
  const text = smallFile(file)?.toString()
  if (text?.startsWith(prefix) !== true) return undefined
  return resolve(folder, text.slice(prefix.length).replace(/[\r\n]+$/, ''))
}

/** The bytes of a regular file, undefined for anything else: a pipe would never end. */
function smallFile(path: string): Buffer | undefined {
  let fd: number | undefined
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    if (!fstatSync(fd).isFile()) return undefined
    const bytes = Buffer.alloc(SMALL_BYTES_MAX)
    return bytes.subarray(0, readSync(fd, bytes))
  } catch {
    return undefined
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}

/** Whether a pack is one of those that leave out what a server has promised to keep. */
function hasPromises(packs: string): boolean {
  const isFolder = statSync(packs, { throwIfNoEntry: false })?.isDirectory() === true
  return isFolder && readdirSync(packs).some((name) => name.endsWith('.promisor'))
}
