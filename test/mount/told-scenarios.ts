// What each method of the control table changes visibly in a mount, for told.test.ts: scenarios in
// a directory of a vault.

import { linkSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Parameters } from '../../src/control/methods/method.ts'
import type { MethodName } from '../../src/control/methods/method-types.ts'
import type { TestVault } from '../support/mount.ts'

/**
 * Names of one scenario in one directory of the vault: `path` and `at` lead to one of them, in the
 * vault and in the mount.
 */
export interface Place {
  readonly vault: TestVault
  readonly id: string
  /** The directory, as a path in the vault. */
  readonly top: string
  /** A moment at which `late` was not there. */
  readonly moment: number
  path(name: string): string
  at(name: string): string
  call(method: MethodName, parameters: Parameters): Promise<object>
}

export interface Scenario {
  change(place: Place): unknown
  /** What else is looked at, after the change and in a new mount. */
  look?(place: Place): unknown
  /** Files that are written by name after the change. */
  readonly write?: readonly string[]
}

/** What each method changes of what is seen, or why it changes nothing. */
export const scenarios: Readonly<Record<MethodName, Readonly<Record<string, Scenario>> | string>> =
  {
    info: 'it reads',
    stats: 'it reads',
    check: 'it reads',
    log: 'it reads',
    cat: 'it reads',
    compare: 'it reads',
    find: 'it reads',
    contents: 'it reads',
    backup: 'it reads',
    snapshotList: 'it reads',
    tagList: 'it reads',
    tagFind: 'it reads',
    metaList: 'it reads',
    metaFind: 'it reads',
    configShow: 'it reads',
    holdList: 'it reads',
    export:
      'it seals what is open, which is nothing that a mount shows but versions, and those are asked for each time',
    search: 'it reads',
    searchStatus: 'it reads',
    searchRebuild: 'what a search finds is asked for each time',
    sync: 'what is durable looks the same',
    holdAdd: 'it says what prune keeps',
    holdRelease: 'it says what prune keeps',
    compact: {
      'frees what nobody uses': { change: ({ call }) => call('compact', {}), write: ['e'] },
    },
    configSet: {
      'leaves what is there': {
        change: ({ call }) => call('configSet', { changes: { 'keep.versions': '100' } }),
        look: ({ at, id }) =>
          readdirSync(at('.avfs/versions')).filter((name) => name.startsWith(id)),
      },
    },
    prune: {
      'takes versions away': {
        change: ({ call, path }) => call('prune', { path: path('e'), keep: 1 }),
        look: ({ at, id, top }) =>
          readdirSync(at(`.avfs/versions/${top === '/' ? `${id}-e` : 'e'}`)),
      },
    },
    purge: {
      'does away with versions': {
        change: ({ call, path }) => call('purge', { path: path('e') }),
        look: ({ at, id, top }) =>
          readdirSync(at(`.avfs/versions/${top === '/' ? `${id}-e` : 'e'}`)),
        write: ['e'],
      },
      'does away with what is there, too': {
        change: ({ call, path }) => call('purge', { path: path('dir'), current: true }),
      },
    },
    restore: {
      'a file': {
        change: ({ call, path }) => call('restore', { path: path('e'), state: { version: 1 } }),
        write: ['e'],
      },
      'a file with two names': {
        change: ({ call, path }) => call('restore', { path: path('h'), state: { version: 1 } }),
        write: ['h2'],
      },
      'a mapped file': {
        change: ({ call, path }) =>
          call('restore', { path: path('mapped'), state: { version: 1 } }),
        write: ['mapped'],
      },
      'a name that was missing': {
        change: ({ call, path }) =>
          call('restore', { path: path('e'), state: { version: 1 }, to: path('new') }),
        write: ['new'],
      },
      'attributes alone': {
        change: ({ call, path, moment }) =>
          call('restore', { path: path('same'), state: { moment } }),
      },
      'a directory, with what came later removed': {
        change: ({ call, path, moment }) =>
          call('restore', { path: path('dir'), state: { moment }, removeNewer: true }),
        write: ['dir/e'],
      },
    },
    undelete: {
      'a file': {
        change: ({ call, path }) => call('undelete', { path: path('gone') }),
        write: ['gone'],
      },
      'a directory': { change: ({ call, path }) => call('undelete', { path: path('gone-dir') }) },
    },
    import: {
      'a new file': { change: (place) => imported(place, 'new', 'imported'), write: ['new'] },
      'a file in the place of another': {
        change: (place) => imported(place, 'e', 'imported, longer'),
        write: ['e'],
      },
      'a file in the place of one of two names': {
        change: (place) => imported(place, 'h', 'imported'),
        write: ['h', 'h2'],
      },
      'the same file with other attributes': {
        change: (place) => imported(place, 'same', 'same', 0o600),
      },
      'a folder over another': {
        change: ({ vault, id, path }) => {
          const from = join(vault.root, `from-${id}`)
          mkdirSync(join(from, 'more'), { recursive: true, mode: 0o700 })
          for (const name of ['e', 'new', 'more/x']) writeFileSync(join(from, name), 'imported')
          linkSync(join(from, 'new'), join(from, 'new-link'))
          must(vault, ['import', from, `${vault.name}:${path('dir')}`])
        },
        write: ['dir/e', 'dir/new'],
      },
    },
    tagAdd: {
      'a file': { change: ({ call, path }) => call('tagAdd', { path: path('e'), tags: ['t'] }) },
      'a directory': {
        change: ({ call, path }) => call('tagAdd', { path: path('dir'), tags: ['t'] }),
      },
      'a file with two names': {
        change: ({ call, path }) => call('tagAdd', { path: path('h2'), tags: ['t'] }),
      },
    },
    tagRemove: {
      'a file': {
        change: ({ call, path }) => call('tagRemove', { path: path('same'), tags: ['had'] }),
      },
    },
    metaSet: {
      'a file': {
        change: ({ call, path }) => call('metaSet', { path: path('e'), values: { k: 'v' } }),
      },
      'the directory itself': {
        change: ({ call, top }) => call('metaSet', { path: top, values: { k: top } }),
      },
    },
    snapshotCreate: {
      'shows it': {
        change: ({ call, id, top }) => call('snapshotCreate', { name: nameOf(id, top) }),
        look: snapshotsOf,
      },
    },
    snapshotRename: {
      'shows it': {
        change: async ({ call, id, top, at }) => {
          await call('snapshotCreate', { name: nameOf(id, top) })
          readdirSync(at('.avfs/snapshots'))
          await call('snapshotRename', { name: nameOf(id, top), newName: `${nameOf(id, top)}-2` })
        },
        look: snapshotsOf,
      },
    },
    snapshotDelete: {
      'shows it': {
        change: async ({ call, id, top, at }) => {
          await call('snapshotCreate', { name: nameOf(id, top) })
          readdirSync(at('.avfs/snapshots'))
          await call('snapshotDelete', { name: nameOf(id, top) })
        },
        look: snapshotsOf,
      },
    },
  }

function nameOf(id: string, top: string): string {
  return top === '/' ? id : `${id}-below`
}

function snapshotsOf({ at, id, top }: Place): string[] {
  return readdirSync(at('.avfs/snapshots')).filter((name) => name.startsWith(nameOf(id, top)))
}

function must(vault: TestVault, args: readonly string[]): void {
  const { status, stdout, stderr } = vault.avfs(args)
  if (status !== 0)
    throw new Error(`avfs ${args.join(' ')} ended with ${status}: ${stdout}${stderr}`)
}

function imported({ vault, id, path }: Place, name: string, content: string, mode = 0o644): void {
  const from = join(vault.root, `from-${id}`)
  writeFileSync(from, content, { mode })
  must(vault, ['import', from, `${vault.name}:${path(name)}`])
}
