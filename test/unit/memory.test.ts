// Memory that runs short: caches are let go of first, then what takes more is refused, and both are told once.

import t from 'tap'
import { ENOMEM, FsError } from '../../src/base/errno.ts'
import { clearCaches, GenerationCache } from '../../src/base/generation-cache.ts'
import { setLog } from '../../src/base/log.ts'
import { lookAtMemory, type MemoryUse, watchMemory } from '../../src/base/memory.ts'
import type { Operations } from '../../src/fs/operations.ts'
import { VIEW_BASE } from '../../src/fs/virtual/view.ts'
import { withinMemory } from '../../src/fs/within-memory.ts'
import { LONG_MAX, LongWork } from '../../src/fuse/long-work.ts'
import { someOperations } from '../support/fuse-wire.ts'

const lines: string[] = []
setLog('info', (line) => lines.push(line))
t.beforeEach(() => {
  lines.length = 0
})
const caller = { uid: 1000, gid: 1000, pid: 1 }

/** Memory of which a test says how much is used, by a clock that it moves. */
function bed() {
  const its = {
    use: { heap: 10, heapMax: 100, all: 10, allMax: 100 },
    nowMs: 0,
    looks: 0,
    sheds: 0,
  }
  const memory = watchMemory(
    (): MemoryUse => {
      its.looks++
      return its.use
    },
    () => its.nowMs,
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

t.test('all caches are let go of at once', async (t) => {
  const caches = [1, 2].map(() => new GenerationCache<number, number>(1000, () => 1))
  for (const cache of caches) cache.set(1, 1)
  clearCaches()
  for (const cache of caches) t.equal(cache.get(1), undefined)
})

t.test(
  'what takes memory is refused, and what is there can be read, saved and deleted',
  async (t) => {
    const done: string[] = []
    const names = [
      'lookup',
      'mknod',
      'mkdir',
      'symlink',
      'create',
      'tmpfile',
      'link',
      'setxattr',
    ] as const
    const more = ['copyFileRange', 'opendir', 'readdir', 'read', 'write', 'flush', 'fsync'] as const
    const others = [
      'unlink',
      'rmdir',
      'rename',
      'getattr',
      'setattr',
      'forget',
      'releasedir',
    ] as const
    const given: Record<string, () => void> = {}
    for (const name of [...names, ...more, ...others]) given[name] = () => void done.push(name)
    const { its, memory } = bed()
    const fs = withinMemory(
      someOperations(given as Partial<Operations>),
      memory,
    ) as unknown as Record<string, (...all: unknown[]) => void>
    const attempt = (name: string, ...all: unknown[]): string => {
      try {
        fs[name]?.(caller, ...all)
        return 'done'
      } catch (error) {
        return error instanceof FsError && error.errno === ENOMEM ? 'refused' : `${error}`
      }
    }
    const view = VIEW_BASE + 5
    for (const name of [...names, ...more, ...others])
      t.equal(attempt(name, view, 1, 1, true), 'done')
    its.use = { ...its.use, heap: 90 }
    its.nowMs += 1000
    for (const name of ['mknod', 'mkdir', 'symlink', 'create', 'tmpfile', 'link', 'setxattr'])
      t.equal(attempt(name, 1), 'refused', name)
    t.equal(attempt('copyFileRange', 1), 'refused')
    t.equal(attempt('opendir', view), 'refused', 'listings of views')
    t.equal(attempt('opendir', 1), 'done', 'listings of the vault')
    t.equal(attempt('lookup', view, 'x'), 'refused', 'names in views')
    t.equal(attempt('lookup', 1, 'x'), 'done', 'names in the vault')
    t.equal(attempt('readdir', view, 1, 0, true), 'refused', 'nodes in views')
    t.equal(attempt('readdir', view, 1, 0, false), 'done')
    t.equal(attempt('readdir', 1, 1, 0, true), 'done')
    for (const name of [...others, 'read', 'write', 'flush', 'fsync'])
      t.equal(attempt(name, 1), 'done', name)
  },
)

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
