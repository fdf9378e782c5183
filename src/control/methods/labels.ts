// Methods on user metadata: snapshots, tags and extended attributes in user.*.

import { FsError } from '../../base/errno.ts'
import {
  XATTR_LIST_BYTES_MAX,
  XATTR_NAME_BYTES_MAX,
  XATTR_VALUE_BYTES_MAX,
} from '../../base/limits.ts'
import { isDirectory, isRegular } from '../../base/mode.ts'
import { xattr } from '../../store/collections.ts'
import { scanPages } from '../../store/pages.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import type { Core } from '../../vault/core/core.ts'
import { ROW_BYTES } from '../../vault/core/disk-space.ts'
import type { Inode } from '../../vault/core/inode.ts'
import { assertTag } from '../../vault/core/label-rules.ts'
import { walkPages } from '../../vault/core/rows.ts'
import { slicesOf } from '../../vault/core/time-slices.ts'
import { observeLoss } from '../../vault/history/before-loss.ts'
import { findPath } from '../../vault/history/paths.ts'
import {
  createSnapshot,
  deleteSnapshot,
  listSnapshots,
  renameSnapshot,
} from '../../vault/history/snapshots.ts'
import { announcer } from '../../vault/tree/announce.ts'
import { getXattr, listXattrs, tagsOf } from '../../vault/tree/attached.ts'
import { withTrace } from '../../vault/tree/history-recording.ts'
import { findInode } from '../../vault/tree/inodes.ts'
import { isWithin, lastPaths } from '../../vault/tree/places.ts'
import { prefetchInode, prefetchTags } from '../../vault/tree/prefetch.ts'
import {
  filesWith,
  findTag,
  fitTags,
  listTags,
  setTags,
  tagFile,
  untagFile,
  XDG_TAGS,
} from '../../vault/tree/tags.ts'
import { removeXattr, setXattr } from '../../vault/tree/xattrs.ts'
import type { Vault } from '../../vault/vault.ts'
import { toBytes, toText } from '../wire/byte-strings.ts'
import { ControlError } from '../wire/errors.ts'
import type { Call, Given, Methods } from './method.ts'
import type { ItemOf, ResultOf } from './method-types.ts'
import { pathOf, stringOf, stringsOf, valuesOf } from './parameters.ts'
import { assertWritableVault, refusing } from './refusal.ts'

/** The namespace of user attributes; xattr(7). */
const USER = 'user.'
const PAGE_ROWS = 1000

