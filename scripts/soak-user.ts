// One user of a soak test (soak.ts): saves as editors do, appends to logs, makes and removes trees
// as git does, reads files and their past, for ever, in a directory of its own. Reports on standard
// output how often, and on standard error what went wrong.

import { randomBytes } from 'node:crypto'
import {
  appendFileSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Random, randomFrom } from '../test/support/random.ts'

const DOCUMENTS = 40
const TREES = 6
const OBJECTS = 60
const LOG_BYTES_MAX = 512 * 1024
const PAUSE_MS = 20
const WORDS = ['amber', 'brick', 'cedar', 'delta', 'ember', 'flint', 'grove', 'heron']

const [root = '', seed = '1'] = process.argv.slice(2)
const random = randomFrom(Number(seed))
const document = (): string => join(root, `doc${random.below(DOCUMENTS)}.txt`)
const tree = (): string => join(root, `tree${random.below(TREES)}`)

function text(its: Random): string {
  const words = Array.from({ length: 20 + its.below(1500) }, () => its.pick(WORDS))
  return `${words.join(' ')}\n`
}

const work: readonly (() => void)[] = [
  // In place, with the old one beside, by rename: what editors do.
  () => writeFileSync(document(), text(random)),
  () => {
    const path = document()
    writeFileSync(`${path}.new`, text(random))
    const fd = openSync(`${path}.new`, 'r+')
    fsyncSync(fd)
    closeSync(fd)
    renameSync(`${path}.new`, path)
  },
  () => {
    const path = document()
    renameSync(path, `${path}~`)
    writeFileSync(path, text(random))
    rmSync(`${path}~`)
  },
  () => {
    const path = join(root, `log${random.below(3)}`)
    appendFileSync(path, `${Date.now()} ${random.pick(WORDS)}\n`)
    if (statSync(path).size > LOG_BYTES_MAX) writeFileSync(path, '')
  },
  () => {
    const top = tree()
    for (let at = 0; at < OBJECTS; at++) {
      const name = randomBytes(20).toString('hex')
      const folder = join(top, 'objects', name.slice(0, 1))
      mkdirSync(folder, { recursive: true })
      writeFileSync(join(folder, `${name}.lock`), randomBytes(random.below(9000)))
      renameSync(join(folder, `${name}.lock`), join(folder, name))
    }
    writeFileSync(join(top, 'index'), randomBytes(20_000))
  },
  () => rmSync(tree(), { recursive: true, force: true }),
  () => look(root),
  () => look(join(root, '.avfs', 'versions')),
  () => look(join(root, '.avfs', 'at', `${1 + random.below(120)}s`)),
  () => readdirSync(join(root, '.avfs', 'deleted')),
  () => readFileSync(join(root, '.avfs', 'history.json')),
]

/** Reads all files below, as grep -r does. */
function look(top: string): void {
  for (const each of readdirSync(top, { withFileTypes: true })) {
    const path = join(top, each.name)
    if (each.isDirectory()) {
      if (random.below(3) === 0) look(path)
    } else readFileSync(path).includes(random.pick(WORDS))
  }
}

let count = 0
let failures = 0
process.on('SIGTERM', () => {
  process.stdout.write(`${JSON.stringify({ count, failures })}\n`, () => process.exit(0))
})

for (;;) {
  try {
    random.pick(work)()
    count++
  } catch (error) {
    // What another has just removed or brought back, or what is of a time before the first file.
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ENOENT' && code !== 'ENOTEMPTY' && code !== 'ESTALE' && code !== 'EEXIST') {
      failures++
      console.error(String(error))
    }
  }
  await sleep(random.below(PAUSE_MS))
}
