// One user asks for too much, in a process of a user other than root: the daemon survives, with a
// small heap, and the others are answered.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createVault, FULL, isAlive, type TestVault } from '../support/mount.ts'

t.setTimeout(300_000)

const STRANGER = 12_345
const HEAP_MB = 32

/** Mounted by a daemon whose heap is small. */
function smallDaemon(t: Test): TestVault {
  const vault = createVault(t)
  const env = { NODE_OPTIONS: `--max-old-space-size=${HEAP_MB}` }
  const { status, stderr } = vault.avfs(
    ['mount', vault.name, vault.dir, ...FULL, '--cache-mb', '64'],
    { env },
  )
  t.equal(status, 0, stderr)
  return vault
}

/** Runs lines of JavaScript as another user in the mount; `fs` and `dir` are there. */
function stranger(vault: TestVault, ...lines: readonly string[]): ChildProcess {
  const source = [`import fs from 'node:fs'`, `const dir = ${JSON.stringify(vault.dir)}`, ...lines]
  return spawn(process.execPath, ['--input-type=module', '-e', source.join('\n')], {
    cwd: '/',
    uid: STRANGER,
    gid: STRANGER,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

/** What it prints, once it has ended by itself. */
async function ended(child: ChildProcess): Promise<string> {
  let text = ''
  child.stdout?.setEncoding('utf8').on('data', (more: string) => {
    text += more
  })
  await once(child, 'close')
  return text.trim()
}

/** What a user does meanwhile: saves, reads and lists. */
function work(vault: TestVault, turn: number): void {
  const path = join(vault.dir, 'mine', `file-${turn % 20}`)
  writeFileSync(path, `turn ${turn}`)
  if (readFileSync(path, 'utf8') !== `turn ${turn}`)
    throw new Error(`${path} is not what was written`)
  readdirSync(join(vault.dir, 'mine'))
}

async function worksBeside(t: Test, vault: TestVault, child: ChildProcess): Promise<string> {
  const text = ended(child)
  let isOver = false
  void text.then(() => {
    isOver = true
  })
  mkdirSync(join(vault.dir, 'mine'))
  let turns = 0
  for (; !isOver; turns++) {
    work(vault, turns)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  t.ok(turns > 0, `${turns} turns of another user's work meanwhile`)
  return await text
}

t.test('900 open directories of many names are one listing', async (t) => {
  const vault = smallDaemon(t)
  const names = 8000
  const big = join(vault.dir, 'big')
  mkdirSync(big)
  for (let at = 0; at < names; at++)
    writeFileSync(join(big, `a-name-that-is-not-so-short-${at}`), '')
  const child = stranger(
    vault,
    'const open = []',
    'for (let at = 0; at < 900; at++) {',
    '  open.push(fs.opendirSync(dir + "/big", { bufferSize: 1 }))',
    '  if (open[at].readSync() === null) throw new Error("nothing is listed")',
    '}',
    'let count = 1',
    'while (open[450].readSync() !== null) count++',
    'console.log(count)',
  )
  t.equal(await worksBeside(t, vault, child), `${names}`)
  t.ok(isAlive(vault.daemonPid()))
})

t.test('walks through the past end before the heap does', async (t) => {
  const vault = smallDaemon(t)
  const dir = join(vault.dir, 'dir')
  mkdirSync(dir)
  for (let at = 0; at < 2000; at++) writeFileSync(join(dir, `file-${at}`), '')
  for (let at = 0; at < 30; at++) mkdirSync(join(vault.dir, '.avfs/snapshots', `s${at}`))
  const child = stranger(
    vault,
    'let [seen, refused] = [0, 0]',
    'for (let at = 0; at < 30; at++) {',
    '  const past = dir + "/.avfs/snapshots/s" + at + "/dir/"',
    '  for (let file = 0; file < 2000; file++)',
    '    try {',
    '      fs.statSync(past + "file-" + file)',
    '      seen++',
    '    } catch (error) {',
    '      if (error.code !== "ENOMEM") throw error',
    '      refused++',
    '    }',
    '}',
    'console.log(seen + refused)',
  )
  t.equal(await worksBeside(t, vault, child), '60000')
  t.ok(isAlive(vault.daemonPid()))
  t.match(vault.log(), /warn memory is short, and caches are let go of/)
})
