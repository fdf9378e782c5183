// Backups of a mounted vault on every engine, while files are written: what is restored is
// everything up to some moment and nothing after it. A daemon that dies meanwhile leaves the former
// backup as it was.

import { spawn } from 'node:child_process'
import {
  closeSync,
  copyFileSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { backendNamed, testedBackends } from '../support/engines.ts'
import { avfsProgram, createVault, type TestVault } from '../support/mount.ts'
import { randomFrom } from '../support/random.ts'

t.setTimeout(60_000 + testedBackends.length * 60_000)
const LARGE_FILES = 12
const LARGE_BYTES = 1_000_000

/** Starts a command; the promise is its exit code. */
function start(vault: TestVault, ...args: readonly string[]): Promise<number | null> {
  const child = spawn(avfsProgram, args, {
    stdio: 'ignore',
    env: { ...process.env, ...vault.env },
    cwd: vault.root,
  })
  return new Promise((resolve) => child.once('exit', resolve))
}

function must(vault: TestVault, ...args: readonly string[]): void {
  const { status, stdout, stderr } = vault.avfs(args)
  if (status !== 0)
    throw new Error(`avfs ${args.join(' ')} ended with ${status}: ${stdout}${stderr}`)
}

/** A file of its number, durable when it returns. */
function writeNumbered(dir: string, number: number): void {
  const fd = openSync(join(dir, `n${number}`), 'w')
  writeSync(fd, `content ${number}`)
  fsyncSync(fd)
  closeSync(fd)
}

for (const backend of testedBackends)
  t.test(`${backend.name}: a backup beside a writer is a prefix of what it wrote`, async (t) => {
    const vault = createVault(t, backend)
    const dest = join(vault.root, `backup${backend.suffix}`)
    const at = join(vault.root, 'restored')
    mkdirSync(at)
    vault.mount()
    const random = randomFrom(5)
    for (let file = 0; file < LARGE_FILES; file++)
      writeFileSync(join(vault.dir, `large${file}`), random.bytes(LARGE_BYTES))
    const numbers = join(vault.dir, 'numbers')
    mkdirSync(numbers)
    let next = 0
    for (; next < 20; next++) writeNumbered(numbers, next)
    const written = next
    let ended: number | null | undefined
    const backup = start(vault, 'vault', 'backup', vault.name, dest).then((code) => {
      ended = code
    })
    while (ended === undefined && next < 5000) {
      writeNumbered(numbers, next++)
      await sleep(1)
    }
    await backup
    t.equal(ended, 0)
    must(vault, 'vault', 'restore', dest, 'restored')
    must(vault, 'mount', 'restored', at, '--read-only')
    try {
      const found = readdirSync(join(at, 'numbers')).length
      t.comment(`${written} before, ${next} at the end, ${found} in the backup`)
      t.ok(found >= written && found <= next)
      for (let number = 0; number < found; number++) {
        const content = readFileSync(join(at, 'numbers', `n${number}`), 'utf8')
        // The last one may have been made and not yet written.
        const isLast = number === found - 1 && number >= written && content === ''
        if (!isLast && content !== `content ${number}`) t.fail(`n${number} is not what it was`)
      }
      t.equal(readFileSync(join(at, 'large3')).length, LARGE_BYTES)
    } finally {
      must(vault, 'unmount', at)
    }
    writeFileSync(join(vault.dir, 'more'), random.bytes(LARGE_BYTES))
    const cut = start(vault, 'vault', 'backup', vault.name, dest, '--incremental')
    await sleep(random.below(400))
    await vault.kill()
    t.comment(`with a daemon that was killed it ended with ${await cut}`)
    must(vault, 'vault', 'check', dest, '--deep')
    vault.mount()
    must(vault, 'vault', 'backup', vault.name, dest, '--incremental')
    must(vault, 'vault', 'check', dest, '--deep')
  })

t.test('a plain copy of a vault in use is told from a vault', async (t) => {
  const vault = createVault(t, backendNamed('sqlite'))
  vault.mount()
  writeFileSync(join(vault.dir, 'a'), 'a')
  await sleep(1500)
  const at = join(vault.root, 'copy')
  mkdirSync(at)
  const copy = join(vault.home, 'copy.avfs')
  copyFileSync(vault.file, copy)
  copyFileSync(`${vault.file}.lock`, `${copy}.lock`)
  const { status, stderr } = vault.avfs(['mount', 'copy', at])
  t.equal(status, 0, stderr)
  t.match(stderr, /was copied while process \d+ had it mounted/)
  must(vault, 'unmount', at)
  copyFileSync(vault.file, copy)
  t.match(vault.avfs(['vault', 'info', 'copy']).stderr, /its log is not here.*avfs vault backup/)
  vault.unmount()
  t.equal(vault.avfs(['vault', 'info', vault.name]).stderr, '', 'one that was closed is sound')
})
