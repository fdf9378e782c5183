// What a command changes below the kernel shows in the mount at once, as if it had been mounted anew: for every method of the
// control table, in the root and below, with files that are open, written and not closed, or mapped, with names that were missing
// when they were last asked for; and nothing that a program wrote is lost. A method that is not named here is a failure.

import { spawn } from 'node:child_process'
import {
  appendFileSync,
  closeSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { callVault } from '../../src/control/call.ts'
import { type MethodName, methods, type Parameters } from '../../src/control/methods.ts'
import { mountedVault, type TestVault, until } from '../support/mount.ts'
import { run } from '../support/program.ts'
import { savedTexts } from '../support/saved.ts'
import { syscallsProgram } from '../support/syscalls.ts'

t.setTimeout(240_000)

/** Names of one scenario in one directory of the vault: `path` and `at` lead to one of them, in the vault and in the mount. */
interface Place {
  readonly vault: TestVault
  readonly id: string
  /** The directory, as a path in the vault. */
  readonly top: string
  /** A moment at which `late` was not there. */
  readonly moment: number
  path(name: string): string
  at(name: string): string
  call(method: MethodName, parameters: Parameters): Promise<object>
}

interface Scenario {
  change(place: Place): unknown
  /** What else is looked at, after the change and in a new mount. */
  look?(place: Place): unknown
  /** Files that are written by name after the change. */
  readonly write?: readonly string[]
}

/** What each method changes of what is seen, or why it changes nothing. */
const scenarios: Readonly<Record<MethodName, Readonly<Record<string, Scenario>> | string>> = {
  info: 'it reads',
  stats: 'it reads',
  check: 'it reads',
  log: 'it reads',
  cat: 'it reads',
  compare: 'it reads',
  find: 'it reads',
  contents: 'it reads',
  backup: 'it reads',
  snapshotList: 'it reads',
  tagList: 'it reads',
  tagFind: 'it reads',
  metaList: 'it reads',
  metaFind: 'it reads',
  configShow: 'it reads',
  holdList: 'it reads',
  export:
    'it seals what is open, which is nothing that a mount shows but versions, and those are asked for each time',
  search: 'it reads',
  searchStatus: 'it reads',
  searchRebuild: 'what a search finds is asked for each time',
  sync: 'what is durable looks the same',
  holdAdd: 'it says what prune keeps',
  holdRelease: 'it says what prune keeps',
  compact: {
    'frees what nobody uses': { change: ({ call }) => call('compact', {}), write: ['e'] },
  },
  configSet: {
    'leaves what is there': {
      change: ({ call }) => call('configSet', { changes: { 'keep.versions': '100' } }),
      look: ({ at, id }) => readdirSync(at('.avfs/versions')).filter((name) => name.startsWith(id)),
    },
  },
  prune: {
    'takes versions away': {
      change: ({ call, path }) => call('prune', { path: path('e'), keep: 1 }),
      look: ({ at, id, top }) => readdirSync(at(`.avfs/versions/${top === '/' ? `${id}-e` : 'e'}`)),
    },
  },
  purge: {
    'does away with versions': {
      change: ({ call, path }) => call('purge', { path: path('e') }),
      look: ({ at, id, top }) => readdirSync(at(`.avfs/versions/${top === '/' ? `${id}-e` : 'e'}`)),
      write: ['e'],
    },
    'does away with what is there, too': {
      change: ({ call, path }) => call('purge', { path: path('dir'), current: true }),
    },
  },
  restore: {
    'a file': {
      change: ({ call, path }) => call('restore', { path: path('e'), state: { version: 1 } }),
      write: ['e'],
    },
    'a file with two names': {
      change: ({ call, path }) => call('restore', { path: path('h'), state: { version: 1 } }),
      write: ['h2'],
    },
    'a mapped file': {
      change: ({ call, path }) => call('restore', { path: path('mapped'), state: { version: 1 } }),
      write: ['mapped'],
    },
    'a name that was missing': {
      change: ({ call, path }) =>
        call('restore', { path: path('e'), state: { version: 1 }, to: path('new') }),
      write: ['new'],
    },
    'attributes alone': {
      change: ({ call, path, moment }) =>
        call('restore', { path: path('same'), state: { moment } }),
    },
    'a directory, with what came later removed': {
      change: ({ call, path, moment }) =>
        call('restore', { path: path('dir'), state: { moment }, removeNewer: true }),
      write: ['dir/e'],
    },
  },
  undelete: {
    'a file': {
      change: ({ call, path }) => call('undelete', { path: path('gone') }),
      write: ['gone'],
    },
    'a directory': { change: ({ call, path }) => call('undelete', { path: path('gone-dir') }) },
  },
  import: {
    'a new file': { change: (place) => imported(place, 'new', 'imported'), write: ['new'] },
    'a file in the place of another': {
      change: (place) => imported(place, 'e', 'imported, longer'),
      write: ['e'],
    },
    'a file in the place of one of two names': {
      change: (place) => imported(place, 'h', 'imported'),
      write: ['h', 'h2'],
    },
    'the same file with other attributes': {
      change: (place) => imported(place, 'same', 'same', 0o600),
    },
    'a folder over another': {
      change: ({ vault, id, path }) => {
        const from = join(vault.root, `from-${id}`)
        mkdirSync(join(from, 'more'), { recursive: true, mode: 0o700 })
        for (const name of ['e', 'new', 'more/x']) writeFileSync(join(from, name), 'imported')
        linkSync(join(from, 'new'), join(from, 'new-link'))
        must(vault, ['import', from, `${vault.name}:${path('dir')}`])
      },
      write: ['dir/e', 'dir/new'],
    },
  },
  tagAdd: {
    'a file': { change: ({ call, path }) => call('tagAdd', { path: path('e'), tags: ['t'] }) },
    'a directory': {
      change: ({ call, path }) => call('tagAdd', { path: path('dir'), tags: ['t'] }),
    },
    'a file with two names': {
      change: ({ call, path }) => call('tagAdd', { path: path('h2'), tags: ['t'] }),
    },
  },
  tagRemove: {
    'a file': {
      change: ({ call, path }) => call('tagRemove', { path: path('same'), tags: ['had'] }),
    },
  },
  metaSet: {
    'a file': {
      change: ({ call, path }) => call('metaSet', { path: path('e'), values: { k: 'v' } }),
    },
    'the directory itself': {
      change: ({ call, top }) => call('metaSet', { path: top, values: { k: top } }),
    },
  },
  snapshotCreate: {
    'shows it': {
      change: ({ call, id, top }) => call('snapshotCreate', { name: nameOf(id, top) }),
      look: snapshotsOf,
    },
  },
  snapshotRename: {
    'shows it': {
      change: async ({ call, id, top, at }) => {
        await call('snapshotCreate', { name: nameOf(id, top) })
        readdirSync(at('.avfs/snapshots'))
        await call('snapshotRename', { name: nameOf(id, top), newName: `${nameOf(id, top)}-2` })
      },
      look: snapshotsOf,
    },
  },
  snapshotDelete: {
    'shows it': {
      change: async ({ call, id, top, at }) => {
        await call('snapshotCreate', { name: nameOf(id, top) })
        readdirSync(at('.avfs/snapshots'))
        await call('snapshotDelete', { name: nameOf(id, top) })
      },
      look: snapshotsOf,
    },
  },
}

function nameOf(id: string, top: string): string {
  return top === '/' ? id : `${id}-below`
}

function snapshotsOf({ at, id, top }: Place): string[] {
  return readdirSync(at('.avfs/snapshots')).filter((name) => name.startsWith(nameOf(id, top)))
}

function must(vault: TestVault, args: readonly string[]): void {
  const { status, stdout, stderr } = vault.avfs(args)
  if (status !== 0)
    throw new Error(`avfs ${args.join(' ')} ended with ${status}: ${stdout}${stderr}`)
}

function imported({ vault, id, path }: Place, name: string, content: string, mode = 0o644): void {
  const from = join(vault.root, `from-${id}`)
  writeFileSync(from, content, { mode })
  must(vault, ['import', from, `${vault.name}:${path(name)}`])
}

/** A place in the root, where names begin with the id, or in a directory of that name. */
function placeIn(vault: TestVault, id: string, top: '/' | 'below', moment: number): Place {
  const path = (name: string): string => (top === '/' ? `/${id}-${name}` : `/${id}/${name}`)
  return {
    vault,
    id,
    top: top === '/' ? '/' : `/${id}`,
    moment,
    path,
    at: (name) =>
      name.startsWith('.avfs') && top === '/' ? join(vault.dir, name) : join(vault.dir, path(name)),
    call: (method, parameters) => callVault(vault.file, method, parameters, () => undefined),
  }
}

function plant({ vault, id, at }: Place): void {
  mkdirSync(join(vault.dir, id), { recursive: true })
  for (const text of ['old', 'newer, and longer']) {
    for (const name of ['e', 'h', 'mapped']) writeFileSync(at(name), text)
    if (!existsSync(at('h2'))) linkSync(at('h'), at('h2'))
  }
  writeFileSync(at('same'), 'same')
  run('setfattr', ['-n', 'user.xdg.tags', '-v', 'had', at('same')])
  for (const name of ['dir', 'gone-dir']) {
    mkdirSync(at(name))
    writeFileSync(at(`${name}/e`), 'in it')
  }
  writeFileSync(at('gone'), 'gone')
}

function change({ at }: Place): void {
  for (const name of ['gone', 'gone-dir']) rmSync(at(name), { recursive: true })
  run('chmod', ['600', at('same')])
  writeFileSync(at('dir/e'), 'in it, later')
  mkdirSync(at('dir/late'))
  writeFileSync(at('dir/late/x'), 'late')
}

/** Makes the kernel know all names and what is missing, and leaves files open of which it has what nobody else has. */
function warm(place: Place): number[] {
  const { at } = place
  describe(place)
  for (const name of ['new', 'gone', 'gone-dir', 'gone-dir/e', 'dir/new', 'dir/more'])
    if (existsSync(at(name))) throw new Error(`${name} is there`)
  return ['e', 'h', 'dir/e'].map((name) => {
    const fd = openSync(at(name), 'a+')
    writeSync(fd, ' dirty')
    return fd
  })
}

/** A process that has a file mapped and has changed it; `end` lets it go. */
async function mapped({ vault, at, id }: Place): Promise<() => Promise<void>> {
  const gate = join(vault.root, `gate-${id}`)
  run('mkfifo', [gate])
  const ready = join(vault.root, `ready-${id}`)
  const steps = [
    `open ${at('mapped')} O_RDWR`,
    'mmap 0 17',
    'poke 0 dirty',
    `mkdir ${ready} 700`,
    `open ${gate} O_RDONLY`,
    'munmap',
    'close 0',
  ]
  const child = spawn(syscallsProgram(), steps, { stdio: 'ignore' })
  const ended = new Promise<void>((resolve) => child.on('exit', () => resolve()))
  await until(() => existsSync(ready), 'the file is mapped')
  return async () => {
    closeSync(openSync(gate, 'w'))
    await ended
  }
}

/** A line for each name of a scenario in its directory, with all that a program can see of it, and its attributes. */
function describe({ vault, id, top }: Place): string[] {
  const lines: string[] = []
  const paths: string[] = []
  const visit = (path: string): void => {
    const { mode, nlink, uid, gid, size, mtimeMs, ctimeMs } = lstatSync(path)
    const isDirectory = (mode & 0o40000) !== 0
    const content = isDirectory ? readdirSync(path).sort().join() : readFileSync(path, 'latin1')
    lines.push([path, mode.toString(8), nlink, uid, gid, size, mtimeMs, ctimeMs, content].join(' '))
    paths.push(path)
    if (isDirectory) for (const name of readdirSync(path).sort()) visit(join(path, name))
  }
  const isOurs = (name: string): boolean => (top === '/' ? name.startsWith(`${id}-`) : name === id)
  for (const name of readdirSync(vault.dir).sort()) if (isOurs(name)) visit(join(vault.dir, name))
  const flags = ['-h', '-d', '-m', '-', '-e', 'hex', '--absolute-names']
  return [...lines, run('getfattr', [...flags, ...paths])]
}

t.test('every method of the table has a scenario, or changes nothing that is seen', (t) => {
  t.same(Object.keys(scenarios).sort(), Object.keys(methods).sort())
  for (const [name, its] of Object.entries(scenarios))
    if (its === 'it reads' && name !== 'search') t.ok(methods[name as MethodName].readOnly, name)
  t.end()
})

interface Ran {
  readonly name: string
  readonly place: Place
  readonly scenario: Scenario
  readonly seen: unknown
  readonly fds: number[]
}

async function runScenario(name: string, place: Place, scenario: Scenario): Promise<Ran> {
  const fds = warm(place)
  const unmap = name.includes('mapped') ? await mapped(place) : undefined
  await scenario.change(place)
  for (const file of scenario.write ?? []) appendFileSync(place.at(file), ' more')
  const seen = [describe(place), scenario.look?.(place)]
  await unmap?.()
  return { name, place, scenario, seen, fds }
}

async function prepared(t: Test): Promise<{ vault: TestVault; all: [string, Place, Scenario][] }> {
  const vault = mountedVault(t)
  const all: [string, Place, Scenario][] = []
  const list = Object.entries(scenarios).flatMap(([method, its]) =>
    typeof its === 'string'
      ? []
      : Object.entries(its).map(([name, scenario]) => [`${method}: ${name}`, scenario] as const),
  )
  const early = list.flatMap((_, at) =>
    (['/', 'below'] as const).map((top) =>
      placeIn(vault, `s${at}${top === '/' ? 'r' : 'b'}`, top, 0),
    ),
  )
  for (const place of early) plant(place)
  await sleep(1100)
  const moment = Date.now() * 1000
  for (const place of early) change(place)
  // Names that live shorter than a second would count as temporary ones.
  await sleep(1100)
  early.forEach((place, at) => {
    const [name, scenario] = list[Math.floor(at / 2)] as readonly [string, Scenario]
    all.push([
      `${name}, ${place.top === '/' ? 'in the root' : 'below'}`,
      { ...place, moment },
      scenario,
    ])
  })
  return { vault, all }
}

t.test(
  'the mount shows what a command changed, and nothing that was written is lost',
  async (t) => {
    const { vault, all } = await prepared(t)
    const ran: Ran[] = []
    for (const [name, place, scenario] of all) ran.push(await runScenario(name, place, scenario))
    for (const { fds } of ran) for (const fd of fds) closeSync(fd)
    vault.unmount()
    vault.mount()
    for (const { name, place, scenario, seen } of ran) {
      t.same(seen, [describe(place), scenario.look?.(place)], name)
      for (const file of scenario.write ?? [])
        t.match(
          readFileSync(place.at(file), 'latin1'),
          /more$/,
          `${name}: what was written by name is there`,
        )
    }
    vault.unmount()
    for (const { name, place, scenario } of ran)
      for (const file of scenario.write ?? [])
        if (/^(e|h|dir\/e|mapped)$/.test(file))
          t.match(
            (await savedTexts(vault.file, place.path(file))).join('|'),
            /dirty/,
            `${name}: what was written before is a version`,
          )
    vault.check()
  },
)
