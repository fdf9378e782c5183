// The virtual tree without a mount: how src/fs answers for numbers and names below .avfs.

import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { ENOENT, ESTALE } from '../../src/base/errno.ts'
import { setLog } from '../../src/base/log.ts'
import { createFileSystem, type FileSystem } from '../../src/fs/file-system.ts'
import type { Caller, Node } from '../../src/fs/operations.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { noChange } from '../support/no-change.ts'
import { list, open, openMemory, refused, root, save, textOf, walk } from './view-bed.ts'

setLog('error')
const VIEW_BASE = 2 ** 52
const other: Caller = { uid: 1234, gid: 1234, pid: 0 }

t.test(
  '.avfs is there in every directory unless it is off, and visible in the root alone',
  async (t) => {
    const fs = await open(t)
    const dir = fs.mkdir(root, ROOT_INO, 'dir', 0o755, 0)
    for (const path of ['.avfs', 'dir/.avfs']) t.ok(walk(fs, path).ino >= VIEW_BASE)
    t.same(list(fs, ROOT_INO), ['dir'])
    refused(t, () => walk(fs, '.avfs/.avfs'), 2)
    refused(t, () => fs.mkdir(root, dir.ino, '.avfs', 0o755, 0), 17)
    refused(t, () => fs.rename(root, ROOT_INO, 'dir', dir.ino, '.avfs', 0), 16)
    const visible = await open(t, 'visible')
    visible.mkdir(root, ROOT_INO, 'dir', 0o755, 0)
    for (const room of [1, 2, 3, 4, 1000]) t.same(list(visible, ROOT_INO, room), ['dir', '.avfs'])
    t.same(list(visible, walk(visible, 'dir').ino), [])
    const off = await open(t, 'off')
    t.equal(off.lookup(root, ROOT_INO, '.avfs'), undefined)
  },
)

t.test(
  'a name that is missing in a view is an error, which the kernel does not keep',
  async (t) => {
    const fs = await open(t)
    for (const path of ['versions', 'snapshots', 'at', 'deleted', 'tags']) {
      const { ino } = walk(fs, `.avfs/${path}`)
      refused(t, () => fs.lookup(root, ino, 'missing'), 2, path)
    }
  },
)

t.test(
  'a number is the same after the kernel forgot it, and unknown until it is looked up',
  async (t) => {
    const fs = await open(t)
    save(fs, ROOT_INO, 'f', 'one')
    fs.mkdir(root, walk(fs, '.avfs/snapshots').ino, 's', 0o755, 0)
    const path = '.avfs/snapshots/s/f'
    const { ino } = walk(fs, path)
    t.equal(textOf(fs, walk(fs, path)), 'one')
    fs.forget(ino, 2)
    refused(t, () => fs.getattr(root, ino), 116)
    t.equal(walk(fs, path).ino, ino)
    t.not(walk(fs, '.avfs/versions/f/1').ino, ino)
  },
)

t.test(
  'a directory has a number of its own for each way to it, a file the same for each name',
  async (t) => {
    const fs = await open(t)
    const a = fs.mkdir(root, ROOT_INO, 'a', 0o755, 0)
    fs.mkdir(root, a.ino, 'b', 0o755, 0)
    const f = save(fs, a.ino, 'f', 'one')
    fs.link(root, f, a.ino, 'g')
    for (const name of ['s', 't']) fs.mkdir(root, walk(fs, '.avfs/snapshots').ino, name, 0o755, 0)
    const paths = ['.avfs/snapshots/s/a/b', 'a/.avfs/snapshots/s/b', 'a/b/.avfs/snapshots/s']
    const numbers = [...paths, '.avfs/snapshots/t/a/b', 'a/b'].map((path) => walk(fs, path).ino)
    t.equal(new Set(numbers).size, numbers.length)
    t.equal(walk(fs, '.avfs/snapshots/s/a/f').ino, walk(fs, '.avfs/snapshots/s/a/g').ino)
  },
)

