// avfs vault migrate: through all engines and back to the first, all its options, and everything
// that it refuses.

import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import t, { type Test } from 'tap'
import { setLog } from '../../src/base/log.ts'
import { migrateVault } from '../../src/control/offline/migration.ts'
import { writeNote } from '../../src/control/vaults/migration-note.ts'
import { existingVault } from '../../src/control/vaults/vault-names.ts'
import { type BlockRow, block, type SnapshotRow, snapshot } from '../../src/store/collections.ts'
import { backendOf, openStore } from '../../src/store/open.ts'
import { changes } from '../store/rows.ts'
import { testedBackends } from '../support/engines.ts'
import { seedOf } from '../support/random.ts'
import { makeRichVault } from '../vault/rich-vault.ts'
import { wholeVault } from '../vault/whole-vault.ts'
import { type Cli, emptyCli } from './cli.ts'

setLog('error')
// Each run of a command takes a while on a busy machine.
t.setTimeout(280_000)
const MIGRATIONS = 20
const NOISE_BYTES = 32 * 1024 * 1024
const SMALL_BYTES = 192 * 1024 * 1024
const seed = seedOf('AVFS_SEED')
const engines = testedBackends.map(({ name }) => name)
const others = engines.filter((name) => name !== 'sqlite')

/** A vault 'one' on SQLite, with history, beside the command line. */
async function richCli(t: Test): Promise<Cli & { readonly path: string }> {
  const cli = emptyCli(t)
  const path = join(cli.home, 'one.avfs')
  await makeRichVault(path, 'sqlite', seed, 200)
  return { ...cli, path }
}

/** The files of a home but for what an engine leaves beside its vault. */
function vaultsIn(home: string): string[] {
  return readdirSync(home).filter((file) => !file.endsWith('-lock'))
}

t.test(`${MIGRATIONS} migrations round all engines end on what they began with`, async (t) => {
  t.comment(`AVFS_SEED=${seed}, engines: ${engines.join(' ')}`)
  const folder = t.testdir()
  const vault = join(folder, 'one')
  await makeRichVault(`${vault}.avfs`, 'sqlite', seed, 400)
  const wanted = await wholeVault(`${vault}.avfs`)
  for (let count = 1; count <= MIGRATIONS; count++) {
    const to = engines[count % engines.length] as string
    const report = await migrateVault(vault, {
      ...{ to, output: undefined, keepOriginal: false, dryRun: false, skipDamaged: false },
      damaged: ({ message }) => t.fail(message),
      notice: (text) => t.fail(text),
      onProgress: () => undefined,
    })
    t.same(report.collections, wanted)
    t.equal(existingVault(vault).path, `${vault}${backendOf('', to).suffix}`)
  }
  t.same(await wholeVault(existingVault(vault).path), wanted)
  t.equal(vaultsIn(folder).length, 1, 'nothing is left beside it')
})

for (const to of others)
  t.test(`a vault goes to ${to} and back under its name, by the command`, async (t) => {
    const cli = await richCli(t)
    const wanted = await wholeVault(cli.path)
    const path = join(cli.home, `one${backendOf('', to).suffix}`)
    const there = cli.json('vault', 'migrate', 'one', '--to', to)
    t.match(there, {
      name: 'one',
      from: { backend: 'sqlite', path: cli.path, bytes: Number },
      to: { backend: to, path, bytes: Number },
      original: null,
      damaged: 0,
    })
    t.same((there as { collections: object }).collections, wanted)
    t.same(vaultsIn(cli.home), [basename(path)])
    t.match(cli.json('vault', 'list'), [{ name: 'one', path }])
    t.match(cli.failure('vault', 'create', 'one'), { errno: 'EEXIST' })
    t.match(
      cli.avfs('vault', 'migrate', 'one', '--to', 'sqlite').stdout,
      /copied from .* and verified/,
    )
    t.same(vaultsIn(cli.home), ['one.avfs'])
    t.same(await wholeVault(cli.path), wanted)
  })

