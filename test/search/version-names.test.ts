// Search, log, cat and the views give a version the same path and the same number, and call the same things
// deleted, after any history: saves in place, by rename and with backup files, moves of files and directories, hard links, deletions,
// restores, prune.
// AVFS_SEED brings a run back, AVFS_ROUNDS is how many there are.

import { join } from 'node:path'
import t from 'tap'
import { findState } from '../../src/control/state.ts'
import { createFileSystem, type FileSystem } from '../../src/fs/file-system.ts'
import type { SearchResult } from '../../src/search/results.ts'
import { Searcher } from '../../src/search/searcher.ts'
import { version } from '../../src/store/collections.ts'
import { answered } from '../../src/store/retry.ts'
import { findDeleted } from '../../src/vault/deleted.ts'
import { nobody } from '../../src/vault/onlooker.ts'
import { findPath } from '../../src/vault/paths.ts'
import { wholeBefore } from '../../src/vault/removal.ts'
import { restoreTree } from '../../src/vault/restore.ts'
import { tagFile } from '../../src/vault/tags.ts'
import { inodeAt, readAt } from '../../src/vault/timeline.ts'
import { createVault, openVault, ROOT_INO, type Vault } from '../../src/vault/vault.ts'
import { versionsOfPath } from '../../src/vault/version-names.ts'
import { testedBackends } from '../support/engines.ts'
import { noChange } from '../support/no-change.ts'
import { type Random, randomFrom, seedOf } from '../support/random.ts'
import { type Waiting, waiting } from '../support/waiting.ts'
import { caller } from '../vault/random-run.ts'

const seed = seedOf('AVFS_SEED')
const rounds = Number(process.env.AVFS_ROUNDS ?? 2)
const STEPS = 60
const SECONDS = 1_000_000
const ALL = 1_000_000
const DIRECTORIES = ['', '/d', '/e']
const NAMES = ['a', 'b', 'c.txt']
const PATHS = DIRECTORIES.flatMap((above) => NAMES.map((name) => `${above}/${name}`))
/** Every text has this word. */
const WORD = 'everywhere'
const options = {
  removeNewer: false,
  ...nobody,
  heard: () => undefined,
}

t.setTimeout(300_000)

class Life {
  readonly vault: Vault
  readonly fs: Waiting<FileSystem>
  /** Files that had several names. */
  readonly linked = new Set<number>()
  readonly #random: Random
  #count = 0

  constructor(vault: Vault, fs: Waiting<FileSystem>, random: Random) {
    this.vault = vault
    this.fs = fs
    this.#random = random
  }

  async step(): Promise<void> {
    const random = this.#random
    this.vault.core.moments.last += random.pick([30_000, 400_000, 2 * SECONDS, 20 * SECONDS])
    const path = this.#path()
    const kind = random.below(24)
    if (kind < 4) await this.#write(path)
    else if (kind < 8) await this.#saveByRename(path)
    else if (kind < 11) await this.#saveAside(path, random.below(3) === 0)
    else if (kind < 13) await this.#move(path, this.#path())
    else if (kind < 14) await this.#link(path, this.#path())
    else if (kind < 16) await this.#remove(path)
    else if (kind < 17) await this.#make(random.pick(['/d', '/e']))
    else if (kind < 18) await this.#removeDirectory(random.pick(['/d', '/e']))
    else if (kind < 19)
      await this.#move(random.pick(['/d', '/e']), random.pick(['/d', '/e', '/e/b']))
    else if (kind < 20) await this.#undelete(path)
    else if (kind < 21) await this.#restore(path)
    else if (kind < 22) await this.#tag(path)
    else await this.vault.sync()
  }

