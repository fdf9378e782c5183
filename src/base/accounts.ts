// What the host's own files say of users and groups: passwd(5), group(5). Those of a directory service are not in them.

import { readFileSync } from 'node:fs'

/**
 * Whether the group `gid` has, or may have, members beside `user`. Most systems give each user a group alone: what that may write, nobody
 * else writes. A group that is not in the host's own files is taken to have some.
 */
export function groupHasOthers(gid: number, user: string): boolean {
  const groups = linesOf('/etc/group').filter(([, , id]) => id === `${gid}`)
  if (groups.length === 0) return true
  const members = groups.flatMap(([, , , names = '']) => names.split(',').filter(Boolean))
  const primary = linesOf('/etc/passwd').filter(([, , , id]) => id === `${gid}`)
  return [...members, ...primary.map(([name = '']) => name)].some((name) => name !== user)
}

/** The home directory of a user, or undefined for one who is not in the host's own files. */
export function homeOfUser(uid: number): string | undefined {
  return linesOf('/etc/passwd').find(([, , id]) => id === `${uid}`)?.[5]
}

function linesOf(file: string): string[][] {
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .map((line) => line.split(':'))
  } catch {
    return []
  }
}
