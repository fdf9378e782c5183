// Packed changes (src/store/kv/engine.ts) as RocksDB's batches.
#ifndef AVFS_ROCKSDB_BATCH_H
#define AVFS_ROCKSDB_BATCH_H

#include <rocksdb/slice.h>
#include <rocksdb/write_batch.h>
#include <vector>

struct Change {
  size_t group;
  bool is_put;
  rocksdb::Slice key;
  rocksdb::Slice value;
};

// Takes the next change off the front; throws std::invalid_argument where it is not well formed.
Change take_change(rocksdb::Slice *changes);

// Throws std::invalid_argument unless all changes are well formed.
void insist_on_changes(rocksdb::Slice changes);

rocksdb::WriteBatch batch_of(rocksdb::Slice changes, const std::vector<rocksdb::ColumnFamilyHandle *> &groups);

#endif
