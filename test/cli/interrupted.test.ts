// Ctrl-C while a vault is migrated or exported: nothing is left that looks complete and is not.
// Whether the signal comes before the end depends on the machine, so that both outcomes are
// accepted.

import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { avfsProgram } from '../support/mount.ts'
import { type Cli, emptyCli } from './cli.ts'

t.setTimeout(280_000)
const BYTES = 48 * 1024 * 1024

/** A vault 'one' with one large file. */
function largeCli(t: Test): Cli {
  const cli = emptyCli(t)
  const large = join(cli.folder('from'), 'large')
  writeFileSync(large, randomBytes(BYTES))
  cli.json('vault', 'create', 'one')
  cli.json('import', large, 'one:/large')
  return cli
}

/** Runs avfs and sends SIGINT as soon as something is at the path that `begun` finds. */
async function interrupt(
  cli: Cli,
  args: readonly string[],
  begun: () => boolean,
): Promise<number | null> {
  const env = { ...process.env, AVFS_HOME: cli.home, XDG_RUNTIME_DIR: cli.root }
  const child = spawn(avfsProgram, args, { env, cwd: cli.root, stdio: 'ignore' })
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  while (!begun() && child.exitCode === null) await sleep(1)
  child.kill('SIGINT')
  return await ended
}

t.test('a migration that is stopped leaves the vault alone, and nothing beside it', async (t) => {
  const cli = largeCli(t)
  const begun = () => existsSync(join(cli.home, 'one.lmdb.partial'))
  const status = await interrupt(cli, ['vault', 'migrate', 'one', '--to', 'lmdb'], begun)
  const vaults = readdirSync(cli.home).filter((name) => !name.endsWith('-lock'))
  t.same([status, vaults], status === 0 ? [0, ['one.lmdb']] : [130, ['one.avfs']])
  t.match(cli.json('vault', 'check', 'one', '--deep'), { problems: [] })
})

for (const format of ['dir', 'tar', 'sqlar'])
  t.test(`an export as ${format} that is stopped leaves nothing that is not whole`, async (t) => {
    const cli = largeCli(t)
    const out = cli.folder('out')
    const args = ['export', 'one:/large', join(out, 'x'), '--format', format]
    const status = await interrupt(cli, args, () => readdirSync(out).length > 0)
    if (status === 0) t.ok(statSync(join(out, 'x')).size >= BYTES)
    else t.same([status, readdirSync(out)], [130, []])
  })
