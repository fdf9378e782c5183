// Extended attributes and access lists in pax headers. GNU tar writes SCHILY.xattr.NAME with the
// raw value, escaping = and % in the name as %3D and %25. libarchive escapes every byte of the name
// that is not printable ASCII as %XX. Beside it, or instead, it writes LIBARCHIVE.xattr.NAME with
// the value in base64, because pax text is UTF-8; that one takes precedence.

import { XATTR_NAME_BYTES_MAX, XATTR_VALUE_BYTES_MAX } from '../base/limits.ts'
import { aclFromText } from './acl-text.ts'
import type { Attribute } from './records.ts'

const SCHILY = 'SCHILY.xattr.'
const LIBARCHIVE = 'LIBARCHIVE.xattr.'

/** The attributes in the pax records of a member. `problem` is called for what cannot be kept. */
export function attributesOf(
  pax: ReadonlyMap<string, string>,
  problem: (message: string) => void,
): Attribute[] {
  const found = new Map<string, Uint8Array>()
  for (const [key, value] of pax)
    if (key.startsWith(SCHILY))
      found.set(nameOf(key.slice(SCHILY.length)), Buffer.from(value, 'latin1'))
  for (const [key, value] of pax)
    if (key.startsWith(LIBARCHIVE))
      found.set(nameOf(key.slice(LIBARCHIVE.length)), Buffer.from(value, 'base64'))
  // Access lists are taken only from their text form, which names the users.
  for (const kind of ['access', 'default'] as const) {
    found.delete(`system.posix_acl_${kind}`)
    const text = pax.get(`SCHILY.acl.${kind}`)
    if (text === undefined || text === '') continue
    const list = aclFromText(text)
    if (list === undefined) problem('its access list names somebody unknown')
    else found.set(`system.posix_acl_${kind}`, list)
  }
  if (pax.has('SCHILY.acl.ace')) problem('its NFSv4 access list has no place here')
  return [...found].flatMap(([name, value]) => {
    const isFit = name.length <= XATTR_NAME_BYTES_MAX && value.length <= XATTR_VALUE_BYTES_MAX
    if (!isFit) problem('an extended attribute of it is too long')
    return isFit ? [{ name, value }] : []
  })
}

function nameOf(key: string): string {
  return key.replace(/%([0-9A-Fa-f]{2})/g, (_, code: string) =>
    String.fromCharCode(Number.parseInt(code, 16)),
  )
}
