// Reading a directory of the host in the thread pool: for each name what stat, readlink and getxattr tell of it, and the content of
// small files, packed into one buffer, so that JavaScript pays for a batch and not for a call.
#define _GNU_SOURCE
#include "addon.h"
#include "record.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { XATTR_LIST_BYTES = 65536, BLOCK_BYTES = 512, SPARSE_FROM_BYTES = 4096 };

struct reader {
  DIR *directory;
  // A name that found no room in the last batch.
  struct dirent *pending;
  // Of what was found before the reader was asked for content: 0 once O_NOATIME was refused.
  int atime_flag;
  bool is_busy;
  size_t path_length;
  char path[];
};

struct batch {
  napi_async_work work;
  napi_deferred deferred;
  napi_ref buffer;
  napi_ref handle;
  struct reader *reader;
  char *bytes;
  size_t size;
  size_t inline_max;
  int64_t result;
};

static const napi_type_tag reader_tag = {0x61766673686f7374ULL, 0x2d72656164657231ULL};

static void free_reader(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  struct reader *reader = data;
  if (reader->directory != NULL) closedir(reader->directory);
  free(reader);
}

// directoryReader(path bytes) -> a handle for readDirectory. Nothing is opened yet.
napi_value avfs_directory_reader(napi_env env, napi_callback_info info) {
  napi_value argument, result;
  char path[PATH_MAX];
  if (!take_arguments(env, info, 1, &argument) || !take_path(env, argument, path)) return NULL;
  size_t length = strlen(path);
  struct reader *reader = calloc(1, sizeof *reader + length + 1);
  if (reader == NULL) {
    napi_throw_error(env, NULL, "out of memory");
    return NULL;
  }
  reader->atime_flag = O_NOATIME;
  reader->path_length = length;
  memcpy(reader->path, path, length);
  napi_create_external(env, reader, free_reader, NULL, &result);
  napi_type_tag_object(env, result, &reader_tag);
  return result;
}

static bool is_kept(const char *name) {
  return strncmp(name, "user.", 5) == 0 || strncmp(name, "trusted.", 8) == 0 || strncmp(name, "security.", 9) == 0 ||
         strcmp(name, "system.posix_acl_access") == 0 || strcmp(name, "system.posix_acl_default") == 0;
}

// Appends the extended attributes of a path. Returns the bytes they take, or -1 when they do not fit.
static ssize_t pack_xattrs(const char *path, char *into, size_t room) {
  char names[XATTR_LIST_BYTES];
  ssize_t list = llistxattr(path, names, sizeof names);
  if (list <= 0) return 0;
  size_t used = 0;
  for (const char *name = names; name < names + list; name += strlen(name) + 1) {
    if (!is_kept(name)) continue;
    size_t name_length = strlen(name);
    struct record_xattr header = {.name_length = (uint16_t)name_length};
    if (used + sizeof header + name_length > room) return -1;
    char *value = into + used + sizeof header + name_length;
    size_t left = room - used - sizeof header - name_length;
    ssize_t length = lgetxattr(path, name, value, left);
    if (length < 0 && errno == ERANGE) return -1;
    // It is gone meanwhile, or not for us.
    if (length < 0) continue;
    // With no room left lgetxattr tells a length and writes nothing.
    if ((size_t)length > left) return -1;
    header.value_length = (uint32_t)length;
    memcpy(into + used, &header, sizeof header);
    memcpy(into + used + sizeof header, name, name_length);
    used += sizeof header + name_length + (size_t)length;
  }
  return (ssize_t)used;
}

static void describe(struct record *record, const struct stat *found) {
  record->mode = found->st_mode;
  record->uid = found->st_uid;
  record->gid = found->st_gid;
  record->nlink = found->st_nlink > UINT32_MAX ? UINT32_MAX : (uint32_t)found->st_nlink;
  record->rdev = S_ISCHR(found->st_mode) || S_ISBLK(found->st_mode) ? encode_device(found->st_rdev) : 0;
  record->size = S_ISREG(found->st_mode) || S_ISLNK(found->st_mode) ? (double)found->st_size : 0;
  record->mtime = (double)found->st_mtim.tv_sec;
  record->mtime_ns = (uint32_t)found->st_mtim.tv_nsec;
  record->atime = (double)found->st_atim.tv_sec;
  record->atime_ns = (uint32_t)found->st_atim.tv_nsec;
  record->dev = found->st_dev;
  record->ino = found->st_ino;
}

static bool is_small(const struct stat *found, size_t inline_max) {
  if (!S_ISREG(found->st_mode) || found->st_nlink > 1 || (size_t)found->st_size > inline_max) return false;
  return found->st_size <= SPARSE_FROM_BYTES || found->st_blocks * BLOCK_BYTES >= found->st_size;
}

