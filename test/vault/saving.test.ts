// How programs save, and the history that results: versions, deleted names, tags and snapshots of
// single cases.

import t, { type Test } from 'tap'
import { setLog } from '../../src/base/log.ts'
import { createFileSystem, type FileSystem } from '../../src/fs/file-system.ts'
import { openStore } from '../../src/store/open.ts'
import { sealQuiet } from '../../src/vault/content/seal.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { changesOf, historyOf } from '../../src/vault/history/changes.ts'
import { findDeleted } from '../../src/vault/history/deleted.ts'
import {
  createSnapshot,
  deleteSnapshot,
  findSnapshot,
  listSnapshots,
  renameSnapshot,
} from '../../src/vault/history/snapshots.ts'
import { entriesAt, entryAt, inodeAt, readAt, xattrsAt } from '../../src/vault/history/timeline.ts'
import { versionsOf } from '../../src/vault/history/versions.ts'
import { tagsOf } from '../../src/vault/tree/attached.ts'
import { findInode, getInode } from '../../src/vault/tree/inodes.ts'
import { pathOf } from '../../src/vault/tree/names.ts'
import {
  addTag,
  dropTag,
  filesWith,
  listTags,
  renameTag,
  tagFile,
  tagsAt,
  untagFile,
} from '../../src/vault/tree/tags.ts'
import { birthBatch, Vault } from '../../src/vault/vault.ts'
import { noChange } from '../support/no-change.ts'
import { allDeleted } from './compare-history.ts'
import { caller } from './random-run.ts'

setLog('error')

/**
 * A vault in memory with a clock that is set forward, and the operations that the cases below are
 * made of.
 */
class Desk {
  readonly vault: Vault
  readonly fs: FileSystem

  constructor(vault: Vault) {
    this.vault = vault
    this.fs = createFileSystem(vault, { readOnly: false })
  }

  get core() {
    return this.vault.core
  }

  /** Time passes, and what was done is seen. */
  wait(seconds = 5): number {
    const { moments } = this.core
    const moment = moments.next()
    moments.observe()
    moments.last += seconds * 1e6
    return moment
  }

  ino(name: string): number {
    const node = this.fs.lookup(caller, ROOT_INO, name)
    if (node === undefined) throw new Error(`${name} is missing`)
    this.fs.forget(node.ino, 1)
    return node.ino
  }

  /** echo TEXT > NAME, as a shell does it. */
  echo(name: string, text: string): void {
    let node = this.fs.lookup(caller, ROOT_INO, name)
    if (node === undefined) node = this.fs.create(caller, ROOT_INO, name, 0o644, 0, 0)
    else this.fs.setattr(caller, node.ino, { ...noChange, size: 0 })
    this.fs.flush(caller, node.ino)
    this.fs.write(caller, node.ino, 0, Buffer.from(text), false, false)
    this.fs.flush(caller, node.ino)
    this.fs.forget(node.ino, 1)
  }

  mv(name: string, newName: string): void {
    this.fs.rename(caller, ROOT_INO, name, ROOT_INO, newName, 0)
  }

  rm(name: string): void {
    this.fs.unlink(caller, ROOT_INO, name)
  }

  text(ino: number, moment: number): string | undefined {
    const row = inodeAt(this.core, ino, moment)
    return row && Buffer.concat(readAt(this.core, row, moment, 0, row.size)).toString()
  }

  /** The contents of all versions of a name. */
  versions(name: string): (string | undefined)[] {
    const found = versionsOf(this.core, ROOT_INO, name)
    if (found.some(({ number }, at) => number !== at + 1)) throw new Error('numbers have gaps')
    return found.map(({ ino, moment }) => this.text(ino, moment))
  }

  deleted(): string[] {
    return allDeleted(this.core, ROOT_INO).map(({ name }) => name)
  }

  names(moment: number): string[] {
    return entriesAt(this.core, ROOT_INO, moment).map(({ name }) => name)
  }
}

