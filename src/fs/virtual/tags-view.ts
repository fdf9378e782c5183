// Kinds: tags/, the labels of what is here and below, and tags/TAG/, the files that carry one: the
// files themselves, so that they can be edited there. A file comes in by ln, mv or cp and goes by
// rm, which takes the label away and nothing else.

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
import { MAY_SEARCH, MAY_WRITE, mayNow, readerOf } from '../access.ts'
import type { Caller } from '../operations.ts'
import { rename } from '../remove.ts'
import { directoryAttributes } from './attributes.ts'
import { symlinkTo } from './computed.ts'
import { fixedView, TAGS } from './fixed-views.ts'
import { areLabelsCommon, isLabelKnown, isLabelShown, noteMade, unmake } from './labels-below.ts'
import { presentView } from './present-file.ts'
import { assertMayLabel, assertMayTag } from './tag-access.ts'
import { startCopy } from './tag-copy.ts'
import { ALMIGHTY, type Tagged, taggedAlike, taggedAs, taggedBelow } from './tagged.ts'
import { shownName, textOf, toName } from './text.ts'
import { CACHED_MS, type View, type ViewEntry, type ViewKind, waiting } from './view.ts'

/**
 * How long the kernel may cache a label under another name than its own, with its attributes:
 * programs ask more than once.
 */
const OTHERWISE_MS = 1000

interface TagView extends View {
  /** The label, and those of the directories above. */
  readonly tags: readonly string[]
  readonly nameMs: number
}

/** The tags/ of a directory; `up` is its .avfs. */
export function tagsView({ directory, number }: View): View {
  return fixedView(tagsKind, TAGS, directory, number)
}

/** `nameMs`: how long the kernel may keep its name. */
function tagView({ directory, number }: View, tags: readonly string[], nameMs: number): TagView {
  return { ...fixedView(tagKind, `tags\0${tags.join('\0')}`, directory, number), tags, nameMs }
}

