// How the database is laid out on disk and in memory. Its groups are tuned apart: rows and their past are small and compress
// well, blocks are large and compressed already.
#include "database.h"
#include "errors.h"
#include <rocksdb/cache.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

constexpr size_t KIB = 1024;
constexpr size_t MIB = 1024 * KIB;
constexpr size_t BLOCKS = 2;

const char *const GROUP_NAMES[GROUP_COUNT] = {"rows", "past", "blocks"};

rocksdb::DBOptions Database::options(bool create) const {
  rocksdb::DBOptions options;
  options.create_if_missing = options.create_missing_column_families = create;
  options.error_if_exists = create;
  options.listeners = {errors_};
  options.max_background_jobs = 2;
  // All memtables together; the largest is flushed when they would be more.
  options.db_write_buffer_size = 32 * MIB;
  options.max_total_wal_size = 64 * MIB;
  // A table and its index stay in memory only within the block cache, and the descriptors stay few.
  options.max_open_files = 256;
  // Opening writes little, so that a vault on a full disk can be opened.
  options.avoid_flush_during_recovery = true;
  options.manifest_preallocation_size = 64 * KIB;
  // It would count as used, and makes no commit faster.
  options.allow_fallocate = false;
  // Spreads the write-back of flushes and compactions, for which a commit's sync would wait otherwise.
  options.bytes_per_sync = MIB;
  options.info_log = std::make_shared<NoLog>();
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  return options;
}

rocksdb::ColumnFamilyOptions Database::family(size_t group) const {
  rocksdb::ColumnFamilyOptions options;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache_;
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10, false));
  table.block_size = 8 * KIB;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.level_compaction_dynamic_level_bytes = true;
  options.max_bytes_for_level_base = 64 * MIB;
  options.target_file_size_base = 16 * MIB;
  if (group == BLOCKS) {
    options.write_buffer_size = 16 * MIB;
    options.compression = rocksdb::kNoCompression;
    // Levels hold keys and places alone, so that merging them moves no block.
    options.enable_blob_files = true;
    options.min_blob_size = 4 * KIB;
    options.enable_blob_garbage_collection = true;
    options.blob_garbage_collection_force_threshold = 0.5;
  } else {
    options.write_buffer_size = 8 * MIB;
    // What is new is soon merged again; nine tenths of all lie in the lowest level.
    options.compression = rocksdb::kLZ4Compression;
    options.compression_per_level = {rocksdb::kNoCompression, rocksdb::kLZ4Compression};
    options.bottommost_compression = rocksdb::kZSTD;
  }
  return options;
}
