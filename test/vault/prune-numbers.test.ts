// The versions of names before and after prune, by random changes: in place, by rename over a name,
// moved, deleted and made again. What is left has the number and the content that it had, and a
// name keeps as many of its newest versions as a rule says (for a name to which files were moved
// with their history, the newest are those that came last). AVFS_SEED chooses the seed, AVFS_STEPS
// the length.

import { createHash } from 'node:crypto'
import t from 'tap'
import { createFileSystem, type FileSystem } from '../../src/fs/file-system.ts'
import {
  type EntryRow,
  entryPast,
  numbering,
  RENAMED,
  snapshot,
} from '../../src/store/collections.ts'
import { openMemory } from '../../src/store/memory.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { createSnapshot } from '../../src/vault/history/snapshots.ts'
import { inodeAt, readAt } from '../../src/vault/history/timeline.ts'
import { type NameVersion, versionsOf } from '../../src/vault/history/versions.ts'
import { findEntry } from '../../src/vault/tree/directory.ts'
import { birthBatch, Vault } from '../../src/vault/vault.ts'
import { noChange } from '../support/no-change.ts'
import { type Random, randomFrom, seedOf } from '../support/random.ts'
import { caller } from './random-run.ts'

const steps = Number(process.env.AVFS_STEPS ?? 120)
const seed = seedOf('AVFS_SEED')
const ROUNDS = 40
const NAMES = ['a', 'b', 'c', 'd', 'e', 'f']
/** Files are moved among these alone, and saved by rename in all. */
const MOVED = NAMES.slice(0, 4)
const SECONDS = 1_000_000
const O_EXCL = 0o200
const ALL = 1_000_000

type Seen = Pick<NameVersion, 'ino' | 'size'> & { readonly digest: string }

class Life {
  readonly vault: Vault
  readonly fs: FileSystem
  readonly #random: Random
  #count = 0

  constructor(vault: Vault, random: Random) {
    this.vault = vault
    this.fs = createFileSystem(vault, { readOnly: false })
    this.#random = random
  }

  async step(): Promise<void> {
    const random = this.#random
    this.vault.core.moments.last += random.pick([50_000, 300_000, 2 * SECONDS, 20 * SECONDS])
    const name = random.pick(NAMES)
    const kind = random.below(20)
    if (kind < 5) this.write(name, false)
    else if (kind < 11) this.#saveByRename(name)
    else if (kind < 13) this.#change(name)
    else if (kind < 15) this.move(random.pick(MOVED), random.pick(MOVED))
    else if (kind < 16) this.remove(name)
    else if (kind < 17) createSnapshot(this.vault.core, `s${this.#count++}`)
    else await this.vault.sync()
  }

