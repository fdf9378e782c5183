// The view `versions`: for each path, the versions that `avfs log` shows. The rules are those of
// vault/history/versions.ts, translated to SQL with the same names: a change there needs one here.
// Versions that log shows under no path come last, without a number.

import { isoOfMoment, isoOfSeconds } from './iso-time.ts'

const PROVISIONAL = '9007199254740991'
/**
 * How many spans of other names a deleted name may inherit. Programs that move a file aside under a
 * new name at each save leave as many names as versions, each with the whole history so far.
 */
const BROUGHT_MAX = 50

/**
 * The number of versions (or the column `what`) that an inode had at a moment; null where it had no
 * state then. Arguments are qualified column names.
 */
function stateAt(ino: string, moment: string, what = 'versions'): string {
  return `ifnull(
    (select ${what} from inode where inode.ino = ${ino} and inode.since <= ${moment} and nlink > 0),
    (select case when past.until > ${moment} then ${what} end from inode_past as past
      where past.ino = ${ino} and past.since <= ${moment} order by past.since desc limit 1))`
}

function newestBefore(ino: string, moment: string): string {
  return `(select ifnull(max(number), 0) from version where version.ino = ${ino} and version.moment < ${moment})`
}

// Span ids are ordered by name and begin, so the span before, of the same name, is id - 1. `prior`
// is the span that precedes a span in its history; `heir` is the span that a span was renamed to,
// if that inherits its history.
const SPANS = `name_row(parent, name, ino, type, origin, from_parent, from_name, actor, since, until, fate) as (
  select parent, name, ino, type, origin, from_parent, from_name, actor, since, ${PROVISIONAL}, null from entry
  union all
  select parent, name, ino, type, origin, from_parent, from_name, actor, since, until, fate from entry_past
),
ordered as materialized (
  select
    name_row.*,
    row_number() over (order by parent, name, since) as id,
    lag(until) over its as before_until, lag(fate) over its as before_fate, lag(ino) over its as before_ino
  from name_row window its as (partition by parent, name order by since)
),
pinned as materialized (
  select
    ordered.*,
    ifnull(before_until = ordered.since, 0) as follows,
    ifnull(before_until = ordered.since, 0) or ifnull(numbering.replaced, 0) as replaced,
    ifnull(begins, 0) as begins
  from ordered left join numbering using (parent, name, since)
),
span as materialized (
  select
    id, parent, name, ino, type, actor, since, until, replaced, begins, source,
    min(id) over its as spot,
    max(fate is null) over its as is_there,
    case
      when replaced then case when follows then id - 1 end
      when source is not null then source
      when since - before_until < 1000000 and (
        before_fate in (0, 4) or before_fate = 2 and ${stateAt('sourced.before_ino', '(sourced.since + 10000000)')} is null
      ) then id - 1
    end as prior
  from (
    select
      pinned.*,
      (select origin.id from ordered as origin
        where pinned.origin = 1 and origin.parent = pinned.from_parent and origin.name = pinned.from_name
          and origin.until = pinned.since and origin.ino = pinned.ino and origin.since < pinned.since) as source
    from pinned
  ) as sourced window its as (partition by parent, name)
),
heir(id, spot, prior) as materialized (
  select id, spot, prior from span where prior = source and not begins and not replaced
)`

// A chain goes back from a span of a name until it meets a span already seen. A span reached by
// more than one chain occurs twice; the first counts.
const CHAINS = `chain(own, spot, parent, name, at, remaining) as materialized (
  select id, spot, parent, name, id, case when is_there then ${PROVISIONAL} else ${BROUGHT_MAX} end from span
  union all
  select chain.own, chain.spot, chain.parent, chain.name, before.id, remaining - 1
  from chain
  join span on span.id = chain.at
  join span as before on before.id = span.prior
  left join heir on heir.prior = before.id
  where remaining > 0
    and not (chain.at = chain.own and span.replaced)
    and before.spot <> chain.spot
    and (heir.id is null or heir.spot <> chain.spot or heir.id >= chain.own)
    and not exists (
      select 1 from numbering
      where numbering.parent = chain.parent and numbering.name = chain.name and numbering.since = span.since and begins = 1
    )
),
seen as materialized (
  select min(own) as own, spot, parent, name, at from chain
  where spot not in (select spot from chain where remaining = 0)
  group by spot, at
),
counted as materialized (
  select
    seen.own, seen.spot, span.ino, span.since, span.replaced, span.actor,
    known.version as pinned, known.number as pinned_number,
    max(1, ifnull(known.version, case
      when not span.replaced then 1
      else ifnull(${stateAt('span.ino', 'span.since')}, ${newestBefore('span.ino', '(span.since + 1)')})
    end)) as first,
    case
      when span.until = ${PROVISIONAL} then ifnull((select versions from inode where inode.ino = span.ino), 0)
      else ifnull(${stateAt('span.ino', '(span.until - 1)')}, ${newestBefore('span.ino', 'span.until')})
    end as last
  from seen
  join span on span.id = seen.at
  left join numbering as known
    on known.parent = seen.parent and known.name = seen.name and known.since = span.since and known.ino = span.ino
  where span.type <> 4
)`

