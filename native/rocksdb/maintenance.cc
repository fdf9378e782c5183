// What is done to a database as a whole: compaction, the check of its checksums, and its figures.
#include "arguments.h"
#include "database.h"
#include <filesystem>
#include <map>
#include <rocksdb/cache.h>

using rocksdb::DB;
using rocksdb::Status;

Status Database::compact() {
  rocksdb::CompactRangeOptions options;
  // The usual compactions, which writers wait for, go on.
  options.exclusive_manual_compaction = false;
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
  options.blob_garbage_collection_policy = rocksdb::BlobGarbageCollectionPolicy::kForce;
  options.blob_garbage_collection_age_cutoff = 1.0;
  options.canceled = &cancelled_;
  const std::shared_lock<std::shared_mutex> shared(opened_);
  for (auto *group : groups_) {
    Status status = db().CompactRange(options, group, nullptr, nullptr);
    if (!status.ok()) return status;
  }
  return Status::OK();
}

// VerifyChecksum leaves out what BlobDB keeps in files of its own; a walk compares each value's checksum.
Status Database::read_blocks() {
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  std::unique_ptr<rocksdb::Iterator> at(db_->NewIterator(options, groups_.back()));
  for (at->SeekToFirst(); at->Valid() && !cancelled_; at->Next()) continue;
  return at->status();
}

std::vector<std::string> Database::verify() {
  std::vector<std::string> findings;
  if (!log_damage_.empty()) findings.push_back("the log is damaged, and what was committed from there on is lost: " + log_damage_);
  const std::shared_lock<std::shared_mutex> shared(opened_);
  for (const Status &status : {db().VerifyChecksum(), read_blocks()})
    if (status.IsCorruption()) findings.push_back(status.ToString());
    else insist(status);
  if (cancelled_) throw Refusal{"closed", "the check was interrupted"};
  return findings;
}

uint64_t Database::bytes() const {
  uint64_t sum = 0;
  std::error_code error;
  for (std::filesystem::directory_iterator at(path_, error), end; !error && at != end; at.increment(error)) {
    std::error_code gone;
    const uint64_t size = at->file_size(gone);
    if (!gone) sum += size;
  }
  return sum;
}

// What flushes and compactions of a level (or of all, 'Sum') have written since the database was opened, in GB.
static double written(rocksdb::DB *db, rocksdb::ColumnFamilyHandle *group, const std::string &level) {
  std::map<std::string, std::string> stats;
  if (!db->GetMapProperty(group, DB::Properties::kCFStats, &stats)) return 0;
  double sum = 0;
  for (const char *what : {".WriteGB", ".WblobGB"}) sum += strtod(stats["compaction." + level + what].c_str(), nullptr);
  return sum;
}

// '2 0 0 0 0 1 5': the number of tables in each level, from the newest down.
static std::string levels(rocksdb::DB *db, rocksdb::ColumnFamilyHandle *group) {
  std::string line;
  for (int level = 0; level < db->NumberLevels(group); level++) {
    std::string count;
    db->GetProperty(group, DB::Properties::kNumFilesAtLevelPrefix + std::to_string(level), &count);
    line += (level == 0 ? "" : " ") + count;
  }
  return line;
}

void Database::report(Figures *figures, Words *words) {
  using Properties = DB::Properties;
  const std::shared_lock<std::shared_mutex> shared(opened_);
  const std::pair<const char *, std::string> sums[] = {
      {"estimatedKeys", Properties::kEstimateNumKeys},
      {"tableBytes", Properties::kTotalSstFilesSize},
      {"blobBytes", Properties::kTotalBlobFileSize},
      {"blobGarbageBytes", Properties::kLiveBlobFileGarbageSize},
      {"pendingCompactionBytes", Properties::kEstimatePendingCompactionBytes},
      {"memtableBytes", Properties::kCurSizeAllMemTables},
  };
  double flushed = 0;
  double all = 0;
  figures->emplace_back("bytes", bytes());
  for (const auto &[name, property] : sums) {
    double total = 0;
    for (auto *group : groups_) {
      uint64_t value = 0;
      if (db_->GetIntProperty(group, property, &value)) total += static_cast<double>(value);
    }
    figures->emplace_back(name, total);
  }
  figures->emplace_back("blockCacheBytes", cache_->GetUsage());
  figures->emplace_back("snapshots", snapshots_.size());
  for (size_t group = 0; group < groups_.size(); group++) {
    flushed += written(&db(), groups_[group], "L0");
    all += written(&db(), groups_[group], "Sum");
    words->emplace_back(std::string(GROUP_NAMES[group]) + "Levels", levels(&db(), groups_[group]));
  }
  figures->emplace_back("writeAmplification", flushed > 0 ? all / flushed : 1);
}
