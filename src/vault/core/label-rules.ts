// Which names snapshots and tags may have. Snapshots are file names in the views; tags are text
// that desktops write, and are encoded to be file names there.

import { EINVAL, ENAMETOOLONG, fail } from '../../base/errno.ts'
import { NAME_BYTES_MAX, TAG_BYTES_MAX } from '../../base/limits.ts'
import { cutName, SLASH } from '../../base/names.ts'

/** Throws EINVAL for a name that no file can have or that would garble a terminal, ENAMETOOLONG. */
export function assertSnapshotName(name: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  if (name === '' || name === '.' || name === '..' || /[/\x00-\x1f\x7f-\x9f]/.test(name))
    fail(EINVAL)
  if (Buffer.byteLength(name) > NAME_BYTES_MAX) fail(ENAMETOOLONG)
}

/**
 * Throws EINVAL for a tag that user.xdg.tags, which separates tags by commas and trims them, cannot
 * hold or that would garble a terminal; ENAMETOOLONG. Slashes are allowed: desktops use them for
 * nested tags.
 */
export function assertTag(name: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  if (name === '' || /[,\x00-\x1f\x7f-\x9f]/.test(name) || name !== name.trim()) fail(EINVAL)
  if (Buffer.byteLength(name) > TAG_BYTES_MAX) fail(ENAMETOOLONG)
}

/**
 * The file name of a tag in the views: slashes become U+2215, the dots of '.' and '..' %2E, and a
 * long name is cut to fit.
 */
export function shownTag(tag: string): string {
  const shown = /^\.\.?$/.test(tag) ? tag.replaceAll('.', '%2E') : tag.replaceAll('/', SLASH)
  const bytes = Buffer.from(shown).toString('latin1')
  return Buffer.from(cutName(bytes, NAME_BYTES_MAX), 'latin1').toString()
}

/** The tag for a name in the views; inverse of `shownTag`, but for cut names. */
export function tagFromShown(shown: string): string {
  const dots = /^%2e(%2e)?$/i.exec(shown)
  if (dots !== null) return dots[1] === undefined ? '.' : '..'
  return shown.replaceAll(SLASH, '/').replaceAll(/%2f/gi, '/')
}
