// The sled engine: a vault is a folder with sled's log and a file of long values. sled has no
// snapshots, no compaction and no real sync, and it rewrites long values again and again;
// native/sled provides the first three and keeps long values apart.

import { requireAddon } from './kv/addon.ts'
import type { KvEngine, KvOpenOptions } from './kv/engine.ts'
import { type NativeAddon, openNative } from './kv/native-engine.ts'

/** Opens NAME.sled. A reader changes no data, but sled tidies its log on opening. */
export function openSled(path: string, options: KvOpenOptions): Promise<KvEngine> {
  return openNative(path, options, {
    backend: 'sled',
    synchronous: true,
    persistent: true,
    compresses: true,
    compactsOnline: true,
    // Sixteen keys and inline values of a leaf must stay far below a quarter of a segment.
    keyBytesMax: 16_384,
    durability: 'log-structured, one fdatasync a commit, two with long values',
    growth: 4,
    reserveBytes: 48 * 1024 * 1024,
  })
}

/** sled's version; rejects with what require throws when the addon cannot be loaded. */
export async function sledVersion(): Promise<string> {
  return requireAddon<NativeAddon>('sled').version
}
