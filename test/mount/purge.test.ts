// avfs purge on every engine, mounted and not: the bytes of the vault's files and of its index
// contain nothing of the purged content, and everything else is unchanged.

import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { block } from '../../src/store/collections.ts'
import { openStore } from '../../src/store/open.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import { filesWith } from '../support/disk.ts'
import { testedBackends } from '../support/engines.ts'
import { createVault, sizeOf, type TestVault, until } from '../support/mount.ts'
import { run } from '../support/program.ts'
import { randomFrom } from '../support/random.ts'

t.setTimeout(60_000 + testedBackends.length * 150_000)
/** Names that live under a second leave no trace. */
const BRIEF_MS = 1300
const ALL = 1_000_000
const SECRET = 'SWORDFISH4711'
const words = Array.from({ length: 4000 }, (_, at) => `word${at % 700}`).join(' ')

function purge(vault: TestVault, ...args: readonly string[]): Record<string, unknown> {
  const { status, stdout, stderr } = vault.avfs(['purge', ...args, '--yes', '--json'])
  if (status !== 0)
    throw new Error(`purge ${args.join(' ')} ended with ${status}: ${stdout}${stderr}`)
  return JSON.parse(stdout)
}

/** What blocks are in the engine's own form. */
async function packedBlocks(vault: TestVault): Promise<Map<string, Buffer>> {
  const store = await openStore(vault.file, { readOnly: true })
  try {
    const rows = await retryUntilLoaded(() => store.scan(block, { limit: ALL }))
    return new Map(rows.map(({ hash, data }) => [hash, Buffer.from(data ?? [])]))
  } finally {
    await store.close()
  }
}

/** Makes the vault's log, and waits until it is used. */
async function useLog(vault: TestVault): Promise<void> {
  const first = join(vault.dir, 'first')
  writeFileSync(first, '')
  run('sync', [first])
  await until(() => sizeOf(`${vault.file}-log`) > 0, 'there is a log')
  await sleep(BRIEF_MS)
}

function assertGone(t: Test, vault: TestVault, what: string): void {
  for (const text of [SECRET, SECRET.toLowerCase()])
    t.same(filesWith(vault.home, text), [], `${text} is in no file ${what}`)
}

for (const backend of testedBackends)
  t.test(`${backend.name}: what is purged is in no byte of the vault`, async (t) => {
    const vault = createVault(t, backend)
    const file = (name: string): string => join(vault.dir, name)
    const random = randomFrom(3)
    vault.mount()
    await useLog(vault)
    writeFileSync(file('conf.env'), `pass=${SECRET}\n`)
    run('sync', [file('conf.env')])
    t.match(filesWith(vault.home, SECRET), [/-log$/], 'the log has what is synced')
    writeFileSync(file('packed.txt'), `${words} ${SECRET} ${words}`)
    const plain = Buffer.concat([random.bytes(200_000), Buffer.from(SECRET), random.bytes(50_000)])
    writeFileSync(file('plain.bin'), plain)
    mkdirSync(file('dir'))
    writeFileSync(file('dir/deep'), `${SECRET}${SECRET}`)
    writeFileSync(file('kept'), words)
    await sleep(BRIEF_MS)
    writeFileSync(file('conf.env'), 'pass=\n')
    writeFileSync(file('packed.txt'), words)
    rmSync(file('dir'), { recursive: true })
    // Makes the index know it.
    t.match(vault.avfs(['search', SECRET, vault.dir, '--all-versions']).stdout, /conf\.env/)
    await sleep(BRIEF_MS)
    t.match(purge(vault, file('conf.env')), { versions: 1, proof: { traces: [] } })
    t.match(purge(vault, file('dir')), { versions: 1, proof: { traces: [] } })
    t.equal(readFileSync(file('conf.env'), 'utf8'), 'pass=\n')
    t.equal(vault.avfs(['search', 'word5', vault.dir]).status, 0)
    vault.unmount()
    const before = await packedBlocks(vault)
    t.match(purge(vault, `${vault.name}:/packed.txt`), { proof: { traces: [] } })
    // What is there now goes, too, when that is said.
    t.equal(vault.avfs(['purge', `${vault.name}:/plain.bin`, '--yes']).status, 13)
    const all = purge(vault, `${vault.name}:/plain.bin`, '--current')
    t.match(all, { removed: [`${vault.name}:/plain.bin`], proof: { traces: [] } })
    assertGone(t, vault, 'after purges of paths')
    const after = await packedBlocks(vault)
    const gone = [...before].filter(([hash]) => !after.has(hash))
    t.ok(gone.length >= 3, `${gone.length} blocks are gone`)
    for (const [, data] of gone) {
      const middle = data.subarray(data.length >>> 1, (data.length >>> 1) + 40)
      t.same(filesWith(vault.home, middle), [], 'nor is it there as it was packed')
    }
    vault.check()
    vault.mount()
    t.equal(readFileSync(file('kept'), 'utf8'), words)
    t.equal(readFileSync(file('packed.txt'), 'utf8'), words)
    await assertPruned(t, vault)
  })