t.test(
  'listings give the same names in parts of any size, and give nodes that count',
  async (t) => {
    const fs = await open(t)
    const names = Array.from({ length: 50 }, (_, at) => `f${String(at).padStart(2, '0')}`)
    for (const name of names) save(fs, ROOT_INO, name, name)
    fs.mkdir(root, walk(fs, '.avfs/snapshots').ino, 's', 0o755, 0)
    for (const view of ['.avfs/snapshots/s', '.avfs/versions'])
      for (const room of [1, 2, 7, 1000])
        for (const plus of [false, true])
          t.same(list(fs, walk(fs, view).ino, room, plus), names, `${view} by ${room}`)
    const { ino } = walk(fs, '.avfs/snapshots/s')
    const { handle } = fs.opendir(root, ino)
    const first: string[] = []
    fs.readdir(root, ino, handle, 10, false, (name) => first.push(name) < 2)
    t.same(first, ['f08', 'f09'], 'from a position in the middle')
  },
)

t.test('everything but the gestures is refused with EROFS', async (t) => {
  const fs = await open(t)
  save(fs, ROOT_INO, 'f', 'one')
  fs.mkdir(root, walk(fs, '.avfs/snapshots').ino, 's', 0o755, 0)
  for (const path of [
    '.avfs',
    '.avfs/versions',
    '.avfs/versions/f',
    '.avfs/at',
    '.avfs/deleted',
    '.avfs/snapshots/s',
  ]) {
    const { ino } = walk(fs, path)
    for (const change of [
      () => fs.mkdir(root, ino, 'x', 0o755, 0),
      () => fs.mknod(root, ino, 'x', 0o100644, 0, 0),
      () => fs.create(root, ino, 'x', 0o100644, 0, 0),
      () => fs.symlink(root, ino, 'x', 'y'),
      () => fs.unlink(root, ino, 'f'),
      () => fs.rmdir(root, ino, 'f'),
      () => fs.rename(root, ino, 'f', ino, 'g', 0),
      () => fs.rename(root, ROOT_INO, 'f', ino, 'g', 0),
      () => fs.link(root, walk(fs, 'f').ino, ino, 'g'),
      () => fs.setattr(root, ino, { ...noChange, mode: 0o777 }),
      () => fs.setxattr(root, ino, 'user.a', Buffer.from('b'), 0, false),
    ])
      refused(t, change, 30, path)
  }
  const { ino } = walk(fs, '.avfs/versions/f/1')
  refused(t, () => fs.write(root, ino, 0, Buffer.from('x'), false, true), 30)
  refused(t, () => fs.fallocate(root, ino, 0, 10, 0), 30)
  refused(t, () => fs.link(root, ino, ROOT_INO, 'g'), 18)
  t.equal(fs.lseek(root, ino, 1, 3), 1)
  t.equal(fs.lseek(root, ino, 1, 4), 3)
  refused(t, () => fs.lseek(root, ino, 3, 3), 6)
})

t.test('10m leads to one moment while a program walks the tree below it', async (t) => {
  const fs = await open(t)
  save(fs, ROOT_INO, 'f', 'one')
  const first = walk(fs, '.avfs/at/now').ino
  save(fs, ROOT_INO, 'f', 'two')
  t.equal(walk(fs, '.avfs/at/now').ino, first)
  t.equal(textOf(fs, walk(fs, '.avfs/at/now/f')), 'one')
})

t.test(
  'the kernel keeps 10m until it leads elsewhere, which it does only when something happened',
  async (t) => {
    const fs = await open(t)
    save(fs, ROOT_INO, 'f', 'one')
    const first = walk(fs, '.avfs/at/now')
    t.ok((first.nameMs ?? 0) > 0 && (first.nameMs ?? 0) <= 1000)
    t.equal(first.volatile, false)
    await sleep((first.nameMs ?? 0) + 100)
    t.equal(walk(fs, '.avfs/at/now').ino, first.ino, 'the same tree: the kernel has it all')
    save(fs, ROOT_INO, 'f', 'two')
    await sleep(1100)
    const next = walk(fs, '.avfs/at/now')
    t.not(next.ino, first.ino)
    t.equal(textOf(fs, walk(fs, '.avfs/at/now/f')), 'two')
  },
)

