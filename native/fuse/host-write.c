// Making files of the host from records: the file itself with its content where the record has it, and its attributes. Every step
// that is refused is told apart, because a user who is not root may not give files away.
#define _GNU_SOURCE
#include "addon.h"
#include "record.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

// What could not be set, as bits of writeAttributes's answer.
enum { REFUSED_OWNER = 1, REFUSED_XATTRS = 2, REFUSED_MODE = 4, REFUSED_TIMES = 8 };

static bool take_record(napi_env env, napi_value value, struct record **result) {
  void *bytes;
  size_t length;
  if (!take_bytes(env, value, "record", &bytes, &length)) return false;
  struct record *record = bytes;
  if (length < sizeof *record || ((uintptr_t)bytes & 7) != 0 || record->length > length ||
      sizeof *record + record->name_length + (uint64_t)record->xattr_bytes + record->content_bytes > record->length) {
    throw_type_error(env, "record must be a whole record at a multiple of 8");
    return false;
  }
  *result = record;
  return true;
}

static int write_all(int fd, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t count = write(fd, bytes, length);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return -errno;
    bytes += count;
    length -= (size_t)count;
  }
  return 0;
}

static int make_link(const struct record *record, const char *content, const char *path) {
  char target[PATH_MAX];
  if (record->content_bytes >= sizeof target) return -ENAMETOOLONG;
  memcpy(target, content, record->content_bytes);
  target[record->content_bytes] = 0;
  return symlink(target, path) < 0 ? -errno : 0;
}

// makeNode(path bytes, record) -> 0, or for a file that is yet to be written its descriptor, or -errno. What is there already is
// -EEXIST. A file with its content in the record is written and closed.
napi_value avfs_make_node(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  char path[PATH_MAX];
  struct record *record;
  if (!take_arguments(env, info, 2, arguments) || !take_path(env, arguments[0], path) ||
      !take_record(env, arguments[1], &record))
    return NULL;
  const char *content = record->bytes + record->name_length + record->xattr_bytes;
  int result;
  if (S_ISDIR(record->mode)) result = mkdir(path, 0700) < 0 ? -errno : 0;
  else if (S_ISLNK(record->mode)) result = make_link(record, content, path);
  else if (S_ISREG(record->mode)) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) return integer(env, -errno);
    if ((record->flags & FLAG_WHOLE) == 0) return integer(env, fd);
    result = write_all(fd, content, record->content_bytes);
    // A full disk may be told only now.
    if (close(fd) < 0 && result == 0) result = -errno;
    if (result < 0) unlink(path);
  } else
    result = mknod(path, (record->mode & S_IFMT) | 0600, decode_device(record->rdev)) < 0 ? -errno : 0;
  return integer(env, result);
}

static bool set_xattrs(const struct record *record, const char *path) {
  const char *at = record->bytes + record->name_length;
  const char *end = at + record->xattr_bytes;
  bool is_done = true;
  while (at + sizeof(struct record_xattr) <= end) {
    struct record_xattr header;
    memcpy(&header, at, sizeof header);
    at += sizeof header;
    if (header.name_length > 255 || at + header.name_length + (uint64_t)header.value_length > end) return false;
    char name[256];
    memcpy(name, at, header.name_length);
    name[header.name_length] = 0;
    if (lsetxattr(path, name, at + header.name_length, header.value_length, 0) < 0) is_done = false;
    at += header.name_length + header.value_length;
  }
  return is_done;
}

// writeAttributes(path bytes, record) -> bits of what could not be set: 1 owner, 2 extended attributes, 4 mode, 8 times.
napi_value avfs_write_attributes(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  char path[PATH_MAX];
  struct record *record;
  if (!take_arguments(env, info, 2, arguments) || !take_path(env, arguments[0], path) ||
      !take_record(env, arguments[1], &record))
    return NULL;
  int refused = 0;
  mode_t mode = record->mode & 07777;
  // chmod(2) follows links: should one have taken the file's place, it is not what the record is about.
  struct stat there;
  if (lstat(path, &there) < 0 || (there.st_mode & S_IFMT) != (record->mode & S_IFMT))
    return integer(env, REFUSED_OWNER | REFUSED_XATTRS | REFUSED_MODE | REFUSED_TIMES);
  // chown(2) takes setuid and capabilities away, so that it goes first.
  if (lchown(path, record->uid, record->gid) < 0) {
    refused |= REFUSED_OWNER;
    // Nobody may get another's rights by a file that came to belong to whoever unpacked it.
    struct stat now;
    if (lstat(path, &now) < 0 || now.st_uid != record->uid) mode &= ~(mode_t)S_ISUID;
    if (lstat(path, &now) < 0 || now.st_gid != record->gid) mode &= ~(mode_t)S_ISGID;
  }
  if (!set_xattrs(record, path)) refused |= REFUSED_XATTRS;
  if (!S_ISLNK(record->mode) && chmod(path, mode) < 0) refused |= REFUSED_MODE;
  struct timespec times[2] = {{.tv_sec = (time_t)record->atime, .tv_nsec = record->atime_ns},
                              {.tv_sec = (time_t)record->mtime, .tv_nsec = record->mtime_ns}};
  if (utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW) < 0) refused |= REFUSED_TIMES;
  return integer(env, refused);
}
