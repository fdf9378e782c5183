// One open RocksDB database with a column family a group of the store. It knows statuses, slices and threads, and nothing of
// JavaScript. get, range and the snapshots belong to the main thread; open, write, compact, verify and close may take long
// and run on others, at most one write at a time.
#ifndef AVFS_ROCKSDB_DATABASE_H
#define AVFS_ROCKSDB_DATABASE_H

#include <atomic>
#include <memory>
#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>
#include <set>
#include <string>
#include <utility>
#include <vector>

constexpr size_t GROUP_COUNT = 3;
extern const char *const GROUP_NAMES[GROUP_COUNT];

struct Range {
  size_t group;
  rocksdb::Slice gte;
  const rocksdb::Slice *lt; // null: to the end
  bool reverse;
  uint64_t limit;
  uint64_t bytes;
};

using Figures = std::vector<std::pair<std::string, double>>;
using Words = std::vector<std::pair<std::string, std::string>>;

class Database {
public:
  // Opens what is at `path`; with `create`, makes it where there is nothing. Throws Refusal.
  Database(std::string path, bool create, bool read_only, uint64_t cache_bytes);
  ~Database();
  Database(const Database &) = delete;
  Database &operator=(const Database &) = delete;

  rocksdb::Status get(const rocksdb::Snapshot *snapshot, size_t group, rocksdb::Slice key, rocksdb::PinnableSlice *value);
  // Appends packed entries (src/store/kv/engine.ts).
  rocksdb::Status range(const rocksdb::Snapshot *snapshot, const Range &range, std::string *packed);
  // Reads packed changes into a batch; throws std::invalid_argument where they are not well formed.
  rocksdb::WriteBatch batch_of(rocksdb::Slice changes) const;
  // Writes a batch with a synced log, once background errors of before are overcome.
  rocksdb::Status write(rocksdb::WriteBatch *batch);

  // Null for a database that nobody changes.
  const rocksdb::Snapshot *snapshot();
  // Does nothing when it was released before, which closing does too.
  void release(const rocksdb::Snapshot *snapshot);

  // Rewrites all groups, leaving out what is deleted; other calls may go on.
  rocksdb::Status compact();
  // Reads everything and compares checksums: what is wrong, in words.
  std::vector<std::string> verify();
  // Makes a running compact or verify end soon.
  void cancel() { cancelled_ = true; }
  // The engine's figures by name, `bytes` being all files.
  void report(Figures *figures, Words *words);
  // Throws Refusal if the last of it could not be written. No other call may run or follow.
  void close();

private:
  class Errors;
  class Lock;

  rocksdb::DBOptions options(bool create) const;
  rocksdb::ColumnFamilyOptions family(size_t group) const;
  void open(bool read_only);
  bool is_there() const;
  void create();
  rocksdb::Status resume();
  rocksdb::Status read_blocks();
  uint64_t bytes() const;

  const std::string path_;
  const std::shared_ptr<rocksdb::Cache> cache_;
  const std::shared_ptr<Errors> errors_;
  std::unique_ptr<Lock> lock_;
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle *> handles_;
  std::vector<rocksdb::ColumnFamilyHandle *> groups_;
  std::set<const rocksdb::Snapshot *> snapshots_;
  std::atomic<bool> cancelled_{false};
  bool read_only_ = false;
};

#endif
