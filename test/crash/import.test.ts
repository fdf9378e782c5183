// kill -9 during imports, AVFS_CRASH_ROUNDS times each: into a vault that is not mounted, through a
// daemon that is killed, and of a whole history; AVFS_TEST_BACKEND chooses the engine. Afterwards
// the vault is sound, holds no partial file, and running the same command again completes the
// import.

import { spawn } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { testBackend } from '../support/engines.ts'
import { avfsProgram, createVault, type TestVault } from '../support/mount.ts'
import { run } from '../support/program.ts'
import { randomFrom, seedOf } from '../support/random.ts'

const rounds = Number(process.env.AVFS_CRASH_ROUNDS ?? 5)
const seed = seedOf('AVFS_SEED')
t.setTimeout(120_000 + rounds * 60_000)
t.comment(`AVFS_SEED=${seed} AVFS_CRASH_ROUNDS=${rounds}`)

const random = randomFrom(seed)
/** The engines beside the default one meet a smaller tree. */
const FILES = testBackend.name === 'sqlite' ? 3000 : 1000

function makeTree(root: string): void {
  mkdirSync(root)
  for (let at = 0; at < FILES; at++) {
    const dir = join(root, `d${at % 30}`)
    if (at < 30) mkdirSync(dir)
    writeFileSync(join(dir, `f${at}`), random.bytes(random.below(9000)))
  }
  for (let at = 0; at < 10; at++) writeFileSync(join(root, `large${at}`), random.bytes(2_000_000))
}

/** Starts avfs and kills it, or what `victim` says, some time later. */
async function killed(vault: TestVault, args: string[], victim?: () => number): Promise<void> {
  const child = spawn(avfsProgram, args, { env: { ...process.env, ...vault.env }, stdio: 'ignore' })
  const over = new Promise((resolve) => child.once('exit', resolve))
  await Promise.race([sleep(100 + random.below(1200)), over])
  if (victim !== undefined) process.kill(victim(), 'SIGKILL')
  else child.kill('SIGKILL')
  await over
}

/** What is there is whole: files that differ from their source would be listed. */
function assertWhole(t: Test, tree: string, copy: string): void {
  const flags = ['-rni', '--checksum', '--existing']
  t.equal(run('rsync', [...flags, `${tree}/`, `${copy}/`]).replace(/^\.d.*\n?/gm, ''), '')
}

for (let round = 1; round <= rounds; round++) {
  await t.test(`round ${round}: an import that is killed is completed by the next`, async (t) => {
    const vault = createVault(t)
    const tree = join(vault.root, 'tree')
    makeTree(tree)
    const args = ['import', tree, `${vault.name}:/copy`, '--json']
    await killed(vault, args)
    vault.check()
    vault.mount()
    if (readdirSync(vault.dir).length > 0) assertWhole(t, tree, join(vault.dir, 'copy'))
    await killed(vault, args, vault.daemonPid)
    // Clears the dead mount.
    vault.mount()
    if (readdirSync(vault.dir).length > 0) assertWhole(t, tree, join(vault.dir, 'copy'))
    const { stdout, status } = vault.avfs(args)
    t.equal(status, 0)
    const { files, unchanged } = JSON.parse(stdout)
    t.equal(files + unchanged, FILES + 10)
    const flags = ['-aHAXni', '--checksum', '--delete']
    t.equal(run('rsync', [...flags, `${tree}/`, `${vault.dir}/copy/`]), '')
    vault.unmount()
    vault.check()
  })

  await t.test(`round ${round}: a history arrives whole or not at all`, async (t) => {
    const vault = createVault(t)
    const tree = join(vault.root, 'tree')
    makeTree(tree)
    const avfs = (...args: string[]): void => {
      const { status, stderr } = vault.avfs(args)
      if (status !== 0) throw new Error(`avfs ${args.join(' ')}: ${stderr}`)
    }
    avfs('import', tree, `${vault.name}:/`)
    const history = join(vault.root, 'history')
    avfs('export', `${vault.name}:/`, history, '-r', '--with-history')
    avfs('vault', 'create', 'two', '--backend', testBackend.name)
    const args = ['import', history, 'two:/', '--with-history']
    await killed(vault, args)
    const manifest = (name: string): string => {
      const out = join(vault.root, `again-${name}`)
      rmSync(out, { recursive: true, force: true })
      avfs('export', `${name}:/`, out, '-r', '--with-history')
      return readFileSync(join(out, '.avfs-history/manifest.json'), 'utf8')
    }
    avfs('vault', 'check', 'two', '--deep')
    const { status, stderr } = vault.avfs(args)
    // It may have been done just before.
    if (status !== 0) t.match(stderr, /empty vault/)
    t.equal(manifest('two'), manifest(vault.name))
    avfs('vault', 'check', 'two', '--deep')
    t.ok(statSync(join(vault.home, `two${testBackend.suffix}`)).size > 0)
    t.same(
      readdirSync(vault.home).filter((name) => /importing|former|switch/.test(name)),
      [],
    )
  })
}
