// history.json and `avfs log`: what happened in a directory, under which name, and who did it.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { mountedVault, sqliteFile, type TestVault } from '../support/mount.ts'
import { needProgram, run } from '../support/program.ts'

t.setTimeout(300_000)

interface Event {
  readonly time: string
  readonly path: string
  readonly what: string
  readonly size: number
  readonly from?: string
  readonly who: { readonly uid: number; readonly pid: number; readonly command: string } | null
}

function sh(cwd: string, line: string): string {
  return run('sh', ['-c', line], { cwd })
}

/** The events of a directory, oldest first. */
function historyOf(dir: string): Event[] {
  const text = readFileSync(join(dir, '.avfs/history.json'), 'utf8')
  return (JSON.parse(text) as Event[]).reverse()
}

/**
 * 'created f by touch', oldest first; what is of one moment in the order of the alphabet. What a
 * program did to one file with a commit in between is told once.
 */
function told(dir: string): string[] {
  const lines = historyOf(dir).map(({ time, what, path, from, who }) => {
    const was = from === undefined ? '' : ` from ${from}`
    return `${time}: ${what} ${path}${was} by ${who?.command ?? 'nobody'}`
  })
  return lines
    .sort()
    .map((line) => line.replace(/^.*?: /, ''))
    .filter((line, at, all) => line !== all[at - 1])
}

/** What `avfs log --json` says, oldest first. */
function logOf(vault: TestVault, path: string): Event[] {
  const { status, stdout, stderr } = vault.avfs(['log', path, '--json'])
  if (status !== 0) throw new Error(stderr)
  return (JSON.parse(stdout) as Event[]).reverse()
}

/** What was done before is history: what follows leaves a trace of its own. */
const aWhile = (): Promise<void> => sleep(1300)

