// The POSIX tables: first on a plain folder, which tests the tests, then on a mounted vault.

import t from 'tap'
import { mountedVault, temporaryFolder } from '../support/mount.ts'
import { runTables, type Table } from '../support/table.ts'
import { acls } from './posix-acl.ts'
import { directories } from './posix-directories.ts'
import { files } from './posix-file.ts'
import { links } from './posix-links.ts'
import { modes } from './posix-modes.ts'
import { names } from './posix-names.ts'
import { randomWrites } from './posix-random.ts'
import { renames } from './posix-rename.ts'
import { space } from './posix-space.ts'
import { special } from './posix-special.ts'
import { times } from './posix-times.ts'
import { unlinked } from './posix-unlinked.ts'
import { xattrs } from './posix-xattr.ts'

const tables: readonly Table[] = [
  files,
  randomWrites,
  unlinked,
  renames,
  links,
  times,
  space,
  modes,
  xattrs,
  acls,
  names,
  directories,
  special,
]

// Minutes, where other work or a slow engine shares the machine.
t.setTimeout(900_000)
if (process.getuid?.() !== 0) throw new Error('these tests change users and devices: run as root')

await runTables(t, 'plain folder', temporaryFolder(t), tables)

const vault = mountedVault(t)
await runTables(t, 'mounted vault', vault.dir, tables, vault)
await t.test('mounted vault: after all that it is whole, mounted and unmounted', async () => {
  vault.check()
  vault.unmount()
  vault.check()
})
