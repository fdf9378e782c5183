// Fuzzer of search queries, with globs, labels and times, against the same files in a vault on
// SQLite and one on LevelDB: each is refused with a message or answered, and both search engines
// find the same.

import { join } from 'node:path'
import { setLog } from '../../src/base/log.ts'
import type { Call, Parameters } from '../../src/control/methods/method.ts'
import { methods } from '../../src/control/methods/methods.ts'
import { createFileSystem } from '../../src/fs/file-system.ts'
import { Searcher } from '../../src/search/searcher.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { createVault, openVault, type Vault } from '../../src/vault/vault.ts'
import { type Random, randomFrom } from '../support/random.ts'
import { waiting } from '../support/waiting.ts'
import { caller } from '../vault/random-run.ts'
import { assertRefusal, type FuzzInput, isMistake } from './input.ts'
import { randomJson, textOf } from './mutate.ts'

const WORDS = [
  'red',
  'green',
  'Blau',
  'gr\u00fcn',
  'x1',
  'na\u00efve',
  '\u4e2d\u6587',
  'over_the',
  'e',
  'redder',
]
const FILES = 30

const pieces = [
  ...WORDS,
  ' ',
  ' ',
  ' ',
  ' ',
  'AND',
  ' AND ',
  ' OR ',
  ' NOT ',
  'NEAR(',
  ', 3)',
  ')',
  '(',
  '"',
  '"red green"',
  '*',
  'name:',
  'path:',
  'body:',
  'nothing:',
  ',',
  '-',
  '\\',
  'f1',
  'd/f2',
  'NEAR("red green" x1, 5)',
  'red*',
  '""',
  '10001',
  '\u001b[31m',
]

interface Side {
  readonly vault: Vault
  readonly searcher: Searcher
}

export const queriesInput: FuzzInput = {
  canary: /two engines/,
  seeds: 500,
  async open({ folder, isBroken }) {
    const bugs: string[] = []
    setLog('warn', (line) => bugs.push(line))
    const sides = await Promise.all(
      ['sqlite', 'leveldb'].map((backend, at) => sideOf(folder, backend, isBroken ? at : 0)),
    )
    return {
      async run(seed) {
        const random = randomFrom(seed)
        const parameters = randomParameters(random)
        const found: string[] = []
        for (const side of sides) found.push(await answerOf(side, parameters))
        const shown = JSON.stringify(parameters)
        if (new Set(found).size > 1)
          throw new Error(`two engines find different things for ${shown}:\n${found.join('\n')}`)
        if (bugs.some(isMistake)) throw new Error(`${shown}: ${bugs.join('')}`)
        bugs.length = 0
      },
      async close() {
        for (const { vault, searcher } of sides) {
          await searcher.close()
          await vault.close()
        }
      },
    }
  },
}

async function sideOf(folder: string, backend: string, seed: number): Promise<Side> {
  const path = join(folder, `v.${backend}`)
  await createVault(path, backend)
  const vault = await openVault(path)
  const fs = waiting(await retryUntilLoaded(() => createFileSystem(vault, { readOnly: false })))
  const random = randomFrom(seed)
  const directory = await fs.mkdir(caller, ROOT_INO, 'd', 0o755, 0)
  for (let at = 0; at < FILES; at++) {
    const parent = at % 2 === 0 ? ROOT_INO : directory.ino
    const { ino } = await fs.create(caller, parent, `f${at}`, 0o100644, 0, 0)
    for (let version = random.below(3); version >= 0; version--) {
      const text = Array.from({ length: random.below(30) }, () => random.pick(WORDS)).join(' ')
      await fs.write(caller, ino, 0, Buffer.from(`${text}\n`), false, false)
      await fs.flush(caller, ino)
    }
  }
  const searcher = Searcher.start(vault)
  if (!(await searcher.refresh(60_000))) throw new Error('the index does not get ready')
  return { vault, searcher }
}

function randomParameters(random: Random): Parameters {
  const query = textOf(pieces, random)
  if (random.below(4) > 0)
    return { query, path: '/', limit: 1000, allVersions: random.below(2) === 0 }
  const odd = (value: unknown): unknown =>
    random.below(3) === 0 ? randomJson([value, query, '/', '/d'], random) : value
  return {
    query: odd(query),
    path: odd(random.pick(['/', '/d', '/nowhere', '/d/f1'])),
    limit: odd(1000),
    ...(random.below(2) === 0
      ? { glob: odd(textOf(['*', 'f', '1', '/', '**', 'd', '{f,d}', '[a-z]'], random, 5)) }
      : {}),
    ...(random.below(4) === 0 ? { tag: odd('red') } : {}),
    ...(random.below(4) === 0 ? { since: odd({ ago: 1_000_000 }) } : {}),
    allVersions: odd(true),
  }
}

/** What is found, in an order of its own, or how it is refused. */
async function answerOf({ vault, searcher }: Side, parameters: Parameters): Promise<string> {
  const found: string[] = []
  const call: Call = {
    report: () => undefined,
    send: (piece) => {
      if (!('item' in piece)) return
      const { path, versions } = piece.item as { path: string; versions: { number: number }[] }
      found.push(`${path} ${versions.map(({ number }) => number)}`)
    },
    kernel: undefined,
    searcher: () => searcher,
    isGone: () => false,
    body: undefined,
  }
  try {
    await methods.search.run(vault, parameters, call)
    return found.sort().join('\n')
  } catch (error) {
    assertRefusal(error)
    return `refused: ${(error as Error).message}`
  }
}
