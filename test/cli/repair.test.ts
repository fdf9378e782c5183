// avfs vault check --repair on every engine: a copy is repaired and takes the vault's name, or the
// vault itself is repaired; the exit codes are those of fsck(8). Remedies themselves are tested in
// test/vault.

import { closeSync, mkdirSync, openSync, readdirSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { setLog } from '../../src/base/log.ts'
import {
  type BlockRow,
  block,
  entry,
  inode as inodes,
  setting,
} from '../../src/store/collections.ts'
import { backendOf, openStore } from '../../src/store/open.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import type { Store } from '../../src/store/store.ts'
import { changes } from '../store/rows.ts'
import { testedBackends } from '../support/engines.ts'
import { seedOf } from '../support/random.ts'
import { makeRichVault } from '../vault/rich-vault.ts'
import { wholeVault } from '../vault/whole-vault.ts'
import { type Cli, emptyCli } from './cli.ts'

setLog('error')
// Each run of a command takes a while on a busy machine.
t.setTimeout(280_000)
const seed = seedOf('AVFS_SEED')
const engines = testedBackends.map(({ name }) => name)

async function richCli(t: Test, engine: string): Promise<Cli & { readonly path: string }> {
  const cli = emptyCli(t)
  t.comment(`AVFS_SEED=${seed}`)
  const first = join(cli.home, 'one.avfs')
  await makeRichVault(first, 'sqlite', seed, 150)
  const path = join(cli.home, `one${backendOf('', engine).suffix}`)
  if (engine !== 'sqlite') cli.json('vault', 'migrate', 'one', '--to', engine)
  return { ...cli, path }
}

function firstRows<R extends object>(
  store: Store,
  collection: Parameters<Store['scan']>[0],
): Promise<R[]> {
  return retryUntilLoaded(() => store.scan(collection, { limit: 1000 }) as unknown as R[])
}

/** A file without its name, a block with other bytes, and a counter that counts wrong. */
async function damage(path: string): Promise<void> {
  const store = await openStore(path)
  const names = await firstRows<{ parent: number; name: string; type: number; ino: number }>(
    store,
    entry as never,
  )
  const file = names.find(
    ({ type, ino }) => type === 8 && names.filter((other) => other.ino === ino).length === 1,
  )
  const [bad] = (await firstRows(store, block as never)) as [BlockRow]
  if (file === undefined) throw new Error('there is no file')
  await store.commit([
    changes(entry, [], [[file.parent, file.name]]),
    changes(block, [], [[bad.hash]]),
    changes(setting, [{ name: 'inodes', value: '4711' }]),
  ])
  await store.commit([changes(block, [{ ...bad, codec: 0, data: Buffer.from('?') }])])
  await store.close()
}

for (const engine of engines) {
  t.test(`a damaged vault on ${engine} is repaired on a copy, and kept as it was`, async (t) => {
    const cli = await richCli(t, engine)
    t.match(cli.json('vault', 'check', 'one', '--repair'), { found: 0, steps: [], original: null })
    await damage(cli.path)
    // An index lies beside vaults of the other engines, and stays with what was.
    if (engine !== 'sqlite') mkdirSync(`${cli.path}.search`)
    t.equal(cli.avfs('vault', 'check', 'one').status, 4)
    const { status, stdout, stderr } = cli.avfs('vault', 'check', 'one', '--repair')
    t.equal(status, 1, stderr)
    t.match(stdout, /^inode \d+ is \/lost\+found\/#\d+ now$/m)
    t.match(stdout, /^inode \d+: (former )?bytes .* lost with block [0-9a-f]{64}$/m)
    t.match(stdout, /the vault as it was: .*one\.damaged\./)
    t.match(stdout, /^sound: .* problems at first$/m)
    t.equal(cli.avfs('vault', 'check', 'one', '--deep').status, 0)
    await wholeVault(cli.path)
    t.equal(cli.avfs('vault', 'check', 'one.damaged').status, 4)
    const vaults = readdirSync(cli.home).filter(
      (file) => !/(-lock|damaged\..*\.search)$/.test(file),
    )
    t.same(vaults.length, 2, `nothing else is left: ${vaults}`)
  })

  t.test(`a damaged vault on ${engine} is repaired in place with --no-copy`, async (t) => {
    const cli = await richCli(t, engine)
    await damage(cli.path)
    const { status, stdout } = cli.avfs('vault', 'check', 'one', '--repair', '--no-copy', '--json')
    t.equal(status, 1)
    t.match(JSON.parse(stdout), { problems: [], original: null })
    t.ok(JSON.parse(stdout).steps.length >= 3)
    t.equal(cli.avfs('vault', 'check', 'one', '--repair').status, 0)
    t.same(
      readdirSync(cli.home).filter((file) => file.includes('damaged')),
      [],
    )
  })
}

t.test('a vault without its counters is checked and repaired all the same', async (t) => {
  const cli = await richCli(t, 'sqlite')
  const store = await openStore(cli.path)
  await store.commit([changes(setting, [{ name: 'moment', value: 'noon' }])])
  await store.close()
  t.equal(cli.avfs('vault', 'stats', 'one').status, 1)
  const { status, stdout } = cli.avfs('vault', 'check', 'one')
  t.equal(status, 4)
  t.match(stdout, /counter: setting moment is damaged/)
  t.equal(cli.avfs('vault', 'check', 'one', '--repair').status, 1)
  t.match(cli.json('vault', 'stats', 'one'), { files: Number })
})

t.test(
  'what an engine cannot read any more is left behind, and all else comes along',
  async (t) => {
    const cli = await richCli(t, 'sqlite')
    // Pages in the middle of the file, where rows and blocks are.
    const fd = openSync(cli.path, 'r+')
    const middle = Math.floor(statSync(cli.path).size / 2 / 16384) * 16384
    writeSync(fd, Buffer.alloc(2 * 16384, 0x5a), 0, 2 * 16384, middle)
    closeSync(fd)
    const found = cli.avfs('vault', 'check', 'one', '--deep')
    t.equal(found.status, 4)
    t.match(found.stdout, /^engine: /m, 'the engine is asked, too')
    const { status, stdout, stderr } = cli.avfs('vault', 'check', 'one', '--repair')
    t.equal(status, 1, stderr)
    t.match(stdout, /^left behind: /m, 'what the engine said is told')
    t.match(stdout, /left behind, from|lost with block|dropped/)
    const store = await openStore(cli.path, { readOnly: true })
    t.ok(store.scan(inodes, { limit: 1000 }).length > 1)
    await store.close()
    t.equal(cli.avfs('vault', 'check', 'one', '--deep').status, 0)
  },
)

t.test('repair refuses a mounted vault, and usage is wrong with 16', async (t) => {
  const cli = await richCli(t, 'sqlite')
  const dir = cli.folder('mnt')
  cli.json('mount', 'one', dir)
  try {
    t.match(cli.failure('vault', 'check', 'one', '--repair'), {
      status: 11,
      message: `unmount it first: avfs unmount ${dir}`,
    })
  } finally {
    cli.avfs('unmount', dir)
  }
  t.match(cli.failure('vault', 'check', 'one', '--no-copy'), { status: 16, message: /--repair/ })
  t.match(cli.failure('vault', 'check', 'one', '--bogus'), { status: 16 })
  t.match(cli.failure('vault', 'check'), { status: 16 })
})
