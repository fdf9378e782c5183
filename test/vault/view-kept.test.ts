// What the kernel may cache of views, and which notices it gets: listings are cached as long as
// they are right, and names until they lead elsewhere. There is no kernel: its notices are
// recorded.

import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { EACCES } from '../../src/base/errno.ts'
import { setLog } from '../../src/base/log.ts'
import { createFileSystem, type FileSystem } from '../../src/fs/file-system.ts'
import type { Caller } from '../../src/fs/operations.ts'
import { version } from '../../src/store/collections.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { alter, getInode } from '../../src/vault/tree/inodes.ts'
import type { Vault } from '../../src/vault/vault.ts'
import { noChange } from '../support/no-change.ts'
import { list, openMemory, refused, root, save, walk } from './view-bed.ts'

setLog('error')
const user: Caller = { uid: 1000, gid: 1000, pid: process.pid }

interface Bed {
  readonly vault: Vault
  readonly fs: FileSystem
  /** What the kernel was told since the last call: 'PARENT NAME' or 'INO'. */
  told(): Promise<Set<string>>
  later(seconds: number): void
}

async function bed(t: Test): Promise<Bed> {
  const vault = await openMemory(t, (store) => store)
  const fs = createFileSystem(vault, { readOnly: false })
  let said: string[] = []
  fs.setNotices({
    entryChanged: async (parent, name) => void said.push(`${parent} ${name}`),
    inodeChanged: async (ino) => void said.push(`${ino}`),
    attributesChanged: (ino) => void said.push(`${ino}`),
    sent: async () => {},
  })
  const { moments } = vault.core
  return {
    vault,
    fs,
    async told() {
      await sleep(5)
      const before = said
      said = []
      return new Set(before)
    },
    later(seconds) {
      moments.pretend(moments.last + seconds * 1e6)
      moments.next()
    },
  }
}

/** What the kernel is answered when a directory is opened. */
function opened(fs: FileSystem, path: string, caller = root): 'no' | 'anew' | 'kept' {
  const { handle, cacheable, anew } = fs.opendir(caller, walk(fs, path).ino)
  fs.releasedir(handle)
  if (!cacheable) return 'no'
  return anew === true ? 'anew' : 'kept'
}

function mkdir(fs: FileSystem, parent: string, name: string): number {
  return fs.mkdir(root, walk(fs, parent).ino, name, 0o755, 0).ino
}

function label(fs: FileSystem, file: string, tag: string): void {
  fs.link(root, walk(fs, file).ino, walk(fs, `.avfs/tags/${tag}`).ino, 'any')
}

/** What changes each listing, one change after the other. */
const changes: Readonly<Record<string, readonly ((bed: Bed) => unknown)[]>> = {
  '.avfs/deleted': [
    ({ fs }) => fs.unlink(root, ROOT_INO, 'b'),
    ({ fs }) => save(fs, ROOT_INO, 'b', 'again'),
  ],
  '.avfs/versions': [
    ({ fs }) => save(fs, ROOT_INO, 'new', 'text'),
    ({ fs }) => fs.rename(root, ROOT_INO, 'new', ROOT_INO, 'newer', 0),
  ],
  '.avfs/versions/a': [
    ({ fs }) => save(fs, ROOT_INO, 'a', 'another'),
    ({ fs }) => fs.rename(root, ROOT_INO, 'b', ROOT_INO, 'a', 0),
    ({ fs, vault }) => vault.core.overlay.delete(version, [walk(fs, 'a').ino, 1]),
  ],
  '.avfs/at': [
    ({ fs }) => save(fs, ROOT_INO, 'c', 'text'),
    ({ fs }) => fs.setattr(root, walk(fs, 'a').ino, { ...noChange, mode: 0o600 }),
  ],
  '.avfs/snapshots': [
    ({ fs }) => mkdir(fs, '.avfs/snapshots', 's'),
    ({ fs }) => fs.rmdir(root, walk(fs, '.avfs/snapshots').ino, 's'),
  ],
  '.avfs/tags': [
    ({ fs }) => mkdir(fs, '.avfs/tags', 'blue'),
    ({ fs }) => label(fs, 'b', 'blue'),
    ({ fs }) => fs.rmdir(root, walk(fs, '.avfs/tags').ino, 'empty'),
  ],
  '.avfs/tags/red': [
    ({ fs }) => label(fs, 'b', 'red'),
    ({ fs }) => fs.rename(root, ROOT_INO, 'b', ROOT_INO, 'c', 0),
    ({ fs }) => fs.link(root, walk(fs, 'dir/deep').ino, ROOT_INO, 'deep'),
    ({ fs }) => fs.unlink(root, walk(fs, '.avfs/tags/red').ino, 'c'),
  ],
}

