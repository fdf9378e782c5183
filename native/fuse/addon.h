// What the parts of the addon share: argument checks that throw, and results. Every function of the addon takes plain
// numbers, strings and buffers, and answers with a number: a result, or minus an errno. A wrong type or range throws a
// TypeError and does nothing.
#ifndef AVFS_ADDON_H
#define AVFS_ADDON_H

#define NAPI_VERSION 8
#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Reads the arguments; false (and a TypeError is pending) unless exactly `count` were given.
bool take_arguments(napi_env env, napi_callback_info info, size_t count, napi_value *arguments);
// Each reads one argument of a kind; false (and a TypeError that calls it `name` is pending) when it is not of that kind.
bool take_integer(napi_env env, napi_value value, const char *name, int32_t least, int32_t most, int32_t *result);
bool take_descriptor(napi_env env, napi_value value, int *result);
bool take_buffer(napi_env env, napi_value value, const char *name, void **bytes, size_t *length);
bool take_bytes(napi_env env, napi_value value, const char *name, void **bytes, size_t *length);
// The string is copied into `result`; one that is longer than size - 1 bytes or contains a NUL is refused.
bool take_string(napi_env env, napi_value value, const char *name, char *result, size_t size);
// A path as bytes, which need not be UTF-8, copied into PATH_MAX bytes; one that does not fit or contains a NUL is refused.
bool take_path(napi_env env, napi_value value, char *path);

napi_value throw_type_error(napi_env env, const char *message);
napi_value integer(napi_env env, int64_t value);

napi_value avfs_mount(napi_env env, napi_callback_info info);
napi_value avfs_unmount(napi_env env, napi_callback_info info);
napi_value avfs_socketpair(napi_env env, napi_callback_info info);
napi_value avfs_receive_descriptor(napi_env env, napi_callback_info info);
napi_value avfs_peer_user(napi_env env, napi_callback_info info);
napi_value avfs_flock(napi_env env, napi_callback_info info);
napi_value avfs_close_at_exec(napi_env env, napi_callback_info info);
napi_value avfs_exchange(napi_env env, napi_callback_info info);

napi_value avfs_receive(napi_env env, napi_callback_info info);
napi_value avfs_reply(napi_env env, napi_callback_info info);
napi_value avfs_notify(napi_env env, napi_callback_info info);

napi_value avfs_poll_start(napi_env env, napi_callback_info info);
napi_value avfs_poll_stop(napi_env env, napi_callback_info info);

napi_value avfs_coarse_time(napi_env env, napi_callback_info info);

napi_value avfs_directory_reader(napi_env env, napi_callback_info info);
napi_value avfs_read_directory(napi_env env, napi_callback_info info);
napi_value avfs_read_node(napi_env env, napi_callback_info info);
napi_value avfs_seek(napi_env env, napi_callback_info info);

napi_value avfs_make_node(napi_env env, napi_callback_info info);
napi_value avfs_write_attributes(napi_env env, napi_callback_info info);

#endif