const tagsKind: ViewKind = {
  tick: ({ ticks }) => ticks.labels(),
  isCommon: ({ fs }, { directory }) => areLabelsCommon(fs.core, directory),
  attributes(context, view) {
    const node = directoryAttributes(context, view, false)
    // Labels have no owner: in a sticky directory nobody could remove the one that he made.
    return { ...node, mode: node.mode & ~S_ISVTX }
  },
  lookup({ fs }, caller, view, name) {
    const tag = tagOf(fs.core, name)
    if (tag === undefined || !isLabelKnown(fs.core, view.directory, tag, readerOf(caller)))
      return undefined
    // Others may not know of it.
    if (fs.shared) return tagView(view, [tag], 0)
    const isOwn = name === toName(nameInViews(fs.core, tag))
    return tagView(view, [tag], isOwn ? CACHED_MS : OTHERWISE_MS)
  },
  *list({ fs }, caller, view): Generator<ViewEntry | Fault> {
    const reader = readerOf(caller)
    for (const { name } of yield* waiting(() => listTags(fs.core))) {
      if (!(yield* waiting(() => isLabelShown(fs.core, view.directory, name, reader)))) continue
      const own = toName(nameInViews(fs.core, name))
      yield { name: own, type: DT_DIR, view: tagView(view, [name], fs.shared ? 0 : CACHED_MS) }
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
  attributes(context, view) {
    // A file may come to have the name of a combination, and goes before it.
    const isCombined = view.tags.length > 1
    const node = directoryAttributes(context, view, isCombined)
    return isCombined ? node : { ...node, nameMs: view.nameMs }
  },
  lookup(context, caller, view, name) {
    const { core } = context.fs
    const names = taggedAlike(core, view.directory, view.tags, readerOf(caller), name)
    const file = names.files.get(name)
    if (file !== undefined)
      return fileView(view, name, file, context.tagged.note(view, name, file, names))
    // Not listed, so that nobody walks through all combinations. A file that is called so comes
    // first: it is to be labelled.
    const called = findEntry(core, view.directory, name)
    if (called !== undefined && called.type !== DT_DIR) return undefined
    const tag = tagOf(core, name)
    if (tag === undefined || view.tags.includes(tag)) return undefined
    if (!isLabelKnown(core, view.directory, tag, readerOf(caller))) return undefined
    return tagView(view, [...view.tags, tag], 0)
  },
  *list({ fs, tagged }, caller, view, request): Generator<ViewEntry | Fault> {
    const reader = readerOf(caller)
    const names = yield* waiting(() => taggedBelow(fs.core, view.directory, view.tags, reader))
    for (const [name, file] of names.files) {
      if (names.unlisted.has(name)) continue
      const type = isDirectory(file.inode.mode) ? DT_LNK : fileType(file.inode.mode)
      const nameMs = request.plus ? yield* waiting(() => tagged.note(view, name, file, names)) : 0
      yield { name, type, view: fileView(view, name, file, nameMs) }
    }
  },
  addFile({ fs }, caller, view, ino, name) {
    const inode = getInode(fs.core, ino)
    assertMayLabel(fs.core, readerOf(caller), view.directory, inode)
    prefetchInode(fs.core, inode)
    prefetchTags(fs.core, ino, view.tags)
    for (const tag of view.tags) tagFile(fs.core, inode, tag)
    fs.notices?.attributesChanged(ino)
    // After rename(2) the kernel believes that the file has this name here.
    void fs.notices?.entryChanged(view.number, name)
  },
  replace(context, caller, view, name, newName) {
    const { fs, finishedRenames } = context
    const key = `${view.number}/${name}\0${newName}`
    if (finishedRenames.delete(key)) return true
    const reader = readerOf(caller)
    const file = (called: string) => taggedAs(fs.core, view.directory, view.tags, reader, called)
    const [from, to] = [file(name), file(newName)]
    if (from === undefined || to === undefined || from.inode.ino === to.inode.ino) return false
    if (isDirectory(from.inode.mode)) return false
    const [source, target] = [placeOf(from), placeOf(to)]
    assertMayMove(fs.core, caller, from)
    assertMayMove(fs.core, caller, to)
    idempotent(() => rename(fs, caller, source.parent, source.name, target.parent, target.name, 0))
    const { notices } = fs
    if (notices === undefined) return true
    notices.attributesChanged(to.inode.ino)
    const sent = [source, target].map((place) => notices.entryChanged(place.parent, place.name))
    // Nothing waits for these, as rename(2) holds the view.
    for (const shown of [name, newName]) void notices.entryChanged(view.number, shown)
    // Whoever opens the file next must find the new one: the kernel is told before it is answered.
    throw new Fault(async () => {
      await Promise.all([
        ...sent,
        ...[source, target].map(({ parent }) => notices.inodeChanged(parent)),
      ])
      finishedRenames.set(key, true)
    })
  },
  removeFile({ fs }, caller, view, name) {
    const { inode } =
      taggedAs(fs.core, view.directory, view.tags, readerOf(caller), name) ?? fail(ENOENT)
    assertMayTag(fs.core, readerOf(caller), inode)
    const places = placesOf(fs.core, inode)
    untagFile(fs.core, inode, view.tags.at(-1) ?? '')
    // The kernel has decremented the link count, as if the name had been a link.
    fs.notices?.attributesChanged(inode.ino)
    for (const { parent, name: own } of places) void fs.notices?.entryChanged(parent, own)
  },
  create(context, caller, view, name, mode) {
    const { core } = context.fs
    if (taggedAs(core, view.directory, view.tags, readerOf(caller), name) !== undefined)
      fail(EEXIST)
    return startCopy(context, caller, view.directory, name, view.tags, mode)
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

/**
 * What rename(2) asks of whoever takes a name out of a directory; the kernel has looked at the view
 * alone.
 */
function assertMayMove(core: Core, caller: Caller, { inode, parent }: Tagged): void {
  const directory = getInode(core, parent)
  if (!mayNow(core, readerOf(caller), directory, MAY_WRITE | MAY_SEARCH)) fail(EACCES)
  const isOwner = [0, inode.uid, directory.uid].includes(caller.uid)
  if ((directory.mode & S_ISVTX) !== 0 && !isOwner) fail(EPERM)
}

/** A directory has one path only (the kernel insists), so that a labelled one is a symlink. */
function fileView(view: TagView, name: string, { inode, path }: Tagged, nameMs: number): View {
  if (!isDirectory(inode.mode)) return presentView(inode.ino, view, nameMs)
  const target = '../'.repeat(view.tags.length + 2) + path.join('/')
  return symlinkTo(`tagged\0${view.key}\0${name}`, view, target)
}