function fill({ fs, later }: Bed): void {
  mkdir(fs, '', 'dir')
  for (const name of ['a', 'b']) save(fs, ROOT_INO, name, name)
  save(fs, walk(fs, 'dir').ino, 'deep', 'text')
  for (const name of ['red', 'empty']) mkdir(fs, '.avfs/tags', name)
  for (const name of ['a', 'dir/deep']) label(fs, name, 'red')
  later(20)
}

for (const [path, steps] of Object.entries(changes))
  t.test(`the kernel keeps a listing of ${path} as long as it shows what is there`, async (t) => {
    const its = await bed(t)
    const { fs } = its
    fill(its)
    walk(fs, path)
    t.equal(opened(fs, path), 'anew')
    t.equal(opened(fs, path), 'kept')
    for (const change of steps) {
      its.later(2)
      await change(its)
      t.equal(opened(fs, path), 'anew', String(change))
      t.equal(opened(fs, path), 'kept')
    }
  })

for (const [path, [change]] of Object.entries(changes))
  t.test(`who has ${path} open and reads it again is shown what changed`, async (t) => {
    const its = await bed(t)
    const { fs } = its
    fill(its)
    const { ino } = walk(fs, path)
    fs.opendir(root, ino)
    await its.told()
    await change?.(its)
    t.ok((await its.told()).has(`${ino}`))
    t.equal(fs.opendir(root, ino).cacheable, false, 'while the other may still read into it')
  })

t.test('a listing that not everybody is shown is not kept', async (t) => {
  const its = await bed(t)
  const { fs } = its
  fill(its)
  const { ino } = walk(fs, 'dir')
  t.equal(opened(fs, '.avfs/tags'), 'anew')
  t.equal(opened(fs, '.avfs/tags/red'), 'anew')
  fs.setattr(root, ino, { ...noChange, mode: 0o700 })
  t.equal(opened(fs, '.avfs/tags/red'), 'no')
  t.equal(opened(fs, '.avfs/tags'), 'anew', 'red is there for all, by another file')
  fs.unlink(root, walk(fs, '.avfs/tags/red').ino, 'a')
  t.equal(opened(fs, '.avfs/tags'), 'no')
  t.same(list(fs, walk(fs, '.avfs/tags').ino, 10, false, user), ['empty'])
  await its.vault.sync()
  its.later(2)
  fs.unlink(root, ino, 'deep')
  await its.vault.sync()
  t.equal(opened(fs, 'dir/.avfs/deleted'), 'no')
  fs.setattr(root, ino, { ...noChange, mode: 0o755 })
  t.equal(opened(fs, 'dir/.avfs/deleted'), 'no', 'what was deleted before')
})

/** What makes the name `a` in here/.avfs/tags/red lead elsewhere. */
const tagChanges: Readonly<Record<string, (fs: FileSystem) => unknown>> = {
  'the label is taken away': (fs) => fs.unlink(root, walk(fs, 'here/.avfs/tags/red').ino, 'a'),
  'its labels are written': (fs) => fs.setxattr(...xdgTags(fs, 'here/a', 'blue')),
  'the file is renamed': (fs) => rename(fs, 'here/a', 'here', 'c'),
  'the file is deleted': (fs) => fs.unlink(root, walk(fs, 'here').ino, 'a'),
  'the file is replaced': (fs) => rename(fs, 'here/plain', 'here', 'a'),
  'one that came before it is called so': (fs) => rename(fs, 'here/0', 'here/other', 'a'),
  'one that came before it comes into sight': (fs) => rename(fs, 'far/dir', 'here', 'dir'),
  'one that came before it is labelled': (fs) => fs.setxattr(...xdgTags(fs, 'here/other/a', 'red')),
  'the file goes out of sight': (fs) => rename(fs, 'here/a', 'far', 'b'),
}