// The content of a small file. Returns its length, -errno, or -EOVERFLOW when it does not fit any more.
static ssize_t pack_content(struct reader *reader, const char *name, struct record *record, char *into, size_t room) {
  int at = dirfd(reader->directory);
  int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  int fd = openat(at, name, flags | reader->atime_flag);
  if (fd < 0 && errno == EPERM && reader->atime_flag != 0) {
    reader->atime_flag = 0;
    fd = openat(at, name, flags);
  }
  if (fd < 0) return -errno;
  size_t length = 0;
  while (length < room) {
    // One byte more than it should have, so that growth shows.
    ssize_t count = read(fd, into + length, room - length);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      int error = errno;
      close(fd);
      return -error;
    }
    if (count == 0) break;
    length += (size_t)count;
  }
  struct stat after;
  bool is_known = fstat(fd, &after) == 0;
  close(fd);
  if (length == room && is_known && (size_t)after.st_size > length) return -EOVERFLOW;
  if (!is_known || length != (size_t)record->size || after.st_mtim.tv_nsec != (long)record->mtime_ns ||
      (double)after.st_mtim.tv_sec != record->mtime)
    record->flags |= FLAG_CHANGED;
  if (is_known) describe(record, &after);
  record->size = (double)length;
  return (ssize_t)length;
}

// Packs one name. Returns the bytes it takes, 0 when the name is gone, or -1 when there is no room for it.
static ssize_t pack_name(struct batch *batch, const char *name, char *into, size_t room) {
  struct reader *reader = batch->reader;
  size_t name_length = strlen(name);
  if (room < sizeof(struct record) + name_length + 1) return -1;
  struct record *record = (struct record *)into;
  memset(record, 0, sizeof *record);
  record->kind = RECORD_ENTRY;
  record->name_length = (uint16_t)name_length;
  memcpy(record->bytes, name, name_length);
  struct stat found;
  ssize_t content = 0;
  if (fstatat(dirfd(reader->directory), name, &found, AT_SYMLINK_NOFOLLOW) < 0) {
    if (errno == ENOENT) return 0;
    content = -errno;
  } else {
    describe(record, &found);
    char path[64 + NAME_MAX + 1];
    snprintf(path, sizeof path, "/proc/self/fd/%d/%s", dirfd(reader->directory), name);
    size_t used = sizeof *record + name_length;
    ssize_t xattrs = pack_xattrs(path, into + used, room - used);
    if (xattrs < 0) return -1;
    record->xattr_bytes = (uint32_t)xattrs;
    used += (size_t)xattrs;
    if (S_ISLNK(found.st_mode)) {
      content = readlinkat(dirfd(reader->directory), name, into + used, room - used);
      if (content < 0) content = -errno;
      else if ((size_t)content == room - used) return -1;
      record->flags |= FLAG_WHOLE;
    } else if (is_small(&found, batch->inline_max)) {
      if (room - used <= (size_t)found.st_size) return -1;
      content = pack_content(reader, name, record, into + used, room - used);
      if (content == -EOVERFLOW) return -1;
      record->flags |= FLAG_WHOLE;
    }
  }
  if (content == -ENOENT) return 0;
  if (content < 0) {
    record->kind = RECORD_PROBLEM;
    record->error = (uint32_t)-content;
    record->xattr_bytes = 0;
    content = 0;
  }
  record->content_bytes = (uint32_t)content;
  record->length = (uint32_t)(sizeof *record + name_length + record->xattr_bytes + (size_t)content);
  // The next record begins where a double may.
  record->length = (record->length + 7) & ~7u;
  return record->length;
}

