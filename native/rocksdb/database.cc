// Opening, reading, writing and closing: see database.h.
#include "database.h"
#include "arguments.h"
#include "errors.h"
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <rocksdb/cache.h>
#include <rocksdb/env.h>
#include <sys/stat.h>
#include <unistd.h>

namespace fs = std::filesystem;
using rocksdb::Slice;
using rocksdb::Status;

// RocksDB's own lock for a database that it opens without one, to read it: nobody else may delete files under the reader.
class Database::Lock {
public:
  explicit Lock(const std::string &path) {
    Status status = env_->LockFile(path + "/LOCK", &lock_);
    // Who may not write the lock may still read.
    if (!status.ok() && status.ToString().find("While open a file") == std::string::npos)
      throw Refusal{"busy", status.ToString()};
  }
  ~Lock() {
    if (lock_ != nullptr) env_->UnlockFile(lock_);
  }

private:
  rocksdb::Env *const env_ = rocksdb::Env::Default();
  rocksdb::FileLock *lock_ = nullptr;
};

[[noreturn]] static void fail(const std::string &what, int error) {
  throw Refusal{error == ENOSPC || error == EDQUOT ? "full" : "io", what + ": " + strerror(error)};
}

static void sync_directory(const std::string &path) {
  int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) fail(path, errno);
  int error = fsync(fd) == 0 ? 0 : errno;
  ::close(fd);
  if (error != 0) fail(path, error);
}

static std::string parent_of(const std::string &path) {
  std::string parent = fs::path(path).parent_path();
  return parent.empty() ? "." : parent;
}

static std::string without_slash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

static bool is_held(const Status &status) {
  std::string words = status.ToString();
  return words.find("lock hold by") != std::string::npos || words.find("While lock file") != std::string::npos;
}

Database::Database(std::string path, bool create, bool read_only, uint64_t cache_bytes)
    : path_(without_slash(std::move(path))), cache_(rocksdb::NewLRUCache(cache_bytes)), errors_(std::make_shared<Errors>()) {
  if (create && !is_there()) this->create();
  open(read_only);
}

Database::~Database() {
  try {
    close();
  } catch (const Refusal &) {
    // Whoever wants to know closes before.
  }
}

bool Database::is_there() const {
  return access((path_ + "/CURRENT").c_str(), F_OK) == 0;
}

// Made beside and renamed, so that a path leads to a whole database or to none.
void Database::create() {
  std::error_code error;
  if (fs::exists(path_, error) && !fs::is_empty(path_, error)) throw Refusal{"format", path_ + " is something else"};
  const std::string made = path_ + ".new";
  fs::remove_all(made, error);
  if (mkdir(made.c_str(), 0700) != 0) fail(made, errno);
  std::vector<rocksdb::ColumnFamilyDescriptor> families{{rocksdb::kDefaultColumnFamilyName, {}}};
  for (size_t group = 0; group < GROUP_COUNT; group++) families.emplace_back(GROUP_NAMES[group], family(group));
  rocksdb::DB *db = nullptr;
  std::vector<rocksdb::ColumnFamilyHandle *> handles;
  Status status = rocksdb::DB::Open(options(true), made, families, &handles, &db);
  if (status.ok()) {
    for (auto *handle : handles) db->DestroyColumnFamilyHandle(handle);
    status = db->Close();
    delete db;
  }
  if (!status.ok()) {
    fs::remove_all(made, error);
    throw refusal_of(status);
  }
  if (rename(made.c_str(), path_.c_str()) != 0) {
    int reason = errno;
    fs::remove_all(made, error);
    fail(path_, reason);
  }
  sync_directory(parent_of(path_));
}

