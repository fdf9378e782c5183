// Users and groups as the host's own files list them: passwd(5), group(5). Those of a directory
// service are not in them. Names are byte strings.

import { readFileSync } from 'node:fs'

type AccountList = '/etc/passwd' | '/etc/group'

/**
 * The number of a user or group: of a name that is listed, or of its digits; undefined for anything
 * else.
 */
export function accountId(list: AccountList, who: string): number | undefined {
  if (/^\d{1,10}$/.test(who)) return Number(who)
  const found = accounts(list).find(([name]) => name === who)
  return found === undefined ? undefined : Number(found[2])
}

/** What a user or group is called, or undefined. */
export function accountName(list: AccountList, id: number): string | undefined {
  return accounts(list).find((fields) => fields[2] === `${id}`)?.[0]
}

/**
 * Whether the group `gid` has, or may have, members beside `user`. Most systems give each user a
 * group alone: what that may write, nobody else writes. A group that is not listed is taken to have
 * some.
 */
export function groupHasOthers(gid: number, user: string): boolean {
  const groups = accounts('/etc/group').filter(([, , id]) => id === `${gid}`)
  if (groups.length === 0) return true
  const members = groups.flatMap(([, , , names = '']) => names.split(',').filter(Boolean))
  const primary = accounts('/etc/passwd').filter(([, , , id]) => id === `${gid}`)
  return [...members, ...primary.map(([name = '']) => name)].some((name) => name !== user)
}

/** The home directory of a user, or undefined for one who is not listed. */
export function homeOfUser(uid: number): string | undefined {
  const home = accounts('/etc/passwd').find(([, , id]) => id === `${uid}`)?.[5]
  return home && Buffer.from(home, 'latin1').toString()
}

function accounts(list: AccountList): string[][] {
  try {
    return readFileSync(list, 'latin1')
      .split('\n')
      .map((line) => line.split(':'))
  } catch {
    return []
  }
}