for (const backend of testedBackends)
  t.test(`${backend.name}: attributes and labels go as content does`, async (t) => {
    const vault = createVault(t, backend)
    const file = (name: string): string => join(vault.dir, name)
    const done = (...args: readonly string[]): void => {
      const { status, stderr } = vault.avfs(args)
      t.equal(status, 0, `${args.join(' ')} ${stderr}`)
    }
    const values = (name: string): object =>
      JSON.parse(vault.avfs(['meta', 'list', file(name), '--json']).stdout)
    vault.mount()
    await useLog(vault)
    for (const name of ['f', 'labelled', 'moded', 'other'])
      writeFileSync(file(name), `it is ${name}`)
    mkdirSync(file('dir'))
    for (const name of ['f', 'dir']) done('meta', 'set', file(name), `secret=${SECRET}`, 'b=stays')
    chmodSync(file('moded'), 0o600)
    done('tag', 'add', file('labelled'), 'HALIBUT4711', 'shared4711')
    done('tag', 'add', file('other'), 'shared4711')
    done('tag', 'add', file('f'), 'TURBOT4711')
    run('sync', [file('f')])
    await sleep(BRIEF_MS)
    for (const name of ['f', 'dir']) done('meta', 'set', file(name), 'secret=')
    done('tag', 'rm', file('f'), 'TURBOT4711')
    chmodSync(file('moded'), 0o644)
    await sleep(BRIEF_MS)
    t.ok(existsSync(join(vault.dir, '.avfs/versions/f/1')), 'the kernel knows it')
    for (const name of ['f', 'dir', 'moded'])
      t.match(purge(vault, file(name)), { versions: 0, proof: { traces: [] } })
    assertGone(t, vault, 'while it is mounted')
    t.match(values('f'), { b: 'stays' })
    t.equal(readFileSync(join(vault.dir, '.avfs/versions/f/1'), 'utf8'), 'it is f')
    t.equal(vault.avfs(['cat', file('f'), '-v', '1']).stdout, 'it is f')
    t.match(vault.avfs(['log', file('moded')]).stdout, /^ *1 /m, 'the number stays')
    purge(vault, file('labelled'), '--current')
    const tags = (): string => vault.avfs(['tag', 'list', vault.name, '--json']).stdout
    t.notMatch(tags(), /HALIBUT|TURBOT/)
    t.match(tags(), 'shared4711')
    t.notOk(existsSync(join(vault.dir, '.avfs/tags/HALIBUT4711')))
    vault.unmount()
    for (const label of ['HALIBUT4711', 'TURBOT4711'])
      t.same(filesWith(vault.home, label).filter(isNoList), [], `${label} is in no file`)
    vault.check()
  })

/** Lists of files of LevelDB and RocksDB may show names for some time. */
function isNoList(file: string): boolean {
  return !/\/(LOG|MANIFEST-)[^/]*$/.test(file)
}

/** What prune lets go of is in no byte either, once compact has been there. */
async function assertPruned(t: Test, vault: TestVault): Promise<void> {
  const file = join(vault.dir, 'pruned')
  const large = randomFrom(4).bytes(100_000)
  large.write(SECRET, 50_000)
  writeFileSync(file, large)
  writeFileSync(`${file}.small`, SECRET)
  await sleep(BRIEF_MS)
  // The middle of a block alone.
  const fd = openSync(file, 'r+')
  writeSync(fd, Buffer.alloc(SECRET.length, '-'), 0, SECRET.length, 50_000)
  closeSync(fd)
  writeFileSync(`${file}.small`, 'nothing')
  await sleep(BRIEF_MS)
  t.equal(vault.avfs(['prune', vault.name, '--keep', '1']).status, 0)
  const { stdout } = vault.avfs(['vault', 'compact', vault.name])
  vault.unmount()
  if (/unmount to compact/.test(stdout)) vault.avfs(['vault', 'compact', vault.name])
  assertGone(t, vault, 'after prune and compact')
  vault.check()
}

