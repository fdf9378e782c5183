// Programs that watch a mounted vault are notified of what commands change, as they are when cp, mv
// and rm do the same; and the events make no changes of their own.

import { spawn } from 'node:child_process'
import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { isAlive, mountedVault, type TestVault, until } from '../support/mount.ts'
import { run } from '../support/program.ts'

t.setTimeout(300_000)

/** Runs a command of avfs beside a program that watches; returns its events, each once, sorted. */
interface Watching {
  watched(...args: readonly string[]): Promise<string[]>
  end(): Promise<unknown>
}

async function watching(
  t: Test,
  vault: TestVault,
  program: readonly [string, ...string[]],
): Promise<Watching> {
  const [name, ...flags] = program
  const child = spawn(name, [...flags, '--format', '%e %w%f'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = new Promise((resolve) => child.on('exit', resolve))
  const end = (): Promise<unknown> => {
    child.kill()
    return ended
  }
  t.teardown(end)
  let text = ''
  let notes = ''
  child.stdout.setEncoding('latin1').on('data', (more: string) => {
    text += more
  })
  child.stderr.on('data', (more) => {
    notes += more
  })
  await until(() => notes.includes('atches established'), `${name} watches`)
  const mark = join(vault.dir, 'end')
  const watched = async (...args: readonly string[]): Promise<string[]> => {
    const { status, stderr } = vault.avfs(args)
    if (status !== 0) throw new Error(`avfs ${args.join(' ')} ended with ${status}: ${stderr}`)
    // Events come in order: after this one there are no more of the command.
    writeFileSync(mark, '')
    await until(() => text.includes(mark), 'all events are here')
    const events = text.split('\n').filter((line) => line !== '' && !line.includes(mark))
    text = ''
    await sleep(50)
    text = ''
    const own = events.map((line) =>
      line.replace(`${vault.dir}/`, '').replaceAll(',ISDIR', '/').replaceAll(' (deleted)', ''),
    )
    return [...new Set(own)].filter((line) => !/^(OPEN|ACCESS|CLOSE|\[fid)/.test(line)).sort()
  }
  return { watched, end }
}

/** a has two versions, gone and gone-dir were deleted. */
async function watchedVault(t: Test): Promise<TestVault> {
  const vault = mountedVault(t)
  const at = (name: string): string => join(vault.dir, name)
  mkdirSync(at('dir'))
  for (const text of ['one', 'two']) writeFileSync(at('dir/a'), text)
  writeFileSync(at('dir/gone'), 'gone')
  mkdirSync(at('dir/gone-dir/deep'), { recursive: true })
  writeFileSync(at('dir/gone-dir/deep/x'), 'x')
  await sleep(1100)
  vault.avfs(['snapshot', 'create', 's', vault.name])
  for (const name of ['gone', 'gone-dir']) rmSync(at(`dir/${name}`), { recursive: true })
  await sleep(1100)
  const from = join(vault.root, 'from')
  mkdirSync(join(from, 'new-dir'), { recursive: true })
  for (const name of ['new', 'new-dir/y']) writeFileSync(join(from, name), 'new')
  return vault
}

/**
 * What is heard of each command by whoever watches the whole tree; by name, so that a directory
 * that came is one event.
 */
const heard: readonly (readonly [command: readonly string[], events: readonly string[]])[] = [
  [['restore', 'DIR/a', '-v', '1'], ['MOVED_TO dir/a']],
  [['undelete', 'DIR/gone'], ['MOVED_TO dir/gone']],
  [['undelete', 'DIR/gone-dir'], ['MOVED_TO/ dir/gone-dir']],
  [['import', 'FROM/new', 'DIR/made'], ['MOVED_TO dir/made']],
  [
    ['import', 'FROM', 'DIR'],
    ['ATTRIB/ dir', 'MOVED_TO dir/new', 'MOVED_TO/ dir/new-dir'],
  ],
  [['meta', 'set', 'DIR/a', 'k=v'], ['ATTRIB dir/a']],
  [['tag', 'add', 'DIR/a', 't'], ['ATTRIB dir/a']],
  [['tag', 'rm', 'DIR/a', 't'], ['ATTRIB dir/a']],
  [
    ['restore', 'DIR', '--snapshot', 's', '--delete'],
    [
      'ATTRIB/ dir',
      'DELETE dir/made',
      'DELETE dir/new',
      'DELETE dir/new-dir/y',
      'DELETE/ dir/new-dir',
      'MOVED_TO dir/a',
    ],
  ],
  [['snapshot', 'create', 'other', 'VAULT'], []],
  [['prune', 'DIR', '--keep', '1'], []],
  [['vault', 'config', 'VAULT', 'keep.versions=3'], []],
  [['vault', 'compact', 'VAULT'], []],
]

for (const program of [
  ['inotifywait', '-m', '-r'],
  ['fsnotifywait', '-m', '-r'],
] as const)
  t.test(`${program[0]} hears of what commands change`, async (t) => {
    const vault = await watchedVault(t)
    const { watched, end } = await watching(t, vault, [...program, vault.dir])
    // Those of fanotify come from the same places in the kernel.
    const some = program[0] === 'inotifywait' ? heard : heard.slice(0, 6)
    for (const [command, events] of some) {
      const args = command.map((word) =>
        word
          .replace('DIR', join(vault.dir, 'dir'))
          .replace('FROM', join(vault.root, 'from'))
          .replace('VAULT', vault.name),
      )
      const found = (await watched(...args)).filter((line) => !line.includes('_SELF'))
      // A watcher of a directory tells of it as itself, too.
      const named = found.map((line) => line.replace(/\/$/, ''))
      t.same([...new Set(named)].sort(), [...events].sort(), command.join(' '))
    }
    await end()
    vault.unmount()
    vault.check()
  })

t.test('whoever watches one file hears that it was replaced, or is gone', async (t) => {
  const vault = await watchedVault(t)
  const a = join(vault.dir, 'dir/a')
  const { watched } = await watching(t, vault, ['inotifywait', '-m', a, vault.dir])
  const found = await watched('restore', a, '-v', '1')
  t.same(
    found.filter((line) => line.includes('dir/a')),
    ['ATTRIB dir/a', 'DELETE_SELF dir/a'],
  )
})

t.test('what is done for those who watch is no change', async (t) => {
  const vault = await watchedVault(t)
  const a = join(vault.dir, 'dir/a')
  run('chmod', ['4755', a])
  run('setcap', ['cap_net_raw+ep', a])
  await sleep(1100)
  const args = (...more: readonly string[]): unknown =>
    JSON.parse(vault.avfs([...more, '--json']).stdout)
  const before = args('log', join(vault.dir, 'dir')) as object[]
  const versions = args('log', a) as object[]
  const fd = openSync(a, 'r')
  const { mtimeMs, mode } = statSync(a)
  vault.avfs(['tag', 'add', a, 't'])
  t.match(statSync(a), { mtimeMs, mode })
  t.match(run('getcap', [a]), /cap_net_raw/)
  t.equal((args('log', join(vault.dir, 'dir')) as object[]).length, before.length + 1)
  t.same(args('log', a), versions)
  closeSync(fd)
  const seen = statSync(a)
  vault.unmount()
  vault.mount()
  t.match(statSync(a), { ctimeMs: seen.ctimeMs, mtimeMs, mode })
})

t.test('of thousands of names the first are told, and the directories of the others', async (t) => {
  const vault = mountedVault(t)
  const from = join(vault.root, 'from')
  for (const name of ['first', 'second']) {
    mkdirSync(join(from, name), { recursive: true })
    mkdirSync(join(vault.dir, name))
    for (let at = 0; at < 1000; at++) writeFileSync(join(from, name, `${at}`), '')
  }
  const { watched } = await watching(t, vault, ['inotifywait', '-m', '-r', vault.dir])
  const found = await watched('import', from, `${vault.name}:/`)
  t.equal(found.filter((line) => line.startsWith('MOVED_TO')).length, 1000)
  t.ok(found.some((line) => /^ATTRIB\/ second\/?$/.test(line)))
  t.equal(readdirSync(join(vault.dir, 'second')).length, 1000)
})

t.test('nothing is touched in what is mounted over a part of the vault', async (t) => {
  const vault = await watchedVault(t)
  const dir = join(vault.dir, 'dir')
  writeFileSync(join(dir, 'late'), 'of the vault')
  await sleep(1100)
  run('mount', ['-t', 'tmpfs', 'none', dir])
  t.teardown(() => existsSync(join(dir, 'late')) && run('umount', [dir]))
  writeFileSync(join(dir, 'late'), 'of another')
  const { status } = vault.avfs(['restore', `${vault.name}:/dir`, '--snapshot', 's', '--delete'])
  t.equal(status, 0)
  t.same(readdirSync(dir), ['late'])
  run('umount', [dir])
  t.notOk(existsSync(join(dir, 'late')))
})

t.test(
  'a daemon that is killed takes the process that tells along, and its mount can be cleared',
  async (t) => {
    const vault = await watchedVault(t)
    vault.avfs(['restore', join(vault.dir, 'dir/a'), '-v', '1'])
    const daemon = vault.daemonPid()
    const children = readFileSync(`/proc/${daemon}/task/${daemon}/children`, 'utf8')
      .trim()
      .split(' ')
      .map(Number)
    t.equal(children.length, 1)
    const [child = 0] = children
    const open = readdirSync(`/proc/${child}/fd`).map((fd) =>
      run('readlink', [`/proc/${child}/fd/${fd}`]),
    )
    t.notOk(
      open.some((path) => /fuse|\.avfs|\.lock/.test(path)),
      'it has nothing of the vault open',
    )
    await vault.kill()
    await until(() => !isAlive(child), 'it is gone')
    vault.mount()
    appendFileSync(join(vault.dir, 'dir/a'), ' more')
    t.equal(readFileSync(join(vault.dir, 'dir/a'), 'utf8'), 'one more')
  },
)
