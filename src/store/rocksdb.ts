// The RocksDB engine: a vault is a folder of tables, with one column family for each group. Layout
// and tuning are in native/rocksdb/options.cc.

import { requireAddon } from './kv/addon.ts'
import type { KvEngine, KvOpenOptions } from './kv/engine.ts'
import { type NativeAddon, openNative } from './kv/native-engine.ts'

/** Opens NAME.rocksdb. */
export function openRocksdb(path: string, options: KvOpenOptions): Promise<KvEngine> {
  return openNative(path, options, {
    backend: 'rocksdb',
    synchronous: true,
    persistent: true,
    compresses: true,
    compactsOnline: true,
    // RocksDB's own limit is higher; this leaves room in a batch for a key together with a value.
    keyBytesMax: 65_535,
    durability: 'write-ahead log, one fdatasync a commit',
    growth: 2,
    reserveBytes: 32 * 1024 * 1024,
  })
}

/** RocksDB's version; rejects with what require throws when the addon cannot be loaded. */
export async function rocksdbVersion(): Promise<string> {
  return requireAddon<NativeAddon>('rocksdb').version
}