function test(title: string, body: (t: Test, desk: Desk) => Promise<void>): void {
  t.test(title, async (t) => {
    const store = await openStore('memory', { create: true, backend: 'memory' })
    await store.commit(birthBatch())
    const vault = new Vault(store, '/tmp/none', { commitMs: 1e9, sealMs: 1e9 })
    await body(t, new Desk(vault))
    t.same((await vault.check({ deep: true })).problems, [], 'the vault is sound')
    await vault.close()
  })
}

test('each save is a version, the same content again is none', async (t, desk) => {
  for (const text of ['one', 'two', 'two', 'three', 'three']) {
    desk.echo('a', text)
    desk.wait()
  }
  t.same(desk.versions('a'), ['one', 'two', 'three'])
})

test('what is deleted right after it was moved is lost, unless an editor put it aside', async (t, desk) => {
  desk.echo('a', 'one')
  desk.echo('c', 'two')
  const { ino: directory } = desk.fs.mkdir(caller, ROOT_INO, 'd', 0o755, 0)
  desk.wait()
  desk.mv('a', 'b')
  const moved = desk.core.moments.next()
  desk.rm('b')
  desk.mv('d', 'e')
  desk.mv('e', 'f')
  desk.fs.mkdir(caller, ROOT_INO, 'd', 0o755, 0)
  desk.fs.rmdir(caller, ROOT_INO, 'f')
  desk.mv('c', 'c~')
  desk.echo('c', 'three')
  desk.rm('c~')
  desk.echo('tmp', 'x')
  desk.mv('tmp', 'tmp2')
  desk.rm('tmp2')
  t.same(desk.deleted(), ['b', 'f'])
  t.equal(desk.text(findDeleted(desk.core, ROOT_INO, 'b')?.ino ?? 0, moved), 'one')
  t.same(desk.names(moved), ['b', 'c', 'd'])
  t.equal(findDeleted(desk.core, ROOT_INO, 'f')?.ino, directory)
  t.same(desk.versions('b'), ['one'])
  t.same(desk.versions('c'), ['two', 'three'])
})

test('saving the same large content again shares every row', async (t, desk) => {
  const bytes = Buffer.alloc(300_000, 'abc')
  const save = () => {
    const ino = desk.ino('a')
    desk.fs.setattr(caller, ino, { ...noChange, size: 0 })
    desk.fs.write(caller, ino, 0, bytes, false, false)
    desk.fs.flush(caller, ino)
  }
  desk.echo('a', '')
  save()
  const before = desk.wait()
  await desk.vault.sync()
  save()
  t.equal(versionsOf(desk.core, ROOT_INO, 'a').length, 1)
  const ino = desk.ino('a')
  t.equal(Buffer.compare(Buffer.concat(desk.fs.read(caller, ino, 0, 400_000)), bytes), 0)
  t.ok(desk.text(ino, before)?.startsWith('abc'))
})

test('emptying a file to write it makes no empty version, emptying it alone does', async (t, desk) => {
  desk.echo('a', 'one')
  desk.wait()
  const ino = desk.ino('a')
  desk.fs.setattr(caller, ino, { ...noChange, size: 0 })
  createSnapshot(desk.core, 'between')
  const between = findSnapshot(desk.core, 'between')?.moment ?? 0
  t.equal(desk.text(ino, between), 'one', 'a snapshot meanwhile holds the complete state')
  getInode(desk.core, ino).changedAtMs -= 5000
  sealQuiet(desk.core, 1e9)
  t.same(desk.versions('a'), ['one', ''])
})

test('save by rename goes on with the versions and the tags', async (t, desk) => {
  desk.echo('a', 'one')
  tagFile(desk.core, getInode(desk.core, desk.ino('a')), 'urgent')
  for (const text of ['two', 'three']) {
    desk.wait()
    desk.echo('.a.tmp', text)
    desk.mv('.a.tmp', 'a')
  }
  t.same(desk.versions('a'), ['one', 'two', 'three'])
  t.same(desk.deleted(), [])
  t.same(tagsOf(desk.core, desk.ino('a')), ['urgent'])
})

