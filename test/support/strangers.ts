// Vaults from strangers: each has one kind of row that no vault of ours has, put into a sound vault
// (stranger-base.ts). On key-value engines a row is put through the engine; SQLite's file also gets
// rows that no engine would write.

import { zstdCompressSync } from 'node:zlib'
import Database from 'better-sqlite3'
import {
  actor,
  block,
  type Collection,
  type EntryRow,
  entry,
  entryPast,
  extent,
  hardlink,
  type InodeRow,
  inodePast,
  inode as inodes,
  type Key,
  orphan,
  setting,
  snapshot,
  tag,
  tagging,
  xattr,
} from '../../src/store/collections.ts'
import { openEngine } from '../../src/store/open.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import type { Changes, Store } from '../../src/store/store.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { changes } from '../store/rows.ts'

/** Rows of the base by which hostile ones are made. */
interface Base {
  readonly store: Store
  readonly d: InodeRow
  readonly dName: EntryRow
  readonly file: InodeRow
  readonly fileName: EntryRow
  readonly large: InodeRow
  readonly before: number
}

/**
 * `rows` for every engine, `sql` for SQLite's file alone. `isRefused`: the vault is not even
 * opened.
 */
export interface Stranger {
  readonly what: string
  readonly rows?: (base: Base) => readonly Changes[]
  readonly sql?: readonly string[]
  readonly isRefused?: true
  /** A check has nothing to say of it: who reads it ends all the same. */
  readonly isSound?: true
  /** Only who reads every block finds it. */
  readonly deep?: true
}

/** Puts the rows of one into the vault at a path, which nobody has open. */
export async function spoil(path: string, { rows, sql }: Stranger): Promise<void> {
  if (sql !== undefined) {
    const db = new Database(path)
    for (const statement of sql) db.exec(statement)
    db.close()
    return
  }
  const store = await openEngine(path)
  await store.commit((rows as NonNullable<typeof rows>)(await baseOf(store)))
  await store.close()
}

async function baseOf(store: Store): Promise<Base> {
  const get = <R extends object>(collection: Collection<R>, key: Key): Promise<R> =>
    retryUntilLoaded(() => store.get(collection, key) as R)
  const dName = await get(entry, [ROOT_INO, 'd'])
  const fileName = await get(entry, [dName.ino, 'f1'])
  const largeName = await get(entry, [ROOT_INO, 'large'])
  return {
    store,
    dName,
    fileName,
    d: await get(inodes, [dName.ino]),
    file: await get(inodes, [fileName.ino]),
    large: await get(inodes, [largeName.ino]),
    before: (await get(snapshot, ['before'])).moment,
  }
}

const names = ['..', '.', 'a/b', '../../outside/x', '/', '', 'a\0b', 'x'.repeat(300)]
const shown = (name: string): string => JSON.stringify(name.slice(0, 20))
const FREE_INO = 100_000
const DEEP = 30

/** A directory that is there since before the snapshot. */
function directory({ d, before }: Base, ino: number, parent: number, name: string): InodeRow {
  return { ...d, ino, parent, name, size: 0, nlink: 2, since: before - 1 }
}

function nameOf(base: Base, parent: number, name: string, ino: number): EntryRow {
  return { ...base.dName, parent, name, ino, since: base.before - 1 }
}

/**
 * Levels of directories of which each has two names in the one above: more ways than anybody can
 * go.
 */
function diamonds(base: Base): Changes[] {
  const at = (level: number): number => (level === 0 ? ROOT_INO : FREE_INO + level)
  const levels = Array.from({ length: DEEP }, (_, level) => level + 1)
  return [
    changes(
      inodes,
      levels.map((level) => directory(base, at(level), at(level - 1), 'a')),
    ),
    changes(
      entry,
      levels.flatMap((level) =>
        ['a', 'b'].map((name) => nameOf(base, at(level - 1), name, at(level))),
      ),
    ),
  ]
}

/** Two directories in each other, and a name of the one in the root. */
function ring(base: Base): Changes[] {
  const [one, two] = [FREE_INO, FREE_INO + 1]
  return [
    changes(inodes, [directory(base, one, two, 'one'), directory(base, two, one, 'two')]),
    changes(entry, [
      nameOf(base, two, 'one', one),
      nameOf(base, one, 'two', two),
      nameOf(base, ROOT_INO, 'ring', one),
    ]),
  ]
}

const settings = [
  ['next_ino', '-5'],
  ['next_ino', '9007199254740991'],
  ['moment', 'noon'],
  ['moment', '9007199254740990'],
  ['inodes', '-1'],
] as const
/** Texts of which those who read them make something. */
const texts = [
  ['history.exclude', '[[[,{{{,**/**/**'],
  ['keep.versions', 'many'],
  ['purging', 'x'],
  ['backup', '{'],
  ['unswept', '{"'],
] as const

