// Memory that runs short: caches are dropped first, then what takes more is refused, and both are
// logged once.

import { getHeapSpaceStatistics } from 'node:v8'
import t from 'tap'
import { ENOMEM, FsError } from '../../src/base/errno.ts'
import { clearCaches, GenerationCache } from '../../src/base/generation-cache.ts'
import { setLog } from '../../src/base/log.ts'
import { lookAtMemory, type MemoryUse, watchMemory } from '../../src/base/memory.ts'
import { startStep } from '../../src/base/step.ts'
import { createFileSystem } from '../../src/fs/file-system.ts'
import { guardMemory } from '../../src/fs/memory-guard.ts'
import type { AttributeChange } from '../../src/fs/operations.ts'
import { LONG_MAX, LongWork } from '../../src/fuse/long-work.ts'
import { openMemory } from '../../src/store/memory.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import { Fault } from '../../src/store/store.ts'
import type { Core } from '../../src/vault/core/core.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { birthBatch, Vault } from '../../src/vault/vault.ts'

const kept: number[][] = []
const lines: string[] = []
setLog('info', (line) => lines.push(line))
t.beforeEach(() => {
  lines.length = 0
})
const caller = { uid: 1000, gid: 1000, pid: 1 }
const UNCHANGED: AttributeChange = {
  mode: undefined,
  uid: undefined,
  gid: undefined,
  size: undefined,
  atime: undefined,
  atimeNs: 0,
  mtime: undefined,
  mtimeNs: 0,
  ctime: undefined,
  ctimeNs: 0,
  killPrivileges: false,
}

/** Memory of which a test says how much is used, by a clock that it moves. */
function bed() {
  const its = {
    use: { heap: 10, heapMax: 100, all: 10, allMax: 100 },
    nowMs: 0,
    looks: 0,
    sheds: 0,
    collects: 0,
    collected: 0,
  }
  const memory = watchMemory(
    (): MemoryUse => {
      its.looks++
      return its.use
    },
    () => its.nowMs,
    () => {
      its.collects++
      its.nowMs += 20
      its.use = { ...its.use, heap: its.use.heap - its.collected }
    },
  )
  memory.onShort(() => its.sheds++)
  return { its, memory }
}

t.test('caches are let go of when memory is short, in the heap or outside of it', async (t) => {
  for (const part of ['heap', 'all'] as const) {
    const { its, memory } = bed()
    t.notOk(memory.isCritical())
    t.equal(its.sheds, 0)
    its.use = { ...its.use, [part]: 80 }
    its.nowMs += 1000
    t.notOk(memory.isCritical(), 'nothing is refused yet')
    t.equal(its.sheds, 1)
    its.nowMs += 100
    memory.isCritical()
    t.equal(its.sheds, 1, 'not at each look')
    its.nowMs += 1000
    memory.isCritical()
    t.equal(its.sheds, 2, 'again while it is short')
    its.use = { ...its.use, [part]: 90 }
    its.nowMs += 100
    t.ok(memory.isCritical())
    its.use = { ...its.use, [part]: 10 }
    t.ok(memory.isCritical(), 'no look before there is something new')
    its.nowMs += 100
    t.notOk(memory.isCritical())
  }
  t.match(lines, [/warn memory is short/, /error memory is nearly used up/, /info memory suffices/])
  t.equal(lines.length, 6, 'each told once')
})

t.test('many questions are few looks', async (t) => {
  const { its, memory } = bed()
  for (let at = 0; at < 10_000; at++) memory.isCritical()
  t.equal(its.looks, 1)
})

t.test('this process knows what it uses', async (t) => {
  const { heap, heapMax, all, allMax } = lookAtMemory()
  t.ok(heap > 1e6 && heap < heapMax, `${heap} of ${heapMax}`)
  t.ok(all > heap / 2 && all < allMax, `${all} of ${allMax}`)
})

t.test('young objects, most of them garbage, are not what is in use', async (t) => {
  // They were counted against the limit of old ones: a burst of small requests was refused with
  // ENOMEM.
  const before = lookAtMemory().heap
  let young = 0
  for (let at = 0; at < 60_000 && young < 4e6; at++) {
    young = getHeapSpaceStatistics().find((space) => space.space_name === 'new_space')
      ?.space_used_size as number
    kept.push(new Array(100).fill(at))
    if (kept.length > 2000) kept.length = 0
  }
  t.ok(young >= 4e6, `${young} bytes are young`)
  t.ok(lookAtMemory().heap - before < young / 2, 'and they do not count')
})

t.test('all caches are let go of at once', async (t) => {
  const caches = [1, 2].map(() => new GenerationCache<number, number>(1000, () => 1))
  for (const cache of caches) cache.set(1, 1)
  clearCaches()
  for (const cache of caches) t.equal(cache.get(1), undefined)
})

