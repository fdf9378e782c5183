// The addon's entry point and its argument checks. The functions are in the files beside it; none of them knows the FUSE
// protocol or decides anything: src/fuse and src/archive do.
#include "addon.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>

napi_value throw_type_error(napi_env env, const char *message) {
  napi_throw_type_error(env, NULL, message);
  return NULL;
}

static bool refuse(napi_env env, const char *name, const char *what) {
  char message[128];
  snprintf(message, sizeof message, "%s must be %s", name, what);
  throw_type_error(env, message);
  return false;
}

bool take_arguments(napi_env env, napi_callback_info info, size_t count, napi_value *arguments) {
  size_t given = count;
  if (napi_get_cb_info(env, info, &given, arguments, NULL, NULL) == napi_ok && given == count) return true;
  throw_type_error(env, "wrong number of arguments");
  return false;
}

bool take_integer(napi_env env, napi_value value, const char *name, int32_t least, int32_t most, int32_t *result) {
  double number;
  if (napi_get_value_double(env, value, &number) == napi_ok && number >= least && number <= most &&
      number == (double)(int32_t)number) {
    *result = (int32_t)number;
    return true;
  }
  return refuse(env, name, "an integer in range");
}

bool take_descriptor(napi_env env, napi_value value, int *result) {
  return take_integer(env, value, "fd", 0, INT_MAX, result);
}

bool take_buffer(napi_env env, napi_value value, const char *name, void **bytes, size_t *length) {
  bool is_buffer = false;
  if (napi_is_arraybuffer(env, value, &is_buffer) == napi_ok && is_buffer &&
      napi_get_arraybuffer_info(env, value, bytes, length) == napi_ok)
    return true;
  return refuse(env, name, "an ArrayBuffer");
}

bool take_bytes(napi_env env, napi_value value, const char *name, void **bytes, size_t *length) {
  bool is_typed_array = false;
  napi_typedarray_type type;
  if (napi_is_typedarray(env, value, &is_typed_array) == napi_ok && is_typed_array &&
      napi_get_typedarray_info(env, value, &type, length, bytes, NULL, NULL) == napi_ok && type == napi_uint8_array)
    return true;
  return refuse(env, name, "a Uint8Array");
}

bool take_string(napi_env env, napi_value value, const char *name, char *result, size_t size) {
  size_t length;
  if (napi_get_value_string_utf8(env, value, NULL, 0, &length) == napi_ok && length < size &&
      napi_get_value_string_utf8(env, value, result, size, &length) == napi_ok && strlen(result) == length)
    return true;
  return refuse(env, name, "a string without NUL, of bounded length");
}

bool take_path(napi_env env, napi_value value, char *path) {
  void *bytes;
  size_t length;
  if (!take_bytes(env, value, "path", &bytes, &length)) return false;
  if (length == 0 || length >= PATH_MAX || memchr(bytes, 0, length) != NULL) {
    throw_type_error(env, "path must be shorter than PATH_MAX and hold no NUL");
    return false;
  }
  memcpy(path, bytes, length);
  path[length] = 0;
  return true;
}

napi_value integer(napi_env env, int64_t value) {
  napi_value result = NULL;
  napi_create_int64(env, value, &result);
  return result;
}

NAPI_MODULE_INIT() {
  const napi_property_descriptor functions[] = {
#define FUNCTION(name, implementation) {name, NULL, implementation, NULL, NULL, NULL, napi_enumerable, NULL}
      FUNCTION("mount", avfs_mount),
      FUNCTION("unmount", avfs_unmount),
      FUNCTION("socketpair", avfs_socketpair),
      FUNCTION("receiveDescriptor", avfs_receive_descriptor),
      FUNCTION("peerUser", avfs_peer_user),
      FUNCTION("flock", avfs_flock),
      FUNCTION("closeAtExec", avfs_close_at_exec),
      FUNCTION("exchange", avfs_exchange),
      FUNCTION("receive", avfs_receive),
      FUNCTION("reply", avfs_reply),
      FUNCTION("notify", avfs_notify),
      FUNCTION("pollStart", avfs_poll_start),
      FUNCTION("pollStop", avfs_poll_stop),
      FUNCTION("coarseTime", avfs_coarse_time),
      FUNCTION("directoryReader", avfs_directory_reader),
      FUNCTION("readDirectory", avfs_read_directory),
      FUNCTION("readNode", avfs_read_node),
      FUNCTION("seek", avfs_seek),
      FUNCTION("makeNode", avfs_make_node),
      FUNCTION("writeAttributes", avfs_write_attributes),
#undef FUNCTION
  };
  napi_define_properties(env, exports, sizeof functions / sizeof *functions, functions);
  return exports;
}