t.test('only who owns the vault takes snapshots and renames tags', async (t) => {
  const fs = await open(t)
  const snapshots = walk(fs, '.avfs/snapshots')
  const tags = walk(fs, '.avfs/tags')
  fs.mkdir(root, tags.ino, 'red', 0o755, 0)
  refused(t, () => fs.mkdir(other, snapshots.ino, 's', 0o755, 0), 1)
  refused(t, () => fs.rename(other, tags.ino, 'red', tags.ino, 'blue', 0), 1)
  fs.rename(root, tags.ino, 'red', tags.ino, 'blue', 0)
  t.same(list(fs, tags.ino), ['blue'])
  const f = save(fs, ROOT_INO, 'f', 'one')
  const blue = walk(fs, '.avfs/tags/blue').ino
  refused(t, () => fs.link(other, f, blue, 'f'), 1)
  t.equal(fs.link(root, f, blue, 'f').ino, f)
  refused(t, () => fs.unlink(other, blue, 'f'), 1)
})

t.test('computed files keep the content that they had when they were opened', async (t) => {
  const fs = await open(t)
  save(fs, ROOT_INO, 'f', 'one')
  const before = walk(fs, '.avfs/history.json')
  const text = textOf(fs, before)
  save(fs, ROOT_INO, 'f', 'two')
  t.equal(textOf(fs, fs.getattr(root, before.ino)), text)
  const after = walk(fs, '.avfs/history.json')
  t.not(after.ino, before.ino)
  t.equal(JSON.parse(textOf(fs, after)).length, JSON.parse(text).length + 1)
})

t.test('the kernel is told when what it may keep of a view changes', async (t) => {
  const fs = await open(t, 'hidden', false)
  const told: string[] = []
  fs.setNotices({
    entryChanged: async (parent, name) => void told.push(`${parent} ${name}`),
    inodeChanged: () => Promise.resolve(),
    attributesChanged: (ino) => void told.push(String(ino)),
    sent: async () => {},
  })
  const dir = fs.mkdir(root, ROOT_INO, 'dir', 0o755, 0)
  const here = walk(fs, '.avfs/snapshots').ino
  const there = walk(fs, 'dir/.avfs/snapshots').ino
  const way = walk(fs, 'dir/.avfs').ino
  fs.mkdir(root, here, 's', 0o755, 0)
  fs.rename(root, here, 's', here, 'r', 0)
  t.same(told.splice(0).sort(), [`${here} s`, `${there} s`].sort())
  t.same(list(fs, there), ['r'])
  const [tags, others] = [walk(fs, '.avfs/tags').ino, walk(fs, 'dir/.avfs/tags').ino]
  t.ok((fs.mkdir(root, tags, 'red', 0o755, 0).nameMs ?? 0) > 0)
  fs.rename(root, tags, 'red', tags, 'blue', 0)
  fs.rmdir(root, others, 'blue')
  t.same(
    new Set(told.splice(0)),
    new Set([tags, others].flatMap((ino) => [`${ino} red`, `${ino} blue`])),
  )
  fs.setattr(root, dir.ino, { ...noChange, mode: 0o700 })
  t.same(told.splice(0).sort(), [there, way, others].map(String).sort())
  t.equal(fs.getattr(root, way).mode, 0o40700)
  fs.setattr(root, dir.ino, { ...noChange, mtime: 5 })
  t.same(told, [], 'times are those of its birth')
})

function numbered(at: number): string {
  return at === 1 ? '' : `~${at}`
}

/** The nodes that a listing gives with the names. */
function listNodes(fs: FileSystem, ino: number, caller = root): Map<string, Node> {
  const { handle } = fs.opendir(caller, ino)
  const nodes = new Map<string, Node>()
  fs.readdir(caller, ino, handle, 0, true, (name, _ino, _type, _next, node) => {
    if (node !== undefined) nodes.set(name, node)
    return true
  })
  fs.releasedir(handle)
  return nodes
}

