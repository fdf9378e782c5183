// avfs vault config, avfs prune and avfs hold, on a mounted vault and on the same vault when it is
// not mounted.

import {
  chmodSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { mountedVault, type TestVault, until } from '../support/mount.ts'
import { run } from '../support/program.ts'
import { randomFrom } from '../support/random.ts'

t.setTimeout(300_000)

interface Version {
  readonly number: number
  readonly size: number
}

function asked(vault: TestVault, ...args: readonly string[]): unknown {
  const { status, stdout, stderr } = vault.avfs([...args, '--json'])
  if (status !== 0) throw new Error(`avfs ${args.join(' ')} ended with ${status}: ${stderr}`)
  return JSON.parse(stdout)
}

function versions(vault: TestVault, name: string): number[] {
  return (asked(vault, 'log', `${vault.name}:/${name}`) as Version[]).map(({ number }) => number)
}

/** Saves a file so many times, each save a version. */
async function saved(vault: TestVault, name: string, times: number): Promise<void> {
  for (let at = 1; at <= times; at++) {
    writeFileSync(join(vault.dir, name), `${name} ${at}\n`)
    await sleep(30)
  }
}

t.test('settings are shown, changed, refused and taken back', async (t) => {
  const vault = mountedVault(t)
  const defaults = asked(vault, 'vault', 'config', vault.name)
  t.match(defaults, { 'keep.versions': '', history: 'on', seal: '60s', commit: '1s' })
  const changed = asked(vault, 'vault', 'config', vault.name, 'keep.versions=3', 'keep.days=30')
  t.match(changed, { 'keep.versions': '3', 'keep.days': '30' })
  const wrong = vault.avfs(['vault', 'config', vault.name, 'keep.versions=few'])
  t.equal(wrong.status, 2)
  t.match(wrong.stderr, /keep\.versions=few: give a whole number/)
  t.match(vault.avfs(['vault', 'config', vault.name, 'nonsense=1']).stderr, /no setting is named/)
  t.equal(vault.avfs(['vault', 'config', vault.name, 'history']).status, 2)
  vault.unmount()
  t.same(asked(vault, 'vault', 'config', vault.name), changed)
  asked(vault, 'vault', 'config', vault.name, 'keep.versions=', 'keep.days=')
  t.same(asked(vault, 'vault', 'config', vault.name), defaults)
})

t.test(
  'files that are saved by rename keep their newest versions, with their numbers',
  async (t) => {
    const vault = mountedVault(t)
    const path = join(vault.dir, 'a.txt')
    for (let at = 1; at <= 4; at++) {
      writeFileSync(`${path}~`, `a ${at}\n`)
      renameSync(`${path}~`, path)
      await sleep(1100)
      // A state of its own, which no rule keeps.
      chmodSync(path, 0o600)
      await sleep(1100)
    }
    asked(vault, 'prune', vault.name, '--keep', '2')
    t.same(versions(vault, 'a.txt'), [4, 3])
    const kept = join(vault.dir, '.avfs', 'versions', 'a.txt')
    t.same(readdirSync(kept).sort(), ['3.txt', '4.txt', 'latest'])
    t.equal(readFileSync(join(kept, '3.txt'), 'utf8'), 'a 3\n')
    writeFileSync(`${path}~`, 'a 5\n')
    renameSync(`${path}~`, path)
    vault.unmount()
    t.same(versions(vault, 'a.txt'), [5, 4, 3])
    asked(vault, 'prune', vault.name, '--keep', '1')
    t.same(versions(vault, 'a.txt'), [5])
    vault.check()
  },
)

for (const mounted of [true, false])
  t.test(
    `prune works by rules and options on a vault that is ${mounted ? '' : 'not '}mounted`,
    async (t) => {
      const vault = await filledVault(t)
      if (!mounted) vault.unmount()
      const every = vault.avfs(['prune', vault.name])
      t.match(every.stdout, /no rule is set/)
      t.same(versions(vault, 'a.txt'), [5, 4, 3, 2, 1])

      asked(vault, 'vault', 'config', vault.name, 'keep.versions=4')
      const dry = vault.avfs(['prune', vault.name, '--dry-run', '--explain'])
      t.match(dry.stdout, /^would go {2}\/a\.txt version of /m)
      t.match(dry.stdout, /^stays {2}\/a\.txt version of .*newest/m)
      t.match(dry.stdout, /^would go: 3 versions/m)
      t.same(versions(vault, 'a.txt'), [5, 4, 3, 2, 1])

      t.match(asked(vault, 'prune', vault.name), { versions: 3, keptEverything: false })
      t.same(versions(vault, 'a.txt'), [5, 4, 3, 2])
      asked(vault, 'prune', `${vault.name}:/a.txt`, '--keep', '2')
      t.same(versions(vault, 'a.txt'), [5, 4])
      t.equal(versions(vault, 'b.log').length, 4, 'another path is left alone')
      asked(vault, 'prune', vault.name, '--keep', '1', '--path', '*.log')
      t.equal(versions(vault, 'b.log').length, 1)
      t.same(versions(vault, 'a.txt'), [5, 4])

      asked(vault, 'hold', `${vault.name}:/a.txt`)
      t.match(asked(vault, 'hold', vault.name), [{ name: '/a.txt' }])
      asked(vault, 'prune', vault.name, '--older-than', '0s')
      t.same(versions(vault, 'a.txt'), [5, 4])
      t.equal(vault.avfs(['cat', `${vault.name}:/a.txt`, '-v', '4']).stdout, 'a.txt 4\n')
      asked(vault, 'hold', `${vault.name}:/a.txt`, '--release')
      t.equal(vault.avfs(['hold', `${vault.name}:/a.txt`, '--release']).status, 13)
      asked(vault, 'prune', vault.name, '--older-than', '0s')
      t.same(versions(vault, 'a.txt'), [5])
      t.equal(vault.avfs(['prune', vault.name, '--older-than', 'long']).status, 2)
      t.equal(vault.avfs(['prune', vault.name, '--keep', '-1']).status, 2)
      vault.check()
    },
  )

async function filledVault(t: Test): Promise<TestVault> {
  const vault = mountedVault(t)
  await saved(vault, 'a.txt', 5)
  await saved(vault, 'b.log', 5)
  await saved(vault, 'c.txt', 5)
  return vault
}

t.test('after a prune at/ lists moments that can be entered, and no others', async (t) => {
  const vault = mountedVault(t)
  const cwd = vault.dir
  const save = 'echo $r > a.txt; echo $r > b.new; mv b.new b; rm -f c; echo $r > c; sleep 0.4'
  run('sh', ['-c', `for r in 1 2 3 4 5 6 7 8; do ${save}; done`], { cwd })
  asked(vault, 'prune', vault.name, '--keep', '1')
  const script = 'find .avfs/at -mindepth 1 -maxdepth 1 -printf "%i\\n" && ls .avfs/at/*'
  t.match(run('sh', ['-c', script], { cwd }), /a\.txt/)
  vault.check()
})

t.test('a name in the current directory is held as any path is', async (t) => {
  const vault = mountedVault(t)
  await saved(vault, 'a.txt', 1)
  run('mkdir', ['sub'], { cwd: vault.dir })
  const hold = (cwd: string, ...args: string[]): string =>
    vault.avfs(['hold', ...args], { cwd }).stdout
  t.match(hold(vault.dir, 'a.txt'), '/a.txt is held')
  t.match(hold(`${vault.dir}/sub`, '.'), '/sub is held')
  t.match(asked(vault, 'hold', vault.name), [{ name: '/a.txt' }, { name: '/sub' }])
  t.match(hold(vault.dir, 'a.txt', '--release'), '/a.txt is no longer held')
  t.match(hold(vault.dir, 'sub', '--release'), '/sub is no longer held')
  t.match(hold(vault.dir, '.'), 'nothing is held', 'of the whole vault, what is held')
})

t.test('a held snapshot stays readable although it was deleted', async (t) => {
  const vault = mountedVault(t)
  await saved(vault, 'a.txt', 2)
  const { moment } = asked(vault, 'snapshot', 'create', 'before', vault.name) as { moment: number }
  await saved(vault, 'a.txt', 3)
  asked(vault, 'hold', `${vault.name}:before`)
  t.equal(vault.avfs(['hold', `${vault.name}:nosuch`]).status, 13)
  asked(vault, 'snapshot', 'delete', 'before', vault.name)
  asked(vault, 'prune', vault.dir, '--older-than', '0s')
  const at = `@${(moment / 1e6).toFixed(6)}`
  t.equal(vault.avfs(['cat', `${vault.name}:/a.txt`, '--at', at]).stdout, 'a.txt 2\n')
  vault.check()
})

t.test(
  'prune and compact give the space of deleted files back while the vault is mounted',
  async (t) => {
    const vault = mountedVault(t)
    const random = randomFrom(1)
    for (let at = 0; at < 8; at++)
      writeFileSync(join(vault.dir, `f${at}`), random.bytes(1024 * 1024))
    vault.avfs(['vault', 'compact', vault.name])
    const before = statSync(vault.file).size
    t.ok(before > 8 * 1024 * 1024)
    for (let at = 0; at < 8; at++) rmSync(join(vault.dir, `f${at}`))
    asked(vault, 'prune', vault.name, '--older-than', '0s')
    asked(vault, 'vault', 'compact', vault.name)
    t.ok(statSync(vault.file).size < before / 4)
    vault.check()
  },
)

t.test('with history=off the space of deleted files is free without a prune', async (t) => {
  const vault = mountedVault(t)
  asked(vault, 'vault', 'config', vault.name, 'history=off')
  const random = randomFrom(2)
  for (let at = 0; at < 8; at++) writeFileSync(join(vault.dir, `f${at}`), random.bytes(1024 * 1024))
  vault.avfs(['vault', 'compact', vault.name])
  const before = statSync(vault.file).size
  for (let at = 0; at < 8; at++) rmSync(join(vault.dir, `f${at}`))
  const freed = () => {
    vault.avfs(['vault', 'compact', vault.name])
    return statSync(vault.file).size < before / 4
  }
  await until(freed, 'the space is free', 40_000)
  vault.check()
})
