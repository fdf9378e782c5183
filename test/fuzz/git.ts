// Fuzzer of the output of git: a program of that name on the PATH replays, damaged, what git
// printed for a repository. What can be read of it is imported into a vault.

import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { readGit } from '../../src/archive/git-source.ts'
import { run } from '../support/program.ts'
import { randomFrom } from '../support/random.ts'
import { importAll } from './importing.ts'
import type { FuzzInput } from './input.ts'
import { mutated } from './mutate.ts'

/** In sh(1), the name of the file with the answer to what is asked. */
const ANSWER = '$(printf %s "$*" | cksum | cut -d " " -f 1)'

export const gitInput: FuzzInput = {
  canary: /a bug/,
  seeds: 15,
  async open({ folder, isBroken }) {
    const sound = await recorded(folder)
    const said = join(folder, 'said')
    mkdirSync(said)
    for (const [name, bytes] of sound) writeFileSync(join(said, name), bytes)
    setGit(join(folder, 'parrot'), `exec cat "${said}/${ANSWER}"`)
    const names = [...sound.keys()]
    return {
      async run(seed) {
        const random = randomFrom(seed)
        const damaged = new Set([random.pick(names), random.pick(names)])
        for (const name of damaged)
          writeFileSync(join(said, name), mutated(sound.get(name) ?? Buffer.alloc(0), random, 3))
        try {
          await importAll(async (send, options) => {
            // What is wrong in the canary.
            if (isBroken && random.below(3) === 0) throw new TypeError('a bug')
            await readGit(join(folder, 'repository'), send, options).catch(asRefusal)
          })
        } finally {
          for (const name of damaged) writeFileSync(join(said, name), sound.get(name) ?? '')
        }
      },
      close: async () => undefined,
    }
  },
}

/** That git fails is told in its own words, in an error without a class. */
function asRefusal(error: unknown): void {
  if (!(error instanceof Error) || !/^git\b/.test(error.message)) throw error
}

/** From here on a program of one line is what is called git. */
function setGit(folder: string, line: string): void {
  mkdirSync(folder)
  writeFileSync(join(folder, 'git'), `#!/bin/sh\n${line}\n`)
  chmodSync(join(folder, 'git'), 0o755)
  process.env.PATH = `${folder}:${process.env.PATH}`
}

/** What git answers about a repository of some commits, to each question as it is asked. */
async function recorded(folder: string): Promise<Map<string, Buffer>> {
  const repository = repositoryIn(folder)
  const said = join(folder, 'recorded')
  mkdirSync(said)
  const real = run('sh', ['-c', 'command -v git'])
  setGit(join(folder, 'recorder'), `'${real}' "$@" | tee "${said}/${ANSWER}"`)
  const nothing = { problem: () => undefined, read: () => undefined }
  const { commits } = await readGit(repository, async () => undefined, nothing)
  if (commits !== 3) throw new Error('git was not heard')
  return new Map(readdirSync(said).map((name) => [name, readFileSync(join(said, name))]))
}

function repositoryIn(folder: string): string {
  const repository = join(folder, 'repository')
  mkdirSync(repository)
  const git = (...args: string[]): string =>
    run('git', ['-C', repository, '-c', 'user.name=a', '-c', 'user.email=a@b', ...args])
  const put = (name: string, text: string): void => writeFileSync(join(repository, name), text)
  git('init', '-q', '-b', 'main')
  put('one', 'one\n')
  put('large', 'large\n'.repeat(15_000))
  git('add', '-A')
  git('commit', '-qm', 'first')
  put('one', 'one and more\n')
  put('two', 'two\n')
  symlinkSync('one', join(repository, 'link'))
  git('add', '-A')
  git('commit', '-qm', 'second')
  git('tag', 'v1/x')
  git('mv', 'two', 'three')
  git('rm', '-q', 'large')
  git('commit', '-qm', 'third')
  return repository
}
