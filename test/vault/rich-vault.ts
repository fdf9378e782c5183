// Vaults that contain some of everything, made by random operations: history, snapshots, labels,
// holds, attributes, names that are not UTF-8. For tests of operations that must keep all of it.

import { openStore } from '../../src/store/open.ts'
import { addHold } from '../../src/vault/prune/holds.ts'
import { tagsOf } from '../../src/vault/tree/attached.ts'
import { findInode } from '../../src/vault/tree/inodes.ts'
import { addTag, tagFile, untagFile } from '../../src/vault/tree/tags.ts'
import { birthBatch, Vault } from '../../src/vault/vault.ts'
import { HistoryRun } from './history-run.ts'

/** Makes a vault at a path and closes it. The same seed does the same, but for times. */
export async function makeRichVault(
  path: string,
  backend: string,
  seed: number,
  steps: number,
): Promise<void> {
  const store = await openStore(path, { create: true, backend })
  await store.commit(birthBatch())
  const vault = new Vault(store, path, { commitMs: 5, sealMs: 1e9 })
  await fillRichVault(vault, seed, steps)
  await vault.close()
}

/** The same in a vault that is open; nothing of it is in the middle of a change then. */
export async function fillRichVault(vault: Vault, seed: number, steps: number): Promise<void> {
  const run = new HistoryRun(vault, seed)
  for (const name of ['red', 'gr\u00fcn', 'blue']) addTag(vault.core, name)
  for (let step = 0; step < steps; step++) {
    await run.step()
    if (step % 10 === 0) label(run)
  }
  addHold(vault.core, '/n1')
  await run.sealAll()
}

function label(run: HistoryRun): void {
  const { core } = run.vault
  const file = run.file()
  const inode = file === undefined ? undefined : findInode(core, run.ino(file))
  const tag = run.pick(['red', 'gr\u00fcn', 'blue'])
  if (inode === undefined || tag === undefined) return
  if (!tagsOf(core, inode.ino).includes(tag)) tagFile(core, inode, tag)
  else untagFile(core, inode, tag)
}
