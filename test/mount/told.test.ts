// What a command changes below the kernel shows in the mount at once, as if it had been mounted
// anew: for every method of the control table, in the root and below, with files that are open,
// written and not closed, or mapped, with names that did not exist when they were last looked up;
// and nothing that a program wrote is lost. A method without a scenario fails the test.

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
import type { MethodName } from '../../src/control/methods/method-types.ts'
import { methods } from '../../src/control/methods/methods.ts'
import { mountedVault, type TestVault, until } from '../support/mount.ts'
import { run } from '../support/program.ts'
import { savedTexts } from '../support/saved.ts'
import { syscallsProgram } from '../support/syscalls.ts'
import { type Place, type Scenario, scenarios } from './told-scenarios.ts'

t.setTimeout(300_000)

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

/**
 * Makes the kernel know all names and what is missing, and leaves files open of which it has what
 * nobody else has.
 */
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

/**
 * A line for each name of a scenario in its directory, with all that a program can see of it, and
 * its attributes.
 */
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
