// Views show of the past what a user could see then and may reach now, and nothing else: a random
// life of a vault among three users, each of whom reads everything through a stand-in for the
// kernel, while directories are opened and closed to them. AVFS_RIGHTS_SEED repeats a run.

import { join } from 'node:path'
import t, { type Test } from 'tap'
import { EACCES, ENOENT } from '../../src/base/errno.ts'
import { setLog } from '../../src/base/log.ts'
import { createFileSystem } from '../../src/fs/file-system.ts'
import type { Caller } from '../../src/fs/operations.ts'
import type { SearchedFile, SearchedName, SearchService } from '../../src/fs/search-service.ts'
import { openStore } from '../../src/store/open.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { nameOfMoment } from '../../src/vault/core/when.ts'
import { birthBatch, Vault } from '../../src/vault/vault.ts'
import { testedBackends } from '../support/engines.ts'
import { randomFrom, seedOf } from '../support/random.ts'
import { waiting } from '../support/waiting.ts'
import { Kernel } from './rights-kernel.ts'
import {
  DIRECTORY_NAMES,
  FILE_NAMES,
  LABELS,
  pathIn,
  READ,
  RightsLife,
  root,
  SEARCH,
  users,
  WALK,
  type World,
  wayUp,
} from './rights-life.ts'

setLog('error')
t.setTimeout(120_000)
const STEPS = 45
/**
 * Steps after which everybody looks at everything: what the kernel keeps from then on is of doors
 * that may close.
 */
const LOOKS = 5
const names = [...DIRECTORY_NAMES, ...FILE_NAMES]

class MetricsSample {
  readonly #t: Test
  readonly #vault: Vault
  readonly #kernel: Kernel
  readonly #life: RightsLife
  readonly #who: Caller
  #query = ''
  count = 0

  constructor(t: Test, vault: Vault, kernel: Kernel, life: RightsLife, who: Caller) {
    this.#t = t
    this.#vault = vault
    this.#kernel = kernel
    this.#life = life
    this.#who = who
  }

