// One file or directory as bytes, as src/archive/records.ts describes it in full: what host-read.c makes of the host's files, and
// host-write.c makes into files. Little-endian, as every machine that avfs runs on.
#ifndef AVFS_RECORD_H
#define AVFS_RECORD_H

#include <stdint.h>
#include <sys/sysmacros.h>
#include <sys/types.h>

enum { RECORD_ENTRY = 1, RECORD_PROBLEM = 5 };
enum { FLAG_WHOLE = 1, FLAG_CHANGED = 2 };

struct record {
  uint32_t length;
  uint8_t kind;
  uint8_t flags;
  uint16_t name_length;
  uint32_t parent;
  uint32_t id;
  uint32_t mode;
  uint32_t uid;
  uint32_t gid;
  uint32_t nlink;
  uint32_t rdev;
  uint32_t mtime_ns;
  double size;
  double mtime;
  double atime;
  uint32_t atime_ns;
  uint32_t xattr_bytes;
  uint64_t dev;
  uint64_t ino;
  uint32_t content_bytes;
  uint32_t error;
  char bytes[];
};

_Static_assert(sizeof(struct record) == 96, "records.ts counts on it");

// An extended attribute: its name and value follow.
struct record_xattr {
  uint16_t name_length;
  uint16_t unused;
  uint32_t value_length;
};

// Device numbers as FUSE has them (new_encode_dev of the kernel).
static inline uint32_t encode_device(dev_t device) {
  uint32_t minor_number = minor(device);
  return (minor_number & 0xff) | (major(device) << 8) | ((minor_number & ~0xffu) << 12);
}

static inline dev_t decode_device(uint32_t encoded) {
  return makedev((encoded & 0xfff00) >> 8, (encoded & 0xff) | ((encoded >> 12) & 0xfff00));
}

#endif
