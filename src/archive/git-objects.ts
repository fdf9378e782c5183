// Reads the output of git's child processes: lines, and objects by their names, one request after
// another.

import type { ChildProcess } from 'node:child_process'
import { type ByteReader, byteReader } from './byte-reader.ts'
import { GitError, type Repository } from './git-repository.ts'

/** The largest time that a double represents exactly. */
const SECONDS_MAX = Number.MAX_SAFE_INTEGER
/** The committer line of a commit is among its first bytes. */
const COMMIT_HEAD_BYTES_MAX = 64 * 1024

/** Resolves when git has ended successfully. Rejects with its error output. */
export function ended(child: ChildProcess): Promise<void> {
  let said = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-1000)
  })
  const over = new Promise<void>((resolve, reject) => {
    child.once('error', (error) => reject(new GitError(`git cannot be run: ${error.message}`)))
    child.once('close', (code, signal) =>
      code === 0
        ? resolve()
        : reject(new GitError(`git: ${said.trim() || `ended by ${code ?? signal}`}`)),
    )
  })
  over.catch(() => undefined)
  return over
}

/** The lines that git prints. Rejects with GitError. */
export async function linesOf(
  repository: Repository,
  args: readonly string[],
  input?: string,
): Promise<string[]> {
  const child = repository.git(args, input === undefined ? 'ignore' : 'pipe')
  const over = ended(child)
  child.stdin?.on('error', () => undefined).end(input)
  let text = ''
  for await (const piece of child.stdout?.setEncoding('utf8') ?? []) text += piece
  await over
  return text.split('\n').slice(0, -1)
}

/** Parses seconds since 1970 as git writes them. */
export function dateOf(text: string): number {
  return Math.max(-SECONDS_MAX, Math.min(SECONDS_MAX, Number(text)))
}

/** Reads objects by name from one child, which answers requests in order. */
export class Objects {
  readonly reader: ByteReader
  readonly #child: ChildProcess
  readonly #over: Promise<void>

  constructor(repository: Repository) {
    this.#child = repository.git(['cat-file', '--batch'], 'pipe')
    this.#over = ended(this.#child)
    this.#child.stdin?.on('error', () => undefined)
    this.reader = byteReader((this.#child.stdout ?? []) as AsyncIterable<Buffer>)
  }

  /** Requests objects, which must be read in this order. */
  ask(objects: readonly string[]): void {
    this.#child.stdin?.write(objects.map((its) => `${its}\n`).join(''))
  }

  /** The size of the next object, whose bytes and a line feed follow. */
  async next(type = 'blob'): Promise<number> {
    let line = ''
    for (;;) {
      const byte = await this.reader.upTo(1)
      if (byte.length === 0) {
        await this.#over
        throw new GitError('git cat-file ended too early')
      }
      if (byte[0] === 0x0a) break
      line += byte.toString('latin1')
    }
    const [, its, size] = /^[0-9a-f]+ (\w+) (\d+)$/.exec(line) ?? []
    if (size === undefined || its !== type) throw new GitError(`git cat-file: ${line}`)
    return Number(size)
  }

  /** The date in a commit; undefined if it is not a number. */
  async dateOf(commit: string): Promise<number | undefined> {
    this.ask([commit])
    const size = await this.next('commit')
    const head = await this.reader.exactly(Math.min(size, COMMIT_HEAD_BYTES_MAX))
    const text = head.toString('latin1')
    await this.reader.skip(size - head.length + 1)
    const [, date] = /^committer .*> (-?\d+) [-+]\d+$/m.exec(text.split('\n\n', 1)[0] ?? '') ?? []
    return date === undefined ? undefined : dateOf(date)
  }

  close(): void {
    this.#child.kill()
  }
}
