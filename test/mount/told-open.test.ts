// A file that a command replaces, or works on, while programs have it open: for appending, with
// bytes that the kernel has not handed over yet, mapped, under another name. The kernel trusts its
// own size and its own pages, so each of them must be right at once, stay right as those programs
// go on writing, and be the same in a new mount.

import { spawn } from 'node:child_process'
import {
  appendFileSync,
  closeSync,
  existsSync,
  fstatSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { callVault } from '../../src/control/call.ts'
import type { Parameters } from '../../src/control/methods/method.ts'
import type { MethodName } from '../../src/control/methods/method-types.ts'
import { backendNamed } from '../support/engines.ts'
import { createVault, type TestVault, until } from '../support/mount.ts'
import { run } from '../support/program.ts'
import { syscallsProgram } from '../support/syscalls.ts'

t.setTimeout(300_000)

/** A directory with `x` and its other name `link`, and `gone`, which was deleted. */
interface Place {
  readonly vault: TestVault
  readonly dir: string
  /** The same directory in the vault. */
  readonly path: string
  /** When `x` was new, and short. */
  readonly moment: number
  call(method: MethodName, parameters: Parameters): Promise<unknown>
}

const changes: Readonly<Record<string, (place: Place) => unknown>> = {
  'restore of the file': ({ call, path }) =>
    call('restore', { path: `${path}/x`, state: { version: 1 } }),
  'restore by its other name': ({ call, path, moment }) =>
    call('restore', { path: `${path}/link`, state: { moment } }),
  'restore of its directory': ({ call, path, moment }) =>
    call('restore', { path, state: { moment } }),
  'restore of its directory as it was, and no more': ({ call, path, moment }) =>
    call('restore', { path, state: { moment }, removeNewer: true }),
  'restore of what it is': ({ call, path }) =>
    call('restore', { path: `${path}/x`, state: { version: 2 } }),
  'import in its place': ({ vault, path }) => {
    const from = join(vault.root, 'imported')
    writeFileSync(from, 'imported')
    const { status, stderr } = vault.avfs(['import', from, `${vault.name}:${path}/x`])
    if (status !== 0) throw new Error(stderr)
  },
  'mv out of deleted/ onto it': ({ dir }) =>
    run('mv', ['-f', join(dir, '.avfs/deleted/gone'), join(dir, 'x')]),
  'cp out of the past into it': ({ dir }) =>
    run('cp', [join(dir, '.avfs/versions/x/1'), join(dir, 'x')]),
  'a label': ({ call, path }) => call('tagAdd', { path: `${path}/x`, tags: ['t'] }),
  'an attribute': ({ call, path }) => call('metaSet', { path: `${path}/x`, values: { k: 'v' } }),
  'a snapshot': ({ call, path }) => call('snapshotCreate', { name: path.slice(1) }),
  prune: ({ call, path }) => call('prune', { path: `${path}/x`, keep: 1 }),
  purge: ({ call, path }) => call('purge', { path: `${path}/x` }),
  'purge of all of it': ({ call, path }) => call('purge', { path: `${path}/x`, current: true }),
  compact: ({ call }) => call('compact', {}),
  'another index': ({ call }) => call('searchRebuild', {}),
}

function plant(vault: TestVault, id: string): void {
  const dir = join(vault.dir, id)
  mkdirSync(dir)
  writeFileSync(join(dir, 'x'), 'short')
  linkSync(join(dir, 'x'), join(dir, 'link'))
  writeFileSync(join(dir, 'gone'), 'gone')
}

function alter(vault: TestVault, id: string): void {
  const dir = join(vault.dir, id)
  writeFileSync(join(dir, 'x'), 'newer, and much longer than it was')
  rmSync(join(dir, 'gone'))
}

/** A process that has a file mapped, and writes into it before and after the gate is opened. */
interface Mapping {
  release(): Promise<void>
}

async function mapped({ vault, dir, path }: Place): Promise<Mapping> {
  const gate = join(vault.root, `gate${path.slice(1)}`)
  const ready = join(vault.root, `ready${path.slice(1)}`)
  run('mkfifo', [gate])
  const steps = [
    `open ${join(dir, 'x')} O_RDWR`,
    'mmap 0 4',
    'poke 0 M',
    `mkdir ${ready} 700`,
    `open ${gate} O_RDONLY`,
    'poke 1 N',
    'msync',
    'munmap',
    'close 0',
  ]
  const child = spawn(syscallsProgram(), steps, { stdio: 'ignore' })
  const ended = new Promise<void>((resolve) => child.on('exit', () => resolve()))
  await until(() => existsSync(ready), 'the file is mapped')
  return {
    release: async () => {
      closeSync(openSync(gate, 'w'))
      await ended
    },
  }
}

function readAll(fd: number): string {
  const bytes = Buffer.alloc(4096)
  return bytes.toString('latin1', 0, readSync(fd, bytes, 0, bytes.length, 0))
}

/**
 * What the names lead to, each as large as what is read of it, with none of the zeros that a wrong
 * size would show.
 */
function contents(t: Test, { dir }: Place, when: string): (string | undefined)[] {
  return ['x', 'link'].map((name) => {
    const path = join(dir, name)
    const stats = statSync(path, { throwIfNoEntry: false })
    if (stats === undefined) return undefined
    const text = readFileSync(path, 'latin1')
    t.equal(text.length, stats.size, `${name}: its size, ${when}`)
    t.notMatch(text, /\0/, `${name}: no zeros, ${when}`)
    return text
  })
}

function isTheSame(t: Test, fd: number, { dir }: Place, when: string): void {
  const text = readAll(fd)
  const { ino, size } = fstatSync(fd)
  t.equal(text.length, size, `what is open: its size, ${when}`)
  t.notMatch(text, /\0/, `what is open: no zeros, ${when}`)
  for (const name of ['x', 'link'])
    if (statSync(join(dir, name), { throwIfNoEntry: false })?.ino === ino)
      t.equal(readFileSync(join(dir, name), 'latin1'), text, `${name} is what is open, ${when}`)
}

/**
 * Opens the file in all ways, makes the change, and goes on. Returns what the names lead to in the
 * end.
 */
async function goThrough(
  t: Test,
  place: Place,
  change: (place: Place) => unknown,
): Promise<(string | undefined)[]> {
  const { dir } = place
  const reading = openSync(join(dir, 'link'), 'r')
  const appending = openSync(join(dir, 'x'), 'a+')
  const writing = openSync(join(dir, 'link'), 'r+')
  const mapping = await mapped(place)
  readAll(reading)
  writeSync(appending, ' dirty')
  writeSync(writing, 'D', 2)
  await change(place)
  contents(t, place, 'at once')
  for (const fd of [reading, appending, writing]) isTheSame(t, fd, place, 'at once')
  writeSync(appending, ' appended')
  writeSync(writing, 'W', 3)
  for (const name of ['x', 'link'])
    if (existsSync(join(dir, name))) appendFileSync(join(dir, name), ` to ${name}`)
  await mapping.release()
  t.match(readAll(appending), / appended( to (x|link))*$/, 'what is open has it all')
  t.match(readAll(appending), /^.N.W/, 'mapped or written, by both names')
  contents(t, place, 'as they go on')
  for (const fd of [reading, appending, writing]) isTheSame(t, fd, place, 'as they go on')
  for (const fd of [reading, appending, writing]) closeSync(fd)
  const [x, link] = contents(t, place, 'closed')
  if (x !== undefined) t.match(x, / to x( to link)?$/)
  if (link !== undefined) t.match(link, / to link$/)
  return [x, link]
}

for (const name of ['sqlite', 'leveldb'])
  t.test(`${name}: files that are open are right when commands have been at them`, async (t) => {
    const vault = createVault(t, backendNamed(name))
    vault.mount()
    const all = Object.entries(changes).map(([name, change], at) => ({
      name,
      change,
      id: `d${at}`,
    }))
    for (const { id } of all) plant(vault, id)
    // Names that live shorter than a second would count as temporary ones.
    await sleep(1100)
    const moment = Date.now() * 1000
    for (const { id } of all) alter(vault, id)
    await sleep(1100)
    const ends: (string | undefined)[][] = []
    const places = all.map(
      ({ id }): Place => ({
        vault,
        dir: join(vault.dir, id),
        path: `/${id}`,
        moment,
        call: (method, parameters) => callVault(vault.file, method, parameters, () => undefined),
      }),
    )
    for (const [at, { name, change }] of all.entries())
      await t.test(name, async (t) => {
        ends.push(await goThrough(t, places[at] as Place, change))
      })
    vault.unmount()
    vault.mount()
    for (const [at, { name }] of all.entries())
      t.same(contents(t, places[at] as Place, 'in a new mount'), ends[at], name)
    vault.unmount()
    vault.check()
  })