function rename(fs: FileSystem, from: string, parent: string, name: string): void {
  const [directory, former] = [from.slice(0, from.lastIndexOf('/')), from.split('/').at(-1) ?? '']
  fs.rename(root, walk(fs, directory).ino, former, walk(fs, parent).ino, name, 0)
}

function xdgTags(fs: FileSystem, path: string, tags: string) {
  const value = Buffer.from(tags)
  return [root, walk(fs, path).ino, 'user.xdg.tags', value, 0, false] as const
}

function fillTags({ fs, later }: Bed): void {
  for (const [parent, name] of [
    ['', 'far'],
    ['far', 'dir'],
    ['', 'here'],
    ['here', 'other'],
  ] as const)
    mkdir(fs, parent, name)
  for (const path of ['far/dir', 'here/other']) save(fs, walk(fs, path).ino, 'a', path)
  for (const name of ['0', 'a', 'plain']) save(fs, walk(fs, 'here').ino, name, name)
  for (const name of ['far/dir/a', 'here/0', 'here/a']) fs.setxattr(...xdgTags(fs, name, 'red'))
  later(2)
}

for (const [what, change] of Object.entries(tagChanges))
  for (const isListed of [false, true])
    t.test(
      `the kernel is told of a ${isListed ? 'listed' : 'looked up'} name in a tag when ${what}`,
      async (t) => {
        const its = await bed(t)
        const { fs } = its
        fillTags(its)
        const tag = walk(fs, 'here/.avfs/tags/red').ino
        if (isListed) list(fs, tag, 1000, true)
        else t.ok((fs.lookup(root, tag, 'a')?.nameMs ?? 0) > 1000)
        const before = walk(fs, 'here/a').ino
        await its.told()
        change(fs)
        t.ok((await its.told()).has(`${tag} a`))
        let after: number | undefined
        try {
          after = fs.lookup(root, tag, 'a')?.ino
        } catch {}
        t.not(after, before)
      },
    )

t.test(
  'the kernel is told of names in a tag when a directory on the way closes, and keeps none then',
  async (t) => {
    const its = await bed(t)
    const { fs } = its
    fillTags(its)
    const tag = walk(fs, '.avfs/tags/red').ino
    t.ok((fs.lookup(root, tag, '0')?.nameMs ?? 0) > 1000)
    await its.told()
    const here = walk(fs, 'here').ino
    fs.setattr(root, here, { ...noChange, mode: 0o710 })
    t.ok((await its.told()).has(`${tag} 0`))
    t.equal(fs.lookup(root, tag, '0')?.nameMs, 0)
    t.throws(() => fs.lookup(user, tag, '0'))
    t.ok((fs.lookup(root, tag, 'a')?.nameMs ?? 0) === 0, 'one of its family is not for all')
  },
)

t.test('reading and writing a labelled file leaves its name with the kernel', async (t) => {
  const its = await bed(t)
  const { fs } = its
  fillTags(its)
  const { ino } = walk(fs, 'here/.avfs/tags/red/a')
  await its.told()
  fs.write(root, ino, 0, Buffer.from('more'), false, false)
  fs.flush(root, ino)
  save(fs, walk(fs, 'here').ino, 'another', 'text')
  t.same(await its.told(), new Set())
})

