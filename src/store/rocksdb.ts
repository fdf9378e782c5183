// The RocksDB engine: a vault is a folder of tables, a column family a group. How it is laid out
// and tuned is native/rocksdb/options.cc.

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
    // RocksDB itself takes more; this leaves a batch room to hold a key beside a value.
    keyBytesMax: 65_535,
    durability: 'write-ahead log, one fdatasync a commit',
    growth: 2,
    reserveBytes: 32 * 1024 * 1024,
  })
}

/** RocksDB's version; rejects with what require throws where the addon cannot be loaded. */
export async function rocksdbVersion(): Promise<string> {
  return requireAddon<NativeAddon>('rocksdb').version
}
