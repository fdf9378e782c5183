// What a snapshot or a tag may be called. Snapshots are file names in the views; tags are what
// desktops write, and have a name there.

import { EINVAL, ENAMETOOLONG, fail } from '../../base/errno.ts'
import { NAME_BYTES_MAX, TAG_BYTES_MAX } from '../../base/limits.ts'
import { cutName, SLASH } from '../../base/names.ts'

/**
 * Throws EINVAL for a name that cannot be a file's or that would garble a terminal, ENAMETOOLONG.
 */
export function assertSnapshotName(name: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  if (name === '' || name === '.' || name === '..' || /[/\x00-\x1f\x7f-\x9f]/.test(name))
    fail(EINVAL)
  if (Buffer.byteLength(name) > NAME_BYTES_MAX) fail(ENAMETOOLONG)
}

/**
 * Throws EINVAL for a tag that user.xdg.tags cannot hold, which separates by commas and trims, or
 * that would garble a terminal; ENAMETOOLONG. Slashes are how desktops write tags within tags.
 */
export function assertTag(name: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  if (name === '' || /[,\x00-\x1f\x7f-\x9f]/.test(name) || name !== name.trim()) fail(EINVAL)
  if (Buffer.byteLength(name) > TAG_BYTES_MAX) fail(ENAMETOOLONG)
}

/**
 * What a tag is called in the views: U+2215 for a slash, %2E for the names that a directory has,
 * and no more than fits a name.
 */
export function shownTag(tag: string): string {
  const shown = /^\.\.?$/.test(tag) ? tag.replaceAll('.', '%2E') : tag.replaceAll('/', SLASH)
  const bytes = Buffer.from(shown).toString('latin1')
  return Buffer.from(cutName(bytes, NAME_BYTES_MAX), 'latin1').toString()
}

/** The tag that is made by a name in the views. */
export function tagFromShown(shown: string): string {
  const dots = /^%2e(%2e)?$/i.exec(shown)
  if (dots !== null) return dots[1] === undefined ? '.' : '..'
  return shown.replaceAll(SLASH, '/').replaceAll(/%2f/gi, '/')
}
