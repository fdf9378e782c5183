// avfs vault top, stats and compact on a vault that is mounted and in use.

import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import { avfsProgram, mountedVault, type TestVault } from '../support/mount.ts'

/** What a command that never ends by itself prints first; then it is ended. */
async function firstLines(
  { env, root }: TestVault,
  count: number,
  ...args: readonly string[]
): Promise<string[]> {
  const child = spawn(avfsProgram, args, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines: string[] = []
  for await (const line of createInterface(child.stdout)) if (lines.push(line) === count) break
  child.kill('SIGKILL')
  return lines
}

t.test('top tells what a mounted vault does, and says so of one that is not mounted', async (t) => {
  const vault = mountedVault(t)
  const top = (...args: readonly string[]) =>
    vault.avfs(['vault', 'top', vault.name, '--interval', '0.2', ...args])
  t.match(JSON.parse(top('--once', '--json').stdout), {
    seconds: Number,
    requestsPerSecond: Number,
    operations: [],
  })
  t.match(top('--once').stdout, /^\S+: \d+ requests\/s, in .*\nmemory .*\n\nOPERATION/)
  writeFileSync(join(vault.dir, 'a'), 'x')
  const lines = await firstLines(vault, 3, 'vault', 'top', vault.name, '--interval', '0.1')
  // A line an interval where there is no terminal.
  t.equal(lines.length, 3)
  for (const line of lines) t.match(line, /^\d+ requests\/s, in /)
  vault.unmount()
  const { status, stderr } = top('--once')
  t.equal(status, 1)
  t.match(stderr, /is not mounted/)
})

t.test('stats and compact work while the vault is mounted', (t) => {
  const vault = mountedVault(t)
  const bytes = Buffer.alloc(1_000_000, 'something to keep ')
  for (const name of ['a', 'b', 'c']) writeFileSync(join(vault.dir, name), bytes)
  const asked = (...args: readonly string[]) =>
    JSON.parse(vault.avfs(['vault', ...args, vault.name, '--json']).stdout)
  t.match(asked('stats'), { files: 3, logicalBytes: 3_000_000, blocks: Number, commits: Number })
  t.ok(asked('stats').deduplication > 2, 'three files share their blocks')
  t.ok(asked('stats').compression > 10)
  t.match(asked('compact'), { bytesBefore: Number, bytesAfter: Number, blocks: 0 })
  t.same(readFileSync(join(vault.dir, 'b')), bytes)
  vault.unmount()
  t.match(asked('compact'), { compacted: true })
  vault.check()
  t.end()
})
