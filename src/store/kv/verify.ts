// Reads every entry of a vault and reports those that are not valid rows, which an engine cannot
// check, since it does not know the contents of keys and values.

import { retryUntilLoaded } from '../retry.ts'
import { ALL, StoreError } from '../store.ts'
import { Cursor } from './cursor.ts'
import { BLOCKS, type Group, type KvReader, PAST, ROWS } from './engine.ts'
import { layoutOfNumber, META_KEY } from './layout.ts'
import { codecOf, type Slice } from './row-codec.ts'
import { asBuffer, eachEntry } from './row-store.ts'

const PAGE_BYTES = 1024 * 1024
const FINDINGS_MAX = 1000

/** Findings, [] when every entry can be read. Yields to other work after each page. */
export async function verifyEntries(reader: KvReader): Promise<string[]> {
  const findings: string[] = []
  for (const group of [ROWS, PAST, BLOCKS] as const) {
    let from: Buffer | undefined = Buffer.alloc(0)
    while (from !== undefined && findings.length < FINDINGS_MAX) {
      from = await verifyPage(reader, group, from, findings)
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  return findings
}

/** Returns where the next page begins, or undefined at the group's end. */
async function verifyPage(
  reader: KvReader,
  group: Group,
  from: Buffer,
  findings: string[],
): Promise<Buffer | undefined> {
  const all = { gte: from, lt: undefined, reverse: false, limit: ALL }
  let last: Buffer | undefined
  try {
    const packed = await retryUntilLoaded(() => reader.range({ group, ...all, bytes: PAGE_BYTES }))
    const entries: [key: Slice, value: Slice][] = []
    eachEntry(new Cursor(), asBuffer(packed), (...entry) => entries.push(entry) > 0)
    for (const [key, value] of entries) {
      last = key.bytes.subarray(key.from, key.to)
      const finding = await retryUntilLoaded(() => findingOf(reader, group, key, value))
      if (finding !== undefined) findings.push(`${finding} (key ${last.toString('hex')})`)
    }
  } catch (error) {
    // The engine itself cannot read on here.
    if (!(error instanceof StoreError) || error.kind !== 'corrupt') throw error
    findings.push(error.message)
    return undefined
  }
  // The least key after the last one.
  return last === undefined ? undefined : Buffer.concat([last, Buffer.alloc(1)])
}

/** What is wrong with one entry. */
function findingOf(reader: KvReader, group: Group, key: Slice, value: Slice): string | undefined {
  if (group === ROWS && key.to - key.from === 1 && key.bytes[key.from] === META_KEY[0])
    return undefined
  const layout = layoutOfNumber(key.bytes[key.from] as number)
  if (layout === undefined) return 'an entry of no collection'
  const { collection } = layout
  if (group === layout.bodyGroup) {
    const head = reader.get(layout.group, key.bytes.subarray(key.from, key.to))
    return head === undefined ? `bytes of no row of ${collection.name}` : undefined
  }
  if (group !== layout.group) return `a row of ${collection.name} in the wrong group`
  try {
    const row = codecOf(collection).all.read(key, value, ({ bytes, from, to }) => {
      const body = reader.get(layout.bodyGroup ?? layout.group, bytes.subarray(from, to))
      return body === undefined ? undefined : Buffer.from(body)
    })
    return row === undefined ? `a row of ${collection.name} without its bytes` : undefined
  } catch (error) {
    if (!(error instanceof StoreError) || error.kind !== 'corrupt') throw error
    return `${collection.name}: ${error.message}`
  }
}
