// One RocksDB database with a column family a group of the store. It knows statuses, slices and threads, and nothing of
// JavaScript. get, range and the snapshots belong to the main thread; the making, write, compact, verify and close may take
// long and run on others, at most one write at a time.
#ifndef AVFS_ROCKSDB_DATABASE_H
#define AVFS_ROCKSDB_DATABASE_H

#include <atomic>
#include <memory>
#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>
#include <set>
#include <shared_mutex>
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

// A place in time to read at. `at` is null for a database that nobody changes.
struct Snapshot {
  const rocksdb::Snapshot *at;
  uint64_t generation;
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

  // `snapshot` is null for what is committed now. Both may throw Refusal, too.
  rocksdb::Status get(const Snapshot *snapshot, size_t group, rocksdb::Slice key, rocksdb::PinnableSlice *value);
  // Appends packed entries (src/store/kv/engine.ts).
  rocksdb::Status range(const Snapshot *snapshot, const Range &range, std::string *packed);
  // Writes packed changes as one batch with a synced log. May throw Refusal, too.
  rocksdb::Status write(const std::string &changes);

  Snapshot snapshot();
  // Does nothing when it was released before, which closing does too.
  void release(const Snapshot &snapshot);

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
  std::vector<rocksdb::ColumnFamilyDescriptor> families() const;
  bool is_there() const;
  void create();
  rocksdb::Status start(bool read_only);
  rocksdb::Status start(bool read_only, rocksdb::WALRecoveryMode mode);
  rocksdb::Status stop();
  rocksdb::Status reopen();
  void insist_on_room(uint64_t bytes) const;
  rocksdb::Status recover();
  rocksdb::DB &db() const;
  const rocksdb::Snapshot *at(const Snapshot *snapshot) const;
  rocksdb::Status read_blocks();
  uint64_t bytes() const;

  const std::string path_;
  const std::shared_ptr<rocksdb::Cache> cache_;
  const std::shared_ptr<Errors> errors_;
  const bool read_only_;
  std::unique_ptr<Lock> lock_;

  // Taken by whoever uses what follows, exclusively only to open it again.
  std::shared_mutex opened_;
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle *> handles_;
  std::vector<rocksdb::ColumnFamilyHandle *> groups_;
  std::set<const rocksdb::Snapshot *> snapshots_;
  // It could only be opened to read, or not at all, and should be opened again.
  bool is_stand_in_ = false;
  // How often it was opened: a snapshot is gone with the database that it was made of.
  uint64_t generation_ = 0;

  std::atomic<bool> cancelled_{false};
  // What is wrong with a log in its midst, so that it was opened up to there, to read; empty: nothing.
  std::string log_damage_;
  // The log that a write to has failed; 0: none.
  uint64_t broken_log_ = 0;
};

#endif