export const labelMethods = {
  /** {name}: names the present state. */
  snapshotCreate: {
    readOnly: false,
    run: (vault, parameters) => {
      const name = stringOf(parameters, 'name')
      return changing(vault, `snapshot '${name}'`, () => {
        vault.core.diskSpace.grow(ROW_BYTES)
        const moment = createSnapshot(vault.core, name)
        return { name, moment: vault.core.moments.wallOf(moment) }
      })
    },
  },
  snapshotDelete: {
    readOnly: false,
    run: (vault, parameters) => {
      const name = stringOf(parameters, 'name')
      return changing(vault, `snapshot '${name}'`, () => {
        deleteSnapshot(vault.core, name)
        return { name }
      })
    },
  },
  /** {name, newName} */
  snapshotRename: {
    readOnly: false,
    run: (vault, parameters) => {
      const name = stringOf(parameters, 'name')
      const newName = stringOf(parameters, 'newName')
      return changing(vault, `snapshot '${name}' to '${newName}'`, () => {
        renameSnapshot(vault.core, name, newName)
        return { name: newName, oldName: name }
      })
    },
  },
  snapshotList: {
    readOnly: true,
    run: async ({ core }) => {
      const snapshots = await retryUntilLoaded(() => listSnapshots(core))
      return {
        snapshots: snapshots.map((its) => ({ ...its, moment: core.moments.wallOf(its.moment) })),
      }
    },
  },
  /** {path, tags}; `unfit` are invalid tags, if others were added. */
  tagAdd: {
    readOnly: false,
    run: (vault, parameters, { kernel }) =>
      changingFile(vault, parameters, kernel, (inode) => {
        const tags = stringsOf(parameters, 'tags')
        const fit = tags.filter(isTag)
        // An invalid tag must not prevent the others.
        if (fit.length === 0) for (const tag of tags) assertTag(tag)
        vault.core.diskSpace.grow(ROW_BYTES)
        prefetchTags(vault.core, inode.ino, fit)
        for (const tag of fit) tagFile(vault.core, inode, tag)
        return { tags: tagsOf(vault.core, inode.ino), unfit: tags.filter((tag) => !isTag(tag)) }
      }),
  },
  /** {path, tags} */
  tagRemove: {
    readOnly: false,
    run: (vault, parameters, { kernel }) =>
      changingFile(vault, parameters, kernel, (inode, path) => {
        const had = tagsOf(vault.core, inode.ino)
        prefetchTags(vault.core, inode.ino, had)
        const tags = stringsOf(parameters, 'tags')
        const other = tags.find((tag) => !had.includes(tag))
        if (other !== undefined) throw absent(`${toText(path)} has no tag '${other}'`, path)
        for (const tag of new Set(tags)) untagFile(vault.core, inode, tag)
        return { tags: tagsOf(vault.core, inode.ino) }
      }),
  },
  /**
   * {path}: the tags of a file or directory; of the root: all tags, with the number of files that
   * have them.
   */
  tagList: {
    readOnly: true,
    run: (vault, parameters) =>
      retryUntilLoaded(() => listOfTags(vault.core, pathOf(parameters, 'path'))),
  },
  /** {path, tags}: paths at or below `path` that carry all tags. */
  tagFind: {
    readOnly: true,
    run: (vault, parameters) =>
      retryUntilLoaded(() => {
        const top = existing(vault.core, pathOf(parameters, 'path')).path
        const tags = stringsOf(parameters, 'tags')
        for (const tag of tags) {
          if (findTag(vault.core, tag) === undefined) throw absent(`there is no tag '${tag}'`)
        }
        const paths = filesWith(vault.core, tags).flatMap((ino) => lastPaths(vault.core, ino))
        return { paths: paths.filter((path) => isWithin(path, top)).sort() }
      }),
  },
  /** {path}: its user attributes. */
  metaList: {
    readOnly: true,
    run: (vault, parameters) =>
      retryUntilLoaded(() => {
        const { inode } = existing(vault.core, pathOf(parameters, 'path'))
        return { values: shownValues(vault.core, inode) }
      }),
  },
  /** {path, values}: values is an object of byte strings; null removes a key. */
  metaSet: {
    readOnly: false,
    run: (vault, parameters, { kernel }) =>
      changingFile(vault, parameters, kernel, (inode, path) => {
        setValues(vault.core, inode, path, valuesOf(parameters, 'values'))
        return { values: shownValues(vault.core, inode) }
      }),
  },
  /** {path, keys}: items {path, values} for everything at or below `path` that has all keys. */
  metaFind: {
    readOnly: true,
    run: (vault, parameters, call) => metaFind(vault.core, parameters, call),
  },
} satisfies Partial<Methods>

function isTag(name: string): boolean {
  try {
    assertTag(name)
    return true
  } catch (error) {
    if (error instanceof FsError) return false
    throw error
  }
}

async function changing<T extends object>(vault: Vault, what: string, work: () => T): Promise<T> {
  assertWritableVault(vault)
  const result = await refusing(toBytes(what), () => retryUntilLoaded(work))
  await vault.sync()
  return result
}

/** Changes a file or directory, makes the change durable and tells the kernel. */
async function changingFile<T extends object>(
  vault: Vault,
  parameters: { readonly path?: unknown },
  kernel: Call['kernel'],
  work: (inode: Inode, path: string) => T,
): Promise<T> {
  const { inode, path } = await retryUntilLoaded(() =>
    existing(vault.core, pathOf(parameters, 'path')),
  )
  assertWritableVault(vault)
  const announced = announcer(vault.core, kernel)
  const change = () => {
    prefetchInode(vault.core, inode)
    observeLoss(vault.core, inode)
    return withTrace(vault.core, () => work(inode, path))
  }
  const result = await refusing(path, () => retryUntilLoaded(change))
  announced.inodeChanged(inode.ino)
  await announced.sent()
  await vault.sync()
  return result
}

function existing(core: Core, path: string): { inode: Inode; path: string } {
  const inode = findPath(core, path)
  if (inode === undefined) throw absent(`there is no ${toText(path)}`, path)
  return { inode, path }
}

function absent(message: string, path?: string): ControlError {
  return new ControlError('absent', message, path === undefined ? undefined : toText(path))
}

