// What the benchmarks share: a vault, libfuse's passthrough_ll or a plain folder as a place to work
// in, all on one disk, and two busy loops for the loaded half. Every place must be closed; closing
// unmounts. Knows no benchmark and no report.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '..')
/** The command line program. */
export const avfs = join(root, 'scripts', 'avfs')

/** A directory to measure in. close() unmounts it and deletes all it held. */
export interface Place {
  readonly name: string
  readonly dir: string
  close(): void
}

/** A vault of its own, which can be unmounted and mounted again. */
export interface VaultPlace extends Place {
  /** The command line, and the variables under which it finds this vault. */
  readonly avfs: string
  readonly env: NodeJS.ProcessEnv
  /** The vault itself. */
  readonly file: string
  /** Runs `body` while the vault is not mounted. */
  unmounted<T>(body: () => Promise<T>): Promise<T>
  /** `avfs vault config` with these settings. */
  configure(...settings: readonly string[]): void
  /** Mounts anew and returns the milliseconds from calling the command to its return. */
  remount(): number
  /** Memory of the daemon in MiB: resident now, and its highest so far. */
  memoryMib(): { readonly now: number; readonly highest: number }
  /** Processor time that the daemon has taken since it was mounted, in milliseconds. */
  cpuMs(): number
  /** What the vault takes on disk, in MiB. */
  sizeMib(): number
}

/** A new folder below TMPDIR, which decides the disk that all places of a run share. */
export function workFolder(): string {
  return mkdtempSync(join(tmpdir(), 'avfs-bench-'))
}

/** A plain folder on the disk of `work`. */
export function plainFolder(work: string): Place {
  const dir = join(work, 'plain')
  mkdirSync(dir)
  return { name: 'plain folder', dir, close: () => rmSync(dir, { recursive: true, force: true }) }
}

/**
 * Creates a vault in `work`, of the default engine unless told, and mounts it; `options` go to
 * `avfs mount`.
 */
export function mountVault(
  work: string,
  name = 'vault',
  options: readonly string[] = [],
  backend = 'sqlite',
): VaultPlace {
  const home = join(work, `${name}-home`)
  const dir = join(work, name)
  mkdirSync(home)
  mkdirSync(dir)
  const env = { ...process.env, AVFS_HOME: home }
  const run = (...args: string[]): void => {
    execFileSync(avfs, args, { env, stdio: ['ignore', 'ignore', 'inherit'] })
  }
  const mount = (): void => run('mount', name, dir, ...options)
  run('vault', 'create', name, '--backend', backend)
  const file = join(home, readdirSync(home).find((its) => its.startsWith(`${name}.`)) ?? name)
  const daemon = (): number => JSON.parse(readFileSync(`${file}.lock`, 'utf8')).pid
  mount()
  return {
    name,
    dir,
    avfs,
    env,
    file,
    async unmounted(body) {
      run('unmount', dir)
      try {
        return await body()
      } finally {
        mount()
      }
    },
    configure: (...settings) => run('vault', 'config', name, ...settings),
    remount() {
      run('unmount', dir)
      dropCaches()
      const from = performance.now()
      mount()
      return performance.now() - from
    },
    memoryMib() {
      const status = readFileSync(`/proc/${daemon()}/status`, 'utf8')
      const mib = (field: string): number =>
        Math.round(Number(new RegExp(`^${field}:\\s*(\\d+)`, 'm').exec(status)?.[1]) / 1024)
      return { now: mib('VmRSS'), highest: mib('VmHWM') }
    },
    cpuMs() {
      const threads = `/proc/${daemon()}/task`
      const nanoseconds = readdirSync(threads).map((thread) =>
        Number.parseInt(readFileSync(`${threads}/${thread}/schedstat`, 'latin1'), 10),
      )
      return nanoseconds.reduce((sum, its) => sum + its, 0) / 1e6
    },
    sizeMib() {
      const used = execFileSync('du', ['-s', '-k', file], { encoding: 'utf8' })
      return Math.round(Number.parseInt(used, 10) / 1024)
    },
    close: () => unmount(dir, () => run('unmount', dir)),
  }
}

/** The place that vaults are compared with: passthrough_ll in the same mode. */
export const PEER = 'passthrough_ll, same mode'
/** The mode in which passthrough_ll makes the promises to programs that avfs makes. */
const SAME_MODE = 'allow_other,default_permissions,writeback,cache=always,xattr'

/**
 * Mounts passthrough_ll, built by the user at `program`, over a folder in `work`: as it comes, or
 * in the same mode as avfs.
 */
export function mountPassthrough(work: string, program: string, isSame: boolean): Place {
  const name = isSame ? PEER : 'passthrough_ll'
  const dir = join(work, isSame ? 'passthrough-same' : 'passthrough')
  const source = `${dir}-source`
  mkdirSync(dir)
  mkdirSync(source)
  const options = isSame ? `source=${source},${SAME_MODE}` : `source=${source}`
  execFileSync(program, ['-o', options, dir], { stdio: ['ignore', 'ignore', 'inherit'] })
  return {
    name,
    dir,
    close: () => unmount(dir, () => execFileSync('fusermount3', ['-u', dir])),
  }
}

/**
 * Runs `body` with places that are closed in any case, and the work folder deleted, also on SIGINT.
 */
export async function withPlaces<T>(
  open: (work: string, keep: <P extends Place>(place: P) => P) => Promise<T> | T,
): Promise<T> {
  const work = workFolder()
  const places: Place[] = []
  const close = (): void => {
    for (const place of places.splice(0).reverse()) place.close()
    rmSync(work, { recursive: true, force: true })
  }
  const interrupted = (): void => {
    close()
    process.exit(130)
  }
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted)
  try {
    return await open(work, (place) => {
      places.push(place)
      return place
    })
  } finally {
    close()
    process.off('SIGINT', interrupted).off('SIGTERM', interrupted)
  }
}

/** Two niced busy loops, one a core on a small machine; returns what stops them. */
export function keepBusy(): () => void {
  const loops: ChildProcess[] = [0, 1].map(() =>
    spawn('nice', ['-n', '19', process.execPath, '-e', 'for (;;);'], { stdio: 'ignore' }),
  )
  const stop = (): void => {
    for (const loop of loops) loop.kill('SIGKILL')
  }
  process.once('exit', stop)
  return stop
}

/** Forgets what the kernel cached of files and names; without root it cannot, and returns false. */
export function dropCaches(): boolean {
  execFileSync('sync')
  try {
    writeFileSync('/proc/sys/vm/drop_caches', '3\n')
    return true
  } catch {
    return false
  }
}

/** Builds a C source of this folder into build/ and returns the program's path. */
export function buildC(source: string): string {
  const build = join(root, 'build')
  const program = join(build, source.replace(/\.c$/, ''))
  mkdirSync(build, { recursive: true })
  execFileSync('cc', ['-O2', '-o', program, join(root, 'scripts', source)], { stdio: 'inherit' })
  return program
}

/**
 * A mount point left behind would make the next run, and rm, go wrong: the lazy way always works.
 */
function unmount(dir: string, orderly: () => void): void {
  try {
    orderly()
  } catch {
    if (readFileSync('/proc/mounts', 'utf8').includes(` ${dir} `)) {
      execFileSync('fusermount3', ['-u', '-z', dir])
    }
  }
}