const inRows: readonly Stranger[] = [
  ...names.map(
    (name): Stranger => ({
      what: `a file called ${shown(name)}`,
      rows: ({ fileName }) => [changes(entry, [{ ...fileName, name }])],
    }),
  ),
  ...['..', '../../outside/x'].flatMap((name): Stranger[] => [
    {
      what: `a directory called ${shown(name)}`,
      rows: ({ dName }) => [changes(entry, [{ ...dName, name }])],
    },
    {
      what: `a former file called ${shown(name)}`,
      rows: ({ fileName, before }) => [
        changes(entryPast, [
          { ...fileName, name, since: before - 1, until: before + 1, fate: 0, endedBy: 0 },
        ]),
      ],
    },
    {
      what: `a further name ${shown(name)}`,
      rows: ({ file }) => [changes(hardlink, [{ ino: file.ino, parent: file.parent, name }])],
    },
    {
      what: `an inode that says ${shown(name)}`,
      rows: ({ file }) => [changes(inodes, [{ ...file, name }])],
    },
  ]),
  ...['..', 'a/b', '\x1b[2J'].map(
    (name): Stranger => ({
      what: `a snapshot called ${shown(name)}`,
      rows: ({ before }) => [changes(snapshot, [{ name, moment: before, createdAt: 1 }])],
    }),
  ),
  ...['a,b', 'a\0b'].map(
    (name): Stranger => ({
      what: `a tag called ${shown(name)}`,
      rows: ({ file }) => [
        changes(tag, [{ name, since: 1 }]),
        changes(tagging, [{ ino: file.ino, tag: name, since: 1 }]),
      ],
    }),
  ),
  {
    what: 'attributes with names and values that are none',
    rows: ({ file }) => [
      changes(xattr, [
        { ino: file.ino, name: 'user.\0', value: Buffer.from('x'), since: 1 },
        { ino: file.ino, name: 'user.large', value: Buffer.alloc(1024 * 1024), since: 1 },
      ]),
    ],
  },
  ...[0, 0o30000, 0o170644, 2 ** 40, 2 ** 53 - 1].map(
    (mode): Stranger => ({
      what: `a file of mode ${mode}`,
      rows: ({ file }) => [changes(inodes, [{ ...file, mode }])],
    }),
  ),
  ...(
    [
      { uid: 2 ** 40 },
      { gid: 2 ** 53 - 1 },
      { nlink: 2 ** 40 },
      { rdev: 2 ** 40 },
      { mtimeNs: 2_000_000_000 },
      { parent: 2 ** 53 - 1 },
      { mode: 0o120777, size: 2 ** 50 },
      { mode: 0o40755 },
      { mode: 0o120777 },
      { size: 3 },
      { nlink: 77 },
      { xattrs: 9 },
      { tags: 9 },
      { versions: 2 ** 50 },
      { versions: 2 ** 53 - 1 },
      { xattrs: 2 ** 53 - 1 },
      { allocated: 2 ** 50 },
      { actor: 2 ** 50 },
      { since: 2 ** 53 - 2 },
    ] as const
  ).map(
    (fields): Stranger => ({
      what: `a file with ${JSON.stringify(fields)}`,
      rows: ({ file }) => [changes(inodes, [{ ...file, ...fields }])],
    }),
  ),
  {
    what: 'a former state of an absurd size and kind',
    rows: ({ file, before }) => [
      changes(inodePast, [
        { ...file, mode: 0o120777, size: 2 ** 52, since: before - 1, until: before + 1 },
      ]),
    ],
  },
  ...(
    [
      { type: 7 },
      { type: 77 },
      { origin: 9 },
      { ino: 2 ** 53 - 1 },
      { ino: 4711 },
      { ino: 0 },
    ] as const
  ).map(
    (fields): Stranger => ({
      what: `a name with ${JSON.stringify(fields)}`,
      rows: ({ fileName }) => [changes(entry, [{ ...fileName, ...(fields as Partial<EntryRow>) }])],
    }),
  ),
  ...[2 ** 52, 2 ** 53 - 1].map(
    (id): Stranger => ({
      what: `a program whose number is ${id}`,
      rows: () => [changes(actor, [{ id, uid: 0, pid: 1, command: 'x', since: 1 }])],
      ...(id === 2 ** 52 ? { isSound: true } : {}),
    }),
  ),
  {
    what: 'a directory in itself',
    rows: (base) => [changes(entry, [nameOf(base, base.d.ino, 'self', base.d.ino)])],
  },
  {
    what: 'the root in a directory',
    rows: (base) => [changes(entry, [nameOf(base, base.d.ino, 'up', ROOT_INO)])],
  },
  {
    what: 'the root in itself, counted',
    rows: (base) => [changes(entry, [nameOf(base, ROOT_INO, 'root', ROOT_INO)])],
  },
  {
    what: 'a directory with two names',
    rows: (base) => [changes(entry, [nameOf(base, ROOT_INO, 'again', base.d.ino)])],
  },
  { what: 'a ring of directories', rows: ring },
  { what: 'directories with two names, one below the other', rows: diamonds },
  {
    what: 'a name in a file',
    rows: (base) => [changes(entry, [nameOf(base, base.file.ino, 'x', base.large.ino)])],
  },
  ...[0o100644, 0o120777, 0o60644].map(
    (mode): Stranger => ({
      what: `a root of mode ${mode.toString(8)}`,
      rows: ({ d }) => [
        changes(inodes, [{ ...d, ino: ROOT_INO, parent: ROOT_INO, name: '', mode }]),
      ],
    }),
  ),
  { what: 'no root', rows: () => [changes(inodes, [], [[ROOT_INO]])] },
  ...(
    [
      { length: 2 ** 40 },
      { blockOffset: 2 ** 40 },
      { offset: 2 ** 52 },
      { hash: '' },
      { hash: 'short' },
      { hash: 'x'.repeat(32) },
      { offset: 1 },
    ] as const
  ).map(
    (fields): Stranger => ({
      what: `an extent with ${JSON.stringify(fields)}`,
      rows: ({ large }) => {
        const row = {
          ino: large.ino,
          offset: 0,
          length: 5,
          hash: '',
          blockOffset: 0,
          crc: 0,
          data: null,
          since: 1,
        }
        return [changes(extent, [{ ...row, ...fields }])]
      },
    }),
  ),
  {
    what: 'a block that would be much more than it says',
    deep: true,
    rows: ({ large }) => {
      const hash = 'b'.repeat(32)
      const data = zstdCompressSync(Buffer.alloc(256 * 1024 * 1024))
      const row = {
        ino: large.ino,
        offset: 0,
        length: 131_072,
        hash,
        blockOffset: 0,
        crc: 0,
        data: null,
        since: 1,
      }
      return [changes(block, [{ hash, size: 131_072, codec: 1, data }]), changes(extent, [row])]
    },
  },
  { what: 'a root that is an orphan', rows: () => [changes(orphan, [{ ino: ROOT_INO }])] },
  ...settings.map(
    ([name, value]): Stranger => ({
      what: `setting ${name} ${value}`,
      rows: () => [changes(setting, [{ name, value }])],
    }),
  ),
  ...texts.map(
    ([name, value]): Stranger => ({
      what: `setting ${name} ${value}`,
      rows: () => [changes(setting, [{ name, value }])],
      isSound: true,
    }),
  ),
  {
    what: 'a file of 8 PiB without a byte',
    rows: ({ file }) => [changes(inodes, [{ ...file, size: 2 ** 53 - 1 }])],
    isSound: true,
  },
]

