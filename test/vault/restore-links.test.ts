// Files with several names are restored under the names that they had: names of one file lead to
// one file again, names of two files to two. A dry run predicts the same.

import t, { type Test } from 'tap'
import { createFileSystem, type FileSystem } from '../../src/fs/file-system.ts'
import { openStore } from '../../src/store/open.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { nobody } from '../../src/vault/core/observer.ts'
import { restoreTree } from '../../src/vault/history/restore.ts'
import { planRestore } from '../../src/vault/history/restore-plan.ts'
import type { RestoreOptions } from '../../src/vault/history/restore-run.ts'
import { birthBatch, Vault } from '../../src/vault/vault.ts'
import { noChange } from '../support/no-change.ts'
import { type Waiting, waiting } from '../support/waiting.ts'
import { caller } from './random-run.ts'

const O_EXCL = 0o200
const SECONDS = 1_000_000

class Bed {
  readonly #vault: Vault
  readonly fs: Waiting<FileSystem>

  constructor(vault: Vault) {
    this.#vault = vault
    this.fs = waiting(createFileSystem(vault, { readOnly: false }))
  }

  async save(parent: number, name: string, text: string): Promise<number> {
    const { ino } = await this.fs.create(caller, parent, name, 0o644, 0, O_EXCL)
    await this.write(ino, text)
    await this.fs.forget(ino, 1)
    return ino
  }

  async write(ino: number, text: string): Promise<void> {
    await this.fs.setattr(caller, ino, { ...noChange, size: 0 })
    await this.fs.write(caller, ino, 0, Buffer.from(text), false, false)
    await this.fs.flush(caller, ino)
  }

  async read(name: string): Promise<string> {
    const ino = await this.ino(name)
    return Buffer.concat(await this.fs.read(caller, ino, 0, 100)).toString()
  }

  async ino(name: string): Promise<number> {
    return (await this.fs.lookup(caller, ROOT_INO, name))?.ino ?? 0
  }

  /** A moment to come back to. What follows is so much later that nothing counts as temporary. */
  moment(): number {
    const { moments } = this.#vault.core
    const moment = moments.next()
    moments.observe()
    moments.last += 2 * SECONDS
    return moment
  }

  /** Restores all; tells what is done, after a dry run told the same. */
  async restore(t: Test, moment: number): Promise<string[]> {
    const { core } = this.#vault
    core.moments.last += 2 * SECONDS
    const planned: string[] = []
    const done: string[] = []
    const hears = (into: string[]): RestoreOptions => ({
      ...nobody,
      removeNewer: true,
      heard: (effect, path) => void into.push(`${effect} ${path}`),
    })
    const from = { ino: ROOT_INO, moment }
    await planRestore(core, from, { parent: ROOT_INO, name: '', path: '/' }, hears(planned))
    await restoreTree(core, from, { parent: ROOT_INO, name: '' }, hears(done))
    t.same(planned, done, 'a dry run tells what is done')
    return done
  }
}

function test(sentence: string, run: (t: Test, bed: Bed) => Promise<void>): void {
  t.test(sentence, async (t) => {
    const store = await openStore('memory', { create: true, backend: 'memory' })
    await store.commit(birthBatch())
    const vault = new Vault(store, '/tmp/none', { commitMs: 60_000 })
    await run(t, new Bed(vault))
    t.same((await vault.check({ deep: true })).problems, [])
    await vault.close()
  })
}

for (const text of ['the same', 'other'])
  test(`two files that became one are two again, with ${text} content`, async (t, bed) => {
    const { fs } = bed
    await bed.save(ROOT_INO, 'a', 'the same')
    const b = await bed.save(ROOT_INO, 'b', text)
    const moment = bed.moment()
    await fs.unlink(caller, ROOT_INO, 'a')
    await bed.write(b, 'the same')
    await fs.link(caller, b, ROOT_INO, 'a')
    await bed.restore(t, moment)
    t.equal(await bed.read('a'), 'the same')
    t.equal(await bed.read('b'), text)
    t.not(await bed.ino('a'), await bed.ino('b'))
    t.same(await bed.restore(t, moment), [], 'a second time there is nothing to do')
  })

test('names that are removed before are not taken along', async (t, bed) => {
  const { fs } = bed
  const file = await bed.save(ROOT_INO, 'b', 'first')
  await bed.save(ROOT_INO, 'a', 'a file')
  const moment = bed.moment()
  await fs.unlink(caller, ROOT_INO, 'a')
  const { ino } = await fs.mkdir(caller, ROOT_INO, 'a', 0o755, 0)
  await fs.link(caller, file, ino, 'of b')
  await fs.link(caller, file, ROOT_INO, 'c')
  await bed.write(file, 'second')
  const done = await bed.restore(t, moment)
  t.same(done.slice(0, 3), ['removed /a/of b', 'removed /a', 'created /a'])
  t.same(done.slice(3), ['replaced /b', 'replaced /c', 'removed /c', 'changed /'])
  t.equal(await bed.read('b'), 'first')
})

test('other names are taken along by a file that is made under a name before', async (t, bed) => {
  const { fs } = bed
  const file = await bed.save(ROOT_INO, 'a', 'first')
  await fs.link(caller, file, ROOT_INO, 'b')
  const moment = bed.moment()
  await fs.unlink(caller, ROOT_INO, 'a')
  await fs.link(caller, file, ROOT_INO, 'c')
  await bed.write(file, 'second')
  const done = await bed.restore(t, moment)
  t.same(done, ['created /a', 'replaced /b', 'replaced /c', 'removed /c', 'changed /'])
  t.equal(await bed.read('b'), 'first')
  t.equal(await bed.ino('a'), await bed.ino('b'))
})
