// Kinds: tags/, the labels of what is here and below, and tags/TAG/, the files that carry one: the files themselves, so that
// they can be edited there. A file comes in by ln, mv or cp and goes by rm, which takes the label away and nothing else.

import { EACCES, EEXIST, ENOENT, ENOTEMPTY, EPERM, fail } from '../../base/errno.ts'
import { DT_DIR, DT_LNK, fileType, isDirectory, S_ISVTX } from '../../base/mode.ts'
import { idempotent } from '../../base/step.ts'
import { Fault } from '../../store/store.ts'
import type { Core } from '../../vault/core/core.ts'
import { ROOT_INO } from '../../vault/core/inode.ts'
import { tagFromShown } from '../../vault/core/label-rules.ts'
import { findEntry } from '../../vault/tree/directory.ts'
import { getInode } from '../../vault/tree/inodes.ts'
import { placesOf } from '../../vault/tree/names.ts'
import { prefetchInode, prefetchTags } from '../../vault/tree/prefetch.ts'
import {
  addTag,
  dropTag,
  filesWith,
  findShownTag,
  findTag,
  listTags,
  nameInViews,
  renameTag,
  tagFile,
  untagFile,
} from '../../vault/tree/tags.ts'
import type { Caller } from '../operations.ts'
import { MAY_SEARCH, MAY_WRITE, mayNow, readerOf } from '../reach.ts'
import { rename } from '../remove.ts'
import { directoryAttributes } from './attributes.ts'
import { symlinkTo } from './computed.ts'
import { areLabelsCommon, isLabelKnown, isLabelShown, noteMade, unmake } from './labels-below.ts'
import { liveView } from './live.ts'
import { placeView, TAGS } from './place.ts'
import { startCopy } from './tag-copy.ts'
import { assertMayLabel, assertMayTag } from './tag-rights.ts'
import { ALMIGHTY, type Tagged, taggedAlike, taggedAs, taggedBelow } from './tagged.ts'
import { shownName, textOf, toName } from './text.ts'
import { KEPT_MS, type Listed, type View, type ViewKind, waiting } from './view.ts'

/** How long the kernel may keep a label by a name other than its own, and its attributes: who looks at it asks more than once. */
const OTHERWISE_MS = 1000

interface TagView extends View {
  /** The label, and those of the directories above. */
  readonly tags: readonly string[]
  readonly nameMs: number
}

/** The tags/ of a directory; `up` is its .avfs. */
export function tagsView({ directory, number }: View): View {
  return placeView(tagsKind, TAGS, directory, number)
}

/** `nameMs`: how long the kernel may keep its name. */
function tagView({ directory, number }: View, tags: readonly string[], nameMs: number): TagView {
  return { ...placeView(tagKind, `tags\0${tags.join('\0')}`, directory, number), tags, nameMs }
}

const tagsKind: ViewKind = {
  tick: ({ ticks }) => ticks.labels(),
  isCommon: ({ fs }, { directory }) => areLabelsCommon(fs.core, directory),
  attributes(views, view) {
    const node = directoryAttributes(views, view, false)
    // A label is nobody's: a sticky directory would keep it from whoever made it.
    return { ...node, mode: node.mode & ~S_ISVTX }
  },
  lookup({ fs }, caller, view, name) {
    const tag = tagOf(fs.core, name)
    if (tag === undefined || !isLabelKnown(fs.core, view.directory, tag, readerOf(caller)))
      return undefined
    // Others may not know of it.
    if (fs.shared) return tagView(view, [tag], 0)
    const isOwn = name === toName(nameInViews(fs.core, tag))
    return tagView(view, [tag], isOwn ? KEPT_MS : OTHERWISE_MS)
  },
  *list({ fs }, caller, view): Generator<Listed | Fault> {
    const reader = readerOf(caller)
    for (const { name } of yield* waiting(() => listTags(fs.core))) {
      if (!(yield* waiting(() => isLabelShown(fs.core, view.directory, name, reader)))) continue
      const own = toName(nameInViews(fs.core, name))
      yield { name: own, type: DT_DIR, view: tagView(view, [name], fs.shared ? 0 : KEPT_MS) }
    }
  },
  mkdir({ fs }, caller, view, name) {
    const { core } = fs
    const tag = tagFromShown(shownName(name))
    const reader = readerOf(caller)
    const isHidden =
      findTag(core, tag) !== undefined && !isLabelKnown(core, view.directory, tag, reader)
    if (isHidden) noteMade(core, tag, reader)
    else addTag(core, tag)
    return tagView(view, [tag], fs.shared ? 0 : OTHERWISE_MS)
  },
  rmdir({ fs }, caller, view, name) {
    const { core } = fs
    const tag = tagOf(core, name) ?? fail(ENOENT)
    const reader = readerOf(caller)
    if (unmake(core, view.directory, tag, reader)) return
    if (!isLabelKnown(core, view.directory, tag, reader)) fail(ENOENT)
    dropTag(core, tag)
  },
  rename({ fs }, caller, _view, name, newName) {
    // It changes files everywhere.
    if (caller.uid !== 0 && caller.uid !== getInode(fs.core, ROOT_INO).uid) fail(EPERM)
    const taken = tagOf(fs.core, newName)
    // Read before the taken one is dropped.
    const tag = tagOf(fs.core, name) ?? fail(ENOENT)
    if (taken !== undefined && filesWith(fs.core, [taken]).length > 0) fail(ENOTEMPTY)
    if (taken !== undefined && newName !== name) dropTag(fs.core, taken)
    renameTag(fs.core, tag, tagFromShown(shownName(newName)))
  },
}