t.test(
  'what takes memory is refused, and what is there can be read, saved and deleted',
  async (t) => {
    const { its, memory } = bed()
    const store = openMemory()
    await store.commit(birthBatch())
    const vault = await retryUntilLoaded(() => new Vault(store, '/', { commitMs: 1e9 }))
    const fs = createFileSystem(vault, { readOnly: false, memory })
    const { ino } = fs.create(caller, ROOT_INO, 'f', 0o644, 0, 0)
    const view = fs.lookup(caller, ROOT_INO, '.avfs')?.ino ?? 0
    const { handle } = fs.opendir(caller, ROOT_INO)
    const opened = fs.opendir(caller, view).handle
    const bytes = Buffer.from('x')
    const making: Record<string, (name: string) => unknown> = {
      mknod: (name) => fs.mknod(caller, ROOT_INO, name, 0o100644, 0, 0),
      mkdir: (name) => fs.mkdir(caller, ROOT_INO, name, 0o755, 0),
      symlink: (name) => fs.symlink(caller, ROOT_INO, name, 'to'),
      create: (name) => fs.create(caller, ROOT_INO, name, 0o644, 0, 0),
      tmpfile: () => fs.tmpfile(caller, ROOT_INO, 0o644, 0),
      link: (name) => fs.link(caller, ino, ROOT_INO, name),
      setxattr: () => fs.setxattr(caller, ino, 'user.a', bytes, 0, false),
      copyFileRange: () => fs.copyFileRange(caller, ino, 0, ino, 1000, 1),
      'lookup of a view': () => fs.lookup(caller, view, 'versions'),
      'opendir of a view': () => fs.opendir(caller, view),
      'readdir with nodes of views': () => fs.readdir(caller, view, opened, 0, true, () => true),
    }
    const other: Record<string, (name: string) => unknown> = {
      lookup: () => fs.lookup(caller, ROOT_INO, 'f'),
      opendir: () => fs.opendir(caller, ROOT_INO),
      readdir: () => fs.readdir(caller, ROOT_INO, handle, 0, true, () => true),
      'readdir of a view': () => fs.readdir(caller, view, opened, 0, false, () => true),
      getattr: () => fs.getattr(caller, ino),
      setattr: () => fs.setattr(caller, ino, { ...UNCHANGED, mode: 0o600 }),
      read: () => fs.read(caller, ino, 0, 1),
      write: () => fs.write(caller, ino, 0, bytes, false, false),
      flush: () => fs.flush(caller, ino),
      rename: (name) => fs.rename(caller, ROOT_INO, 'create', ROOT_INO, name, 0),
      unlink: () => fs.unlink(caller, ROOT_INO, 'symlink'),
      rmdir: () => fs.rmdir(caller, ROOT_INO, 'mkdir'),
      releasedir: () => fs.releasedir(handle),
      forget: () => fs.forget(ino, 1),
    }
    for (const [name, make] of Object.entries(making)) make(name)
    its.use = { ...its.use, heap: 90 }
    its.nowMs += 1000
    for (const [name, make] of Object.entries(making))
      t.throws(() => make(`${name} again`), new FsError(ENOMEM), name)
    for (const [name, run] of Object.entries(other)) t.doesNotThrow(() => run(name), name)
    await fs.fsync(caller, ROOT_INO)
    await vault.close()
  },
)

t.test('what was changed and garbage are let go of before something is refused', async (t) => {
  const { its, memory } = bed()
  its.collected = 50
  its.use = { ...its.use, heap: 95 }
  t.notOk(memory.isCritical(), 'it was garbage')
  t.equal(its.collects, 1)
  its.collected = 1
  its.use = { ...its.use, heap: 95 }
  its.nowMs += 300
  t.ok(memory.isCritical())
  its.nowMs += 100
  t.ok(memory.isCritical())
  t.equal(its.collects, 2, 'not at each look')
  const overlay = { size: 8000 }
  const commits = {
    behind: false,
    failure: undefined as unknown,
    commit: async () => {
      overlay.size = 0
      its.use = { ...its.use, heap: 20 }
    },
  }
  let made = 0
  const { assertMore } = guardMemory({ overlay, commits } as unknown as Core, memory)
  startStep()
  const attempt = () => {
    assertMore()
    return ++made
  }
  t.throws(attempt, Fault, 'it waits')
  await retryUntilLoaded(() => {
    its.nowMs += 300
    return attempt()
  })
  t.equal(made, 1, 'and is done once much was written')
  its.use = { ...its.use, heap: 95 }
  its.nowMs += 300
  t.throws(attempt, FsError, 'nothing is left to be written')
  overlay.size = 8000
  commits.failure = new Error('the disk is full')
  t.throws(attempt, FsError, 'nothing can be written')
})

t.test('one user has so many long requests under way, and no more', async (t) => {
  const long = new LongWork()
  for (let at = 0; at < LONG_MAX; at++) t.ok(long.enter(1000, true))
  t.notOk(long.enter(1000, true))
  t.ok(long.enter(1000, false), 'what has begun goes on')
  t.ok(long.enter(1001, true), 'others may')
  long.leave(1000)
  long.leave(1000)
  t.ok(long.enter(1000, true))
})