t.test(
  'a dry run reads and proves everything, says what it would be, and changes nothing',
  async (t) => {
    const cli = await richCli(t)
    const wanted = await wholeVault(cli.path)
    const to = others[0] as string
    const report = cli.json('vault', 'migrate', 'one', '--to', to, '--dry-run')
    t.match(report, {
      dryRun: true,
      to: { backend: to, bytes: Number },
      seconds: Number,
      damaged: 0,
    })
    t.same((report as { collections: object }).collections, wanted)
    t.match(cli.avfs('vault', 'migrate', 'one', '--to', to, '-n').stdout, /about .* in about \d+ s/)
    t.same(readdirSync(cli.home), ['one.avfs'])
  },
)

t.test('the original is kept under a name of its own when asked for', async (t) => {
  const cli = await richCli(t)
  const wanted = await wholeVault(cli.path)
  const [to] = others as [string]
  for (const original of ['one.original', 'one.original-2']) {
    const report = cli.json('vault', 'migrate', 'one', '--to', to, '--keep-original')
    t.match(report, { original: join(cli.home, `${original}.avfs`) })
    t.same(await wholeVault(join(cli.home, `${original}.avfs`)), wanted)
    t.match(cli.json('vault', 'info', original), { name: original, backend: 'sqlite' })
    cli.json('vault', 'migrate', 'one', '--to', 'sqlite')
  }
  t.same(vaultsIn(cli.home), ['one.avfs', 'one.original-2.avfs', 'one.original.avfs'])
})

t.test('an index that lies beside the vault stays with the original', async (t) => {
  const cli = await richCli(t)
  const [from] = others as [string]
  const { suffix } = backendOf('', from)
  cli.json('vault', 'migrate', 'one', '--to', from)
  const index = join(cli.home, `one${suffix}.search`)
  mkdirSync(index)
  writeFileSync(join(index, 'index'), 'x')
  cli.json('vault', 'migrate', 'one', '--to', 'sqlite', '--keep-original')
  t.same(readdirSync(join(cli.home, `one.original${suffix}.search`)), ['index'])
})

t.test('with --output the vault stays, and the copy may be on the same engine', async (t) => {
  const cli = await richCli(t)
  const wanted = await wholeVault(cli.path)
  for (const to of engines) {
    const { suffix } = backendOf('', to)
    const report = cli.json('vault', 'migrate', 'one', '--to', to, '--output', `./copy-${to}`)
    const path = join(cli.root, `copy-${to}${suffix}`)
    t.match(report, { to: { path }, original: null })
    t.same(await wholeVault(path), wanted)
    const again = cli.failure('vault', 'migrate', 'one', '--to', to, '--output', path)
    t.match(again, { errno: 'EEXIST' })
  }
  t.same(await wholeVault(cli.path), wanted)
  t.same(readdirSync(cli.home), ['one.avfs'])
  const nowhere = ['vault', 'migrate', 'one', '--to', 'sqlite', '--output', './no/where']
  t.match(cli.failure(...nowhere), { status: 1, message: /no folder/ })
})

t.test('what cannot be done is refused, and nothing is touched', async (t) => {
  const cli = await richCli(t)
  const [to] = others as [string]
  const same = cli.failure('vault', 'migrate', 'one', '--to', 'sqlite')
  t.match(same, { status: 1, message: /on sqlite already; avfs vault compact/ })
  t.equal(cli.failure('vault', 'migrate', 'none', '--to', to).status, 10)
  t.equal(cli.failure('vault', 'migrate', 'one', '--to', 'paper').status, 2)
  t.equal(cli.failure('vault', 'migrate', 'one').status, 2)
  const dir = cli.folder('mnt')
  cli.json('mount', 'one', dir)
  try {
    const mounted = cli.failure('vault', 'migrate', 'one', '--to', to)
    t.match(mounted, { status: 11, message: `unmount it first: avfs unmount ${dir}` })
  } finally {
    cli.avfs('unmount', dir)
  }
  t.same(readdirSync(cli.home), ['one.avfs'])
})

