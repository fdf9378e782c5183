// The SQL views for people, read with the stock sqlite3 shell where it is installed, while the
// vault is open and after.

import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import {
  actor,
  type EntryRow,
  entry,
  entryPast,
  type InodeRow,
  inode,
  inodePast,
  PROVISIONAL,
  version,
} from '../../src/store/collections.ts'
import { openStore } from '../../src/store/open.ts'
import type { Store } from '../../src/store/store.ts'
import { changes } from './rows.ts'

/** A moment: 2026-01-01T00:00:00Z and so many seconds. */
const at = (seconds: number) => Date.UTC(2026, 0, 1) * 1000 + seconds * 1_000_000
const shell = spawnSync('sqlite3', ['-version']).status === 0

/** The lines that the sqlite3 shell prints, or would. */
function query(t: Test, path: string, sql: string): string[] {
  if (shell) {
    const { stdout, stderr } = spawnSync('sqlite3', [path, sql], { encoding: 'latin1' })
    t.equal(stderr, '')
    return stdout.split('\n').slice(0, -1)
  }
  const db = new Database(path, { readonly: true })
  const rows = db.prepare(sql).raw().all() as (string | number | null)[][]
  db.close()
  return rows.map((row) => Buffer.from(row.map((cell) => cell ?? '').join('|')).toString('latin1'))
}

function inodeRow(ino: number, mode: number, size: number, more: Partial<InodeRow> = {}): InodeRow {
  return {
    ...{ ino, mode, nlink: 1, uid: 1000, gid: 100, rdev: 0, size, allocated: size },
    ...{ parent: 0, name: '', xattrs: 0, tags: 0, versions: 0 },
    ...{ atime: 0, atimeNs: 0, mtime: 1_700_000_000, mtimeNs: 42, ctime: 0, ctimeNs: 0 },
    ...{ btime: 0, btimeNs: 0, actor: 0, since: at(0) },
    ...more,
  }
}

function entryRow(
  parent: number,
  name: string,
  ino: number,
  type: number,
  since: number,
): EntryRow {
  return {
    parent,
    name,
    ino,
    type,
    origin: 0 as const,
    actor: 0,
    fromParent: 0,
    fromName: '',
    since,
  }
}

/**
 * /docs and /docs/a.txt with two versions, /b.txt that was /docs/old.txt, and /gone/deleted.txt of
 * a deleted directory.
 */
async function fill(store: Store): Promise<void> {
  const v = (ino: number, number: number, seconds: number, size: number) => ({
    ...{ ino, number, moment: at(seconds), size, mtime: -1, mtimeNs: 5 },
    ...{ mode: 0o100644, uid: 0, gid: 0, actor: 0 },
  })
  await store.commit([
    changes(actor, [
      { id: 1, uid: 1000, pid: 77, command: 'vim', since: at(0) },
      { id: 2, uid: 0, pid: 78, command: 'mv', since: at(0) },
    ]),
    changes(inode, [
      inodeRow(1, 0o40755, 0),
      inodeRow(2, 0o40700, 0),
      inodeRow(3, 0o100644, 30, { versions: 2, since: at(7) }),
      inodeRow(4, 0o104755, 4, { mtime: -1, versions: 1 }),
      inodeRow(5, 0o120777, 3),
    ]),
    changes(inodePast, [
      { ...inodeRow(3, 0o100644, 10, { versions: 1, since: at(2) }), until: at(7) },
    ]),
    changes(entry, [
      entryRow(1, 'docs', 2, 4, at(1)),
      entryRow(2, 'a.txt', 3, 8, at(2)),
      {
        ...entryRow(1, 'b.txt', 4, 8, at(6)),
        origin: 1,
        fromParent: 2,
        fromName: 'old.txt',
        actor: 2,
      },
      entryRow(2, 'gr\xc3\xbc\xff', 5, 10, PROVISIONAL),
    ]),
    changes(entryPast, [
      { ...entryRow(2, 'old.txt', 4, 8, at(3)), until: at(6), fate: 2, endedBy: 2 },
      { ...entryRow(1, 'gone', 7, 4, at(4)), until: at(9), fate: 0, endedBy: 0 },
      { ...entryRow(7, 'deleted.txt', 8, 8, at(5)), until: at(8), fate: 0, endedBy: 1 },
      // What /docs/a.txt took the place of, by rename.
      { ...entryRow(2, 'a.txt', 9, 8, at(1.5)), until: at(2), fate: 1, endedBy: 0 },
    ]),
    changes(version, [
      v(3, 1, 2, 10),
      { ...v(3, 2, 7, 30), actor: 1 },
      v(4, 1, 3, 4),
      v(8, 1, 5, 55),
      v(8, 2, 7.5, 56),
    ]),
  ])
}

