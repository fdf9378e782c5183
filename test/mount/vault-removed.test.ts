// The vault, or its lock file, is removed or replaced while it is mounted, on each engine: that is
// noticed, no operation claims success, what was written is kept, and no second writer can open the
// vault.

import { randomBytes } from 'node:crypto'
import {
  closeSync,
  cpSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { filesOf } from '../../src/store/open.ts'
import { testedBackends } from '../support/engines.ts'
import { createVault, isAlive, type TestVault, until } from '../support/mount.ts'
import { attempt, run } from '../support/program.ts'

const IO_ERROR = { code: 'EIO' }

t.setTimeout(800_000)

for (const backend of testedBackends) {
  const { name, isFolder } = backend
  const mounted = (t: Test): TestVault => {
    const vault = createVault(t, backend)
    vault.mount()
    writeSynced(join(vault.dir, 'before'), 'synced before')
    writeFileSync(join(vault.dir, 'text'), 'one')
    writeFileSync(join(vault.dir, 'text'), 'two')
    return vault
  }

  t.test(`${name}: what a removed vault held is kept, and nobody says that it is saved`, (t) => {
    const vault = mounted(t)
    removeVault(vault)
    t.throws(() => writeSynced(join(vault.dir, 'after'), 'written after'), IO_ERROR)
    t.throws(() => writeSynced(join(vault.dir, 'after'), 'written later'), IO_ERROR, 'for good')
    writeFileSync(join(vault.dir, 'last'), 'never synced')
    t.equal(readFileSync(join(vault.dir, 'before'), 'utf8'), 'synced before', 'reads go on')
    const copy = unmountLost(t, vault)
    t.match(vault.log(), copy, 'the log names the copy')
    t.notOk(existsSync(`${vault.file}.lock`), 'no lock is left')
    holds(t, vault, copy, {
      before: 'synced before',
      text: 'two',
      after: 'written later',
      last: 'never synced',
    })
    t.end()
  })

  t.test(`${name}: a vault that is put in the place of a mounted one stays as it is`, (t) => {
    const vault = createVault(t, backend)
    const other = join(vault.home, `other${backend.suffix}`)
    cpSync(vault.file, other, { recursive: true })
    vault.mount()
    writeSynced(join(vault.dir, 'before'), 'synced before')
    removeVault(vault)
    cpSync(other, vault.file, { recursive: true })
    t.throws(() => writeSynced(join(vault.dir, 'after'), 'written after'), IO_ERROR)
    const refused = vault.avfs(['mount', vault.name, other])
    t.equal(refused.status, 11, 'which is not mounted meanwhile')
    const copy = unmountLost(t, vault)
    t.same(contentOf(vault.file), contentOf(other), 'nothing was written into it')
    holds(t, vault, copy, { before: 'synced before', after: 'written after' })
    t.end()
  })

  // The same on all engines, but for whether a vault is a file or a folder.
  if (name === 'sqlite' || name === 'leveldb') {
    t.test(`${name}: a removed vault is noticed without a write, and copied at once`, async (t) => {
      const vault = mounted(t)
      renameSync(vault.file, `${vault.file}.moved`)
      const copy = join(vault.home, `${vault.name}.rescued${backend.suffix}`)
      await until(() => existsSync(copy), 'the copy is there')
      await until(() => vault.log().includes(copy), 'the log names it')
      const pid = vault.daemonPid()
      process.kill(pid, 'SIGTERM')
      await until(() => !isAlive(pid), 'the daemon has ended')
      t.match(vault.log(), /the daemon of testvault failed/)
      holds(t, vault, copy, { before: 'synced before', text: 'two' })
    })

    t.test(
      `${name}: with the folder of the vault gone, the copy goes where logs are`,
      async (t) => {
        const vault = mounted(t)
        renameSync(vault.home, join(vault.root, 'elsewhere'))
        // By then the room on the disk of that folder has to be asked for anew.
        await until(() => vault.log().includes('all that it held'), 'the copy is made')
        writeFileSync(join(vault.dir, 'after'), 'written after')
        const copy = unmountLost(t, vault)
        t.match(copy, join(vault.root, 'avfs'))
        mkdirSync(vault.home)
        holds(t, vault, copy, { before: 'synced before', after: 'written after' })
      },
    )
  }
  t.test(`${name}: without its lock file a vault gets no second writer`, (t) => {
    const vault = mounted(t)
    const lock = `${vault.file}.lock`
    rmSync(lock)
    const second = join(vault.root, 'second')
    mkdirSync(second)
    const inUse = (what: string): void => {
      const { status, stderr } = vault.avfs(['mount', vault.name, second])
      t.equal(status, 11, what)
      t.match(stderr, /in use/)
    }
    inUse('removed')
    writeFileSync(lock, 'of somebody else')
    inUse('made again')
    t.equal(vault.avfs(['snapshot', 'create', `${vault.name}:`, 's']).status !== 0, true)
    t.throws(() => writeSynced(join(vault.dir, 'after'), 'written after'), IO_ERROR)
    const { status, stderr } = vault.avfs(['unmount', vault.dir])
    t.equal(status, 1)
    t.match(stderr, `${lock} was`)
    t.notOk(vault.isMounted())
    t.ok(existsSync(lock), "a lock file that is somebody else's is left to him")
    vault.mount()
    t.equal(readFileSync(join(vault.dir, 'after'), 'utf8'), 'written after', 'nothing is lost')
    writeSynced(join(vault.dir, 'after'), 'and all is well again')
    t.end()
  })

  t.test(`${name}: compaction is no loss`, (t) => {
    const vault = mounted(t)
    t.equal(vault.avfs(['vault', 'compact', vault.name]).status, 0)
    writeSynced(join(vault.dir, 'after'), 'written after')
    vault.unmount()
    t.equal(vault.avfs(['vault', 'compact', vault.name]).status, 0)
    vault.mount()
    t.equal(readFileSync(join(vault.dir, 'after'), 'utf8'), 'written after')
    t.end()
  })

  if (name === 'sqlite')
    t.test(`${name}: without its log the vault is not left to a crash`, (t) => {
      const vault = mounted(t)
      rmSync(`${vault.file}-wal`)
      t.throws(() => writeSynced(join(vault.dir, 'after'), 'written after'), IO_ERROR)
      const held = { before: 'synced before', text: 'two', after: 'written after' }
      holds(t, vault, unmountLost(t, vault), held)
      holds(t, vault, vault.file, { before: 'synced before' })
      t.end()
    })

  if (name === 'leveldb')
    t.test(`${name}: what the engine had not open is missing, and that is said`, (t) => {
      const vault = mounted(t)
      writeFileSync(join(vault.dir, 'large'), randomBytes(4 * 1024 * 1024))
      vault.unmount()
      t.equal(vault.avfs(['vault', 'compact', vault.name]).status, 0)
      vault.mount()
      rmSync(vault.file, { recursive: true })
      t.throws(() => writeSynced(join(vault.dir, 'after'), 'written after'), IO_ERROR)
      const copy = unmountLost(t, vault, /but for \d+ rows that could not be read/)
      t.equal(vault.avfs(['vault', 'check', copy, '--repair']).status, 1, 'it can be repaired')
      holds(t, vault, copy, { after: 'written after' })
      t.end()
    })

  if (isFolder)
    t.test(`${name}: what is removed inside the folder is noticed, too`, (t) => {
      const vault = mounted(t)
      for (const inside of readdirSync(vault.file))
        rmSync(join(vault.file, inside), { recursive: true })
      t.throws(() => writeSynced(join(vault.dir, 'after'), 'written after'), IO_ERROR)
      holds(t, vault, unmountLost(t, vault), { before: 'synced before', after: 'written after' })
      t.end()
    })
  else
    t.test(`${name}: a second name of the vault makes no second writer`, (t) => {
      const vault = mounted(t)
      const alias = join(vault.home, `alias${backend.suffix}`)
      linkSync(vault.file, alias)
      const second = join(vault.root, 'second')
      mkdirSync(second)
      t.equal(vault.avfs(['mount', 'alias', second]).status, 11)
      t.equal(vault.avfs(['vault', 'compact', 'alias']).status, 11)
      rmSync(alias)
      writeSynced(join(vault.dir, 'after'), 'written after')
      vault.unmount()
      t.end()
    })
}

t.test('a copy that has no room beside the vault goes where logs are', (t) => {
  const vault = createVault(t)
  const disk = join(vault.root, 'disk')
  mkdirSync(disk)
  run('mount', ['-t', 'tmpfs', '-o', 'size=128m', 'none', disk])
  t.teardown(() => attempt('umount', ['-l', disk]))
  const path = join(disk, 'v.avfs')
  for (const command of [
    ['vault', 'create', path],
    ['mount', path, vault.dir],
  ])
    t.equal(vault.avfs(command).status, 0)
  const large = randomBytes(48 * 1024 * 1024)
  writeFileSync(join(vault.dir, 'large'), large, { flush: true })
  // The bytes of what is removed are free only when it is closed.
  rmSync(path)
  t.throws(() => writeSynced(join(vault.dir, 'after'), 'written after'), IO_ERROR)
  const copy = unmountLost(t, vault)
  t.match(copy, join(vault.root, 'avfs/v.rescued.avfs'))
  t.same(readdirSync(disk), [], 'and nothing is left of the other')
  holds(t, vault, copy, { after: 'written after' })
  t.end()
})

/** As rm -r does it by hand; the thread of search may make files in its folder meanwhile. */
function removeVault({ file }: TestVault): void {
  for (const path of filesOf(file)) rmSync(path, { recursive: true, maxRetries: 50 })
}

function writeSynced(path: string, text: string): void {
  const fd = openSync(path, 'w')
  try {
    writeSync(fd, text)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** Unmounts, and returns the path of the copy that this names. */
function unmountLost(t: Test, vault: TestVault, but = /rescued[^,]*$/): string {
  const { status, stdout, stderr } = vault.avfs(['unmount', vault.dir])
  t.equal(status, 1, 'unmount fails')
  t.equal(stdout, '')
  t.notOk(vault.isMounted(), 'but has unmounted')
  const [, copy = ''] = /all that it held is in ([^\s,]+)/.exec(stderr) ?? []
  t.match(stderr, but)
  t.ok(existsSync(copy), stderr)
  return copy
}

/** Mounts a copy: it is sound and has these files. */
function holds(t: Test, vault: TestVault, copy: string, files: Record<string, string>): void {
  const check = vault.avfs(['vault', 'check', copy, '--deep'])
  t.equal(check.status, 0, check.stdout + check.stderr)
  const { status, stderr } = vault.avfs(['mount', copy, vault.dir])
  t.equal(status, 0, stderr)
  for (const [name, text] of Object.entries(files))
    t.equal(readFileSync(join(vault.dir, name), 'utf8'), text, name)
  if ('text' in files) {
    const first = readFileSync(join(vault.dir, '.avfs/versions/text/1'), 'utf8')
    t.equal(first, 'one', 'with the versions before')
  }
  vault.unmount()
}

/** Each file of a vault with its bytes. */
function contentOf(path: string): Record<string, string> {
  if (!statSync(path).isDirectory()) return { '': readFileSync(path, 'base64') }
  const entries = readdirSync(path, { recursive: true, withFileTypes: true })
  return Object.fromEntries(
    entries
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => join(parentPath, name))
      .sort()
      .map((file) => [file.slice(path.length), readFileSync(file, 'base64')]),
  )
}