const file = `(select ino from entry where name = 'f1')`
const inFiles: readonly Stranger[] = [
  ...['mode', 'size', 'uid', 'mtime', 'since']
    .flatMap((column): Stranger[] =>
      ["'text'", '1.5', '-1', "x'00'", '9223372036854775807'].map((value) => ({
        what: `${column} is ${value}`,
        sql: [`update inode set "${column}" = ${value} where ino = ${file}`],
      })),
    )
    .filter(({ what }) => what !== 'mtime is -1'),
  ...["x'ff'", "x'666f'", '7', '1.5'].map((value) => ({
    what: `a name is ${value}`,
    sql: [`update entry set name = ${value} where name = 'f1'`],
  })),
  ...["'text'", '1.5', '-1', "x'00'"].map((value) => ({
    what: `the directory of a name is ${value}`,
    sql: [`update entry set parent = ${value} where name = 'f1'`],
  })),
  ...['1.5', '1e30', '-1', `'a b'`].map((value) => ({
    what: `the inode of a former tag is ${value}`,
    sql: [`insert into tagging_past values (${value}, 'x', 5, 6)`],
  })),
  {
    what: 'names of tags that are no UTF-8',
    sql: [
      `insert into tag values (cast(x'61ff' as text), 5)`,
      `insert into tagging_past values (3, cast(x'61ff' as text), 5, 6)`,
    ],
    // They are read as other names, and walks over them end.
    isSound: true,
  },
  { what: 'a digest is text', sql: [`update extent set hash = 'text'`] },
  { what: 'content is a number', sql: [`update extent set data = 7`] },
  {
    what: 'a view in the place of a table',
    sql: ['alter table entry rename to entry0', 'create view entry as select * from entry0'],
    isRefused: true,
  },
  {
    what: 'another table in the place of one',
    sql: ['alter table tag rename to tag0', 'create table tag (name, since)'],
    isRefused: true,
  },
  {
    what: 'a trigger',
    sql: ['create trigger t after insert on inode begin delete from entry; end'],
    isRefused: true,
  },
  {
    what: 'an index over an expression',
    sql: ['create index i on inode (abs(size))'],
    isRefused: true,
  },
]

/** For the engine of a name. */
export function strangersFor(backend: string): readonly Stranger[] {
  return backend === 'sqlite' ? [...inRows, ...inFiles] : inRows
}