t.test('the kernel is told of versions', async (t) => {
  const its = await bed(t)
  const { fs, vault } = its
  fill(its)
  const versions = walk(fs, '.avfs/versions').ino
  const a = walk(fs, '.avfs/versions/a')
  t.ok((a.nameMs ?? 0) > 1000)
  const kept = (name: string) => fs.lookup(root, a.ino, name)?.nameMs ?? 0
  t.ok(kept('1') > 1000 && kept('latest') > 1000)
  await its.told()
  save(fs, ROOT_INO, 'a', 'another')
  t.ok((await its.told()).has(`${a.ino} latest`))
  t.ok(kept('1') > 1000, 'it was there before')
  fs.rename(root, ROOT_INO, 'a', ROOT_INO, 'a~', 0)
  t.ok((await its.told()).has(`${versions} a`))
  t.ok(kept('1') <= 1000 && kept('latest') === 0, 'numbers may change yet')
  save(fs, ROOT_INO, 'a', 'anew')
  fs.unlink(root, ROOT_INO, 'a~')
  its.later(20)
  t.ok(kept('1') > 1000)
  await its.told()
  vault.core.overlay.delete(version, [walk(fs, 'b').ino, 1])
  t.ok((await its.told()).has(`${versions} a`), 'prune takes versions away')
})

t.test('the kernel is told of the permissions of all that stands for a directory', async (t) => {
  const its = await bed(t)
  const { fs } = its
  fill(its)
  const all = ['', '/tags', '/tags/red', '/versions', '/versions/a', '/versions/a/latest']
  const held = all.map((path) => walk(fs, `.avfs${path}`).ino)
  await its.told()
  fs.setattr(root, ROOT_INO, { ...noChange, mode: 0o711 })
  const told = await its.told()
  t.same(
    held.filter((ino) => !told.has(`${ino}`)),
    [],
  )
})

t.test('and of those that a command gives to the directory', async (t) => {
  const its = await bed(t)
  const { fs, vault } = its
  fill(its)
  const held = walk(fs, '.avfs/tags/red').ino
  await its.told()
  const inode = getInode(vault.core, ROOT_INO)
  alter(vault.core, inode)
  inode.mtime = 5
  t.same(await its.told(), new Set())
  alter(vault.core, inode)
  inode.mode = 0o40700
  t.ok((await its.told()).has(`${held}`))
})

t.test(
  'names of the past are kept where everybody may come, until a directory closes',
  async (t) => {
    const its = await bed(t)
    const { fs } = its
    fill(its)
    await its.vault.sync()
    mkdir(fs, '.avfs/snapshots', 's')
    its.later(2)
    const { ino } = walk(fs, 'dir')
    const above = walk(fs, '.avfs/snapshots/s/dir').ino
    t.equal(walk(fs, '.avfs/snapshots/s/dir/deep').nameMs, undefined)
    await its.told()
    fs.setattr(root, ino, { ...noChange, mtime: 1 })
    t.notOk((await its.told()).has(`${above} deep`), 'who may come is the same')
    fs.setattr(root, ino, { ...noChange, mode: 0o700 })
    t.ok((await its.told()).has(`${above} deep`))
    t.equal(walk(fs, '.avfs/snapshots/s/dir/deep').nameMs, 0)
    refused(t, () => walk(fs, '.avfs/snapshots/s/dir/deep', user), EACCES)
    refused(t, () => fs.opendir(user, above), EACCES)
    fs.setattr(root, ino, { ...noChange, mode: 0o755 })
    await its.told()
    t.equal(walk(fs, '.avfs/snapshots/s/dir/deep', user).nameMs, undefined)
  },
)

t.test('on a mount for one user the kernel keeps what is closed to others, too', async (t) => {
  const vault = await openMemory(t, (store) => store)
  const fs = createFileSystem(vault, { readOnly: false, shared: false })
  fs.mkdir(root, ROOT_INO, 'dir', 0o700, 0)
  save(fs, walk(fs, 'dir').ino, 'deep', 'text')
  await vault.sync()
  mkdir(fs, '.avfs/snapshots', 's')
  for (const path of ['s', 's/dir', 's/dir/deep'])
    t.equal(walk(fs, `.avfs/snapshots/${path}`).nameMs, undefined, path)
})