t.test('a disk without room is refused before, and one that fills up loses nothing', async (t) => {
  if (process.getuid?.() !== 0) throw new Error('mounting a small disk needs root')
  const cli = await richCli(t)
  // More than any engine takes of the disk at once.
  const noise = join(cli.folder('noise'), 'noise')
  writeFileSync(noise, randomBytes(NOISE_BYTES))
  cli.avfs('import', noise, 'one:/noise')
  const wanted = await wholeVault(cli.path)
  const small = cli.folder('small')
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', small])
  t.teardown(() => execFileSync('umount', ['-l', small]))
  const args = ['vault', 'migrate', 'one', '--to', 'sqlite', '--output', join(small, 'x')]
  t.match(cli.failure(...args), { status: 1, message: /needs about \d+ MiB.* has 1 MiB free/ })
  t.same(readdirSync(small), [])
  for (const to of engines) {
    // Room enough by the books, and then somebody else takes it.
    execFileSync('mount', ['-o', `remount,size=${SMALL_BYTES}`, small])
    const copying = migrateVault(cli.path, {
      ...{ to, output: join(small, 'x'), keepOriginal: false, dryRun: false, skipDamaged: false },
      ...{ damaged: () => undefined, notice: () => undefined },
      onProgress: () => fill(join(small, 'other')),
    })
    const failure = await copying.catch((error: unknown) => error)
    t.match(failure, { kind: 'full' }, `${to} says that the disk is full`)
    t.same(readdirSync(small), ['other'])
    execFileSync('rm', [join(small, 'other')])
  }
  t.same(readdirSync(cli.home), ['one.avfs'])
  t.same(await wholeVault(cli.path), wanted)

  function fill(path: string): void {
    try {
      writeFileSync(path, Buffer.alloc(SMALL_BYTES))
    } catch {
      // Full, as wanted.
    }
  }
})

t.test('a damaged vault is reported row by row, and goes only with --skip-damaged', async (t) => {
  const cli = await richCli(t)
  let store = await openStore(cli.path)
  const [bad] = store.scan(block, { limit: 1 }) as [BlockRow]
  const blocks = store.scan(block, { limit: 1000 }).length
  await store.close()
  const backup = join(cli.root, 'whole.avfs')
  cli.json('vault', 'backup', 'one', backup)
  store = await openStore(cli.path)
  await store.commit([changes(block, [], [[bad.hash]])])
  await store.commit([changes(block, [{ ...bad, codec: 0, data: Buffer.from('other') }])])
  await store.close()
  const hex = Buffer.from(bad.hash, 'latin1').toString('hex')
  const [to] = others as [string]
  for (const option of ['--dry-run', '--keep-original']) {
    const { status, stderr } = cli.avfs('vault', 'migrate', 'one', '--to', to, option)
    t.equal(status, 1)
    t.match(stderr, `damaged: block ${hex} does not match its hash`)
  }
  t.same(readdirSync(cli.home), ['one.avfs'])
  const { status, stdout } = cli.avfs('vault', 'migrate', 'one', '--to', to, '--skip-damaged')
  t.equal(status, 0)
  t.match(stdout, /1 damaged left behind/)
  const copy = await openStore(join(cli.home, `one${backendOf('', to).suffix}`), { readOnly: true })
  t.equal(copy.get(block, [bad.hash]), undefined)
  t.equal(copy.scan(block, { limit: 1000 }).length, blocks - 1)
  await copy.close()
  for (const more of [[], ['--incremental']])
    t.match(cli.failure('vault', 'backup', 'one', backup, ...more), {
      message: /may hold what the vault does not/,
    })
})

t.test('what the engine alone finds damaged is told, too', async (t) => {
  const cli = await richCli(t)
  // The pointer map, which is the second page; all rows can be read.
  const fd = openSync(cli.path, 'r+')
  writeSync(fd, Buffer.alloc(150, 9), 0, 150, 16384)
  closeSync(fd)
  const [to] = others as [string]
  for (const option of ['--dry-run', '--keep-original', '--skip-damaged']) {
    const { status, stderr } = cli.avfs('vault', 'migrate', 'one', '--to', to, option)
    t.equal(status, option === '--skip-damaged' ? 0 : 1)
    t.match(stderr, /^avfs: damaged: sqlite: .*ptrmap/m)
  }
})

