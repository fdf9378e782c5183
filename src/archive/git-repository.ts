// Runs git: the only place that sets its environment and configuration. A repository may come from
// anybody, and its settings can name programs to run (signatures, transports, filters, monitors,
// hooks, pagers) or make git fail. So git never reads them: it runs in a temporary folder with the
// repository's HEAD, links to its refs, and a configuration made here; objects are read where they
// are. Only two of the repository's settings are used, the formats of objects and refs.

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
  /**
   * Whether objects may be missing, because they were to be fetched on demand (a partial clone).
   */
  readonly isPartial: boolean
  close(): void
}

/** git failed, or there is no repository. */
export class GitError extends Error {}

/** Maximal size of a HEAD, or of a file that points to another folder. */
const SMALL_BYTES_MAX = 64 * 1024
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
/** The depth to which git follows alternates (objects stored elsewhere). */
const ALTERNATES_MAX = 5
/** Linked into the temporary folder: what determines which commits exist. */
const linked = ['refs', 'packed-refs', 'reftable', 'shallow']

/**
 * Opens the repository at `path`, or that `path` lies in; also another user's, since nothing in it
 * is executed. Throws GitError if there is none. The temporary folder is removed by `close`, or at
 * the end of the process. While it is open, the first terminating signal only ends git's children.
 */
export function openRepository(path: string): Repository {
  const own = gitFolderOf(resolve(path))
  if (own === undefined) throw new GitError(`git: ${path} is not in a git repository`)
  // A worktree's folder points to the common folder, which has everything but its HEAD.
  const common = pointer(join(own, 'commondir'), own) ?? own
  const objects = join(common, 'objects')
  const folder = mkdtempSync(join(tmpdir(), 'avfs-git-'))
  const children = new Set<ChildProcess>()
  // Handlers are removed, so a second signal ends the process at once.
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
  // Callers that wait for git then get an error.
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

/** Passes on nothing of the caller's environment but PATH. */
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
    // Missing objects must not be fetched; before git 2.44 only the empty list of allowed
    // transports prevents that.
    GIT_NO_LAZY_FETCH: '1',
    GIT_ALLOW_PROTOCOL: '',
  }
}

/** The repository's derived data (commit graphs, multi-pack indexes) are not trusted. */
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
 * A setting of the repository's format, if given. A configuration that git cannot read counts as
 * empty.
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

/** The folders of objects: the repository's own, and its alternates. */
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

/** The git folder of the working tree or bare repository that `path` is or lies in. */
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
      // The folder of a worktree.
      (name !== 'HEAD' && existsSync(join(path, 'commondir'))),
  )
}

/** The folder that a pointer file names, relative to `folder`. */
function pointer(file: string, folder: string, prefix = ''): string | undefined {
  const text = smallFile(file)?.toString()
  if (text?.startsWith(prefix) !== true) return undefined
  return resolve(folder, text.slice(prefix.length).replace(/[\r\n]+$/, ''))
}

/**
 * The bytes of a small regular file; undefined for anything else, such as a pipe, which may never
 * end.
 */
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

/** Whether a pack is a promisor pack, which omits objects that a server has promised to keep. */
function hasPromises(packs: string): boolean {
  const isFolder = statSync(packs, { throwIfNoEntry: false })?.isDirectory() === true
  return isFolder && readdirSync(packs).some((name) => name.endsWith('.promisor'))
}
