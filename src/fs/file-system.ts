// The POSIX meaning of a vault as one object: router.ts has what each call comes by on its way to
// the family of operations that knows it; the process that makes echoes has answers of its own.

import { Counters } from '../base/counters.ts'
import type { Memory } from '../base/memory.ts'
import type { Vault } from '../vault/vault.ts'
import { type AtimeRule, type FsContext, isHeld } from './context.ts'
import { DirectoryListings } from './directory-listings.ts'
import { createEcho, type Echo } from './echo.ts'
import { Handles } from './handles.ts'
import { Listers } from './listers.ts'
import { guardMemory } from './memory-guard.ts'
import type { KernelNotices, Operations } from './operations.ts'
import { routed } from './router.ts'
import type { SearchService } from './search-service.ts'
import { createViewOperations } from './virtual/view-operations.ts'

/** The operations of a mounted vault. */
export interface FileSystem extends Operations {
  /** Tells the file system how to reach the kernel, once it listens. */
  setNotices(notices: KernelNotices): void
  /** Resolves when the kernel knows what has changed so far in views that it keeps. */
  kernelNotified(): Promise<void>
  /**
   * Lets go of what can be had again: what open directories have read, and what the kernel keeps of
   * the past.
   */
  dropCaches(): void
  /** True while the kernel knows the inode. */
  holds(ino: number): boolean
  /** How programs that watch directories hear of changes that do not come through the kernel. */
  readonly echo: Pick<Echo, 'by' | 'plan' | 'clear'>
}

interface FileSystemOptions {
  readonly readOnly: boolean
  /** Whether others than the one who mounted it may come, as they may if not told. */
  readonly shared?: boolean
  /**
   * Whether directories have a .avfs: found when it is named (as by default), listed in the root
   * too, or not at all.
   */
  readonly avfsdir?: 'hidden' | 'visible' | 'off'
}

interface FileSystemOptions {
  readonly readOnly: boolean
  readonly atime?: AtimeRule
  /** What .avfs/search asks. */
  readonly search?: SearchService
  /** Asked before what takes memory. */
  readonly memory?: Memory
}

/** Gives a vault its POSIX meaning. One file system a vault at a time. */
export function createFileSystem(vault: Vault, options: FileSystemOptions): FileSystem {
  const fs: FsContext = {
    vault,
    core: vault.core,
    readOnly: options.readOnly || vault.readOnly,
    shared: options.shared ?? true,
    atime: options.atime ?? 'relatime',
    search: options.search,
    lookups: new Counters(),
    handles: new Handles(),
    open: new Map(),
    listings: new DirectoryListings(vault.core),
    listers: new Listers(),
    writtenBack: new Set(),
    refused: new Map(),
    resized: new Set(),
    notices: undefined,
    origin: undefined,
  }
  const { avfsdir } = options
  const views = avfsdir === 'off' ? undefined : createViewOperations(fs)
  const memory = options.memory && guardMemory(fs.core, options.memory)
  const listed = avfsdir === 'visible'
  const echo = createEcho(fs, routed(fs, { virtual: views, listed, memory }))
  return {
    ...echo.operations,
    echo,
    setNotices: (notices) => {
      fs.notices = notices
    },
    kernelNotified: async () => views?.kernelNotified(),
    dropCaches() {
      fs.listings.clear()
      views?.dropCaches()
    },
    holds: (ino) => isHeld(fs, ino),
  }
}