static int64_t fill(struct batch *batch) {
  struct reader *reader = batch->reader;
  if (reader->directory == NULL) {
    int fd = open(reader->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return -errno;
    reader->directory = fdopendir(fd);
    if (reader->directory == NULL) {
      int error = errno;
      close(fd);
      return -error;
    }
  }
  size_t used = 0;
  for (;;) {
    struct dirent *next = reader->pending;
    reader->pending = NULL;
    if (next == NULL) {
      errno = 0;
      next = readdir(reader->directory);
      if (next == NULL) return errno != 0 && used == 0 ? -errno : (int64_t)used;
    }
    if (strcmp(next->d_name, ".") == 0 || strcmp(next->d_name, "..") == 0) continue;
    ssize_t length = pack_name(batch, next->d_name, batch->bytes + used, (batch->size - used) & ~(size_t)7);
    if (length >= 0) {
      used += (size_t)length;
      continue;
    }
    if (used > 0) {
      reader->pending = next;
      return (int64_t)used;
    }
    // Not even alone: its attributes are larger than any vault takes.
    struct record *record = (struct record *)batch->bytes;
    memset(record, 0, sizeof *record);
    record->kind = RECORD_PROBLEM;
    record->error = E2BIG;
    record->name_length = (uint16_t)strlen(next->d_name);
    memcpy(record->bytes, next->d_name, record->name_length);
    record->length = (uint32_t)((sizeof *record + record->name_length + 7) & ~(size_t)7);
    return record->length;
  }
}

static void run_batch(napi_env env, void *data) {
  (void)env;
  struct batch *batch = data;
  batch->result = fill(batch);
}

static void settle_batch(napi_env env, napi_status status, void *data) {
  struct batch *batch = data;
  napi_handle_scope scope;
  napi_open_handle_scope(env, &scope);
  batch->reader->is_busy = false;
  napi_resolve_deferred(env, batch->deferred, integer(env, status == napi_ok ? batch->result : -ECANCELED));
  napi_delete_reference(env, batch->buffer);
  napi_delete_reference(env, batch->handle);
  napi_delete_async_work(env, batch->work);
  napi_close_handle_scope(env, scope);
  free(batch);
}

// readDirectory(handle, buffer, inlineMax) -> promise of the bytes filled, 0 after the last name, or -errno. Files of up to
// inlineMax bytes come with their content. The buffer must be left alone until then; one call at a time for a handle.
napi_value avfs_read_directory(napi_env env, napi_callback_info info) {
  napi_value arguments[3], name, promise;
  void *data, *bytes;
  size_t size;
  int32_t inline_max;
  bool is_reader = false;
  if (!take_arguments(env, info, 3, arguments)) return NULL;
  if (napi_check_object_type_tag(env, arguments[0], &reader_tag, &is_reader) != napi_ok || !is_reader ||
      napi_get_value_external(env, arguments[0], &data) != napi_ok)
    return throw_type_error(env, "handle must be a directory reader");
  if (!take_buffer(env, arguments[1], "buffer", &bytes, &size) ||
      !take_integer(env, arguments[2], "inlineMax", 0, INT_MAX, &inline_max))
    return NULL;
  struct reader *reader = data;
  if (reader->is_busy) return throw_type_error(env, "the handle is in use");
  if (size < 4096) return throw_type_error(env, "buffer must have room for 4096 bytes");
  struct batch *batch = calloc(1, sizeof *batch);
  if (batch == NULL) {
    napi_throw_error(env, NULL, "out of memory");
    return NULL;
  }
  *batch = (struct batch){.reader = reader, .bytes = bytes, .size = size, .inline_max = (size_t)inline_max};
  napi_create_reference(env, arguments[0], 1, &batch->handle);
  napi_create_reference(env, arguments[1], 1, &batch->buffer);
  napi_create_string_utf8(env, "avfs:readDirectory", NAPI_AUTO_LENGTH, &name);
  if (napi_create_promise(env, &batch->deferred, &promise) != napi_ok ||
      napi_create_async_work(env, NULL, name, run_batch, settle_batch, batch, &batch->work) != napi_ok ||
      napi_queue_async_work(env, batch->work) != napi_ok) {
    free(batch);
    napi_throw_error(env, NULL, "the thread pool took no work");
    return NULL;
  }
  reader->is_busy = true;
  return promise;
}

// readNode(path bytes, buffer) -> bytes of the one record that describes the path itself, without content, or -errno.
napi_value avfs_read_node(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  char path[PATH_MAX];
  void *bytes;
  size_t size;
  if (!take_arguments(env, info, 2, arguments) || !take_path(env, arguments[0], path) ||
      !take_buffer(env, arguments[1], "buffer", &bytes, &size))
    return NULL;
  if (size < 4096) return throw_type_error(env, "buffer must have room for 4096 bytes");
  struct stat found;
  if (lstat(path, &found) < 0) return integer(env, -errno);
  struct record *record = bytes;
  memset(record, 0, sizeof *record);
  record->kind = RECORD_ENTRY;
  describe(record, &found);
  ssize_t xattrs = pack_xattrs(path, record->bytes, size - sizeof *record);
  if (xattrs < 0) return integer(env, -E2BIG);
  record->xattr_bytes = (uint32_t)xattrs;
  ssize_t content = 0;
  if (S_ISLNK(found.st_mode)) {
    content = readlink(path, record->bytes + xattrs, size - sizeof *record - (size_t)xattrs);
    if (content < 0) return integer(env, -errno);
    record->flags |= FLAG_WHOLE;
  }
  record->content_bytes = (uint32_t)content;
  record->length = (uint32_t)((sizeof *record + (size_t)xattrs + (size_t)content + 7) & ~(size_t)7);
  return integer(env, record->length);
}

// seek(fd, offset, hole) -> the next offset that holds data, or (hole 1) that is in a hole; -ENXIO past the last. See lseek(2).
napi_value avfs_seek(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  int fd;
  int32_t hole;
  double offset;
  if (!take_arguments(env, info, 3, arguments) || !take_descriptor(env, arguments[0], &fd)) return NULL;
  if (napi_get_value_double(env, arguments[1], &offset) != napi_ok || !(offset >= 0 && offset <= 9007199254740991.0))
    return throw_type_error(env, "offset must be an integer in range");
  if (!take_integer(env, arguments[2], "hole", 0, 1, &hole)) return NULL;
  off_t found = lseek(fd, (off_t)offset, hole ? SEEK_HOLE : SEEK_DATA);
  return integer(env, found < 0 ? -errno : (int64_t)found);
}
