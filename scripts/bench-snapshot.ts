// What a snapshot costs in a large vault: files are made in process, through src/fs and without a
// mount, then snapshots are taken as mkdir(2) takes them, each with its commit.
//
//   node scripts/bench-snapshot.ts [--files 1000000] [--rounds 20]

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createFileSystem } from '../src/fs/file-system.ts'
import { openStore } from '../src/store/open.ts'
import { ROOT_INO } from '../src/vault/core/inode.ts'
import { createSnapshot } from '../src/vault/history/snapshots.ts'
import { birthBatch, openVault } from '../src/vault/vault.ts'
import { amount, machine, median, table } from './bench-report.ts'
import { workFolder } from './bench-support.ts'

const FILES_PER_DIRECTORY = 1000
const COMMIT_FILES = 10_000
const { values: options } = parseArgs({
  options: {
    files: { type: 'string', default: '1000000' },
    rounds: { type: 'string', default: '20' },
  },
})
const files = Number(options.files)
const caller = { uid: 0, gid: 0, pid: process.pid }

const work = workFolder()
try {
  const path = join(work, 'large.avfs')
  const store = await openStore(path, { create: true })
  await store.commit(birthBatch())
  await store.close()
  const vault = await openVault(path)
  const fs = createFileSystem(vault, { readOnly: false })
  for (let made = 0; made < files; made++) {
    // Commits are started by a timer, which a loop like this one does not let run.
    if (made % COMMIT_FILES === 0) await vault.sync()
    const at = Math.floor(made / FILES_PER_DIRECTORY)
    const name = `d${at}`
    const directory =
      fs.lookup(caller, ROOT_INO, name) ?? fs.mkdir(caller, ROOT_INO, name, 0o755, 0o022)
    const { ino } = fs.create(caller, directory.ino, `f${made}`, 0o100644, 0o022, 0)
    fs.write(caller, ino, 0, Buffer.from(`file ${made}`), false, false)
    fs.flush(caller, ino)
    fs.forget(ino, 1)
  }
  await vault.sync()
  const takenMs: number[] = []
  const durableMs: number[] = []
  for (let round = 0; round < Number(options.rounds); round++) {
    const began = performance.now()
    createSnapshot(vault.core, `snapshot ${round}`)
    takenMs.push(performance.now() - began)
    await vault.sync()
    durableMs.push(performance.now() - began)
  }
  console.log(
    [
      machine(),
      table(
        [`a snapshot of ${amount(files)} files, ms`, 'median', 'highest'],
        [
          ['taken', amount(median(takenMs)), amount(Math.max(...takenMs))],
          ['taken and durable', amount(median(durableMs)), amount(Math.max(...durableMs))],
        ],
      ),
    ].join('\n\n'),
  )
  await vault.close()
} finally {
  rmSync(work, { recursive: true, force: true })
}
