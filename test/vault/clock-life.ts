// A vault's life by seed, under a host's clock that jumps, stops, drifts and is set back between
// two openings: what was saved and deleted, and when by true time, and what the vault says of it.

import { createFileSystem, type FileSystem } from '../../src/fs/file-system.ts'
import type { Caller } from '../../src/fs/operations.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import type { Moment } from '../../src/vault/core/moment.ts'
import { momentMeant, nameOfMoment, parseWhen, type When } from '../../src/vault/core/when.ts'
import { type DeletedEntry, DeletedNames } from '../../src/vault/history/deleted.ts'
import { entryAt, inodeAt, readAt } from '../../src/vault/history/timeline.ts'
import { versionsOf } from '../../src/vault/history/versions.ts'
import { getInode } from '../../src/vault/tree/inodes.ts'
import type { Vault } from '../../src/vault/vault.ts'
import type { TestClock } from '../support/clock.ts'
import { type Random, randomFrom } from '../support/random.ts'

const caller: Caller = { uid: 0, gid: 0, pid: 1 }
const names = ['a', 'b', 'c']
const HOUR = 3_600_000
/** What true time and moments may be apart: the test's own time, and steps too small to count. */
const SLACK_MS = 900

/** A save (`text`) or a deletion, and when. */
interface Happening {
  readonly name: string
  readonly text: string | undefined
  readonly moment: Moment
  readonly wall: number
  readonly trueMs: number
  readonly opening: number
}

export class ClockLife {
  readonly happenings: Happening[] = []
  vault: Vault
  readonly #clock: TestClock
  readonly #random: Random
  #fs: FileSystem
  #opening = 0
  #count = 0

  constructor(vault: Vault, clock: TestClock, seed: number) {
    this.vault = vault
    this.#clock = clock
    this.#random = randomFrom(seed)
    this.#fs = createFileSystem(vault, { readOnly: false })
  }

  /** One thing happens, to a file or to the clock. */
  async step(): Promise<void> {
    const { below } = this.#random
    this.#clock.pass(3000 + below(4) ** 6 * 1000)
    switch (below(10)) {
      case 0:
        return this.#clock.set(this.#jump())
      case 1:
        return this.#clock.sleep(3000 + below(HOUR))
      case 2:
        return this.#stand()
      case 3:
        return this.#clock.set(below(200) - 100)
      case 4:
      case 5:
        return await this.#remove()
      default:
        return await this.#save()
    }
  }

  /** The vault was closed for a while, and the clock may have been set meanwhile. */
  reopened(vault: Vault): void {
    this.vault = vault
    this.#fs = createFileSystem(vault, { readOnly: false })
    this.#opening++
  }

  closedFor(): void {
    this.#clock.pass(3000 + this.#random.below(HOUR))
    if (this.#random.below(2) === 0) this.#clock.set(this.#jump())
  }

  /** Seconds, minutes, hours or days, back or ahead. */
  #jump(): number {
    const { below, pick } = this.#random
    return pick([-1, 1]) * (2500 + below(pick([5_000, 500_000, 20_000_000, 300_000_000])))
  }

