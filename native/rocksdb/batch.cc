// Packed changes (src/store/kv/engine.ts) read into RocksDB's batch; every length is compared with what is there.
#include "database.h"
#include <stdexcept>

using rocksdb::Slice;

namespace {

class Reader {
public:
  explicit Reader(Slice bytes) : bytes_(bytes) {}

  bool is_done() const { return bytes_.empty(); }
  Slice take(size_t length) {
    if (length > bytes_.size()) throw std::invalid_argument("changes end in the middle of one");
    Slice taken(bytes_.data(), length);
    bytes_.remove_prefix(length);
    return taken;
  }
  uint8_t byte() { return static_cast<uint8_t>(take(1)[0]); }
  uint32_t length() {
    const Slice taken = take(4);
    uint32_t value = 0;
    for (size_t i = 4; i-- > 0;) value = value << 8 | static_cast<uint8_t>(taken[i]);
    return value;
  }

private:
  Slice bytes_;
};

} // namespace

rocksdb::WriteBatch Database::batch_of(Slice changes) const {
  rocksdb::WriteBatch batch(changes.size() + changes.size() / 8);
  for (Reader reader(changes); !reader.is_done();) {
    const size_t group = reader.byte();
    const uint8_t kind = reader.byte();
    const uint32_t key_length = reader.length();
    const uint32_t value_length = reader.length();
    if (group >= groups_.size() || kind > 1 || (kind == 0 && value_length != 0))
      throw std::invalid_argument("changes hold one of no known kind");
    const Slice key = reader.take(key_length);
    const Slice value = reader.take(value_length);
    const rocksdb::Status status = kind == 1 ? batch.Put(groups_[group], key, value) : batch.Delete(groups_[group], key);
    if (!status.ok()) throw std::invalid_argument(status.ToString());
  }
  return batch;
}
