// What the kernel keeps of versions/: names of files, numbers of versions and `latest`. Here is
// what tells it when there is another version, when a name is gone without a trace, and when prune
// or purge let versions go.

import { afterStep } from '../../base/step.ts'
import { entry, entryPast, type Key, numbering, version } from '../../store/collections.ts'
import { inBackground } from '../../store/retry.ts'
import { findInode } from '../../vault/tree/inodes.ts'
import { placesOf } from '../../vault/tree/names.ts'
import { LATEST, numberOfFixed, VERSION_LISTS, VERSIONS, versionListPath } from './fixed-views.ts'
import { forgetVersions } from './version-list.ts'
import type { ViewContext } from './view.ts'

export function announceVersions(context: ViewContext): void {
  const { fs, fixed } = context
  const { core } = fs

  /** The name may have another newest version, or none any more. */
  function changed(directory: number, name: string): void {
    if (!fixed.byDirectory.has(directory)) return
    const list = numberOfFixed(versionListPath(name), directory)
    if (!context.held.has(list)) return
    void fs.notices?.entryChanged(list, LATEST)
    void fs.notices?.entryChanged(numberOfFixed(VERSIONS, directory), name)
  }

  function named([directory, name]: Key): void {
    if (typeof name === 'string') changed(directory as number, name)
  }

  function sealed(ino: number): void {
    const inode = findInode(core, ino)
    if (inode === undefined || inode.nlink === 0) return
    for (const { parent, name } of placesOf(core, inode)) changed(parent, name)
  }

  /** Drops all versions/NAME: it is not known which versions of which names went. */
  const forget = afterStep(() => {
    for (const number of fixed.byPath.get(VERSION_LISTS) ?? []) {
      const { up = 0, name = '' } = context.held.get(number)?.view ?? {}
      void fs.notices?.entryChanged(up, name)
    }
  })

  core.overlay.watch(entry, named)
  core.overlay.watch(entryPast, named)
  core.overlay.watch(version, ([ino], row) => {
    if (row === undefined) scheduleForget()
    // The inode is read when the change is made.
    else if (fixed.byPath.has(VERSION_LISTS))
      queueMicrotask(() => void inBackground(() => sealed(ino as number)))
  })
  core.overlay.watch(numbering, scheduleForget)

  function scheduleForget(): void {
    forgetVersions(core)
    if (fixed.byPath.has(VERSION_LISTS)) forget()
  }
}
