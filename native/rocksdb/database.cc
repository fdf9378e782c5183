// Reading and writing: see database.h.
#include "database.h"
#include "arguments.h"
#include "batch.h"
#include "errors.h"
#include <sys/statvfs.h>

constexpr uint64_t KIB = 1024;
constexpr uint64_t MIB = 1024 * KIB;
constexpr uint64_t BATCH_ROOM_BYTES = 8 * MIB;
constexpr uint64_t SMALL_BATCH_BYTES = 256 * KIB;
constexpr uint64_t SMALL_BATCH_ROOM_BYTES = MIB;

using rocksdb::Slice;
using rocksdb::Status;
using Shared = std::shared_lock<std::shared_mutex>;

rocksdb::DB &Database::db() const {
  if (db_ == nullptr) throw Refusal{"io", "the database could not be opened again"};
  return *db_;
}

const rocksdb::Snapshot *Database::at(const Snapshot *snapshot) const {
  if (snapshot == nullptr) return nullptr;
  if (snapshot->generation != generation_) throw Refusal{"io", "the snapshot was lost with the log on a full disk"};
  return snapshot->at;
}

Status Database::get(const Snapshot *snapshot, size_t group, Slice key, rocksdb::PinnableSlice *value) {
  const Shared shared(opened_);
  rocksdb::ReadOptions options;
  options.snapshot = at(snapshot);
  return db().Get(options, groups_.at(group), key, value);
}

static void append_length(std::string *packed, size_t length) {
  const auto value = static_cast<uint32_t>(length);
  const char bytes[] = {static_cast<char>(value), static_cast<char>(value >> 8), static_cast<char>(value >> 16),
                        static_cast<char>(value >> 24)};
  packed->append(bytes, sizeof bytes);
}

Status Database::range(const Snapshot *snapshot, const Range &range, std::string *packed) {
  // RocksDB's bounds must not be in the wrong order.
  if (range.lt != nullptr && range.gte.compare(*range.lt) >= 0) return Status::OK();
  const Shared shared(opened_);
  rocksdb::ReadOptions options;
  options.snapshot = at(snapshot);
  options.iterate_lower_bound = &range.gte;
  options.iterate_upper_bound = range.lt;
  const std::unique_ptr<rocksdb::Iterator> entry(db().NewIterator(options, groups_.at(range.group)));
  if (range.reverse) entry->SeekToLast();
  else entry->SeekToFirst();
  for (uint64_t count = 0; entry->Valid() && count < range.limit; count++) {
    const Slice key = entry->key();
    const Slice value = entry->value();
    append_length(packed, key.size());
    append_length(packed, value.size());
    packed->append(key.data(), key.size()).append(value.data(), value.size());
    if (packed->size() >= range.bytes) break;
    if (range.reverse) entry->Prev();
    else entry->Next();
  }
  return entry->status();
}

// Refuses a batch that would fill the disk: RocksDB needs room to flush what it was given, and a log that met the end of the
// disk is given up. A small batch may go further, so that something can still be deleted.
void Database::insist_on_room(uint64_t bytes) const {
  struct statvfs disk;
  if (statvfs(path_.c_str(), &disk) != 0) return;
  const uint64_t available = static_cast<uint64_t>(disk.f_bavail) * disk.f_frsize;
  const uint64_t margin = bytes <= SMALL_BATCH_BYTES ? SMALL_BATCH_ROOM_BYTES : BATCH_ROOM_BYTES;
  if (available < 2 * bytes + margin) throw Refusal{"full", "a batch needs more room than the disk has"};
}

static uint64_t log_number(rocksdb::DB &db) {
  std::unique_ptr<rocksdb::LogFile> log;
  return db.GetCurrentWalFile(&log).ok() && log != nullptr ? log->LogNumber() : 0;
}

// Clears a background error, and begins a new log where a write to it has failed. Resume begins one only if there is
// something to flush, and says that all is well if there is not; the next write to the old log would fail an assertion.
Status Database::recover() {
  Status status;
  {
    const Shared shared(opened_);
    status = is_stand_in_ ? Status::IOError() : db_->Resume();
    if (status.ok() && log_number(*db_) == broken_log_) status = Status::IOError();
  }
  if (!status.ok() && !status.IsNoSpace()) status = reopen();
  if (status.ok()) {
    errors_->pending = false;
    broken_log_ = 0;
  }
  return status;
}

Status Database::write(const std::string &changes) {
  if (!read_only_) {
    insist_on_room(changes.size());
    if (errors_->pending) {
      const Status status = recover();
      if (!status.ok()) return status;
    }
  }
  const Shared shared(opened_);
  rocksdb::WriteBatch batch = batch_of(changes, groups_);
  rocksdb::WriteOptions options;
  options.sync = true;
  const Status status = db().Write(options, &batch);
  if (!status.ok() && !read_only_) {
    errors_->pending = true;
    broken_log_ = log_number(*db_);
  }
  return status;
}

Snapshot Database::snapshot() {
  const Shared shared(opened_);
  if (read_only_) return {nullptr, generation_};
  const rocksdb::Snapshot *snapshot = db().GetSnapshot();
  snapshots_.insert(snapshot);
  return {snapshot, generation_};
}

void Database::release(const Snapshot &snapshot) {
  const Shared shared(opened_);
  if (snapshot.generation == generation_ && snapshots_.erase(snapshot.at) > 0) db().ReleaseSnapshot(snapshot.at);
}