t.test('the kernel keeps deleted names for a moment, and is told when they change', async (t) => {
  const fs = await open(t)
  const told: string[] = []
  fs.setNotices({
    entryChanged: async (parent, name) => void told.push(`${parent} ${name}`),
    inodeChanged: () => Promise.resolve(),
    attributesChanged: () => {},
    sent: async () => {},
  })
  const dir = fs.mkdir(root, ROOT_INO, 'dir', 0o755, 0).ino
  for (let round = 0; round < 2; round++) {
    save(fs, dir, 'f', `round ${round}`)
    save(fs, dir, 'g', 'once')
    await sleep(1100)
    for (const name of ['f', 'g']) fs.unlink(root, dir, name)
  }
  const deleted = walk(fs, 'dir/.avfs/deleted').ino
  save(fs, dir, 'g', 'again')
  t.same(told, [], 'nobody asked')
  const listed = listNodes(fs, deleted)
  t.same([...listed.keys()], ['f', 'f~2'])
  for (const { nameMs } of listed.values()) t.ok((nameMs ?? 0) > 0)
  t.ok((walk(fs, 'dir/.avfs/deleted/f').nameMs ?? 0) > 0)
  save(fs, dir, 'f', 'again')
  t.same(new Set(told.splice(0)), new Set([1, 2, 3].map((at) => `${deleted} f${numbered(at)}`)))
  await sleep(1100)
  fs.unlink(root, dir, 'f')
  t.same(
    new Set(told.splice(0)),
    new Set([1, 2, 3, 4].map((at) => `${deleted} f${numbered(at)}`)),
    'there is one more',
  )
})

t.test('the kernel is told of deleted names that prune lets go of', async (t) => {
  const vault = await openMemory(t, (store) => store)
  const fs = createFileSystem(vault, { readOnly: false })
  const told: string[] = []
  fs.setNotices({
    entryChanged: async (parent, name) => void told.push(`${parent} ${name}`),
    inodeChanged: () => Promise.resolve(),
    attributesChanged: () => {},
    sent: async () => {},
  })
  save(fs, ROOT_INO, 'f', 'one')
  await sleep(1100)
  fs.unlink(root, ROOT_INO, 'f')
  await vault.sync()
  const { ino } = walk(fs, '.avfs/deleted')
  t.equal(textOf(fs, walk(fs, '.avfs/deleted/f')), 'one')
  told.length = 0
  await vault.prune({ rules: { youngerMs: 0 } })
  await sleep(1)
  t.ok(told.includes(`${ino} f`), told.join())
  refused(t, () => walk(fs, '.avfs/deleted/f'), ENOENT)
})

t.test('deleted names that not everybody may know are not kept by the kernel', async (t) => {
  const fs = await open(t)
  const dir = fs.mkdir(root, ROOT_INO, 'dir', 0o700, 0).ino
  save(fs, dir, 'f', 'secret')
  await sleep(1100)
  await fs.syncfs(root)
  fs.unlink(root, dir, 'f')
  await fs.syncfs(root)
  fs.setattr(root, dir, { ...noChange, mode: 0o755 })
  const deleted = walk(fs, 'dir/.avfs/deleted').ino
  t.equal(listNodes(fs, deleted).get('f')?.nameMs, 0)
  t.same([...listNodes(fs, deleted, other).keys()], [])
})

t.test('a name that the kernel keeps is moved once it has asked for it anew', async (t) => {
  const fs = await open(t)
  fs.setNotices({
    entryChanged: async () => {},
    inodeChanged: () => Promise.resolve(),
    attributesChanged: () => {},
    sent: async () => {},
  })
  save(fs, ROOT_INO, 'f', 'one')
  await sleep(1100)
  fs.unlink(root, ROOT_INO, 'f')
  const deleted = walk(fs, '.avfs/deleted').ino
  for (const back of ['back', 'again']) {
    t.ok((listNodes(fs, deleted).get('f')?.nameMs ?? 0) > 0)
    refused(t, () => fs.rename(root, deleted, 'f', ROOT_INO, back, 0), ESTALE)
    t.equal(walk(fs, '.avfs/deleted/f').nameMs, 0)
    await retryUntilLoaded(() => fs.rename(root, deleted, 'f', ROOT_INO, back, 0))
    t.equal(textOf(fs, walk(fs, back)), 'one')
  }
})
