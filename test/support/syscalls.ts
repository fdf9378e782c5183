// System calls for tests: builds the program of test/support/syscalls once and runs scripts of its
// steps. A script has one step in each line, with the expected output after '->' ('A|B': either);
// no arrow: anything but an errno. Knows nothing of mounts; the calls apply to the working
// directory.

import { execFile, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const sources = join(import.meta.dirname, 'syscalls')
const buildFolder = join(import.meta.dirname, '../../build/test')

let built: string | undefined

/** The path of the compiled program; compiles it with cc when its sources are new. */
export function syscallsProgram(): string {
  if (built !== undefined) return built
  const files = readdirSync(sources).sort()
  const hash = createHash('sha256')
  for (const file of files) hash.update(readFileSync(join(sources, file)))
  const program = join(buildFolder, `syscalls-${hash.digest('hex').slice(0, 16)}`)
  if (!existsSync(program)) {
    mkdirSync(buildFolder, { recursive: true })
    // Test files run side by side: each compiles for itself, and the last rename wins.
    const own = `${program}.${process.pid}`
    const units = files.filter((file) => file.endsWith('.c')).map((file) => join(sources, file))
    const cc = spawnSync('cc', ['-O2', '-o', own, ...units], { encoding: 'utf8' })
    if (cc.status !== 0) throw new Error(`cc failed: ${cc.error?.message ?? cc.stderr}`)
    renameSync(own, program)
  }
  built = program
  return program
}

/** Runs steps in `cwd`, one after the other in one process; returns one line for each that ran. */
export function syscalls(cwd: string, ...steps: readonly string[]): string[] {
  const { status, stdout, stderr, error, signal } = spawnSync(syscallsProgram(), steps, {
    cwd,
    encoding: 'latin1',
    maxBuffer: 64 * 1024 * 1024,
    timeout: 600_000,
    killSignal: 'SIGKILL',
  })
  if (status !== 0) {
    throw new Error(
      `syscalls ended with ${signal ?? status}: ${error?.message ?? stderr}\n${stdout}`,
    )
  }
  return stdout.split('\n').slice(0, -1)
}

/** The same beside the test: resolves when all steps are done. */
export async function syscallsBeside(cwd: string, ...steps: readonly string[]): Promise<string[]> {
  const { stdout } = await promisify(execFile)(syscallsProgram(), steps, {
    cwd,
    encoding: 'latin1',
    timeout: 600_000,
    killSignal: 'SIGKILL',
  })
  return stdout.split('\n').slice(0, -1)
}

/**
 * Runs a script; returns it as it should have gone and as it went, for one comparison with a
 * readable difference.
 */
export function runScript(
  cwd: string,
  script: string,
): { wanted: string[]; found: string[]; values: string[] } {
  const lines = script
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
  const parts = lines.map((line) => {
    const arrow = line.lastIndexOf(' -> ')
    return arrow < 0
      ? { step: line, value: undefined }
      : { step: line.slice(0, arrow).trim(), value: line.slice(arrow + 4).trim() }
  })
  const values = syscalls(cwd, ...parts.map((part) => part.step))
  const wanted = parts.map(({ step, value }) =>
    value === undefined ? step : `${step} -> ${value}`,
  )
  const found = parts.map(({ step, value }, index) => {
    const got = values[index] ?? 'nothing'
    if (value === undefined) return /^(E[A-Z0-9]+|nothing)$/.test(got) ? `${step} -> ${got}` : step
    return `${step} -> ${value.split('|').includes(got) ? value : got}`
  })
  return { wanted, found, values }
}
