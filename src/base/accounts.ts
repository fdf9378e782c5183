// Users and groups in the host's own files, passwd(5) and group(5), which do not include those of a
// directory service. Names are byte strings.

import { readFileSync } from 'node:fs'

type AccountList = '/etc/passwd' | '/etc/group'

/** The id of a user or group, given by a listed name or in digits; undefined for anything else. */
export function accountId(list: AccountList, who: string): number | undefined {
  if (/^\d{1,10}$/.test(who)) return Number(who)
  const found = accounts(list).find(([name]) => name === who)
  return found === undefined ? undefined : Number(found[2])
}

/** The name of a user or group, or undefined. */
export function accountName(list: AccountList, id: number): string | undefined {
  return accounts(list).find((fields) => fields[2] === `${id}`)?.[0]
}

/**
 * Whether the group `gid` has, or may have, members other than `user`. Most systems give each user
 * a private group: what it may write, nobody else writes. A group that is not listed is assumed to
 * have others.
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