  #ino(name: string): number | undefined {
    return findEntry(this.vault.core, ROOT_INO, name)?.ino
  }

  write(name: string, isNew: boolean): void {
    const { fs } = this
    const there = this.#ino(name)
    const flags = isNew ? O_EXCL : 0
    const ino = there ?? fs.create(caller, ROOT_INO, name, 0o644, 0, flags).ino
    const text = `${this.#count++} `.repeat(this.#random.pick([1, 5, 3000]))
    fs.setattr(caller, ino, { ...noChange, size: 0 })
    fs.write(caller, ino, 0, Buffer.from(text), false, false)
    fs.flush(caller, ino)
    if (there === undefined) fs.forget(ino, 1)
  }

  #saveByRename(name: string): void {
    this.write('tmp', true)
    if (this.#random.below(3) === 0) this.vault.core.moments.last += 3 * SECONDS
    if (this.#random.below(3) === 0) this.#change('tmp')
    this.move('tmp', name)
  }

  #change(name: string): void {
    const ino = this.#ino(name)
    const mode = this.#random.pick([0o600, 0o640, 0o644, 0o755])
    if (ino !== undefined) this.fs.setattr(caller, ino, { ...noChange, mode })
  }

  move(from: string, to: string): void {
    if (this.#ino(from) !== undefined) this.fs.rename(caller, ROOT_INO, from, ROOT_INO, to, 0)
  }

  remove(name: string): void {
    if (this.#ino(name) !== undefined) this.fs.unlink(caller, ROOT_INO, name)
  }

  versions(name: string): Map<number, Seen> {
    const { core } = this.vault
    const seen = new Map<number, Seen>()
    for (const { number, ino, moment, size } of versionsOf(core, ROOT_INO, name)) {
      const row = inodeAt(core, ino, moment)
      if (row === undefined) throw new Error(`version ${number} of ${name} has no state`)
      const hash = createHash('sha256')
      for (const part of readAt(core, row, moment, 0, row.size)) hash.update(part)
      seen.set(number, { ino, size, digest: hash.digest('hex') })
    }
    return seen
  }

  /** Whether no file brought the history of another name along. */
  isWithoutHeritage(name: string): boolean {
    const { core } = this.vault
    const range = { gte: [ROOT_INO, name], lt: [ROOT_INO, `${name}\0`], limit: ALL }
    const rows: EntryRow[] = core.overlay.scan(entryPast, range)
    const present = findEntry(core, ROOT_INO, name)
    if (present !== undefined) rows.push(present)
    // One may have been saved at tmp anew just after another was moved from there.
    const inos = new Set(rows.map(({ ino }) => ino))
    if (versionsOf(core, ROOT_INO, name).some(({ ino }) => !inos.has(ino))) return false
    return rows.every(({ origin, fromName }) => origin !== RENAMED || fromName === 'tmp')
  }
}

async function newLife(random: Random): Promise<Life> {
  const store = openMemory()
  await store.commit(birthBatch())
  return new Life(new Vault(store, '/tmp/none', { commitMs: 1_000_000, sealMs: 1e9 }), random)
}

t.test(
  'versions that prune leaves keep their numbers, and the newest of each name stay',
  async (t) => {
    for (let round = 0; round < ROUNDS; round++) {
      const random = randomFrom(seed + round)
      const life = await newLife(random)
      for (let cycle = 0; cycle < 3; cycle++) {
        for (let step = 0; step < steps; step++) await life.step()
        await life.vault.sync()
        const keep = 1 + random.below(4)
        const wanted = new Map(
          NAMES.map((name) => {
            const versions = life.versions(name)
            const isOwn = life.isWithoutHeritage(name)
            return [name, { versions, newest: isOwn ? [...versions.keys()].slice(-keep) : [] }]
          }),
        )
        await life.vault.prune({ rules: { versions: keep } })
        await life.vault.sync()
        for (const [name, { versions, newest }] of wanted) {
          const now = life.versions(name)
          const wrong = [...now].filter(
            ([number, its]) => JSON.stringify(versions.get(number) ?? its) !== JSON.stringify(its),
          )
          const lost = newest.filter((number) => !now.has(number))
          if (wrong.length + lost.length === 0) continue
          t.fail(`seed ${seed + round}, cycle ${cycle}, ${name}, --keep ${keep}`, {
            wrong: wrong.map(([number, its]) => [number, its, versions.get(number)]),
            lost: lost.map((number) => [number, versions.get(number)]),
          })
          return
        }
      }
      const { problems } = await life.vault.check({ deep: true })
      if (problems.length > 0) t.same(problems, [], `seed ${seed + round}`)
      await life.vault.close()
    }
    t.pass(`${ROUNDS} rounds from seed ${seed}`)
  },
)

t.test('what numbers are counted from goes with the last version that has one', async (t) => {
  const life = await newLife(randomFrom(seed))
  const { core } = life.vault
  for (let step = 0; step < steps; step++) await life.step()
  for (const name of ['tmp', ...NAMES])
    if (findEntry(core, ROOT_INO, name) !== undefined) life.fs.unlink(caller, ROOT_INO, name)
  await life.vault.prune({ rules: { versions: 2 } })
  const rows = core.overlay.scan(numbering, { limit: ALL })
  t.ok(rows.length > 0)
  t.ok(rows.every(({ parent }) => parent === ROOT_INO))
  for (const { name } of core.overlay.scan(snapshot, { limit: ALL }))
    core.overlay.delete(snapshot, [name])
  core.moments.last += 1000 * SECONDS
  await life.vault.prune({ rules: { youngerMs: 0 } })
  t.same(core.overlay.scan(numbering, { limit: ALL }), [])
  await life.vault.close()
})

t.test('a file that comes back to its name after prune gets new numbers there', async (t) => {
  const life = await newLife(randomFrom(seed))
  const { core } = life.vault
  const pass = () => {
    core.moments.last += 20 * SECONDS
  }
  life.write('b', true)
  const ino = findEntry(core, ROOT_INO, 'b')?.ino ?? 0
  life.fs.link(caller, ino, ROOT_INO, 'c')
  pass()
  life.write('tmp', true)
  life.move('tmp', 'b')
  pass()
  life.move('c', 'b')
  pass()
  await life.vault.sync()
  await life.vault.prune({ rules: { versions: 3 } })
  pass()
  life.write('b', false)
  await life.vault.sync()
  const numbers = versionsOf(core, ROOT_INO, 'b').map(({ number }) => number)
  t.same(numbers, [1, 2, 3])
  await life.vault.close()
})

t.test('a file that took a place keeps to it when its own versions are pruned', async (t) => {
  const life = await newLife(randomFrom(seed))
  const { core } = life.vault
  const pass = (micros: number) => {
    core.moments.last += micros
  }
  const save = (name: string) => {
    life.write('tmp', true)
    pass(20 * SECONDS)
    life.move('tmp', name)
  }
  life.write('a', true)
  pass(20 * SECONDS)
  life.move('a', 'd')
  pass(20 * SECONDS)
  save('d')
  pass(20 * SECONDS)
  life.write('c', true)
  pass(20 * SECONDS)
  // The state in which it comes is another one than that of its version.
  core.moments.observe()
  life.move('d', 'c')
  pass(20 * SECONDS)
  // It is there so briefly that prune leaves the one before it too.
  save('c')
  pass(SECONDS / 10)
  life.remove('c')
  pass(20 * SECONDS)
  life.write('d', true)
  await life.vault.sync()
  const found = () => versionsOf(core, ROOT_INO, 'c').map(({ number, ino }) => `${number}: ${ino}`)
  const before = found()
  t.equal(before.length, 3)
  await life.vault.prune({ rules: { versions: 1 } })
  t.same(found(), before.slice(-1))
  await life.vault.close()
})
