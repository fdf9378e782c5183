// The index beside `avfs import` of a vault that is not mounted, on an engine whose index is inside
// the vault and on one where it is beside it.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { backendNamed } from '../support/engines.ts'
import { createVault, type TestVault } from '../support/mount.ts'

t.setTimeout(300_000)
const FILES = 400

function makeTree(root: string, files: number): string {
  const tree = join(root, `tree${files}`)
  mkdirSync(tree)
  for (let at = 0; at < files; at++)
    writeFileSync(join(tree, `f${at}`), `number${at} `.repeat(500) + 'common words '.repeat(200))
  return tree
}

interface Status {
  readonly versions: number
  readonly waiting: number | null
  readonly isOn: boolean
}

function done(t: Test, vault: TestVault, ...args: readonly string[]): string {
  const { status, stdout, stderr } = vault.avfs(args)
  t.equal(status, 0, `avfs ${args[0]} ${stderr}`)
  return stdout
}

function statusOf(t: Test, vault: TestVault): Status {
  return JSON.parse(done(t, vault, 'search', '--status', `${vault.name}:/`, '--json'))
}

for (const backend of ['sqlite', 'lmdb']) {
  t.test(`an import that ends has its index (${backend})`, async (t) => {
    const vault = createVault(t, backendNamed(backend))
    done(t, vault, 'import', makeTree(vault.root, FILES), `${vault.name}:/`)
    t.match(statusOf(t, vault), { isOn: true, waiting: 0, versions: FILES })
    done(t, vault, 'import', makeTree(vault.root, FILES + 100), `${vault.name}:/`)
    t.match(statusOf(t, vault), { waiting: 0, versions: FILES + 100 })
    const found = done(t, vault, 'search', `number${FILES + 7}`, `${vault.name}:/`, '--json')
    t.equal(JSON.parse(found).length, 1)
    vault.check()
  })

  t.test(`a dry run, a small import and search=off make no index (${backend})`, async (t) => {
    const vault = createVault(t, backendNamed(backend))
    const tree = makeTree(vault.root, FILES)
    done(t, vault, 'import', '--dry-run', tree, `${vault.name}:/`)
    done(t, vault, 'import', makeTree(vault.root, 3), `${vault.name}:/`)
    t.match(statusOf(t, vault), { isOn: true, versions: 0 })
    done(t, vault, 'vault', 'config', vault.name, 'search=off')
    done(t, vault, 'import', tree, `${vault.name}:/`)
    t.match(statusOf(t, vault), { isOn: false, versions: 0 })
  })
}