  /** The clock shows one time while time goes on. */
  #stand(): void {
    for (let left = 4 + this.#random.below(20); left > 0; left--) {
      this.#clock.pass(700)
      this.#clock.set(-700)
      this.vault.core.moments.now()
    }
  }

  #trueMs(): number {
    return (this.#clock.steadyMicros() + this.#clock.sleptMicros()) / 1000
  }

  #note(name: string, text: string | undefined, moment: Moment): void {
    const [wall, opening] = [this.#clock.wallMicros(), this.#opening]
    this.happenings.push({ name, text, moment, wall, trueMs: this.#trueMs(), opening })
  }

  async #save(): Promise<void> {
    const name = this.#random.pick(names)
    const text = `text ${++this.#count}`
    const fs = this.#fs
    const found = await retryUntilLoaded(() => fs.lookup(caller, ROOT_INO, name))
    const { ino } =
      found ?? (await retryUntilLoaded(() => fs.create(caller, ROOT_INO, name, 0o644, 0, 0)))
    await retryUntilLoaded(() => void fs.write(caller, ino, 0, Buffer.from(text), false, false))
    await retryUntilLoaded(() => fs.flush(caller, ino))
    const { since } = await retryUntilLoaded(() => getInode(this.vault.core, ino))
    this.#note(name, text, since)
    fs.forget(ino, 1)
  }

  async #remove(): Promise<void> {
    const name = this.#random.pick(names)
    const isThere = await retryUntilLoaded(() => this.#fs.lookup(caller, ROOT_INO, name))
    if (isThere === undefined) return
    await retryUntilLoaded(() => this.#fs.unlink(caller, ROOT_INO, name))
    this.#note(name, undefined, this.vault.core.moments.last)
  }

  /** What is wrong with what the vault says; undefined when nothing is. */
  async wrong(): Promise<string | undefined> {
    const { core } = this.vault
    return (
      this.#wrongOrder() ??
      this.#wrongAges() ??
      this.#wrongTimes() ??
      (await retryUntilLoaded(() => this.#wrongStates())) ??
      (await retryUntilLoaded(() => this.#wrongLists(core)))
    )
  }

  #wrongOrder(): string | undefined {
    const at = this.happenings.findIndex(
      ({ moment }, index) => moment <= (this.happenings[index - 1]?.moment ?? 0),
    )
    return at < 0 ? undefined : `happening ${at} is not after the one before`
  }

  #wrongAges(): string | undefined {
    const { moments } = this.vault.core
    for (const { moment, trueMs } of this.#ofThisOpening()) {
      const [age, trueAge] = [(moments.now() - moment) / 1000, this.#trueMs() - trueMs]
      if (Math.abs(age - trueAge) > SLACK_MS) return `an age is ${age} ms, in truth ${trueAge} ms`
    }
    return undefined
  }

  /** Times are those that the clock showed, and the name of each moment leads back to it. */
  #wrongTimes(): string | undefined {
    const { moments } = this.vault.core
    for (const { moment, wall } of this.happenings) {
      const shown = moments.wallOf(moment)
      if (Math.abs(shown - wall) > 12_000_000) return `shown is ${shown}, the clock said ${wall}`
      const name = nameOfMoment(moments, moment)
      const when = parseWhen(name, this.#clock.wallMicros())
      const found = when && momentMeant(moments, when)
      if (found !== moment) return `${name} leads to ${found}, not ${moment}`
    }
    return undefined
  }

  /** What an age leads to is what was there then. */
  #wrongStates(): string | undefined {
    for (const { name, text, trueMs } of this.#ofThisOpening()) {
      const ago = Math.round(this.#trueMs() - trueMs - 1500) * 1000
      if (ago < 0) continue
      const found = this.#textAt(name, { ago })
      if (found !== text) return `${name} ${ago / 1e6} s ago was '${found}', in truth '${text}'`
    }
    return undefined
  }

  #textAt(name: string, when: When): string | undefined {
    const { core } = this.vault
    const moment = momentMeant(core.moments, when) ?? 0
    const entry = entryAt(core, ROOT_INO, name, moment)
    const row = entry && inodeAt(core, entry.ino, moment)
    return row && Buffer.concat(readAt(core, row, moment, 0, row.size)).toString()
  }

  #wrongLists(core: Vault['core']): string | undefined {
    const deleted = new Set(allDeleted(core).map(({ row }) => row.name))
    for (const name of names) {
      const its = this.happenings.filter((happening) => happening.name === name)
      if (its.at(-1) !== undefined && deleted.has(name) !== (its.at(-1)?.text === undefined))
        return `deleted/ ${deleted.has(name) ? 'has' : 'lacks'} ${name}`
      const saves = its.filter(({ text }) => text !== undefined).map(({ moment }) => moment)
      const versions = versionsOf(core, ROOT_INO, name)
      if (versions.map(({ moment }) => moment).join() !== saves.join())
        return `${name} has other versions than were saved`
      if (versions.some(({ number }, index) => number !== index + 1))
        return `${name} is misnumbered`
    }
    return undefined
  }

  #ofThisOpening(): Happening[] {
    return this.happenings.filter(({ opening }) => opening === this.#opening)
  }
}

function allDeleted(core: Vault['core']): DeletedEntry[] {
  const names = new DeletedNames(core, ROOT_INO)
  const found: DeletedEntry[] = []
  for (let its = names.next(); its !== undefined; its = names.next()) found.push(...its)
  return found
}