test('versions are the same whether their rows are durable or not', async (t, desk) => {
  for (let at = 0; at < 600; at++) {
    desk.echo('new', `${at}`)
    // Other files, whose numbers lie between.
    if (at % 3 === 0) desk.echo(`other ${at}`, 'x')
    if (at % 100 === 50) desk.mv('new', 'aside')
    else desk.mv('new', 'a')
    if (at % 7 === 0) desk.wait(0)
    if (at % 200 === 199) desk.echo('a', `${at} in place`)
  }
  const before = versionsOf(desk.core, ROOT_INO, 'a')
  t.ok(before.length > 590)
  const texts = desk.versions('a')
  await desk.vault.sync()
  t.same(versionsOf(desk.core, ROOT_INO, 'a'), before)
  t.same(desk.versions('a'), texts)
  desk.echo('new', 'last')
  desk.mv('new', 'a')
  t.same(desk.versions('a'), [...texts, 'last'])
})

test('a temporary name that was committed shows neither in the past nor among the deleted', async (t, desk) => {
  desk.echo('a', 'one')
  desk.wait()
  desk.echo('.a.tmp', 'two')
  const meanwhile = desk.wait(0.3)
  desk.mv('.a.tmp', 'a')
  desk.echo('.lock', '')
  const snapshot = createSnapshot(desk.core, 's')
  const locked = desk.wait(0.3)
  desk.rm('.lock')
  desk.wait()
  t.same(desk.names(meanwhile), ['a'])
  t.same(desk.names(locked), ['a'])
  t.same(desk.names(snapshot), ['.lock', 'a'], 'but what a snapshot took is there')
  t.same(desk.deleted(), [])
  t.notOk(historyOf(desk.core, ROOT_INO, 100).some(({ path }) => path !== 'a'))
})

test('vim moves the file aside and writes a new one: one history, and the tags stay', async (t, desk) => {
  desk.echo('a', 'one')
  tagFile(desk.core, getInode(desk.core, desk.ino('a')), 'urgent')
  desk.wait()
  desk.mv('a', 'a~')
  desk.echo('a', 'two')
  desk.rm('a~')
  desk.wait(20)
  t.same(desk.versions('a'), ['one', 'two'])
  t.same(tagsOf(desk.core, desk.ino('a')), ['urgent'])
  desk.mv('a', 'b')
  t.same(desk.versions('b'), ['one', 'two'], 'also under a new name')
  desk.wait()
  desk.echo('b', 'three')
  t.same(desk.versions('b'), ['one', 'two', 'three'])
  t.same(desk.versions('a'), ['one', 'two'])
})

test('a deleted name goes on when it is made again', async (t, desk) => {
  desk.echo('a', 'one')
  desk.wait()
  desk.rm('a')
  desk.wait()
  t.same(desk.versions('a'), ['one'], 'it has its versions while it is not there')
  desk.echo('a', 'two')
  desk.wait()
  t.same(desk.versions('a'), ['one', 'two'])
  t.same(desk.deleted(), [], 'what is there again is not deleted')
})

test('a chain of moves brings the history along', async (t, desk) => {
  desk.echo('a', 'one')
  desk.wait()
  desk.echo('.tmp', 'two')
  desk.mv('.tmp', 'a')
  desk.wait()
  desk.mv('a', 'b')
  desk.mv('b', 'c')
  desk.mv('c', 'd')
  desk.wait()
  desk.mv('d', 'a')
  t.same(desk.versions('a'), ['one', 'two'])
  t.same(desk.versions('d'), ['one', 'two'])
})

