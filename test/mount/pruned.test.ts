// What prune and purge delete disappears from a mount as well: from listings, names and contents of
// views that the kernel has cached.

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { mountedVault, type TestVault } from '../support/mount.ts'

t.setTimeout(300_000)
/** Names that live under a second leave no trace; at/ takes whole seconds. */
const APART_MS = 1300

const vault = mountedVault(t)

/**
 * Everything that a directory's views show of `lost` and of the directory `lost-dir` at a moment,
 * as a program meets it.
 */
function shown(dir: string, moment: string): Record<string, unknown> {
  const view = (path: string): string => join(dir, '.avfs', path)
  const text = (path: string): unknown => {
    try {
      return readFileSync(view(path), 'utf8')
    } catch (error) {
      return (error as NodeJS.ErrnoException).code
    }
  }
  const names = (path: string): unknown => {
    try {
      return readdirSync(view(path)).sort()
    } catch (error) {
      return (error as NodeJS.ErrnoException).code
    }
  }
  const there = ['versions/lost/1', `at/${moment}/lost`, 'versions/lost-too', 'deleted/lost-too']
  return {
    there: there.filter((path) => existsSync(view(path))),
    version: text('versions/lost/1'),
    past: text(`at/${moment}/lost`),
    below: text(`at/${moment}/dir/lost`),
    versions: names('versions/lost'),
    names: names(`at/${moment}`),
    namesBelow: names(`at/${moment}/dir`),
    deleted: names('deleted'),
    history: names('versions'),
  }
}

async function filled(vault: TestVault, name: string): Promise<{ dir: string; moment: string }> {
  const dir = join(vault.dir, name)
  mkdirSync(join(dir, 'dir'), { recursive: true })
  for (const path of ['lost', 'lost-too', 'dir/lost', 'kept'])
    writeFileSync(join(dir, path), 'of then')
  await sleep(APART_MS)
  const moment = new Date().toISOString().replace(/\.\d+/, '')
  await sleep(APART_MS)
  for (const path of ['lost', 'dir/lost']) writeFileSync(join(dir, path), 'of today')
  rmSync(join(dir, 'lost-too'))
  return { dir, moment }
}

const gone = { version: 'ENOENT', past: 'ENOENT', below: 'ENOENT' }
/** The newest version of a deleted file is kept by number. */
const kept = ['versions/lost-too', 'deleted/lost-too']

for (const { command, args, stays } of [
  { command: 'prune', args: ['--keep', '1', '--older-than', '1s'], stays: kept },
  { command: 'purge', args: ['--yes'], stays: [] },
])
  t.test(`after ${command} a mount shows nothing of what went`, async (t) => {
    const { dir, moment } = await filled(vault, command)
    const before = shown(dir, moment)
    t.match(before, { past: 'of then', below: 'of then', version: 'of then' })
    t.equal((before.there as string[]).length, 4)
    await sleep(1000 + APART_MS)
    t.same(shown(dir, moment), before)
    const { status, stderr } = vault.avfs([command, dir, ...args])
    t.equal(status, 0, stderr)
    const after = shown(dir, moment)
    t.match(after, gone)
    t.same(after.there, stays)
    t.same(after.versions, ['2', 'latest'])
    t.same(after.deleted, stays.length > 0 ? ['lost-too'] : [])
    // Of a directory, too, states go.
    t.ok(['', 'ENOENT'].includes(`${after.namesBelow}`), `${after.namesBelow}`)
    t.notMatch(after.names, ['lost'])
  })