/** Runs a program and tells its process number. */
function as(dir: string, uid: number, line: string): number {
  const ids = [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups']
  return Number(run('setpriv', [...ids, 'sh', '-c', `echo $$; exec ${line}`], { cwd: dir }))
}

t.test('each change is told by what it was', async (t) => {
  const { dir } = mountedVault(t)
  sh(dir, 'mkdir d && cp /etc/hostname f && cp f other')
  await aWhile()
  sh(dir, 'cp /etc/os-release f && touch d/x')
  await aWhile()
  sh(dir, 'chmod 600 f')
  await aWhile()
  sh(dir, 'ln f link')
  await aWhile()
  sh(dir, 'mv f d/moved && mv other new')
  await aWhile()
  sh(dir, 'chown 7:8 new')
  await aWhile()
  sh(dir, 'rm link && rm -r d')
  await aWhile()
  sh(dir, 'mv .avfs/deleted/d . && mv .avfs/deleted/link .')
  t.same(told(dir), [
    'created d by mkdir',
    'created f by cp',
    'created other by cp',
    'changed f by cp',
    'attributes d by touch',
    'attributes f by chmod',
    'attributes f by ln',
    'linked link by ln',
    'attributes d by mv',
    'attributes link by mv',
    'moved f by mv',
    'moved other by mv',
    'renamed new from other by mv',
    'attributes new by chown',
    'deleted link by rm',
    'attributes d by rm',
    'deleted d by rm',
    'restored d by mv',
    'restored link by mv',
  ])
  t.same(told(join(dir, 'd')), [
    'created x by touch',
    'renamed moved from /f by mv',
    'attributes moved by rm',
    'deleted moved by rm',
    'deleted x by rm',
    'restored moved by mv',
    'restored x by mv',
  ])
  t.end()
})

t.test('a name that takes the place of another was renamed, from where it was', async (t) => {
  const { dir } = mountedVault(t)
  sh(dir, 'mkdir d && echo one > a && echo two > b && echo three > d/c')
  await aWhile()
  sh(dir, 'mv b a && mv d/c a')
  t.same(
    told(dir).filter((line) => / a /.test(line)),
    ['created a by sh', 'renamed a from b by mv', 'renamed a from /d/c by mv'],
  )
  t.end()
})

t.test('a change by another user is told with user, process and command', async (t) => {
  needProgram('setpriv')
  const vault = mountedVault(t)
  const { dir } = vault
  sh(dir, 'chmod 777 . && echo one > mine && chmod 666 mine')
  const copied = as(dir, 1000, 'cp /etc/hostname theirs')
  await aWhile()
  const changed = as(dir, 1001, 'tee mine < /dev/null')
  await aWhile()
  const removed = as(dir, 1000, 'rm theirs')
  const wanted = [
    { what: 'created', path: 'theirs', who: { uid: 1000, pid: copied, command: 'cp' } },
    { what: 'changed', path: 'mine', who: { uid: 1001, pid: changed, command: 'tee' } },
    { what: 'deleted', path: 'theirs', who: { uid: 1000, pid: removed, command: 'rm' } },
  ]
  for (const events of [historyOf(dir), logOf(vault, dir)])
    t.match(
      events.filter(({ path, what }) => path === 'theirs' || what === 'changed'),
      wanted,
    )
  t.match(logOf(vault, join(dir, 'mine')), [
    { size: 4, who: { uid: 0, command: 'sh' } },
    { size: 0, who: { uid: 1001, pid: changed, command: 'tee' } },
  ])
  const { stdout } = vault.avfs(['log', join(dir, 'mine')])
  t.match(stdout, `tee[${changed}] uid 1001`)
  t.match(vault.avfs(['log', dir]).stdout, `rm[${removed}] uid 1000`)
  vault.unmount()
  t.match(logOf(vault, `${vault.name}:/mine`).at(-1), { who: { uid: 1001, command: 'tee' } })
  vault.check()
  t.end()
})

t.test('who fills a file that a shell has opened is its author', (t) => {
  const { dir } = mountedVault(t)
  sh(dir, 'cat /etc/hostname > f; sort f > g; true')
  t.match(historyOf(dir), [
    { path: 'f', what: 'created', who: { command: 'cat' } },
    { path: 'g', what: 'created', who: { command: 'sort' } },
  ])
  t.end()
})

t.test(
  'a program that is killed before it closes what it wrote is its author all the same',
  async (t) => {
    const { dir } = mountedVault(t, '--commit-ms', '100')
    sh(dir, 'echo one > f')
    await aWhile()
    sh(dir, 'perl -e \'open F, "+<", "f"; syswrite F, "two"; kill 9, $$\' || true')
    await aWhile()
    t.match(historyOf(dir).at(-1), { path: 'f', what: 'changed', who: { command: 'perl' } })
    t.end()
  },
)

t.test('what the command line does is told as its own, mounted and not', async (t) => {
  const vault = mountedVault(t)
  const { dir, name } = vault
  sh(dir, 'mkdir d && echo one > d/f && echo two > d/f')
  await aWhile()
  sh(dir, 'rm d/f')
  await aWhile()
  const must = (...args: string[]): void => {
    const { status, stderr } = vault.avfs(args)
    t.equal(status, 0, stderr)
  }
  must('undelete', join(dir, 'd/f'))
  await aWhile()
  must('restore', join(dir, 'd/f'), '-v', '1')
  await aWhile()
  must('meta', 'set', join(dir, 'd/f'), 'a=b')
  vault.unmount()
  must('restore', `${name}:/d/f`, '-v', '2', '--to', `${name}:/d/g`)
  const uid = process.getuid?.()
  const events = logOf(vault, `${name}:/d`).slice(-4)
  t.match(
    events.map(({ what, path }) => `${what} ${path}`),
    ['restored f', 'restored f', 'attributes f', 'restored g'],
  )
  for (const { who } of events) t.match(who, { uid, command: 'avfs' })
  t.ok(events.every(({ who }) => (who?.pid ?? 0) > 1))
  vault.check()
  t.end()
})

t.test('prune lets go of who made nothing that is left', async (t: Test) => {
  const vault = mountedVault(t)
  const { dir, name } = vault
  for (const at of [1, 2, 3]) sh(dir, `cp /etc/hostname f${at} && cp /etc/os-release f${at}`)
  await aWhile()
  sh(dir, 'rm f1 f2')
  await aWhile()
  sh(dir, 'mkdir d')
  const actors = (): number => {
    vault.unmount()
    const db = run('python3', ['-c', COUNT, sqliteFile(vault)])
    vault.mount('--allow-other')
    return Number(db)
  }
  const before = actors()
  t.equal(before, 8)
  t.equal(vault.avfs(['prune', name, '--older-than', '0s']).status, 0)
  // Who made f3, who wrote what is in it, and who made d.
  t.equal(actors(), 3)
  vault.unmount()
  vault.check()
  t.end()
})

const COUNT =
  'import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute("select count(*) from actor").fetchone()[0])'