test('deleted names are listed with the newest deletion first', async (t, desk) => {
  for (const text of ['one', 'two']) {
    desk.echo('a', text)
    desk.wait()
    desk.rm('a')
    desk.wait()
  }
  desk.echo('moved', 'x')
  desk.wait()
  desk.mv('moved', 'there')
  t.same(desk.deleted(), ['a', 'a~2'])
  const texts = ['a', 'a~2'].map((name) => {
    const found = findDeleted(desk.core, ROOT_INO, name)
    return found && desk.text(found.ino, found.until - 1)
  })
  t.same(texts, ['two', 'one'])
  t.equal(findDeleted(desk.core, ROOT_INO, 'a~3'), undefined)
  t.equal(findDeleted(desk.core, ROOT_INO, 'moved'), undefined)
})

test('a file that was never complete is not among the deleted', async (t, desk) => {
  const node = desk.fs.create(caller, ROOT_INO, 'a', 0o644, 0, 0)
  desk.fs.write(caller, node.ino, 0, Buffer.from('half'), false, false)
  desk.wait()
  desk.rm('a')
  desk.wait()
  t.same(desk.deleted(), [])
})

test('a name that replaced another leaves its trace even when it goes at once', async (t, desk) => {
  desk.echo('a', 'one')
  desk.wait()
  desk.echo('.tmp', 'two')
  desk.mv('.tmp', 'a')
  desk.rm('a')
  desk.wait()
  t.same(desk.deleted(), ['a'])
  t.same(desk.versions('a'), ['one', 'two'])
})

test('snapshots are made, listed, renamed and deleted', async (t, desk) => {
  desk.echo('a', 'one')
  const node = desk.fs.create(caller, ROOT_INO, 'open', 0o644, 0, 0)
  desk.fs.write(caller, node.ino, 0, Buffer.from('so far'), false, false)
  const moment = createSnapshot(desk.core, 'first')
  desk.echo('a', 'two')
  desk.rm('open')
  t.equal(desk.text(desk.ino('a'), moment), 'one')
  t.equal(desk.text(node.ino, moment), 'so far', 'what was open is in it')
  t.equal(entryAt(desk.core, ROOT_INO, 'open', moment)?.ino, node.ino)
  t.throws(() => createSnapshot(desk.core, 'first'), { message: 'EEXIST' })
  for (const name of ['', '.', '..', 'a/b', 'a\nb', '\x7f'])
    t.throws(() => createSnapshot(desk.core, name), { message: 'EINVAL' }, JSON.stringify(name))
  t.throws(() => createSnapshot(desk.core, '\u00fc'.repeat(128)), { message: 'ENAMETOOLONG' })
  createSnapshot(desk.core, 'second')
  t.throws(() => renameSnapshot(desk.core, 'first', 'second'), { message: 'EEXIST' })
  renameSnapshot(desk.core, 'first', 'zero')
  t.same(
    listSnapshots(desk.core).map(({ name }) => name),
    ['zero', 'second'],
  )
  t.equal(findSnapshot(desk.core, 'zero')?.moment, moment)
  deleteSnapshot(desk.core, 'zero')
  t.throws(() => deleteSnapshot(desk.core, 'zero'), { message: 'ENOENT' })
})

test('tags are made, given, renamed, taken and dropped', async (t, desk) => {
  for (const name of ['a', 'b', 'c']) desk.echo(name, name)
  const { core } = desk
  const [a, b] = [getInode(core, desk.ino('a')), getInode(core, desk.ino('b'))]
  tagFile(core, a, 'red')
  tagFile(core, a, 'red')
  tagFile(core, a, 'big')
  tagFile(core, b, 'big')
  addTag(core, 'none')
  const before = desk.wait()
  t.same(filesWith(core, ['big']), [a.ino, b.ino])
  t.same(filesWith(core, ['big', 'red']), [a.ino])
  renameTag(core, 'big', 'huge')
  t.same(tagsOf(core, a.ino), ['huge', 'red'])
  t.same(tagsAt(core, a.ino, before), ['big', 'red'])
  t.throws(() => dropTag(core, 'huge'), { message: 'ENOTEMPTY' })
  untagFile(core, b, 'huge')
  t.throws(() => untagFile(core, b, 'huge'), { message: 'ENOENT' })
  const moment = desk.wait()
  desk.rm('a')
  t.same(tagsAt(core, a.ino, moment), ['huge', 'red'], 'a deleted file had them')
  dropTag(core, 'huge')
  dropTag(core, 'none')
  t.same(
    listTags(core).map(({ name }) => name),
    ['red'],
  )
  t.same(filesWith(core, ['red']), [])
  t.same(tagsAt(core, a.ino, moment), ['huge', 'red'])
  t.throws(() => addTag(core, 'a,b'), { message: 'EINVAL' })
})