t.test('a vault that was used after its migration was cut short is not thrown away', async (t) => {
  const cli = await richCli(t)
  const [to] = others as [string]
  const target = join(cli.home, `one${backendOf('', to).suffix}`)
  cli.json('vault', 'migrate', 'one', '--to', to, '--output', target)
  writeNote(cli.path, { step: 'switching', backend: to, settings: 'another' })
  t.match(cli.json('vault', 'info', 'one'), { backend: 'sqlite' }, 'what counts is the original')
  const refused = cli.failure('vault', 'migrate', 'one', '--to', to)
  t.match(refused, { errno: 'EEXIST', message: /was changed since/ })
  t.ok(existsSync(target))
  renameSync(`${cli.path}.migration`, join(cli.root, 'note'))
  const both = cli.failure('vault', 'info', 'one')
  t.match(both, { status: 1, message: /one\.avfs and one\..* say which/ })
  t.match(cli.json('vault', 'info', 'one.avfs'), { backend: 'sqlite' })
})

t.test('a copy that is not what it should be is given up, and the vault stays', async (t) => {
  const cli = await richCli(t)
  const wanted = await wholeVault(cli.path)
  const [to] = others as [string]
  const target = join(cli.home, `one${backendOf('', to).suffix}`)
  const spoil = async (change: (rows: SnapshotRow[]) => ReturnType<typeof changes>) => {
    const store = await openStore(`${target}.partial`, { backend: to })
    await store.commit([change(store.scan(snapshot, { limit: 100 }))])
    await store.close()
  }
  const spoilers = [
    (rows: SnapshotRow[]) => changes(snapshot, [], [[rows[0]?.name ?? '']]),
    (rows: SnapshotRow[]) =>
      changes(
        snapshot,
        rows.slice(0, 1).map((row) => ({ ...row, moment: 1 })),
      ),
    () => changes(snapshot, [{ name: 'another', moment: 1, createdAt: 1 }]),
  ]
  for (const spoiler of spoilers) {
    const migration = migrateVault(cli.path, {
      ...{ to, output: undefined, keepOriginal: false, dryRun: false, skipDamaged: false },
      ...{ damaged: () => undefined, notice: () => undefined, onProgress: () => undefined },
      reached: (point) => (point === 'copied' ? spoil(spoiler) : undefined),
    })
    const failure = await migration.catch((error: unknown) => error)
    t.match(failure, { message: /not what it should be: snapshot: \d+ rows/ })
    t.same(readdirSync(cli.home), ['one.avfs'])
  }
  t.same(await wholeVault(cli.path), wanted)
})

t.test('a vault that lies elsewhere is found by its name afterwards, too', async (t) => {
  const cli = emptyCli(t)
  const folder = cli.folder('elsewhere')
  cli.json('vault', 'create', 'one', '--path', join(folder, 'data.avfs'))
  const [to] = others as [string]
  const path = join(folder, `data${backendOf('', to).suffix}`)
  t.match(cli.json('vault', 'migrate', 'one', '--to', to), { name: 'one', to: { path } })
  t.match(cli.json('vault', 'info', 'one'), { name: 'one', backend: to })
  t.same(vaultsIn(folder), [basename(path)])
  cli.json('vault', 'migrate', 'one', '--to', 'sqlite')
  t.same(vaultsIn(folder), ['data.avfs'])
  t.same(readdirSync(cli.home), ['one.avfs'])
})

t.test('delete takes what a migration left of its copy along', async (t) => {
  const cli = await richCli(t)
  mkdirSync(join(cli.home, 'one.leveldb.partial'))
  writeNote(cli.path, { step: 'copying', backend: 'leveldb', settings: '' })
  cli.json('vault', 'delete', 'one', '--yes')
  t.same(readdirSync(cli.home), [])
})
