// See log.h. A log is blocks of 32 KiB, and a block is fragments until fewer than 7 bytes are left:
//
//   u32 checksum    masked CRC-32C of the kind and the bytes
//   u16 length      little-endian, as the checksum
//   u8 kind         1 a whole commit, 2 the first fragment of one, 3 one between, 4 the last; 0 in room that was not written
//   bytes
#include "log.h"
#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <vector>

namespace {

constexpr size_t BLOCK_BYTES = 32 * 1024;
constexpr size_t HEAD_BYTES = 7;
constexpr uint8_t WHOLE = 1;
constexpr uint8_t FIRST = 2;
constexpr uint8_t LAST = 4;

std::array<uint32_t, 256> checksum_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < table.size(); byte++) {
    table[byte] = byte;
    for (int bit = 0; bit < 8; bit++) table[byte] = table[byte] >> 1 ^ (table[byte] & 1 ? 0x82f63b78U : 0);
  }
  return table;
}

// As RocksDB keeps it, which must not be the checksum of bytes that hold one.
uint32_t masked_checksum(const uint8_t *bytes, size_t length) {
  static const std::array<uint32_t, 256> table = checksum_table();
  uint32_t sum = ~0U;
  for (size_t i = 0; i < length; i++) sum = table[(sum ^ bytes[i]) & 0xff] ^ sum >> 8;
  sum = ~sum;
  return (sum >> 15 | sum << 17) + 0xa282ead8U;
}

class Scan {
public:
  // True as soon as a commit begins behind damage.
  bool block(const uint8_t *bytes, size_t length) {
    for (size_t at = 0; at + HEAD_BYTES <= length;) {
      const uint8_t *head = bytes + at;
      const size_t its = head[4] | head[5] << 8;
      const uint8_t kind = head[6];
      const uint32_t sum = head[0] | head[1] << 8 | head[2] << 16 | static_cast<uint32_t>(head[3]) << 24;
      const bool fits = kind >= WHOLE && kind <= LAST && at + HEAD_BYTES + its <= length;
      if (!fits) {
        is_damaged_ = true;
        return false;
      }
      if (sum != masked_checksum(head + HEAD_BYTES - 1, its + 1)) is_damaged_ = true;
      else if (is_damaged_ && (kind == WHOLE || kind == FIRST)) return true;
      at += HEAD_BYTES + its;
    }
    return false;
  }

private:
  bool is_damaged_ = false;
};

bool is_log_damaged_within(const std::filesystem::path &path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<uint8_t> block(BLOCK_BYTES);
  for (Scan scan; file.good();) {
    file.read(reinterpret_cast<char *>(block.data()), BLOCK_BYTES);
    if (scan.block(block.data(), static_cast<size_t>(file.gcount()))) return true;
  }
  return false;
}

} // namespace

bool is_damaged_within(const std::string &folder) {
  for (const auto &entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".log" && is_log_damaged_within(entry.path())) return true;
  return false;
}
