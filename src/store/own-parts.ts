// Checks the files of a vault, and those beside it under names that its engine uses, before the
// engine opens them: an engine follows symbolic links, and trusts a log or lock by its name alone.
// Another user may have placed them there, or in an archive together with the vault.

import { lstatSync, readdirSync, type Stats } from 'node:fs'
import { join } from 'node:path'
import { isTrusted, ownUser, StrangerError } from '../base/own-files.ts'

const ADVICE = 'look what it is, and remove it or the vault'

/**
 * Throws StrangerError if a folder of the vault contains a symbolic link, or if one of `files` (the
 * vault's own first) is one or belongs to anyone but the vault's owner, this user or root.
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