const tagKind: ViewKind<TagView> = {
  tick: ({ ticks }) => ticks.labels(),
  isCommon({ fs }, { directory, tags }) {
    return taggedBelow(fs.core, directory, tags, ALMIGHTY).closed.size === 0
  },
  attributes(views, view) {
    // A combination gives way to a file that is called so.
    const isCombined = view.tags.length > 1
    const node = directoryAttributes(views, view, isCombined)
    return isCombined ? node : { ...node, nameMs: view.nameMs }
  },
  lookup(views, caller, view, name) {
    const { core } = views.fs
    const names = taggedAlike(core, view.directory, view.tags, readerOf(caller), name)
    const file = names.files.get(name)
    if (file !== undefined)
      return fileView(view, name, file, views.tagged.note(view, name, file, names))
    // Not listed, so that nobody walks through all combinations. A file that is called so comes first: it is to be labelled.
    const called = findEntry(core, view.directory, name)
    if (called !== undefined && called.type !== DT_DIR) return undefined
    const tag = tagOf(core, name)
    if (tag === undefined || view.tags.includes(tag)) return undefined
    if (!isLabelKnown(core, view.directory, tag, readerOf(caller))) return undefined
    return tagView(view, [...view.tags, tag], 0)
  },
  *list({ fs, tagged }, caller, view, asked): Generator<Listed | Fault> {
    const reader = readerOf(caller)
    const names = yield* waiting(() => taggedBelow(fs.core, view.directory, view.tags, reader))
    for (const [name, file] of names.files) {
      if (names.unlisted.has(name)) continue
      const type = isDirectory(file.inode.mode) ? DT_LNK : fileType(file.inode.mode)
      const nameMs = asked.plus ? yield* waiting(() => tagged.note(view, name, file, names)) : 0
      yield { name, type, view: fileView(view, name, file, nameMs) }
    }
  },
  take({ fs }, caller, view, ino, name) {
    const inode = getInode(fs.core, ino)
    assertMayLabel(fs.core, readerOf(caller), view.directory, inode)
    prefetchInode(fs.core, inode)
    prefetchTags(fs.core, ino, view.tags)
    for (const tag of view.tags) tagFile(fs.core, inode, tag)
    fs.notices?.attributesChanged(ino)
    // After rename(2) the kernel holds for true that the file has this name here.
    void fs.notices?.entryChanged(view.number, name)
  },
  replace(views, caller, view, name, newName) {
    const { fs, returns } = views
    const key = `${view.number}/${name}\0${newName}`
    if (returns.delete(key)) return true
    const reader = readerOf(caller)
    const file = (its: string) => taggedAs(fs.core, view.directory, view.tags, reader, its)
    const [from, to] = [file(name), file(newName)]
    if (from === undefined || to === undefined || from.inode.ino === to.inode.ino) return false
    if (isDirectory(from.inode.mode)) return false
    const [its, other] = [placeOf(from), placeOf(to)]
    assertMayMove(fs.core, caller, from)
    assertMayMove(fs.core, caller, to)
    idempotent(() => rename(fs, caller, its.parent, its.name, other.parent, other.name, 0))
    const { notices } = fs
    if (notices === undefined) return true
    notices.attributesChanged(to.inode.ino)
    const told = [its, other].map((at) => notices.entryChanged(at.parent, at.name))
    // Nothing waits for these, as rename(2) holds the view.
    for (const at of [name, newName]) void notices.entryChanged(view.number, at)
    // Whoever opens the file next must find the new one: the kernel is told before it is answered.
    throw new Fault(async () => {
      await Promise.all([
        ...told,
        ...[its, other].map(({ parent }) => notices.inodeChanged(parent)),
      ])
      returns.set(key, true)
    })
  },
  drop({ fs }, caller, view, name) {
    const { inode } =
      taggedAs(fs.core, view.directory, view.tags, readerOf(caller), name) ?? fail(ENOENT)
    assertMayTag(fs.core, readerOf(caller), inode)
    const places = placesOf(fs.core, inode)
    untagFile(fs.core, inode, view.tags.at(-1) ?? '')
    // The kernel counts one link less, as if the name had been one.
    fs.notices?.attributesChanged(inode.ino)
    for (const { parent, name: own } of places) void fs.notices?.entryChanged(parent, own)
  },
  create(views, caller, view, name, mode) {
    const { core } = views.fs
    if (taggedAs(core, view.directory, view.tags, readerOf(caller), name) !== undefined)
      fail(EEXIST)
    return startCopy(views, caller, view.directory, name, view.tags, mode)
  },
}

/** The label that a name spells, where there is one. */
function tagOf(core: Core, name: string): string | undefined {
  const text = textOf(name)
  return text === undefined ? undefined : findShownTag(core, text)?.name
}

function placeOf({ parent, path }: Tagged): { parent: number; name: string } {
  return { parent, name: path.at(-1) ?? '' }
}

/** What rename(2) asks of whoever takes a name out of a directory; the kernel has looked at the view alone. */
function assertMayMove(core: Core, caller: Caller, { inode, parent }: Tagged): void {
  const directory = getInode(core, parent)
  if (!mayNow(core, readerOf(caller), directory, MAY_WRITE | MAY_SEARCH)) fail(EACCES)
  const isOwner = [0, inode.uid, directory.uid].includes(caller.uid)
  if ((directory.mode & S_ISVTX) !== 0 && !isOwner) fail(EPERM)
}

/** A directory has one path only (the kernel insists), so that a labelled one is a symlink. */
function fileView(view: TagView, name: string, { inode, path }: Tagged, nameMs: number): View {
  if (!isDirectory(inode.mode)) return liveView(inode.ino, view, nameMs)
  const target = '../'.repeat(view.tags.length + 2) + path.join('/')
  return symlinkTo(`tagged\0${view.key}\0${name}`, view, target)
}
