// What lies in a vault's folder, and beside the vault under the names that its engine uses, before
// that opens it: an engine follows links, and takes a log or a lock for its own by the name alone.
// A stranger may have put them there, or in an archive with the vault.

import { lstatSync, readdirSync, type Stats } from 'node:fs'
import { join } from 'node:path'
import { isTrusted, ownUser, StrangerError } from '../base/own-files.ts'

const ADVICE = 'look what it is, and remove it or the vault'

/**
 * Throws StrangerError where a folder of the vault has a link in it, or where one of `files`, the
 * vault's own first, is a link or belongs to somebody else than the vault, this user or root.
 */
export function assertOwnParts(files: readonly string[]): void {
  const [path, ...beside] = files
  const own = path === undefined ? undefined : partOf(path)
  const owner = own?.uid ?? ownUser()
  if (path !== undefined && own?.isDirectory() === true) assertNoLinks(path)
  for (const file of beside) {
    const found = partOf(file)
    if (found === undefined) continue
    if (found.isSymbolicLink())
      throw new StrangerError(file, `is a link, which no engine makes: ${ADVICE}`)
    if (found.uid !== owner && !isTrusted(found.uid))
      throw new StrangerError(file, `belongs to user ${found.uid}, and not to the vault: ${ADVICE}`)
    if (found.isDirectory()) assertNoLinks(file)
  }
}

function partOf(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false })
}

function assertNoLinks(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isSymbolicLink())
      throw new StrangerError(path, `is a link, which no engine makes: ${ADVICE}`)
    if (entry.isDirectory()) assertNoLinks(path)
  }
}
