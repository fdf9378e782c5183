// Fuzzer of notes and lock files beside a vault (.switch, .migration, .lock) with arbitrary
// content, in a folder with some of the files to which they may refer: commands do what they say or
// refuse. Nothing outside of the folder changes, whatever a note names.

import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { migrateVault } from '../../src/control/offline/migration.ts'
import { acquireLock, lockHolder } from '../../src/control/vaults/lock.ts'
import { readNote } from '../../src/control/vaults/migration-note.ts'
import { finishSwitch, nameCopy } from '../../src/control/vaults/switch-files.ts'
import { existingVault, listVaults } from '../../src/control/vaults/vault-names.ts'
import { createVault } from '../../src/vault/vault.ts'
import { type Random, randomFrom } from '../support/random.ts'
import { type FuzzInput, refusable } from './input.ts'
import { mutated, randomJson } from './mutate.ts'

interface Place {
  readonly folder: string
  readonly outside: string
  readonly vault: string
}

const beside = [
  'v.avfs',
  'v.avfs.former',
  'v.avfs.importing',
  'v.lmdb',
  'v.lmdb.partial',
  'w.avfs',
  'link.avfs',
  'none',
]
const odd = ['', '.', '..', 'a\0b', 'x'.repeat(300), './v.avfs', 'v.avfs/', '\ud800']

export const notesInput: FuzzInput = {
  canary: /changed outside/,
  seeds: 20,
  async open({ folder, isBroken }) {
    const sound = join(folder, 'sound.avfs')
    await createVault(sound, 'sqlite')
    const place = { folder: join(folder, 'vaults'), outside: join(folder, 'outside') }
    return {
      async run(seed) {
        const random = randomFrom(seed)
        for (const each of [place.folder, place.outside])
          rmSync(each, { recursive: true, force: true })
        furnish({ ...place, vault: join(place.folder, 'v.avfs') }, sound, random)
        const before = describe(place.outside)
        await comeBy({ ...place, vault: join(place.folder, 'v.avfs') })
        // What is wrong in the canary.
        if (isBroken) rmSync(join(place.outside, 'secret'))
        if (describe(place.outside) !== before)
          throw new Error(`${describe(place.outside)} changed outside`)
      },
      close: async () => undefined,
    }
  },
}

/** Some of the files, and notes about them. */
function furnish({ folder, outside, vault }: Place, sound: string, random: Random): void {
  mkdirSync(folder)
  mkdirSync(join(outside, 'folder'), { recursive: true })
  writeFileSync(join(outside, 'secret'), 'secret')
  writeFileSync(join(outside, 'folder', 'file'), 'file')
  const makers: ((path: string) => void)[] = [
    (path) => cpSync(sound, path),
    (path) => writeFileSync(path, 'no vault'),
    (path) => mkdirSync(path),
  ]
  for (const name of beside.filter(() => random.below(2) === 0)) {
    const path = join(folder, name)
    if (name.startsWith('link'))
      symlinkSync(random.pick(['../outside/secret', '../outside/folder', 'w.avfs', 'gone']), path)
    else makers[random.below(makers.length)]?.(path)
  }
  const outer = [
    '../outside/secret',
    '../outside/folder',
    join(outside, 'secret'),
    join(outside, 'folder'),
    outside,
  ]
  const names = [...beside, ...odd, ...outer]
  const inos = names.map((name) => inoOf(join(folder, name)))
  const choose = (from: readonly unknown[]): unknown =>
    random.below(8) === 0 ? randomJson(from, random) : random.pick(from)
  const paths = names.map((name) => (isAbsolute(name) ? name : join(folder, name)))
  const holder = {
    pid: choose([1, 0, -1, process.pid, 2 ** 31]),
    host: choose(['here', '']),
    since: choose(['', '2026']),
  }
  const notes: readonly (readonly [string, object])[] = [
    ['.switch', { fresh: choose(names), ino: choose(inos), former: choose([null, ...names]) }],
    [
      '.migration',
      {
        step: choose(['copying', 'switching']),
        backend: choose(['lmdb', 'sqlite', 'none']),
        target: choose(paths),
        partial: choose(paths),
        settings: choose(['']),
      },
    ],
    [
      '.lock',
      {
        ...holder,
        mountPoint: choose([null, folder]),
        socket: choose([null, join(outside, 'secret')]),
      },
    ],
  ]
  for (const [ending, note] of notes) {
    if (random.below(3) === 0) continue
    const text = Buffer.from(
      random.below(10) === 0
        ? String(JSON.stringify(randomJson([note], random)))
        : JSON.stringify(note),
    )
    writeFileSync(vault + ending, random.below(5) === 0 ? mutated(text, random) : text)
  }
}

async function comeBy({ folder, vault }: Place): Promise<void> {
  const env = { AVFS_HOME: folder }
  await refusable(() => listVaults(env))
  await refusable(() => existingVault('v', env))
  await refusable(() => nameCopy(vault))
  await refusable(() => readNote(vault))
  await refusable(() => lockHolder(vault))
  const lock = await refusable(() => acquireLock(vault, { mountPoint: null, socket: null }))
  if (lock !== undefined) await refusable(() => finishSwitch(vault))
  lock?.release()
  const options = {
    to: 'lmdb',
    output: undefined,
    keepOriginal: false,
    dryRun: false,
    skipDamaged: false,
  }
  const told = { damaged: () => undefined, notice: () => undefined, onProgress: () => undefined }
  if (existsSync(vault)) await refusable(() => migrateVault(vault, { ...options, ...told }))
}

function inoOf(path: string): string {
  try {
    return `${statSync(path, { bigint: true }).ino}`
  } catch {
    return '0'
  }
}

/** All that is in a folder, as text. */
function describe(folder: string): string {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .map((each) => {
      const path = join(each.parentPath, each.name)
      return `${path} ${each.isFile() ? readFileSync(path, 'utf8') : ''}`
    })
    .sort()
    .join(', ')
}