  #path(): string {
    return `${this.#random.pick(DIRECTORIES)}/${this.#random.pick(NAMES)}`
  }

  async #spot(path: string): Promise<{ parent: number; name: string } | undefined> {
    const at = path.lastIndexOf('/')
    const above = await answered(() => findPath(this.vault.core, path.slice(0, at) || '/'))
    const isDirectory = above !== undefined && (above.mode & 0o170000) === 0o040000
    return isDirectory ? { parent: above.ino, name: path.slice(at + 1) } : undefined
  }

  async #ino(path: string): Promise<number | undefined> {
    return (await answered(() => findPath(this.vault.core, path)))?.ino
  }

  async #isFile(path: string): Promise<boolean> {
    const found = await answered(() => findPath(this.vault.core, path))
    return found !== undefined && (found.mode & 0o170000) === 0o100000
  }

  async #write(path: string): Promise<void> {
    const { fs } = this
    const spot = await this.#spot(path)
    if (spot === undefined) return
    const there = await this.#ino(path)
    if (there !== undefined && !(await this.#isFile(path))) return
    const ino = there ?? (await fs.create(caller, spot.parent, spot.name, 0o644, 0, 0o200)).ino
    await fs.setattr(caller, ino, { ...noChange, size: 0 })
    const text = Buffer.from(`${WORD} text${this.#count++}`)
    await fs.write(caller, ino, 0, text, false, false)
    await fs.flush(caller, ino)
    if (there === undefined) await fs.forget(ino, 1)
  }

  async #saveByRename(path: string): Promise<void> {
    const temporary = `${path}.tmp`
    await this.#write(temporary)
    if (this.#random.below(3) === 0) this.vault.core.moments.last += 3 * SECONDS
    if (this.#random.below(4) === 0) await this.#write(temporary)
    await this.#move(temporary, path)
  }

  /** As an editor that keeps the file aside while it writes, or for good. */
  async #saveAside(path: string, stays: boolean): Promise<void> {
    if (!(await this.#isFile(path))) return
    await this.#move(path, `${path}~`)
    await this.#write(path)
    if (!stays) await this.#remove(`${path}~`)
  }

  async #move(from: string, to: string): Promise<void> {
    const [a, b] = [await this.#spot(from), await this.#spot(to)]
    if (a === undefined || b === undefined || (await this.#ino(from)) === undefined) return
    const isFile = await this.#isFile(from)
    const isReplaceable = (await this.#ino(to)) === undefined || (await this.#isFile(to)) === isFile
    if (!isReplaceable || to.startsWith(`${from}/`)) return
    await this.#tried(() => this.fs.rename(caller, a.parent, a.name, b.parent, b.name, 0))
  }

  async #link(from: string, to: string): Promise<void> {
    const [ino, spot] = [await this.#ino(from), await this.#spot(to)]
    if (ino === undefined || spot === undefined || !(await this.#isFile(from))) return
    this.linked.add(ino)
    await this.#tried(() => this.fs.link(caller, ino, spot.parent, spot.name))
  }

  async #remove(path: string): Promise<void> {
    const spot = await this.#spot(path)
    if (spot !== undefined && (await this.#isFile(path)))
      await this.fs.unlink(caller, spot.parent, spot.name)
  }

  async #make(path: string): Promise<void> {
    const spot = await this.#spot(path)
    if (spot !== undefined)
      await this.#tried(() => this.fs.mkdir(caller, spot.parent, spot.name, 0o755, 0))
  }

  async #removeDirectory(path: string): Promise<void> {
    for (const name of NAMES.flatMap((name) => [name, `${name}~`, `${name}.tmp`]))
      await this.#remove(`${path}/${name}`)
    const spot = await this.#spot(path)
    const ino = await this.#ino(path)
    if (spot === undefined || ino === undefined) return
    await this.#tried(() => this.fs.rmdir(caller, spot.parent, spot.name))
    await this.fs.forget(ino, ALL)
  }

  async #undelete(path: string): Promise<void> {
    const { core } = this.vault
    const spot = await this.#spot(path)
    if (spot === undefined || (await this.#ino(path)) !== undefined) return
    const deleted = await answered(() => findDeleted(core, spot.parent, spot.name))
    if (deleted === undefined) return
    const moment = await answered(() => wholeBefore(core, deleted.row))
    await restoreTree(core, { ino: deleted.ino, moment }, spot, options)
  }

  async #restore(path: string): Promise<void> {
    const { core } = this.vault
    const spot = await this.#spot(path)
    const versions = await answered(() => versionsOfPath(core, path))
    if (spot === undefined || versions.length === 0 || !(await this.#isFile(path))) return
    const { ino, moment } = this.#random.pick(versions)
    await restoreTree(core, { ino, moment }, spot, options)
  }

  async #tag(path: string): Promise<void> {
    const { core } = this.vault
    const found = await answered(() => findPath(core, path))
    if (found !== undefined) await answered(() => tagFile(core, found, 'label'))
  }

  /** What a program may be refused: a directory that is not empty, a name that is there. */
  async #tried(work: () => Promise<unknown>): Promise<void> {
    await work().catch((error: unknown) => {
      if (!(error instanceof Error && 'errno' in error)) throw error
    })
  }
}

async function contentOf({ core }: Vault, ino: number, moment: number): Promise<string> {
  return await answered(() => {
    const row = inodeAt(core, ino, moment)
    if (row === undefined) throw new Error(`inode ${ino} has no state at ${moment}`)
    return Buffer.concat(readAt(core, row, moment, 0, row.size)).toString()
  })
}

/** What is wrong with what search found. */
async function wrongIn(vault: Vault, results: readonly SearchResult[]): Promise<string[]> {
  const { core } = vault
  const wrong: string[] = []
  const seen = new Set<string>()
  for (const { path, isThere, versions } of results) {
    const there = await answered(() => findPath(core, path))
    if ((there !== undefined) !== isThere) wrong.push(`${path} is there: ${isThere}`)
    for (const { ino, version: own, number, moment } of versions) {
      const key = `${ino}.${own}`
      if (seen.has(key)) wrong.push(`${path}: version ${own} of inode ${ino} comes twice`)
      seen.add(key)
      if (number === undefined) continue
      const state = await answered(() => findState(core, path, { version: number }))
      const [said, shown] = [
        await contentOf(vault, ino, moment),
        await contentOf(vault, state.ino, state.moment),
      ]
      if (said !== shown || state.moment !== moment) wrong.push(`${path} -v ${number}: ${shown}`)
    }
  }
  const rows = await answered(() => core.overlay.scan(version, { limit: ALL }))
  for (const { ino, number } of rows)
    if (!seen.has(`${ino}.${number}`)) wrong.push(`version ${number} of inode ${ino} is not found`)
  return wrong
}

/**
 * Versions that log tells of, and that search shows under no name with a number; but for files with several names, and what prune
 * left: those are found without, where no row tells of the other name any more.
 */
async function unnumbered(
  { vault: { core }, linked }: Life,
  results: readonly SearchResult[],
): Promise<string[]> {
  const numbered = new Set(
    results.flatMap(({ versions }) =>
      versions
        .filter(({ number }) => number !== undefined)
        .map((its) => `${its.ino}.${its.version}`),
    ),
  )
  const missing: string[] = []
  for (const path of PATHS)
    for (const its of await answered(() => versionsOfPath(core, path)))
      if (!linked.has(its.ino) && !numbered.has(`${its.ino}.${its.version}`))
        missing.push(`${path} ${its.number}`)
  return missing
}

/** What search/QUERY/.all lists at the root, without the places. */
async function allListed({ fs }: Life, query: string): Promise<string[]> {
  let ino: number = ROOT_INO
  for (const name of ['.avfs', 'search', query, '.all'])
    ino = (await fs.lookup(caller, ino, name))?.ino ?? 0
  const { handle } = await fs.opendir(caller, ino)
  const names: string[] = []
  await fs.readdir(caller, ino, handle, 0, false, (name) => {
    names.push(name)
    return true
  })
  await fs.releasedir(handle)
  return names.filter((name) => !name.startsWith('.')).map((name) => name.replace(/^\d+-/, ''))
}

function shownIn(results: readonly SearchResult[]): string[] {
  return results.flatMap(({ path, versions }) => {
    const name = path.slice(path.lastIndexOf('/') + 1)
    return versions.map(({ number }) => (number === undefined ? name : `v${number}-${name}`))
  })
}

for (const backend of testedBackends)
  t.test(
    `a version has one path and one number, whoever tells of it (${backend.name})`,
    async (t) => {
      t.comment(`AVFS_SEED=${seed}`)
      for (let round = 0; round < rounds; round++) {
        const random = randomFrom(seed + round)
        const path = join(t.testdir(), `v${round}${backend.suffix}`)
        await createVault(path, backend.name)
        const vault = await openVault(path, { commitMs: 1_000_000, sealMs: 1e9 })
        const searcher = Searcher.start(vault)
        const fs = await answered(() =>
          createFileSystem(vault, { readOnly: false, search: searcher }),
        )
        const life = new Life(vault, waiting(fs), random)
        for (let cycle = 0; cycle < 2; cycle++) {
          for (let step = 0; step < STEPS; step++) await life.step()
          if (cycle === 1) await vault.prune({ rules: { versions: 2 + random.below(3) } })
          await vault.sync()
          t.ok(await searcher.refresh(60_000))
          const results = await searcher.search({ query: WORD, limit: ALL, pastToo: true })
          const where = `seed ${seed + round}, cycle ${cycle}`
          t.same(await wrongIn(vault, results), [], `search and cat, ${where}`)
          if (cycle === 0) t.same(await unnumbered(life, results), [], `log and search, ${where}`)
          // A listing is good for a while: that of another query is not.
          const listed = await allListed(life, `${WORD} OR cycle${cycle}`)
          const isNumbered = (name: string): boolean => /^v\d/.test(name)
          const expected = shownIn(results)
          t.same(
            listed.filter(isNumbered).sort(),
            expected.filter(isNumbered).sort(),
            `.all and search, ${where}`,
          )
          // Of what lay in a directory of which prune left nothing, nobody knows who might see it.
          t.ok(listed.length <= expected.length, `.all shows no more, ${where}`)
        }
        await searcher.close()
        await vault.close()
      }
    },
  )
