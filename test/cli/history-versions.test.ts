// avfs log, cat and diff, on a mounted vault and on one that is not.

import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import {
  appendFileSync,
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { avfsProgram } from '../support/mount.ts'
import { needProgram } from '../support/program.ts'
import { aSecond, bothWays, historyCli } from './history.ts'

// Each run of a command takes a while on a busy machine.
t.setTimeout(240_000)

t.test(
  'each close of a changed file is a version, which log lists and cat gives back',
  async (t) => {
    const cli = historyCli(t)
    for (const text of ['one\n', 'one two\n', '']) writeFileSync(cli.at('a.txt'), text)
    appendFileSync(cli.at('a.txt'), 'three')
    bothWays(cli, (at) => {
      t.match(cli.json('log', at('a.txt')), [
        { number: 3, size: 5 },
        { number: 2, size: 8 },
        { number: 1, size: 4 },
      ])
      t.match(cli.json('log', at('a.txt'), '-n', '1'), [{ number: 3 }])
      t.match(cli.out('log', at('a.txt')), /^version +saved +size +mode +owner +who\n +3 +\d{4}-/)
      t.equal(cli.out('cat', at('a.txt')), 'three')
      t.equal(cli.out('cat', at('a.txt'), '-v', '1'), 'one\n')
      t.equal(cli.out('cat', at('a.txt'), '-v', '2'), 'one two\n')
    })
  },
)

t.test('cat gives the bytes of a large file exactly, also of a former state', async (t) => {
  const cli = historyCli(t)
  const bytes = Buffer.alloc(5_000_001)
  for (let at = 0; at < bytes.length; at += 4)
    bytes.writeInt32LE((at * 2654435761) | 0, Math.min(at, bytes.length - 4))
  writeFileSync(cli.at('large'), bytes)
  writeFileSync(cli.at('large'), 'small now')
  const digest = createHash('sha256').update(bytes).digest('hex')
  bothWays(cli, (at) => {
    const { stdout } = spawnSync(avfsProgram, ['cat', at('large'), '-v', '1'], {
      env: { ...process.env, AVFS_HOME: cli.home, XDG_RUNTIME_DIR: cli.root },
      maxBuffer: 2 * bytes.length,
    })
    t.equal(createHash('sha256').update(stdout).digest('hex'), digest)
  })
})

t.test('a reader that goes away ends cat, and leaves the vault free', async (t) => {
  const cli = historyCli(t)
  writeFileSync(cli.at('large'), Buffer.alloc(20_000_000, 'x'))
  cli.unmount()
  const child = spawn(avfsProgram, ['cat', 'one:/large'], {
    env: { ...process.env, AVFS_HOME: cli.home },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stderr = ''
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  await once(child.stdout, 'data')
  child.stdout.destroy()
  await once(child, 'close')
  t.equal(stderr, '')
  t.match(cli.json('vault', 'check', 'one'), { problems: [] })
})

t.test('--at shows a file as it was at a moment, whatever it was called then', async (t) => {
  const cli = historyCli(t)
  writeFileSync(cli.at('a'), 'first')
  await aSecond()
  const [{ savedAt }] = cli.json('log', cli.at('a')) as [{ savedAt: string }]
  const when = savedAt.slice(0, 19)
  writeFileSync(cli.at('a'), 'second')
  renameSync(cli.at('a'), cli.at('b'))
  bothWays(cli, (at) => {
    t.equal(cli.out('cat', at('a'), '--at', `${when}Z`), 'first')
    t.equal(cli.out('cat', at('b'), '--at', `${when}Z`), 'first')
    t.equal(cli.out('cat', at('b'), '--at', '0s'), 'second')
    t.match(cli.failure('cat', at('a'), '--at', '0s'), { status: 13, message: 'not there' })
    t.match(cli.failure('cat', at('b'), '--at', '2d'), { status: 13, message: 'past begins at' })
    t.match(cli.failure('cat', at('b'), '--at', '2999-01-01'), { status: 13, message: 'future' })
  })
})

t.test('what is not there ends with 13 and says what is', async (t) => {
  const cli = historyCli(t)
  writeFileSync(cli.at('a'), '1')
  writeFileSync(cli.at('gone'), '1')
  await aSecond()
  rmSync(cli.at('gone'))
  bothWays(cli, (at) => {
    t.match(cli.failure('cat', at('a'), '-v', '7'), {
      status: 13,
      message: 'no version 7; it has 1',
    })
    t.match(cli.failure('cat', at('nope')), { status: 13, message: 'there is no /nope' })
    t.match(cli.failure('log', at('nope')), { status: 13 })
    t.match(cli.failure('cat', at('gone')), { status: 13, message: 'avfs undelete' })
    t.match(cli.failure('cat', at('a'), '--snapshot', 's'), { status: 13, message: "'s'" })
    t.match(cli.failure('cat', at('a'), '-v', 'x'), { status: 2, message: "'x'" })
    t.match(cli.failure('cat', at('a'), '--at', 'tomorrow'), { status: 2, message: 'tomorrow' })
    t.match(cli.failure('cat', at('a'), '-v', '1', '--at', '1d'), { status: 2 })
    t.match(cli.failure('cat', at('')), { status: 1, message: 'a directory' })
    t.match(cli.json('log', at('gone')), [{ number: 1 }])
  })
  t.match(cli.failure('cat', 'two:/a'), { status: 10 })
  t.match(cli.failure('cat', join(cli.root, 'a')), { status: 10, message: 'no mounted vault' })
})

t.test('a path in .avfs is refused with what to do instead', async (t) => {
  const cli = historyCli(t)
  t.match(cli.failure('cat', cli.at('.avfs/versions/a/1')), { status: 2, message: '--at' })
})

t.test('links lead into a mount, and a link in a vault is a file of it', async (t) => {
  const cli = historyCli(t)
  mkdirSync(cli.at('d'))
  writeFileSync(cli.at('d/a'), 'content')
  symlinkSync('d/a', cli.at('link'))
  symlinkSync(cli.at('d'), join(cli.root, 'outside'))
  t.equal(cli.out('cat', 'outside/a'), 'content')
  t.equal(cli.out('cat', cli.at('link')), 'd/a')
  t.equal(cli.out('cat', 'mnt/d/../d//a'), 'content')
  t.match(cli.out('log', 'outside'), / created .* a$/m)
})

t.test('names that are not UTF-8 are found in the past too', async (t) => {
  const cli = historyCli(t)
  const name = Buffer.concat([Buffer.from(`${cli.dir}/`), Buffer.from([0x66, 0xff, 0x66])])
  writeFileSync(name, 'bytes')
  const script = `exec "$1" cat "${cli.dir}/$(printf 'f\\377f')" -v 1`
  const { stdout } = spawnSync('sh', ['-c', script, 'sh', avfsProgram], {
    env: { ...process.env, AVFS_HOME: cli.home, XDG_RUNTIME_DIR: cli.root },
  })
  t.equal(String(stdout), 'bytes')
})

t.test('diff shows what the last save changed, and what two versions differ in', async (t) => {
  needProgram('patch')
  const cli = historyCli(t)
  const lines = Array.from({ length: 20 }, (_, at) => `line ${at}`)
  const save = (name: string): void => writeFileSync(cli.at(name), `${lines.join('\n')}\n`)
  save('a.txt')
  lines[3] = 'changed'
  save('a.txt')
  lines.push('added')
  save('a.txt')
  bothWays(cli, (at) => {
    t.match(
      cli.out('diff', at('a.txt')),
      /^--- a\/a\.txt\t.*\n\+\+\+ b\/a\.txt\t.*\n@@ -18,3 \+18,4 @@\n/,
    )
    const patch = cli.out('diff', at('a.txt'), '-v', '1..3')
    writeFileSync(join(cli.root, 'a.txt'), cli.out('cat', at('a.txt'), '-v', '1'))
    spawnSync('patch', ['-p1'], { cwd: cli.root, input: patch })
    t.equal(readFileSync(join(cli.root, 'a.txt'), 'utf8'), cli.out('cat', at('a.txt')))
    t.equal(cli.out('diff', at('a.txt'), '-v', '3'), '')
    t.match(cli.json('diff', at('a.txt'), '-v', '2'), [{ path: '', diff: /\+added/ }])
    t.match(cli.failure('diff', at('a.txt'), '-v', '1..2..3'), { status: 2 })
    t.match(cli.failure('diff', at('a.txt'), '-v', '9'), { status: 13 })
  })
})

t.test('diff of a directory names what came, went and changed, and patch takes it', async (t) => {
  needProgram('patch')
  const cli = historyCli(t)
  mkdirSync(cli.at('d/sub'), { recursive: true })
  writeFileSync(cli.at('d/same'), 'same\n')
  writeFileSync(cli.at('d/sub/changed'), 'before\n')
  writeFileSync(cli.at('d/gone'), 'gone\n')
  writeFileSync(cli.at('d/binary'), Buffer.from([0, 1, 2]))
  chmodSync(cli.at('d/same'), 0o644)
  cli.json('snapshot', 'create', 's', 'one')
  await aSecond()
  writeFileSync(cli.at('d/sub/changed'), 'after')
  writeFileSync(cli.at('d/new'), 'new\n')
  writeFileSync(cli.at('d/binary'), Buffer.from([0, 1, 3]))
  chmodSync(cli.at('d/same'), 0o755)
  rmSync(cli.at('d/gone'))
  bothWays(cli, (at) => {
    const diff = cli.out('diff', at('d'), '--snapshot', 's')
    t.match(diff, /^Binary files a\/binary and b\/binary differ$/m)
    t.match(diff, /^--- a\/gone\t.*\n\+\+\+ \/dev\/null\n@@ -1 \+0,0 @@\n-gone$/m)
    t.match(diff, /^--- \/dev\/null\n\+\+\+ b\/new\t.*\n@@ -0,0 \+1 @@\n\+new$/m)
    t.match(diff, /^Mode of same: 100644 before, 100755 after$/m)
    t.match(diff, /^-before\n\+after\n\\ No newline at end of file$/m)
    t.notMatch(diff, 'a/same\t')
  })
  t.match(cli.failure('diff', 'one:/d'), { status: 13, message: '--at' })
})

t.test('what a program holds open and unflushed is in a snapshot', async (t) => {
  const cli = historyCli(t)
  const fd = openSync(cli.at('open'), 'w')
  writeSync(fd, 'written and not closed')
  cli.out('snapshot', 'create', 'now', cli.dir)
  writeSync(fd, ', and more')
  t.equal(cli.out('cat', cli.at('open'), '--snapshot', 'now'), 'written and not closed')
  closeSync(fd)
})