void Database::open(bool read_only) {
  read_only_ = read_only;
  // RocksDB would make the directory even to find that nothing is in it.
  if (!is_there()) fail(path_, errno);
  if (read_only) lock_ = std::make_unique<Lock>(path_);
  std::vector<std::string> names;
  insist(rocksdb::DB::ListColumnFamilies(options(false), path_, &names));
  std::vector<rocksdb::ColumnFamilyDescriptor> families{{rocksdb::kDefaultColumnFamilyName, {}}};
  for (size_t group = 0; group < GROUP_COUNT; group++) families.emplace_back(GROUP_NAMES[group], family(group));
  // LevelDB's databases look alike and would be changed by opening them.
  if (names.size() != families.size()) throw Refusal{"format", path_ + " is not a vault of this engine"};
  rocksdb::DB *db = nullptr;
  Status status = read_only ? rocksdb::DB::OpenForReadOnly(options(false), path_, families, &handles_, &db)
                            : rocksdb::DB::Open(options(false), path_, families, &handles_, &db);
  if (!status.ok() && is_held(status)) throw Refusal{"busy", status.ToString()};
  insist(status);
  db_.reset(db);
  groups_.assign(handles_.begin() + 1, handles_.end());
}

void Database::close() {
  if (db_ == nullptr) return;
  cancel();
  while (!snapshots_.empty()) release(*snapshots_.begin());
  for (auto *handle : handles_) db_->DestroyColumnFamilyHandle(handle);
  handles_.clear();
  groups_.clear();
  Status status = db_->Close();
  db_.reset();
  lock_.reset();
  if (!read_only_) insist(status);
}

Status Database::get(const rocksdb::Snapshot *snapshot, size_t group, Slice key, rocksdb::PinnableSlice *value) {
  rocksdb::ReadOptions options;
  options.snapshot = snapshot;
  return db_->Get(options, groups_.at(group), key, value);
}

static void append_length(std::string *packed, size_t length) {
  const auto value = static_cast<uint32_t>(length);
  const char bytes[] = {static_cast<char>(value), static_cast<char>(value >> 8), static_cast<char>(value >> 16),
                        static_cast<char>(value >> 24)};
  packed->append(bytes, sizeof bytes);
}

Status Database::range(const rocksdb::Snapshot *snapshot, const Range &range, std::string *packed) {
  // RocksDB's bounds must not be in the wrong order.
  if (range.lt != nullptr && range.gte.compare(*range.lt) >= 0) return Status::OK();
  rocksdb::ReadOptions options;
  options.snapshot = snapshot;
  options.iterate_lower_bound = &range.gte;
  options.iterate_upper_bound = range.lt;
  std::unique_ptr<rocksdb::Iterator> at(db_->NewIterator(options, groups_.at(range.group)));
  if (range.reverse) at->SeekToLast();
  else at->SeekToFirst();
  for (uint64_t count = 0; at->Valid() && count < range.limit; count++) {
    const Slice key = at->key();
    const Slice value = at->value();
    append_length(packed, key.size());
    append_length(packed, value.size());
    packed->append(key.data(), key.size()).append(value.data(), value.size());
    if (packed->size() >= range.bytes) break;
    if (range.reverse) at->Prev();
    else at->Next();
  }
  return at->status();
}

Status Database::resume() {
  errors_->pending = false;
  Status status = db_->Resume();
  if (!status.ok()) errors_->pending = true;
  return status;
}

Status Database::write(rocksdb::WriteBatch *batch) {
  // Where it fails, the write itself says why.
  if (errors_->pending) resume().PermitUncheckedError();
  rocksdb::WriteOptions options;
  options.sync = true;
  Status status = db_->Write(options, batch);
  if (!status.ok() && !read_only_) errors_->pending = true;
  return status;
}

const rocksdb::Snapshot *Database::snapshot() {
  if (read_only_) return nullptr;
  const rocksdb::Snapshot *snapshot = db_->GetSnapshot();
  snapshots_.insert(snapshot);
  return snapshot;
}

void Database::release(const rocksdb::Snapshot *snapshot) {
  if (snapshots_.erase(snapshot) > 0) db_->ReleaseSnapshot(snapshot);
}
