// Something other than a vault where a vault should be: a file, a folder, a pipe, for each engine.
// Opening it is refused with a message, does not block, and leaves it unchanged.

import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { openStore } from '../../src/store/open.ts'
import { testedBackends } from '../support/engines.ts'
import { run } from '../support/program.ts'

const makers: Readonly<Record<string, (path: string) => void>> = {
  'a file of text': (path) => writeFileSync(path, 'text\n'.repeat(2000)),
  'an empty file': (path) => writeFileSync(path, ''),
  'an empty folder': (path) => mkdirSync(path),
  'a folder with a file': (path) => {
    mkdirSync(path)
    writeFileSync(join(path, 'file'), 'text\n')
  },
  'a pipe': (path) => void run('mkfifo', [path]),
}

for (const { name, suffix } of testedBackends)
  t.test(`what is no vault is refused and left as it is, on ${name}`, async (t) => {
    for (const [what, make] of Object.entries(makers))
      for (const readOnly of [true, false]) {
        const folder = t.testdir()
        const path = join(folder, `v${suffix}`)
        make(path)
        const before = described(path)
        await t.rejects(openStore(path, { readOnly }), { name: 'StoreError', message: /\w/ }, what)
        t.equal(described(path), before, `${what} is as it was`)
      }
  })

function described(path: string): string {
  const stat = statSync(path)
  if (stat.isDirectory())
    return readdirSync(path)
      .map((name) => described(join(path, name)))
      .join()
  return `${stat.mode} ${stat.isFile() ? readFileSync(path, 'latin1') : ''}`
}
