// The history of a name through the ways in which programs save, and the moments that at/ lists of
// a long history.

import {
  closeSync,
  fdatasyncSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { mountedVault } from '../support/mount.ts'
import { needProgram, run } from '../support/program.ts'

t.setTimeout(300_000)

function sh(cwd: string, line: string): string {
  return run('sh', ['-c', line], { cwd })
}

/** The contents of all versions of a name, oldest first. */
function versionsOf(dir: string, name: string): string[] {
  const at = join(dir, '.avfs/versions', name)
  return readdirSync(at)
    .filter((version) => version !== 'latest')
    .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10))
    .map((version) => readFileSync(join(at, version), 'utf8'))
}

t.test('versions are followed when git checks another branch out', async (t) => {
  needProgram('git')
  const { dir } = mountedVault(t)
  const git = 'git -c user.name=a -c user.email=a@b -c init.defaultBranch=main'
  sh(dir, `${git} init -q . && echo one > a.txt && echo x > only-main`)
  sh(dir, `${git} add . && ${git} commit -qm 1 && ${git} checkout -q -b other`)
  await sleep(1300)
  sh(dir, `echo two > a.txt && ${git} rm -q only-main && ${git} commit -qam 2`)
  await sleep(1300)
  sh(dir, `${git} checkout -q main`)
  await sleep(1300)
  sh(dir, `${git} checkout -q other && ${git} checkout -q main && echo three > a.txt`)
  const versions = versionsOf(dir, 'a.txt')
  t.same(versions.slice(0, 3), ['one\n', 'two\n', 'one\n'])
  t.equal(versions.at(-1), 'three\n')
  t.equal(versionsOf(dir, 'only-main')[0], 'x\n')
  t.equal(sh(dir, 'cat only-main'), 'x')
  const names = readdirSync(join(dir, '.avfs/deleted'))
  t.same(names, [], 'what git wrote beside is no loss')
  t.end()
})

t.test('versions are followed through both ways in which VS Code saves', async (t) => {
  const { dir } = mountedVault(t)
  const path = join(dir, 'a.ts')
  // As it saves by default: in place, emptied first.
  const saveInPlace = (text: string): void => {
    const descriptor = openSync(path, 'r+')
    ftruncateSync(descriptor, 0)
    writeSync(descriptor, text)
    fdatasyncSync(descriptor)
    closeSync(descriptor)
  }
  // Where it saves atomically: beside, and renamed.
  const saveBeside = (text: string): void => {
    writeFileSync(`${path}.vsctmp`, text)
    renameSync(`${path}.vsctmp`, path)
  }
  writeFileSync(path, 'one')
  await sleep(1300)
  saveInPlace('two, longer')
  await sleep(1300)
  saveInPlace('three')
  saveInPlace('four')
  await sleep(1300)
  saveBeside('five')
  await sleep(1300)
  saveBeside('six')
  saveInPlace('seven')
  const texts = ['one', 'two, longer', 'three', 'four', 'five', 'six', 'seven']
  t.same(versionsOf(dir, 'a.ts'), texts)
  t.same(readdirSync(join(dir, '.avfs/deleted')), [])
  t.same(readdirSync(join(dir, '.avfs/versions')), ['a.ts'])
  t.end()
})

t.test('at/ lists the newest 1,000 moments, and shows the others when they are named', (t) => {
  const vault = mountedVault(t)
  const { dir } = vault
  const total = 1050
  sh(dir, `i=0; while [ $i -lt ${total} ]; do i=$((i + 1)); echo $i > f; done`)
  const names = sh(dir, 'ls -U .avfs/at').split('\n')
  t.equal(names.length, 1000)
  t.same(names, [...names].sort().reverse())
  t.equal(sh(dir, `cat .avfs/at/${names[0]}/f`), String(total))
  t.equal(sh(dir, `cat .avfs/at/${names[999]}/f`), String(total - 999))
  const { stdout } = vault.avfs(['log', join(dir, 'f'), '--json'])
  const versions = JSON.parse(stdout) as { number: number; moment: number }[]
  const tenth = versions.find(({ number }) => number === 10)?.moment ?? 0
  const seconds = `${Math.floor(tenth / 1e6)}.${String(tenth % 1e6).padStart(6, '0')}`
  t.equal(sh(dir, `cat .avfs/at/@${seconds}/f`), '10')
  t.end()
})
