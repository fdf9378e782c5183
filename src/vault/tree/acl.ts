// POSIX access control lists (acl(5)) as the kernel passes them in system.posix_acl_access and
// _default: what they mean for the mode, and what a new file inherits. The kernel checks access;
// the file system keeps lists and modes in step.
//
//   u32 version = 2, then entries of { u16 tag, u16 perm, u32 id }, little-endian

import { EINVAL, fail } from '../../base/errno.ts'

export const ACL_ACCESS = 'system.posix_acl_access'
export const ACL_DEFAULT = 'system.posix_acl_default'

const VERSION = 2
const USER_OBJ = 0x01
const USER = 0x02
const GROUP_OBJ = 0x04
const GROUP = 0x08
const MASK = 0x10
const OTHER = 0x20
const HEADER_BYTES = 4
const ENTRY_BYTES = 8
const UNDEFINED_ID = 0xffffffff

interface AclEntry {
  tag: number
  perm: number
  id: number
}

/** Parses a list; an empty one is []. Throws EINVAL when the bytes are not a valid list. */
export function parseAcl(value: Uint8Array): AclEntry[] {
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength)
  if (value.length < HEADER_BYTES || view.getUint32(0, true) !== VERSION) fail(EINVAL)
  if ((value.length - HEADER_BYTES) % ENTRY_BYTES !== 0) fail(EINVAL)
  const entries: AclEntry[] = []
  for (let at = HEADER_BYTES; at < value.length; at += ENTRY_BYTES)
    entries.push({
      tag: view.getUint16(at, true),
      perm: view.getUint16(at + 2, true) & 7,
      id: view.getUint32(at + 4, true),
    })
  return entries
}

function encodeAcl(entries: readonly AclEntry[]): Uint8Array {
  const value = new Uint8Array(HEADER_BYTES + entries.length * ENTRY_BYTES)
  const view = new DataView(value.buffer)
  view.setUint32(0, VERSION, true)
  entries.forEach(({ tag, perm, id }, index) => {
    const at = HEADER_BYTES + index * ENTRY_BYTES
    view.setUint16(at, tag, true)
    view.setUint16(at + 2, perm, true)
    view.setUint32(at + 4, tag === USER || tag === GROUP ? id : UNDEFINED_ID, true)
  })
  return value
}

/**
 * Whether the kernel would accept the list (posix_acl_valid): exactly one entry each for owner,
 * group and others, no duplicates, and a mask if a user or group is named.
 */
export function isWholeAcl(entries: readonly AclEntry[]): boolean {
  const tags = entries.map(({ tag }) => tag)
  const count = (wanted: number): number => tags.filter((tag) => tag === wanted).length
  const known = [USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER]
  const isNamed = count(USER) + count(GROUP) > 0
  const names = new Set(
    entries.map(({ tag, id }) => (tag === USER || tag === GROUP ? `${tag} ${id}` : `${tag}`)),
  )
  return (
    tags.every((tag) => known.includes(tag)) &&
    [USER_OBJ, GROUP_OBJ, OTHER].every((tag) => count(tag) === 1) &&
    (!isNamed || count(MASK) === 1) &&
    names.size === entries.length
  )
}

function isMinimal(entries: readonly AclEntry[]): boolean {
  return entries.every(({ tag }) => tag === USER_OBJ || tag === GROUP_OBJ || tag === OTHER)
}

/**
 * The mode with the permission bits that an access list stands for. `keep`: the list says more than
 * the mode, and must be stored.
 */
export function modeOfAcl(mode: number, value: Uint8Array): { mode: number; keep: boolean } {
  const entries = parseAcl(value)
  let bits = mode & ~0o777
  let group = 0
  let mask: number | undefined
  for (const { tag, perm } of entries) {
    if (tag === USER_OBJ) bits |= perm << 6
    else if (tag === GROUP_OBJ) group = perm
    else if (tag === MASK) mask = perm
    else if (tag === OTHER) bits |= perm
  }
  return { mode: bits | ((mask ?? group) << 3), keep: !isMinimal(entries) }
}

/** An access list after chmod(2): the group bits go to the mask where there is one. */
export function aclAfterChmod(value: Uint8Array, mode: number): Uint8Array {
  const entries = parseAcl(value)
  const hasMask = entries.some(({ tag }) => tag === MASK)
  for (const each of entries) {
    if (each.tag === USER_OBJ) each.perm = (mode >> 6) & 7
    else if (each.tag === OTHER) each.perm = mode & 7
    else if (each.tag === MASK || (each.tag === GROUP_OBJ && !hasMask)) each.perm = (mode >> 3) & 7
  }
  return encodeAcl(entries)
}

/**
 * What a new object inherits from a directory's default list: the mode, limited by the list, and an
 * access list when that says more than the mode. The umask is ignored then (acl(5), "Object
 * creation and default ACLs").
 */
export function inheritAcl(
  mode: number,
  defaults: Uint8Array,
): { mode: number; access: Uint8Array | undefined } {
  const entries = parseAcl(defaults)
  const hasMask = entries.some(({ tag }) => tag === MASK)
  let bits = mode & ~0o777
  for (const each of entries) {
    if (each.tag === USER_OBJ) {
      each.perm &= (mode >> 6) & 7
      bits |= each.perm << 6
    } else if (each.tag === OTHER) {
      each.perm &= mode & 7
      bits |= each.perm
    } else if (each.tag === MASK || (each.tag === GROUP_OBJ && !hasMask)) {
      each.perm &= (mode >> 3) & 7
      bits |= each.perm << 3
    }
  }
  return { mode: bits, access: isMinimal(entries) ? undefined : encodeAcl(entries) }
}

/**
 * Whether a list grants all of `wanted` (r 4, w 2, x 1) to someone who is not the owner; see
 * acl(5), "Access check algorithm". `gid` is the owning group.
 */
export function allowedByAcl(
  value: Uint8Array,
  who: { readonly uid: number; readonly groups: ReadonlySet<number> },
  gid: number,
  wanted: number,
): boolean {
  const entries = parseAcl(value)
  const mask = entries.find(({ tag }) => tag === MASK)?.perm ?? 7
  const user = entries.find(({ tag, id }) => tag === USER && id === who.uid)
  if (user !== undefined) return (user.perm & mask & wanted) === wanted
  const groups = entries.filter(({ tag, id }) =>
    tag === GROUP_OBJ ? who.groups.has(gid) : tag === GROUP && who.groups.has(id),
  )
  if (groups.length > 0) return groups.some(({ perm }) => (perm & mask & wanted) === wanted)
  return entries.some(({ tag, perm }) => tag === OTHER && (perm & wanted) === wanted)
}
