// Bytes in and out of the device: a read that may wait a little, a gathering write, and a write from the thread pool.
#include "addon.h"
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>
#include <uv.h>

enum { POLL_US_MAX = 10000, PIECES_MAX = 1000 };

// receive(fd, buffer, pollUs) -> length, -EAGAIN when nothing came within pollUs microseconds.
// The CPU is yielded between tries: without that, the process whose request is awaited may be the one kept waiting.
napi_value avfs_receive(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  int fd;
  void *bytes;
  size_t size;
  int32_t poll_us;
  if (!take_arguments(env, info, 3, arguments) || !take_descriptor(env, arguments[0], &fd) ||
      !take_buffer(env, arguments[1], "buffer", &bytes, &size) ||
      !take_integer(env, arguments[2], "pollUs", 0, POLL_US_MAX, &poll_us))
    return NULL;
  uint64_t deadline = poll_us > 0 ? uv_hrtime() + (uint64_t)poll_us * 1000 : 0;
  for (;;) {
    ssize_t length = read(fd, bytes, size);
    if (length >= 0) return integer(env, length);
    if (errno == EINTR) continue;
    if (errno != EAGAIN || deadline == 0 || uv_hrtime() >= deadline) return integer(env, -errno);
    sched_yield();
  }
}

// reply(fd, header, headerLength, pieces) -> length written: the header's first bytes, then the pieces, in one write.
napi_value avfs_reply(napi_env env, napi_callback_info info) {
  napi_value arguments[4];
  int fd;
  void *bytes;
  size_t size;
  int32_t header_length;
  bool is_array = false;
  uint32_t count = 0;
  if (!take_arguments(env, info, 4, arguments) || !take_descriptor(env, arguments[0], &fd) ||
      !take_buffer(env, arguments[1], "header", &bytes, &size) ||
      !take_integer(env, arguments[2], "headerLength", 0, size > INT_MAX ? INT_MAX : (int32_t)size, &header_length))
    return NULL;
  if (napi_is_array(env, arguments[3], &is_array) != napi_ok || !is_array)
    return throw_type_error(env, "pieces must be an array");
  napi_get_array_length(env, arguments[3], &count);
  if (count > PIECES_MAX) return throw_type_error(env, "pieces are too many");
  ssize_t written;
  if (count == 0) {
    written = write(fd, bytes, (size_t)header_length);
  } else {
    struct iovec vector[PIECES_MAX + 1];
    vector[0] = (struct iovec){bytes, (size_t)header_length};
    for (uint32_t i = 0; i < count; i++) {
      napi_value piece;
      if (napi_get_element(env, arguments[3], i, &piece) != napi_ok ||
          !take_bytes(env, piece, "piece", &vector[i + 1].iov_base, &vector[i + 1].iov_len))
        return NULL;
    }
    written = writev(fd, vector, (int)count + 1);
  }
  return integer(env, written < 0 ? -errno : written);
}

struct notice {
  napi_async_work work;
  napi_deferred deferred;
  int fd;
  int64_t result;
  size_t length;
  char bytes[];
};

static void send_notice(napi_env env, void *data) {
  (void)env;
  struct notice *notice = data;
  ssize_t written = write(notice->fd, notice->bytes, notice->length);
  notice->result = written < 0 ? -errno : written;
}

static void settle_notice(napi_env env, napi_status status, void *data) {
  struct notice *notice = data;
  napi_handle_scope scope;
  napi_open_handle_scope(env, &scope);
  napi_resolve_deferred(env, notice->deferred, integer(env, status == napi_ok ? notice->result : -ECANCELED));
  napi_delete_async_work(env, notice->work);
  napi_close_handle_scope(env, scope);
  free(notice);
}

// notify(fd, bytes) -> promise of the length written or -errno. The bytes are copied; a thread of the pool writes them,
// because the kernel may make that write wait for a process that waits for this program.
napi_value avfs_notify(napi_env env, napi_callback_info info) {
  napi_value arguments[2], name, promise;
  int fd;
  void *bytes;
  size_t length;
  if (!take_arguments(env, info, 2, arguments) || !take_descriptor(env, arguments[0], &fd) ||
      !take_bytes(env, arguments[1], "bytes", &bytes, &length))
    return NULL;
  struct notice *notice = malloc(sizeof *notice + length);
  if (notice == NULL) {
    napi_throw_error(env, NULL, "out of memory");
    return NULL;
  }
  *notice = (struct notice){.fd = fd, .length = length};
  memcpy(notice->bytes, bytes, length);
  napi_create_string_utf8(env, "avfs:notify", NAPI_AUTO_LENGTH, &name);
  if (napi_create_promise(env, &notice->deferred, &promise) != napi_ok ||
      napi_create_async_work(env, NULL, name, send_notice, settle_notice, notice, &notice->work) != napi_ok ||
      napi_queue_async_work(env, notice->work) != napi_ok) {
    free(notice);
    napi_throw_error(env, NULL, "the thread pool took no work");
    return NULL;
  }
  return promise;
}
