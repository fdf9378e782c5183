// kill -9 of the daemon while it indexes what was written, and of an import with the index beside
// it, AVFS_CRASH_ROUNDS times; AVFS_TEST_BACKEND chooses the engine. Afterwards the index catches
// up by itself: its results equal the content of the files, and those of an index that is built
// anew. AVFS_SEED repeats a run, except for its timing.

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { avfsProgram, createVault, type TestVault } from '../support/mount.ts'
import { randomFrom, seedOf } from '../support/random.ts'

const rounds = Number(process.env.AVFS_CRASH_ROUNDS ?? 5)
const seed = seedOf('AVFS_SEED')
t.setTimeout(120_000 + rounds * 60_000)
t.comment(`AVFS_SEED=${seed} AVFS_CRASH_ROUNDS=${rounds}`)

const random = randomFrom(seed)
const WORDS = ['amber', 'blue', 'coral', 'denim', 'ecru', 'flax', 'gold', 'hazel']
const FILES = 60
const ALL = '100000'

let moves = 0

function someText(): string {
  const count = 1 + random.below(200)
  return Array.from({ length: count }, () => random.pick(WORDS)).join(random.below(2) ? ' ' : '\n')
}

/** Writes, moves and deletes; a file that a step needs and that is not there is none. */
function change(dir: string): void {
  const at = (): string => join(dir, `d${random.below(4)}`, `f${random.below(FILES)}`)
  const kind = random.below(10)
  try {
    if (kind < 7) writeFileSync(at(), someText())
    else if (kind < 8) rmSync(at())
    else if (kind < 9) renameSync(at(), at())
    else renameSync(join(dir, 'd3'), join(dir, `e${moves++}`))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    mkdirSync(join(dir, 'd3'), { recursive: true })
  }
}

interface Found {
  readonly path: string
  readonly deleted: boolean
  readonly versions: readonly { readonly number: number }[]
}

function search(vault: TestVault, word: string, ...more: readonly string[]): Found[] {
  const args = ['search', `body:${word}`, vault.dir, '-n', ALL, '--json', ...more]
  const { status, stdout, stderr } = vault.avfs(args)
  if (status !== 0 && status !== 1) throw new Error(`avfs search ended with ${status}: ${stderr}`)
  const found = JSON.parse(stdout) as Found[]
  return found
    .map(({ path, deleted, versions }) => ({ path, deleted, versions }))
    .sort((a, b) => (a.path < b.path ? -1 : 1))
}

/** Paths of files that hold a word, by reading each. */
function lookThrough(dir: string, word: string): string[] {
  const paths = readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
  return paths.filter((path) => readFileSync(path, 'utf8').split(/\s/).includes(word)).sort()
}

function status(vault: TestVault): object {
  const { stdout } = vault.avfs(['search', '--status', vault.dir, '--json'])
  const { texts, files, versions } = JSON.parse(stdout) as Record<string, number>
  return { texts, files, versions }
}

function assertIndexed(t: Test, vault: TestVault): void {
  const before = new Map<string, Found[]>()
  for (const word of WORDS) {
    const found = search(vault, word)
    t.same(
      found.map(({ path }) => path),
      lookThrough(vault.dir, word),
      `files with ${word}`,
    )
    before.set(word, search(vault, word, '--all-versions'))
  }
  const counts = status(vault)
  vault.avfs(['search', '--rebuild', vault.dir])
  for (const word of WORDS)
    t.same(search(vault, word, '--all-versions'), before.get(word), `versions with ${word}`)
  t.same(status(vault), counts, 'nothing else is in the index')
}

/** Somebody who waits for the index, so that it is at work whatever else goes on. */
function startAsking(vault: TestVault): ChildProcess {
  const args = ['search', random.pick(WORDS), vault.dir]
  return spawn(avfsProgram, args, { env: { ...process.env, ...vault.env }, stdio: 'ignore' })
}

/** Starts an import into a vault that is not mounted, and kills it some time later. */
async function killedImport(vault: TestVault, tree: string): Promise<void> {
  const env = { ...process.env, ...vault.env }
  const args = ['import', tree, `${vault.name}:/`]
  const child = spawn(avfsProgram, args, { env, stdio: 'ignore' })
  const over = new Promise((resolve) => child.once('exit', resolve))
  await Promise.race([sleep(200 + random.below(2000)), over])
  child.kill('SIGKILL')
  await over
}

/** Texts of some MiB, so that an import commits more than once. */
function makeTexts(root: string): void {
  for (let at = 0; at < 500; at++) {
    const dir = join(root, `d${at % 4}`)
    mkdirSync(dir, { recursive: true })
    const text = `${someText()} ${'filler '.repeat(random.below(5000))}`
    writeFileSync(join(dir, `f${at}`), text)
  }
}

const vault = createVault(t)
for (let round = 1; round <= rounds; round++) {
  await t.test(`round ${round}: the index of a daemon that was killed catches up`, async (t) => {
    vault.mount()
    for (let at = 0; at < 4; at++) mkdirSync(join(vault.dir, `d${at}`), { recursive: true })
    const children: ChildProcess[] = []
    for (let left = 1 + random.below(4); left > 0; left--) {
      for (let count = random.below(150); count >= 0; count--) change(vault.dir)
      children.push(startAsking(vault))
      await sleep(random.below(1500))
    }
    await vault.kill()
    for (const child of children) child.kill('SIGKILL')
    vault.mount()
    assertIndexed(t, vault)
    vault.unmount()
    vault.check()
  })
}

for (let round = 1; round <= Math.ceil(rounds / 2); round++) {
  await t.test(
    `round ${round}: the index beside an import that was killed catches up`,
    async (t) => {
      const vault = createVault(t)
      const tree = join(vault.root, 'tree')
      makeTexts(tree)
      for (let kills = 1 + random.below(2); kills > 0; kills--) await killedImport(vault, tree)
      if (random.below(2) === 0) vault.check()
      const { status, stderr } = vault.avfs(['import', tree, `${vault.name}:/`])
      t.equal(status, 0, stderr)
      vault.mount()
      assertIndexed(t, vault)
      vault.unmount()
      vault.check()
    },
  )
}
