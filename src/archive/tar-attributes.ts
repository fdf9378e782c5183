// Extended attributes and access lists in pax headers. GNU tar writes SCHILY.xattr.NAME with the
// bytes of the value, and in the name %3D and %25 for what would end a key. libarchive writes the
// name with every byte that is no printable ASCII as %XX, and beside it, or alone,
// LIBARCHIVE.xattr.NAME with the value in base64, because pax text is UTF-8; that one is believed.

import { XATTR_NAME_BYTES_MAX, XATTR_VALUE_BYTES_MAX } from '../base/limits.ts'
import { aclFromText } from './acl-text.ts'
import type { Attribute } from './records.ts'

const SCHILY = 'SCHILY.xattr.'
const LIBARCHIVE = 'LIBARCHIVE.xattr.'

/** What the records of a member say of attributes. `problem` hears of what has no place here. */
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
  // Access lists come as text, too, which names their users.
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
