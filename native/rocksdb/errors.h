// RocksDB stops writing after an error of a background job or of the log until it is told to resume. This listener remembers
// that there was one, and keeps RocksDB from resuming by itself, which could meet our own attempt.
#ifndef AVFS_ROCKSDB_ERRORS_H
#define AVFS_ROCKSDB_ERRORS_H

#include "database.h"
#include <rocksdb/env.h>
#include <rocksdb/listener.h>

class Database::Errors : public rocksdb::EventListener {
public:
  std::atomic<bool> pending{false};

  void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status *) override { pending = true; }
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status, bool *auto_recovery) override {
    *auto_recovery = false;
  }
};

// Drops what RocksDB would write to its LOG: what matters there, we are told otherwise. Debian's RocksDB is built with assertions
// and ends the process when it logs twice on a full disk.
class NoLog : public rocksdb::Logger {
public:
  using rocksdb::Logger::Logv;
  void Logv(const char *, va_list) override {}
};

#endif
