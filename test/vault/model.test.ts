// Random operations by seed, on a plain model and on a vault through src/fs: after each stretch both trees are the same, at
// the end the vault checks clean, and after reopening it is the same again.
// AVFS_SEED chooses the seed, AVFS_STEPS the length.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { setLog } from '../../src/base/log.ts'
import { createFileSystem, type FileSystem } from '../../src/fs/file-system.ts'
import { openStore } from '../../src/store/open.ts'
import { birthBatch, openVault, ROOT_INO, Vault } from '../../src/vault/vault.ts'
import type { PlainFile } from './plain-model.ts'
import { caller, Run } from './random-run.ts'

setLog('error')
const steps = Number(process.env.AVFS_STEPS ?? 1500)
const baseSeed = Number(process.env.AVFS_SEED ?? Date.now() % 1_000_000)

/** The tree of a file system as comparable lines: path, kind, mode, links, size, bytes, attributes. */
function describe(fs: FileSystem, ino: number, path = ''): string[] {
  const lines: string[] = []
  const { handle } = fs.opendir(caller, ino)
  const names: string[] = []
  fs.readdir(caller, ino, handle, 0, false, (name) => {
    if (name !== '.' && name !== '..') names.push(name)
    return true
  })
  fs.releasedir(handle)
  for (const name of names.sort()) {
    const node = fs.lookup(caller, ino, name)
    if (node === undefined) throw new Error(`${path}/${name} is listed and not found`)
    const isDirectory = node.mode >>> 12 === 4
    const bytes = isDirectory ? [] : fs.read(caller, node.ino, 0, node.size)
    const xattrs = isDirectory
      ? []
      : fs
          .listxattr(caller, node.ino)
          .map((key) => [
            key,
            Buffer.from(fs.getxattr(caller, node.ino, key, false) ?? []).toString('hex'),
          ])
    lines.push(
      line(`${path}/${name}`, node.mode, node.nlink, Buffer.concat(bytes), new Map(xattrs as [])),
    )
    if (isDirectory) lines.push(...describe(fs, node.ino, `${path}/${name}`))
    fs.forget(node.ino, 1)
  }
  return lines
}

function describePlain(directory: PlainFile, path = ''): string[] {
  const lines: string[] = []
  for (const name of [...directory.names.keys()].sort()) {
    const file = directory.names.get(name)
    if (file === undefined) continue
    const xattrs = new Map(
      [...file.xattrs].map(([key, value]) => [key, Buffer.from(value).toString('hex')]),
    )
    lines.push(line(`${path}/${name}`, file.mode, file.nlink, file.bytes, xattrs))
    if (file.kind === 'directory') lines.push(...describePlain(file, `${path}/${name}`))
  }
  return lines
}

function line(
  path: string,
  mode: number,
  nlink: number,
  bytes: Uint8Array,
  xattrs: Map<string, string>,
): string {
  const { length } = bytes
  const content = Buffer.from(bytes).toString('base64')
  const attributes = [...xattrs].sort().join(' ')
  return `${path} ${mode.toString(8)} ${nlink} ${length} ${attributes} ${content}`
}

/** The first difference of two descriptions, short enough to read. */
function difference(found: string[], wanted: string[]): string | undefined {
  for (let at = 0; at < Math.max(found.length, wanted.length); at++)
    if (found[at] !== wanted[at])
      return `found ${found[at]?.slice(0, 200)}\nwanted ${wanted[at]?.slice(0, 200)}`
  return undefined
}

async function runModel(t: Test, vault: Vault, seed: number): Promise<Run> {
  const run = new Run(vault, seed)
  for (let step = 0; step < steps; step++) {
    try {
      await run.step()
    } catch (error) {
      t.fail(`step ${step} of seed ${seed} failed`, { cause: String((error as Error).stack) })
      return run
    }
    if (step % 250 === 0) {
      const found = difference(describe(run.fs, ROOT_INO), describePlain(run.root))
      if (found !== undefined) {
        t.fail(`seed ${seed}: the trees differ after step ${step}`, { found })
        return run
      }
    }
  }
  t.equal(difference(describe(run.fs, ROOT_INO), describePlain(run.root)), undefined)
  return run
}

t.test('random operations on a vault in memory match the plain model', async (t) => {
  t.comment(`seed ${baseSeed}`)
  const store = await openStore('memory', { create: true, backend: 'memory' })
  await store.commit(birthBatch())
  const vault = new Vault(store, '/tmp/none', { commitMs: 5 })
  await runModel(t, vault, baseSeed)
  await vault.sync()
  const report = await vault.check({ deep: true })
  t.same(report.problems, [])
  await vault.close()
})

t.test(
  'random operations on a SQLite vault match the plain model, also after reopening',
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'avfs-model-'))
    t.teardown(() => rmSync(folder, { recursive: true }))
    for (let round = 0; round < 3; round++) {
      const seed = baseSeed + 1 + round
      t.comment(`seed ${seed}`)
      const path = join(folder, `v${round}.avfs`)
      const store = await openStore(path, { create: true, backend: 'sqlite' })
      await store.commit(birthBatch())
      // A small cache, so that rows are read back from the engine.
      const run = await runModel(
        t,
        new Vault(store, path, { cacheBytes: 400_000, commitMs: 5 }),
        seed,
      )
      const report = await run.vault.check({ deep: true })
      t.same(report.problems, [])
      await run.vault.close()
      const vault = await openVault(path)
      const fs = createFileSystem(vault, { readOnly: false })
      t.equal(difference(describe(fs, ROOT_INO), describePlain(run.root)), undefined)
      await vault.close()
    }
  },
)
