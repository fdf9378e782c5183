// Users and groups of this machine by name, as passwd(5) and group(5) list them.

import { existsSync, readFileSync } from 'node:fs'

export type AccountList = '/etc/passwd' | '/etc/group'

/** The number of a user or group: of a name that is listed, or of its digits; undefined for anything else. */
export function accountId(list: AccountList, who: string): number | undefined {
  if (/^\d{1,10}$/.test(who)) return Number(who)
  const found = accounts(list).find(([name]) => name === who)
  return found === undefined ? undefined : Number(found[2])
}

/** What a user or group is called, or undefined. */
export function accountName(list: AccountList, id: number): string | undefined {
  return accounts(list).find((fields) => fields[2] === String(id))?.[0]
}

function accounts(list: AccountList): string[][] {
  if (!existsSync(list)) return []
  return readFileSync(list, 'latin1')
    .split('\n')
    .map((line) => line.split(':'))
}
