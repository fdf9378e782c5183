// RocksDB's log as a file, read without RocksDB, which says that a log is damaged but not whether that is what a crash leaves.
#ifndef AVFS_ROCKSDB_LOG_H
#define AVFS_ROCKSDB_LOG_H

#include <string>

// Whether one of the logs in a folder is damaged in its midst: a whole commit stands behind bytes that are none. Commits are
// synced one after the other, so that a crash can only tear the last of a log.
bool is_damaged_within(const std::string &folder);

#endif