  #is(found: unknown, wanted: unknown, what: string): void {
    this.count++
    if (JSON.stringify(found) !== JSON.stringify(wanted))
      this.#t.same(found, wanted, `${this.#who.uid} ${what}, step ${this.#life.worlds.length - 1}`)
  }

  async all(steps: readonly number[]): Promise<void> {
    this.#query = `text${this.#life.worlds.length}`
    for (const [directory, its] of this.#life.now) {
      if (!its.isDirectory) continue
      const path = pathIn(this.#life.now, directory)
      if (!this.#life.mayAccessNow(this.#who, directory, ROOT_INO, SEARCH)) {
        this.#is(await this.#kernel.list(this.#who, `${path}/.avfs/deleted`), EACCES, path)
        continue
      }
      for (const step of steps) await this.#at(directory, path, step)
      await this.#deleted(directory, path)
      await this.#versions(directory, path)
      await this.#history(directory, path)
      await this.#tags(directory, path)
      await this.#search(directory, path)
    }
  }

  /** at/WHEN, and all below it. */
  async #at(directory: number, path: string, step: number): Promise<void> {
    const { moments } = this.#vault.core
    const world = this.#life.worlds[step]
    const top = world?.get(directory)
    if (top === undefined) return
    const at = `${path}/.avfs/at/${nameOfMoment(moments, this.#life.moments[step] as number)}`
    const isReached =
      directory === ROOT_INO || this.#life.mightAccess(this.#who, step, top.parent, SEARCH)
    await this.#below(directory, directory, step, at, isReached)
  }

  async #below(
    top: number,
    ino: number,
    step: number,
    path: string,
    isReached: boolean,
  ): Promise<void> {
    const life = this.#life
    const world = life.worlds[step]
    const may = (wanted: number): boolean =>
      isReached &&
      life.might(this.#who, step, ino, wanted) &&
      life.mayAccessNow(this.#who, ino, top, wanted)
    const inside = [...(world ?? [])].filter(([its, { parent }]) => parent === ino && its !== ino)
    const listed = inside.map(([, { name }]) => name).sort()
    this.#is(await this.#kernel.list(this.#who, path), may(READ) ? listed : EACCES, path)
    for (const name of names) {
      const [child, its] = inside.find(([, state]) => state.name === name) ?? []
      const at = `${path}/${name}`
      if (its?.isDirectory === true) await this.#below(top, child ?? 0, step, at, may(SEARCH))
      else {
        const text = its && (life.might(this.#who, step, child ?? 0, READ) ? its.text : EACCES)
        this.#is(
          await this.#kernel.read(this.#who, at),
          may(SEARCH) ? (text ?? ENOENT) : EACCES,
          at,
        )
      }
    }
  }

  /** Files that are gone, as of the step before they went. */
  async #deleted(directory: number, path: string): Promise<void> {
    const life = this.#life
    const at = `${path}/.avfs/deleted`
    const found = await this.#kernel.list(this.#who, at, true)
    const isListed = life.mayAccessNow(this.#who, directory, ROOT_INO, READ)
    if (!isListed) this.#is(found, EACCES, at)
    for (const name of names) {
      const isThere = [...life.now.values()].some(
        (its) => its.parent === directory && its.name === name,
      )
      const step = life.changes.findLastIndex(({ kind, ino }, index) => {
        const its = life.worlds[index - 1]?.get(ino)
        return kind === 'deleted' && its?.parent === directory && its.name === name
      })
      const { ino = 0 } = life.changes[step] ?? {}
      const then = isThere ? undefined : life.worlds[step - 1]?.get(ino)
      const isNamed = then !== undefined && life.mightAccess(this.#who, step - 1, directory, READ)
      if (isListed) this.#is((found as string[]).includes(name), isNamed, `${at}: ${name}`)
      if (then?.isDirectory === true) continue
      const isFound = then !== undefined && life.mightAccess(this.#who, step - 1, directory, SEARCH)
      const text = isFound && (life.might(this.#who, step - 1, ino, READ) ? then.text : EACCES)
      this.#is(await this.#kernel.read(this.#who, `${at}/${name}`), text || ENOENT, `${at}/${name}`)
    }
  }

  /** All that root is shown of the versions of each name. */
  async #versions(directory: number, path: string): Promise<void> {
    const life = this.#life
    for (const name of FILE_NAMES) {
      const at = `${path}/.avfs/versions/${name}`
      const numbers = await this.#kernel.list(root, at)
      if (!Array.isArray(numbers)) continue
      const present = [...life.now].find(([, its]) => its.parent === directory && its.name === name)
      const isKnown = present !== undefined || this.#mightKnow(directory, name)
      for (const number of numbers.filter((its) => its !== 'latest')) {
        const text = String(await this.#kernel.read(root, `${at}/${number}`))
        const step = Number(text.slice('text '.length))
        const { ino = 0 } = life.changes[step] ?? {}
        const then = life.worlds[step]?.get(ino)
        const isNow = present?.[0] === ino && present[1].touched === step
        const isFound =
          isNow || (then && life.mightAccess(this.#who, step, then.parent, SEARCH)) === true
        const answer = life.might(this.#who, step, ino, READ) ? text : EACCES
        const wanted = isKnown && isFound ? answer : ENOENT
        this.#is(await this.#kernel.read(this.#who, `${at}/${number}`), wanted, `${at}/${number}`)
      }
    }
  }

  /** Whether a name that is gone might be known when it came or went. */
  #mightKnow(directory: number, name: string): boolean {
    const { worlds } = this.#life
    const isThere = (step: number): boolean =>
      [...(worlds[step]?.values() ?? [])].some(
        (its) => its.parent === directory && its.name === name,
      )
    return worlds.some((_world, step) => {
      const isEnd = isThere(step) && (!isThere(step - 1) || !isThere(step + 1))
      return isEnd && this.#life.mightAccess(this.#who, step, directory, SEARCH)
    })
  }

  async #history(directory: number, path: string): Promise<void> {
    const life = this.#life
    const at = `${path}/.avfs/history.json`
    const all = JSON.parse(String(await this.#kernel.read(root, at))) as Event[]
    const found = await this.#kernel.read(this.#who, at)
    if (!life.mayAccessNow(this.#who, directory, ROOT_INO, READ)) {
      this.#is(found, EACCES, at)
      return
    }
    const wanted = all.flatMap((event) => {
      const step = this.#stepOf(event.time)
      const isOver = event.what === 'deleted' || event.what === 'moved'
      if (!life.mightAccess(this.#who, isOver ? step - 1 : step, directory, WALK)) return []
      const { from, ...rest } = event
      const source = life.worlds[step - 1]?.get(event.ino)?.parent
      const isTold =
        from !== undefined && source !== undefined && this.#mayFollow(directory, source, step)
      return [isTold ? event : rest]
    })
    const events = JSON.parse(String(found)) as Event[]
    this.#is(events.map(lineOf), wanted.map(lineOf), at)
  }

  #mayFollow(directory: number, source: number, step: number): boolean {
    const life = this.#life
    if (!life.mightAccess(this.#who, step - 1, source, WALK)) return false
    if (source === directory) return true
    for (let at = source; ; at = life.lastOf(at)?.parent ?? ROOT_INO) {
      if (!life.mayAccessNow(this.#who, at, at, WALK)) return false
      if (at === ROOT_INO) return true
    }
  }

  #stepOf(time: string): number {
    const { moments } = this.#vault.core
    // Steps are two seconds apart, and the moment of one is its last.
    return this.#life.moments.findIndex((its) => nameOfMoment(moments, its) >= time)
  }

  /** Every text that a search for all of them leads to. */
  async #search(directory: number, path: string): Promise<void> {
    const life = this.#life
    const at = `${path}/.avfs/search/${this.#query}/.all`
    const found = await this.#kernel.list(this.#who, at)
    if (!life.mayAccessNow(this.#who, directory, ROOT_INO, READ)) {
      this.#is(found, EACCES, at)
      return
    }
    const texts: string[] = []
    for (const name of found as string[])
      texts.push(String(await this.#kernel.read(this.#who, `${at}/${name}`)))
    const wanted = life.changes.flatMap(({ kind, ino }, step) =>
      kind === 'saved' && this.#mightFind(directory, ino, step) ? [`text ${step}`] : [],
    )
    this.#is(texts.sort(), wanted.sort(), at)
  }

  #mightFind(directory: number, ino: number, step: number): boolean {
    const life = this.#life
    const { parent = 0 } = life.worlds[step]?.get(ino) ?? {}
    const present = life.now.get(ino)
    const isNow = present?.touched === step
    const isWalked = (at: number, then: number): boolean =>
      life.mightAccess(this.#who, then, at, WALK) &&
      life.mayAccessNow(this.#who, at, directory, WALK)
    if (!life.might(this.#who, step, ino, READ)) return false
    if (!isNow && !isWalked(parent, step)) return false
    // Under its last name, which must be below the directory.
    const last = life.worlds.findLastIndex((world) => world.has(ino))
    const way = wayUp(life.worlds[last] as World, life.lastOf(ino)?.parent ?? ROOT_INO)
    const top = way.indexOf(directory)
    if (top < 0) return false
    return present === undefined
      ? way.slice(0, top + 1).every((at) => isWalked(at, last))
      : way.slice(0, top).every((at) => life.mayAccessNow(this.#who, at, at, WALK))
  }

  async #tags(directory: number, path: string): Promise<void> {
    const life = this.#life
    const isListed = life.mayAccessNow(this.#who, directory, ROOT_INO, READ)
    const labels = await this.#kernel.list(this.#who, `${path}/.avfs/tags`)
    for (const label of LABELS) {
      const all = [...life.now].filter(([, its]) => its.labels.includes(label))
      const mayGo = (top: number, ino: number, wanted: number): boolean => {
        const its = life.now.get(ino)
        if (its === undefined || ino === top) return false
        for (let at = its.parent; at !== top; at = life.now.get(at)?.parent ?? ROOT_INO) {
          if (at === ROOT_INO || !life.mayAccessNow(this.#who, at, at, wanted)) return false
        }
        return true
      }
      const isShown = (top: number): boolean => all.some(([ino]) => mayGo(top, ino, SEARCH))
      if (isListed && all.length > 0)
        this.#is((labels as string[]).includes(label), isShown(directory), `${path} ${label}`)
      const at = `${path}/.avfs/tags/${label}`
      const found = await this.#kernel.list(this.#who, at)
      if (all.length === 0) continue
      if (!isShown(directory) && !isShown(ROOT_INO)) {
        this.#is(found, ENOENT, at)
        continue
      }
      const wanted = all.filter(([ino]) => mayGo(directory, ino, WALK)).length
      this.#is(isListed ? (found as string[]).length : found, isListed ? wanted : EACCES, at)
    }
  }
}

interface Event {
  readonly time: string
  readonly path: string
  readonly what: string
  readonly ino: number
  readonly from?: string
}

/** A search that finds every version of every file, as far as it may be shown. */
async function foundOf(
  life: RightsLife,
  isVisible: (found: SearchedName) => boolean,
): Promise<SearchedFile[]> {
  const inos = new Set(life.changes.filter(({ kind }) => kind === 'saved').map(({ ino }) => ino))
  const files: SearchedFile[] = []
  for (const ino of inos) {
    const { parent = 0, name = '' } = life.lastOf(ino) ?? {}
    const isThere = life.now.has(ino)
    if (!(await retryUntilLoaded(() => isVisible({ ino, isThere, parent })))) continue
    const versions = life.changes.flatMap((change, step) =>
      change.kind === 'saved' && change.ino === ino
        ? [{ ino, parent, number: undefined, moment: life.moments[step] as number }]
        : [],
    )
    files.push({ ino, path: `/${name}`, isThere, versions })
  }
  return files
}

function lineOf({ time, path, what, from }: Event): string {
  return [time, path, what, from].join(' ')
}

for (const backend of testedBackends.filter(({ name }) => ['sqlite', 'leveldb'].includes(name)))
  t.test(`each of three users sees what the rule says, on ${backend.name}`, async (t) => {
    const seed = seedOf('AVFS_RIGHTS_SEED')
    t.comment(`AVFS_RIGHTS_SEED=${seed}`)
    const random = randomFrom(seed)
    const store = await openStore(join(t.testdir(), 'vault'), {
      create: true,
      backend: backend.name,
    })
    await store.commit(birthBatch())
    const vault = await retryUntilLoaded(() => new Vault(store, '/nowhere', { commitMs: 60_000 }))
    let life: RightsLife | undefined
    const search: SearchService = {
      generation: 0,
      refresh: async () => true,
      search: async ({ isVisible }) => (life === undefined ? [] : await foundOf(life, isVisible)),
    }
    const fs = await retryUntilLoaded(() => createFileSystem(vault, { readOnly: false, search }))
    const kernel = new Kernel(fs)
    life = new RightsLife(vault, waiting(fs), random)
    const its = life
    const looks = users.map((who) => new MetricsSample(t, vault, kernel, its, who))
    const steps: number[] = []
    for (let step = 1; step <= STEPS; step++) {
      await life.step()
      kernel.changed()
      if (step % (STEPS / LOOKS) !== 0) continue
      // Those that were looked at before as well.
      for (let count = 0; count < 3; count++) steps.push(1 + random.below(step))
      for (const look of looks) await look.all(steps)
    }
    const count = looks.reduce((sum, look) => sum + look.count, 0)
    t.ok(count > 1000, `${count} answers`)
    await vault.close()
  })
