// --trace: a request and its reply as one line, with the kernel's names:
//   12 LOOKUP nodeid=1 uid=0 gid=0 pid=812 "notes" -> nodeid=5 generation=0 ... attr={ino=5 size=12
//   ...}
// Works from the structs of layout.ts, so that a new row is traced without a line here.

import type { Row } from './ops.ts'
import { PAYLOAD, type Reply } from './reply.ts'
import { ARGUMENTS, type Request } from './request.ts'
import type { Struct } from './struct.ts'

/** The request, as far as its bytes reach. */
export function describeRequest(row: Row, request: Request): string {
  const { caller, uniqueLow, uniqueHigh, nodeid } = request
  const parts = [
    `${uniqueLow + uniqueHigh * 4294967296} ${row.name} nodeid=${nodeid}`,
    `uid=${caller.uid} gid=${caller.gid} pid=${caller.pid}`,
  ]
  let position = ARGUMENTS
  if (row.request !== undefined) {
    const end = Math.min(position + row.request.size, request.length)
    parts.push(describe(row.request, request.view, position, end))
    position += row.request.size
  }
  for (let i = 0; i < row.names && position < request.length; i++) {
    let end = position
    while (end < request.length && request.bytes[end] !== 0) end++
    parts.push(JSON.stringify(request.bytes.latin1Slice(position, end)))
    position = end + 1
  }
  return parts.join(' ')
}

/** The payload of a reply: its struct, or how many bytes it has. */
export function describeReply(row: Row, reply: Reply): string {
  const { response } = row
  let size = reply.length - PAYLOAD
  for (const piece of reply.pieces) size += piece.length
  if (size === 0) return 'ok'
  if (response === undefined || response.name.startsWith('fuse_dirent')) return `${size} bytes`
  return describe(response, reply.view, PAYLOAD, reply.length)
}

function describe(struct: Struct, view: DataView, base: number, end: number): string {
  const parts: string[] = []
  for (const { name, offset, type } of struct.fields) {
    const position = base + offset
    if (type === undefined || /padding|unused|spare|dummy|reserved/.test(name)) continue
    if (typeof type !== 'string') parts.push(`${name}={${describe(type, view, position, end)}}`)
    else if (position + (type.endsWith('64') ? 8 : 4) <= end || type === 'u16') {
      parts.push(`${name}=${number(type, view, position)}`)
    }
  }
  return parts.join(' ')
}

function number(type: string, view: DataView, position: number): number | bigint {
  if (type === 'u16') return view.getUint16(position, true)
  if (type === 'u32') return view.getUint32(position, true)
  if (type === 'i32') return view.getInt32(position, true)
  return type === 'u64' ? view.getBigUint64(position, true) : view.getBigInt64(position, true)
}
