// See batch.h. Every length is compared with what is there.
#include "batch.h"
#include "database.h"
#include <stdexcept>

using rocksdb::Slice;

static Slice take(Slice *bytes, size_t length) {
  if (length > bytes->size()) throw std::invalid_argument("changes end in the middle of one");
  const Slice taken(bytes->data(), length);
  bytes->remove_prefix(length);
  return taken;
}

static uint8_t take_byte(Slice *bytes) {
  return static_cast<uint8_t>(take(bytes, 1)[0]);
}

static uint32_t take_length(Slice *bytes) {
  const Slice taken = take(bytes, 4);
  uint32_t value = 0;
  for (size_t i = 4; i-- > 0;) value = value << 8 | static_cast<uint8_t>(taken[i]);
  return value;
}

Change take_change(Slice *changes) {
  const size_t group = take_byte(changes);
  const uint8_t kind = take_byte(changes);
  const uint32_t key_length = take_length(changes);
  const uint32_t value_length = take_length(changes);
  if (group >= GROUP_COUNT || kind > 1 || (kind == 0 && value_length != 0))
    throw std::invalid_argument("changes hold one of no known kind");
  const Slice key = take(changes, key_length);
  return {group, kind == 1, key, take(changes, value_length)};
}

void insist_on_changes(Slice changes) {
  while (!changes.empty()) take_change(&changes);
}

rocksdb::WriteBatch batch_of(Slice changes, const std::vector<rocksdb::ColumnFamilyHandle *> &groups) {
  rocksdb::WriteBatch batch(changes.size() + changes.size() / 8);
  while (!changes.empty()) {
    const auto [group, is_put, key, value] = take_change(&changes);
    const rocksdb::Status status = is_put ? batch.Put(groups.at(group), key, value) : batch.Delete(groups.at(group), key);
    if (!status.ok()) throw std::invalid_argument(status.ToString());
  }
  return batch;
}
