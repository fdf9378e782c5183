// Views for people who open a vault with the sqlite3 shell: files, versions and history, by full
// path. The program itself does not read them. They are limited to the features of Debian 12's
// shell (3.40), and use no custom functions.
//
// A path starts at the root ('/'), whose inode is 1. Deleted files are shown under their last name.
// A past row's `until` or a present row's `since` of 9007199254740991 means a change that is not
// sealed yet.

import { isoOfMoment, isoOfSeconds } from './iso-time.ts'
import { versionsView } from './version-view.ts'

// `link` has every link that ever existed; `last` the last of each inode: the present one, else
// the one that ended last. The last links of deleted directories always lead up to the root, since
// a directory outlives its entries. The casts give constants the type of the columns they are
// joined with: without it SQLite builds no index for the join.
const LINKS = `link(parent, name, ino, type, origin, since, until, actor, fate, ended_by) as materialized (
  select parent, name, ino, type, origin, since, cast(9007199254740992 as integer), actor, null, 0 from entry
  union all
  select parent, name, ino, type, origin, since, until, actor, fate, ended_by from entry_past
),
last(ino, parent, name, type, until) as materialized (
  select ino, parent, name, type, max(until) from link group by ino
),
directory(ino, path) as (
  select cast(1 as integer), ''
  union all
  select last.ino, directory.path || '/' || last.name
  from directory join last on last.parent = directory.ino and last.type = 4
),
place(ino, path) as materialized (
  select cast(1 as integer), '/'
  union all
  select last.ino, directory.path || '/' || last.name from last join directory on directory.ino = last.parent
)`

/** The select of each view, by name. */
export const views: Readonly<Record<string, string>> = {
  // Versions are counted only on demand: it takes as long as the view of them.
  files: `with recursive tree(path, ino) as (
  select '', 1
  union all
  select tree.path || '/' || entry.name, entry.ino from tree join entry on entry.parent = tree.ino
),
saved(path, versions) as materialized (
  select path, count(number) from versions group by path
)
select
  case path when '' then '/' else path end as path,
  case mode >> 12
    when 1 then 'fifo' when 2 then 'character device' when 4 then 'directory' when 6 then 'block device'
    when 8 then 'file' when 10 then 'symlink' when 12 then 'socket'
  end as type,
  printf('%04o', mode & 4095) as mode,
  size,
  ${isoOfSeconds('mtime', 'mtime_ns')} as mtime,
  uid, gid, nlink,
  ifnull((select saved.versions from saved where saved.path = tree.path), 0) as versions,
  ino
from tree join inode using (ino)`,

  versions: versionsView(LINKS),

  history: `with recursive ${LINKS},
event(moment, what, ino, parent, name, actor) as (
  select
    since,
    case origin when 1 then 'renamed' when 2 then 'linked' when 3 then 'restored' else 'created' end,
    ino, parent, name, actor
  from link
  union all
  -- What was replaced or moved is not deleted.
  select until, 'deleted', ino, parent, name, ended_by from link where fate in (0, 3, 4)
)
select
  ${isoOfMoment('event.moment')} as at,
  directory.path || '/' || event.name as path,
  what,
  (
    select size from version
    where version.ino = event.ino and (version.moment <= event.moment or version.number = 1)
    order by number desc limit 1
  ) as size,
  event.ino as ino,
  moment,
  actor.uid as by_uid,
  actor.pid as by_pid,
  actor.command as by_command
from event join directory on directory.ino = event.parent left join actor on actor.id = event.actor
union all
select
  ${isoOfMoment('version.moment')}, place.path, 'changed', version.size, version.ino, moment,
  actor.uid, actor.pid, actor.command
from version left join place using (ino) left join actor on actor.id = version.actor
where number > 1
order by moment`,
}