const files = [
  '/|directory|0755|0',
  '/b.txt|file|4755|4',
  '/docs|directory|0700|0',
  '/docs/a.txt|file|0644|30',
  '/docs/gr\xc3\xbc\xff|symlink|0777|3',
]

t.test('files lists every path, while the vault is open and after', async (t) => {
  const path = join(t.testdir(), 'vault.avfs')
  const store = await openStore(path, { create: true })
  await fill(store)
  const sql = 'select path, type, mode, size from files order by path'
  t.same(query(t, path, sql), files)
  await store.close()
  t.same(query(t, path, sql), files)
  t.same(
    query(
      t,
      path,
      "select mtime, uid, gid, nlink, versions, ino from files where path = '/docs/a.txt'",
    ),
    ['2023-11-14T22:13:20.000000042Z|1000|100|1|2|3'],
  )
  t.same(query(t, path, "select mtime from files where path = '/b.txt'"), [
    '1969-12-31T23:59:59.000000042Z',
  ])
  t.same(query(t, path, 'select path, size from files where size > 4'), ['/docs/a.txt|30'])
})

t.test('versions lists those of each name, also of one that is gone', async (t) => {
  const path = join(t.testdir(), 'vault.avfs')
  const store = await openStore(path, { create: true })
  await fill(store)
  await store.close()
  t.same(query(t, path, 'select path, number, size, saved from versions order by path, number'), [
    '/b.txt|1|4|2026-01-01T00:00:03.000000Z',
    '/docs/a.txt|1|10|2026-01-01T00:00:02.000000Z',
    '/docs/a.txt|2|30|2026-01-01T00:00:07.000000Z',
    '/docs/old.txt|1|4|2026-01-01T00:00:03.000000Z',
    '/gone/deleted.txt|1|55|2026-01-01T00:00:05.000000Z',
    '/gone/deleted.txt|2|56|2026-01-01T00:00:07.500000Z',
  ])
})

t.test('versions and history tell who did it, as far as is known', async (t) => {
  const path = join(t.testdir(), 'vault.avfs')
  const store = await openStore(path, { create: true })
  await fill(store)
  await store.close()
  const who =
    "coalesce(by_uid, '') || ' ' || coalesce(by_pid, '') || ' ' || coalesce(by_command, '')"
  t.same(query(t, path, `select path, number, ${who} from versions where by_uid is not null`), [
    '/docs/a.txt|2|1000 77 vim',
  ])
  t.same(query(t, path, `select what, path, ${who} from history where by_uid is not null`), [
    'renamed|/b.txt|0 78 mv',
    'changed|/docs/a.txt|1000 77 vim',
    'deleted|/gone/deleted.txt|1000 77 vim',
  ])
})

t.test('history tells what was created, changed, renamed and deleted, in order', async (t) => {
  const path = join(t.testdir(), 'vault.avfs')
  const store = await openStore(path, { create: true })
  await fill(store)
  await store.close()
  const sql = 'select what, path, size, substr(at, 18, 4) from history where at is not null'
  t.same(query(t, path, sql), [
    'created|/docs||01.0',
    'created|/docs/a.txt||01.5',
    'created|/docs/a.txt|10|02.0',
    'created|/docs/old.txt|4|03.0',
    'created|/gone||04.0',
    'created|/gone/deleted.txt|55|05.0',
    'renamed|/b.txt|4|06.0',
    'changed|/docs/a.txt|30|07.0',
    'changed|/gone/deleted.txt|56|07.5',
    'deleted|/gone/deleted.txt|56|08.0',
    'deleted|/gone||09.0',
  ])
  t.same(query(t, path, 'select what from history where at is null'), ['created'])
})

t.test('the views of 30,000 files answer in seconds', async (t) => {
  const path = join(t.testdir(), 'vault.avfs')
  const store = await openStore(path, { create: true })
  const inos = Array.from({ length: 30_000 }, (_, i) => i + 2)
  await store.commit([
    changes(inode, [inodeRow(1, 0o40755, 0), ...inos.map((ino) => inodeRow(ino, 0o100644, 1))]),
    changes(
      entry,
      inos.map((ino) => entryRow(1, `f${ino}`, ino, 8, at(ino))),
    ),
    changes(
      version,
      inos.map((ino) => ({
        ino,
        number: 1,
        moment: at(ino),
        size: 1,
        mode: 0o100644,
        uid: 0,
        gid: 0,
        mtime: 0,
        mtimeNs: 0,
        actor: 0,
      })),
    ),
  ])
  await store.close()
  const started = performance.now()
  const counted = ['files', 'versions', 'history'].flatMap((view) =>
    query(t, path, `select count(*) from (select path, size from ${view})`),
  )
  t.same(counted, ['30001', '30000', '30000'])
  t.ok(performance.now() - started < 10_000, 'a join without an index would take minutes')
})