// Numbers continue from the greatest so far, except where prune recorded one: a running maximum of
// sums.
const NUMBERS = `started as (
  select *, max(first, already + 1) as start, case when pinned > already then pinned_number - pinned end as shift
  from (
    select *, ifnull(max(case when last >= first then last end) over (
      partition by spot, ino order by own, since rows between unbounded preceding and 1 preceding
    ), 0) as already
    from counted
  )
),
summed as (
  select *, sum(case when shift is null then last - start + 1 else 0 end) over (
    partition by spot order by own, since rows unbounded preceding
  ) as total
  from started where start <= last
),
shifted as (
  select *, ifnull(shift, total - last + max(0, ifnull(max(shift + last - total) over (
    partition by spot order by own, since rows unbounded preceding
  ), 0))) as before
  from summed
),
numbered as materialized (
  select
    spot, ino, version, version + before as number, size,
    case when came then since else moment end as moment,
    case when came then ${stateAt('its.ino', 'its.since', isoOfSeconds('mtime', 'mtime_ns'))}
    else ${isoOfSeconds('mtime', 'mtime_ns')} end as mtime,
    case when came then by_name else by_version end as actor
  from (
    select
      spot, version.ino as ino, version.number as version, before, size, since, moment, mtime, mtime_ns,
      shifted.actor as by_name, version.actor as by_version,
      -- What took another's place is shown as it was when it came.
      replaced and moment < since and version.number = ${stateAt('shifted.ino', 'shifted.since')} as came
    from shifted join version on version.ino = shifted.ino and version.number between start and last
  ) as its
)`

// The path of a name is the present or last path of its directory. If several directories had the
// same path, the present one counts, otherwise the latest that knows the name, in the order of
// spotsOf in vault/history/paths.ts, among all directories that ever existed.
const PATHS = `former as materialized (
  select parent, name, ino,
    case row_number() over (partition by parent, name order by max(since) desc)
      when 1 then '0' else printf('1%016d', ${PROVISIONAL} - max(since)) end as turn
  from span where type = 4 group by parent, name, ino
),
candidate(path, ino, turns) as (
  select '', cast(1 as integer), ''
  union
  select candidate.path || '/' || former.name, former.ino, candidate.turns || former.turn
  from candidate cross join former on former.parent = candidate.ino
  where candidate.path || '/' || former.name in (select path from directory)
),
called as materialized (
  select spot, parent, name from span where spot in (select spot from numbered) group by spot
),
shown(path, spot, turns) as materialized (
  select candidate.path || '/' || called.name as path, called.spot, min(candidate.turns)
  from called join candidate on candidate.ino = called.parent
  group by 1
),
told(path, number, moment, size, mtime, ino, actor) as (
  select path, number, moment, size, mtime, ino, actor from shown join numbered using (spot)
  union all
  select path, null, moment, size, ${isoOfSeconds('mtime', 'mtime_ns')}, ino, actor
  from version left join place using (ino)
  where (ino, number) not in (select ino, version from shown join numbered using (spot))
)`

/** `links`: the CTEs `directory` and `place`, with the paths of directories and inodes. */
export function versionsView(links: string): string {
  return `with recursive ${[links, SPANS, CHAINS, NUMBERS, PATHS].join(',\n')}
select
  path,
  number,
  ${isoOfMoment('told.moment')} as saved,
  size,
  mtime,
  ino,
  actor.uid as by_uid,
  actor.pid as by_pid,
  actor.command as by_command
from told left join actor on actor.id = told.actor`
}