test('user.xdg.tags reads and writes the tags', async (t, desk) => {
  desk.echo('a', 'one')
  const ino = desk.ino('a')
  const { core, fs } = desk
  const get = () => Buffer.from(fs.getxattr(caller, ino, 'user.xdg.tags', false) ?? []).toString()
  const set = (text: string, flags = 0) =>
    fs.setxattr(caller, ino, 'user.xdg.tags', Buffer.from(text, 'latin1'), flags, false)
  t.equal(fs.getxattr(caller, ino, 'user.xdg.tags', false), undefined)
  t.throws(() => fs.removexattr(caller, ino, 'user.xdg.tags'), { message: 'ENODATA' })
  t.throws(() => set('x', 2), { message: 'ENODATA' })
  set('work, red,,work')
  t.equal(get(), 'red,work')
  t.same(fs.listxattr(caller, ino), ['user.xdg.tags'])
  t.throws(() => set('x', 1), { message: 'EEXIST' })
  t.throws(() => set('\xff'), { message: 'EINVAL' })
  t.throws(() => set('\x07'), { message: 'EINVAL' })
  set('ok,a/b,\x07,\xff')
  t.equal(get(), 'a/b,ok', 'one that is none takes no others along')
  set('red,work')
  const before = desk.wait()
  set('red')
  t.same(tagsOf(core, ino), ['red'])
  t.equal(
    Buffer.from(xattrsAt(core, ino, before).get('user.xdg.tags') ?? []).toString(),
    'red,work',
  )
  fs.removexattr(caller, ino, 'user.xdg.tags')
  t.equal(findInode(core, ino)?.tags, 0)
})

test('an inode knows its path through renames and hard links', async (t, desk) => {
  desk.echo('a', 'one')
  const ino = desk.ino('a')
  const directory = desk.fs.mkdir(caller, ROOT_INO, 'd', 0o755, 0)
  desk.fs.link(caller, ino, directory.ino, 'b')
  t.equal(pathOf(desk.core, ino), '/a')
  desk.fs.rename(caller, directory.ino, 'b', directory.ino, 'c', 0)
  desk.rm('a')
  t.equal(pathOf(desk.core, ino), '/d/c')
  desk.mv('d', 'e')
  t.equal(pathOf(desk.core, ino), '/e/c')
  desk.fs.unlink(caller, directory.ino, 'c')
  t.equal(pathOf(desk.core, ino), undefined)
  t.equal(pathOf(desk.core, ROOT_INO), '/')
})

test('the moments and events of a directory are told newest first', async (t, desk) => {
  desk.echo('a', 'one')
  desk.wait()
  desk.echo('a', 'two')
  desk.wait()
  desk.mv('a', 'b')
  desk.wait()
  desk.rm('b')
  desk.wait()
  const events = historyOf(desk.core, ROOT_INO, 100)
  t.same(
    events.map(({ what, path, size }) => `${what} ${path} ${size}`),
    ['deleted b 3', 'moved a 3', 'renamed b 3', 'changed a 3', 'created a 3'],
  )
  t.same(changesOf(desk.core, ROOT_INO, 2).length, 2)
  t.ok(events.every(({ moment }, at) => at === 0 || moment <= (events[at - 1]?.moment ?? 0)))
  t.same(
    changesOf(desk.core, ROOT_INO, 100).map((moment) => desk.names(moment)),
    [[], ['b'], ['a'], ['a']],
  )
})