function listOfTags(core: Core, path: string): ResultOf<'tagList'> {
  const { inode } = existing(core, path)
  if (path !== '/') return { tags: tagsOf(core, inode.ino).map((name) => ({ name })) }
  return {
    tags: listTags(core).map(({ name }) => ({ name, files: filesWith(core, [name]).length })),
  }
}

function shownValues(core: Core, inode: Inode): Record<string, string> {
  const keys = listXattrs(core, inode)
    .filter((name) => name.startsWith(USER))
    .sort()
  return Object.fromEntries(
    keys.map((name) => [
      name.slice(USER.length),
      Buffer.from(getXattr(core, inode, name) ?? []).toString('latin1'),
    ]),
  )
}

type Values = ReadonlyMap<string, Uint8Array | null>

/** Sets all values or, throwing ControlError, none. */
function setValues(core: Core, inode: Inode, path: string, values: Values): void {
  // As for user attributes in xattr(7): links and devices cannot have any.
  if (!isRegular(inode.mode) && !isDirectory(inode.mode)) {
    throw new ControlError('failed', `${toText(path)} is neither a file nor a directory`)
  }
  assertFit(core, inode, path, values)
  let bytes = 0
  for (const [key, value] of values) bytes += key.length + (value?.length ?? 0) + ROW_BYTES
  core.diskSpace.grow(bytes)
  const labels = fitTags(values.get(XDG_TAGS.slice(USER.length)) ?? new Uint8Array())
  prefetchTags(core, inode.ino, labels)
  for (const [key, value] of values) {
    if (USER + key === XDG_TAGS) setTags(core, inode, labels)
    else if (value === null) removeXattr(core, inode, USER + key)
    else setXattr(core, inode, USER + key, value, 0)
  }
}

/** Throws ControlError if a key to be removed is missing, or there would be too many. */
function assertFit(core: Core, inode: Inode, path: string, values: Values): void {
  const shown = toText(path)
  const names = new Set(listXattrs(core, inode))
  for (const [key, value] of values) {
    const name = USER + key
    if (name === XDG_TAGS) continue
    if (value === null && !names.delete(name)) throw absent(`${shown} has no ${toText(key)}`, path)
    if (value === null) continue
    names.add(name)
    if (key === '' || name.length > XATTR_NAME_BYTES_MAX)
      throw tooMuch(shown, `a key has 1 to ${XATTR_NAME_BYTES_MAX - USER.length} bytes`)
    if (value.length > XATTR_VALUE_BYTES_MAX)
      throw tooMuch(
        shown,
        `the value of ${toText(key)} has more than ${XATTR_VALUE_BYTES_MAX} bytes`,
      )
  }
  let bytes = 0
  for (const name of names) bytes += name.length + 1
  if (bytes > XATTR_LIST_BYTES_MAX)
    throw tooMuch(
      shown,
      `the keys of a file have no more than ${XATTR_LIST_BYTES_MAX} bytes together`,
    )
}

function tooMuch(shown: string, why: string): ControlError {
  return new ControlError('failed', `${shown} cannot have this metadata: ${why}`, shown)
}

async function metaFind(
  core: Core,
  parameters: Given<'metaFind'>,
  { send }: Call<ItemOf<'metaFind'>>,
): Promise<ResultOf<'metaFind'>> {
  const { path: top } = await retryUntilLoaded(() => existing(core, pathOf(parameters, 'path')))
  const keys = stringsOf(parameters, 'keys')
  const slices = slicesOf(core)
  const first = USER + (keys[0] ?? '')
  const pages = scanPages(core.overlay, xattr, {}, PAGE_ROWS)
  for await (const { ino, name } of walkPages(pages, () => slices.turn())) {
    if (name !== first) continue
    const found = await retryUntilLoaded(() => withKeys(core, ino, keys))
    if (found === undefined) continue
    const { paths, values } = found
    for (const path of paths) if (isWithin(path, top)) await send({ item: { path, values } })
  }
  return {}
}

/** The paths and attributes of an inode that is not deleted and has all keys. */
function withKeys(
  core: Core,
  ino: number,
  keys: readonly string[],
): { paths: string[]; values: Record<string, string> } | undefined {
  const inode = findInode(core, ino)
  // A deleted inode keeps its attributes.
  if (inode === undefined || inode.nlink === 0) return undefined
  const values = shownValues(core, inode)
  if (!keys.every((key) => Object.hasOwn(values, key))) return undefined
  return { paths: lastPaths(core, ino), values }
}
