// Converts POSIX access lists between the bytes of system.posix_acl_* (see src/vault/tree/acl.ts)
// and the text in tar archives (SCHILY.acl.access): 'user::rw-,user:1234:r--,mask::r--'. Users and
// groups are written as numbers; names are looked up when read.

import { accountId } from '../base/accounts.ts'

const TAGS: Readonly<Record<number, string>> = {
  1: 'user',
  2: 'user',
  4: 'group',
  8: 'group',
  16: 'mask',
  32: 'other',
}
const UNDEFINED_ID = 0xffffffff

/** Undefined if `value` is not an access list. */
export function aclToText(value: Uint8Array): string | undefined {
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength)
  if (value.length < 4 || view.getUint32(0, true) !== 2 || (value.length - 4) % 8 !== 0)
    return undefined
  const entries: string[] = []
  for (let at = 4; at < value.length; at += 8) {
    const tag = view.getUint16(at, true)
    const perm = view.getUint16(at + 2, true)
    const id = tag === 2 || tag === 8 ? String(view.getUint32(at + 4, true)) : ''
    const letters = [4, 2, 1]
      .map((bit, which) => ((perm & bit) === 0 ? '-' : 'rwx'[which]))
      .join('')
    entries.push(`${TAGS[tag] ?? 'other'}:${id}:${letters}`)
  }
  return entries.join(',')
}

/** Undefined if `text` is not an access list, or names an unknown user or group. */
export function aclFromText(text: string): Uint8Array | undefined {
  const entries: { tag: number; perm: number; id: number }[] = []
  for (const each of text.split(/[,\n]/)) {
    const [entry = ''] = each.trim().split(/\s*#/)
    if (entry === '') continue
    // GNU tar may append the id: 'user:name:rwx:1234'.
    const [kind = '', who = '', letters = '', number = ''] = entry.split(':')
    const id = number !== '' ? Number(number) : who === '' ? UNDEFINED_ID : idOf(kind, who)
    const tag = tagOf(kind, who)
    if (tag === undefined || id === undefined || !/^[rwx-]{1,3}$/.test(letters)) return undefined
    const has = (letter: string, bit: number): number => (letters.includes(letter) ? bit : 0)
    entries.push({ tag, perm: has('r', 4) | has('w', 2) | has('x', 1), id })
  }
  if (entries.length === 0) return undefined
  entries.sort((a, b) => a.tag - b.tag || a.id - b.id)
  const value = new Uint8Array(4 + entries.length * 8)
  const view = new DataView(value.buffer)
  view.setUint32(0, 2, true)
  entries.forEach(({ tag, perm, id }, index) => {
    view.setUint16(4 + index * 8, tag, true)
    view.setUint16(6 + index * 8, perm, true)
    view.setUint32(8 + index * 8, id, true)
  })
  return value
}

function tagOf(kind: string, who: string): number | undefined {
  if (kind === 'user' || kind === 'u') return who === '' ? 1 : 2
  if (kind === 'group' || kind === 'g') return who === '' ? 4 : 8
  if (kind === 'mask' || kind === 'm') return 16
  return kind === 'other' || kind === 'o' ? 32 : undefined
}

function idOf(kind: string, who: string): number | undefined {
  return accountId(kind.startsWith('u') ? '/etc/passwd' : '/etc/group', who)
}
