// Making, opening and closing a database, and opening it again when its log is lost: see database.h.
#include "arguments.h"
#include "errors.h"
#include "log.h"
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <mutex>
#include <rocksdb/cache.h>
#include <sys/stat.h>
#include <unistd.h>

namespace fs = std::filesystem;
using rocksdb::DB;
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
    : path_(without_slash(std::move(path))), cache_(rocksdb::NewLRUCache(cache_bytes)),
      errors_(std::make_shared<Errors>()), read_only_(read_only) {
  if (create && !is_there()) this->create();
  // RocksDB would make the directory even to find that nothing is in it.
  if (!is_there()) fail(path_, errno);
  std::vector<std::string> names;
  insist(DB::ListColumnFamilies(options(false), path_, &names));
  // LevelDB's databases look alike and would be changed by opening them.
  if (names.size() != families().size()) throw Refusal{"format", path_ + " is not a vault of this engine"};
  if (read_only) lock_ = std::make_unique<Lock>(path_);
  Status status = start(read_only);
  if (!status.ok() && is_held(status)) throw Refusal{"busy", status.ToString()};
  insist(status);
}

Database::~Database() {
  try {
    close();
  } catch (const Refusal &) {
    // Whoever wants to know closes before.
  }
}

std::vector<rocksdb::ColumnFamilyDescriptor> Database::families() const {
  std::vector<rocksdb::ColumnFamilyDescriptor> families{{rocksdb::kDefaultColumnFamilyName, {}}};
  for (size_t group = 0; group < GROUP_COUNT; group++) families.emplace_back(GROUP_NAMES[group], family(group));
  return families;
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
  DB *db = nullptr;
  std::vector<rocksdb::ColumnFamilyHandle *> handles;
  Status status = DB::Open(options(true), made, families(), &handles, &db);
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

// What is torn at a log's end was never acknowledged: anything stricter would refuse to open after a power cut in the middle of a
// commit. What stands behind damage in its midst was, and RocksDB would drop it without a word.
Status Database::start(bool read_only) {
  using Mode = rocksdb::WALRecoveryMode;
  Status status = start(read_only, Mode::kTolerateCorruptedTailRecords);
  if (!status.IsCorruption()) return status;
  if (is_damaged_within(path_)) {
    if (!read_only) return status;
    log_damage_ = status.ToString();
  }
  return start(read_only, Mode::kPointInTimeRecovery);
}

Status Database::start(bool read_only, rocksdb::WALRecoveryMode mode) {
  DB *db = nullptr;
  rocksdb::DBOptions options = this->options(false);
  options.wal_recovery_mode = mode;
  Status status = read_only ? DB::OpenForReadOnly(options, path_, families(), &handles_, &db)
                            : DB::Open(options, path_, families(), &handles_, &db);
  if (!status.ok()) return status;
  db_.reset(db);
  groups_.assign(handles_.begin() + 1, handles_.end());
  generation_++;
  return status;
}

Status Database::stop() {
  if (db_ == nullptr) return Status::OK();
  for (const auto *snapshot : snapshots_) db_->ReleaseSnapshot(snapshot);
  snapshots_.clear();
  for (auto *handle : handles_) db_->DestroyColumnFamilyHandle(handle);
  handles_.clear();
  groups_.clear();
  Status status = db_->Close();
  db_.reset();
  return status;
}

// Begins with a new log. If there is no room for that, what is there can still be read.
Status Database::reopen() {
  std::unique_lock<std::shared_mutex> alone(opened_);
  stop().PermitUncheckedError();
  Status status = start(false);
  is_stand_in_ = !status.ok();
  if (is_stand_in_) start(true).PermitUncheckedError();
  return status;
}

void Database::close() {
  cancel();
  if (!read_only_ && db_ != nullptr && !is_stand_in_) {
    // Tables tell damage by their checksums, also at their end. What cannot be flushed stays in the log.
    rocksdb::FlushOptions options;
    options.allow_write_stall = true;
    db_->Flush(options, groups_).PermitUncheckedError();
  }
  Status status = stop();
  lock_.reset();
  if (!read_only_) insist(status);
}