t.test('a content is taken from all that had it, while the vault is mounted', async (t) => {
  const vault = createVault(t)
  vault.mount()
  const file = (name: string): string => join(vault.dir, name)
  const key = join(vault.root, 'key')
  writeFileSync(key, `${SECRET}\n`)
  for (const name of ['a', 'b']) writeFileSync(file(name), `${name}=${SECRET}\n`)
  await sleep(BRIEF_MS)
  for (const name of ['a', 'b']) writeFileSync(file(name), `${name}=\n`)
  writeFileSync(file('c'), `${SECRET}\n`)
  vault.avfs(['snapshot', 'create', 'now', vault.name])
  await sleep(BRIEF_MS)
  const args = ['purge', vault.name, '--content-of', key, '--json']
  const dry = vault.avfs([...args, '--dry-run'])
  t.equal(dry.status, 1, 'it would be refused')
  t.match(JSON.parse(dry.stdout), { refused: true, versions: 2, living: [`${vault.name}:/c`] })
  t.match(vault.avfs([...args, '--yes']), { status: 1, stdout: /"refused":true/ })
  t.equal(vault.avfs([...args, '--yes', '--current']).status, 1, 'a snapshot keeps it')
  t.match(readFileSync(file('c'), 'utf8'), SECRET, 'nothing was deleted')
  t.match(purge(vault, vault.name, '--content-of', key, '--current', '--force'), {
    snapshots: ['now'],
    removed: [`${vault.name}:/c`],
    proof: { traces: [] },
  })
  assertGone(t, vault, 'while it is mounted')
  t.equal(vault.avfs([...args, '--yes']).status, 13, 'there is no more of it')
  vault.unmount()
  assertGone(t, vault, 'when it is closed')
  vault.check()
})

t.test('what leaves no past is purged as it is deleted', async (t) => {
  const vault = createVault(t)
  t.equal(vault.avfs(['vault', 'config', vault.name, 'history.exclude=*.key']).status, 0)
  vault.mount()
  const file = join(vault.dir, 'my.key')
  writeFileSync(file, SECRET.repeat(100))
  await sleep(BRIEF_MS)
  t.equal(vault.avfs(['purge', file, '--yes']).status, 13, 'it has no past')
  t.match(purge(vault, file, '--current'), { removed: [file], proof: { traces: [] } })
  assertGone(t, vault, 'while it is mounted')
  vault.unmount()
  vault.check()
})

t.test('bytes that others hold, too, are no trace of what is gone', async (t) => {
  const vault = createVault(t)
  vault.mount()
  const file = (name: string): string => join(vault.dir, name)
  writeFileSync(file('list'), 'my-long-name.txt')
  writeFileSync(file('my-long-name.txt'), 'another content')
  writeFileSync(file('quoted'), 'before quotes: the very same text of a letter, after')
  writeFileSync(file('letter'), 'the very same text of a letter')
  await sleep(BRIEF_MS)
  for (const name of ['list', 'letter']) writeFileSync(file(name), 'nothing')
  await sleep(BRIEF_MS)
  t.match(purge(vault, file('list')), { proof: { traces: [], samples: 0 } })
  writeFileSync(file('list'), 'short')
  await sleep(BRIEF_MS)
  writeFileSync(file('list'), 'new')
  const { stdout } = vault.avfs(['purge', file('list'), '--yes'])
  t.match(stdout, 'could be looked for', 'no proof is claimed where nothing was searched for')
  const { proof } = purge(vault, file('letter')) as { proof: { elsewhere: string[] } }
  t.match(proof, { traces: [], elsewhere: [file('quoted')] })
})

t.test('what is not clear is refused in words', async (t) => {
  const vault = createVault(t)
  t.match(vault.avfs(['purge']), { status: 2, stderr: /say what is to go/ })
  t.match(vault.avfs(['purge', `${vault.name}:/`, '--yes']), { status: 2, stderr: /vault delete/ })
  t.match(vault.avfs(['purge', `${vault.name}:/x`]), { status: 2, stderr: /--yes/ })
  t.match(vault.avfs(['purge', `${vault.name}:/x`, '--yes']), {
    status: 13,
    stderr: /nothing is known/,
  })
  const short = join(vault.root, 'short')
  writeFileSync(short, 'abc')
  t.match(vault.avfs(['purge', vault.name, '--content-of', short, '--yes']), {
    status: 1,
    stderr: /fewer than 8 bytes/,
  })
})
