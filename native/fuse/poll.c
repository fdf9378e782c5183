// Waking JavaScript when a descriptor can be read: one uv_poll on node's own loop, no thread.
#include "addon.h"
#include <stdlib.h>
#include <uv.h>

struct poll {
  uv_poll_t handle;
  napi_env env;
  napi_ref callback;
  napi_async_context context;
  napi_async_cleanup_hook_handle cleanup;
};

static const napi_type_tag poll_tag = {0x6176667370f01100ULL, 0x9b1f6d2c5ae84473ULL};

static void on_closed(uv_handle_t *handle) {
  struct poll *poll = handle->data;
  if (poll->cleanup != NULL) napi_remove_async_cleanup_hook(poll->cleanup);
}

static void stop(struct poll *poll) {
  if (uv_is_closing((uv_handle_t *)&poll->handle)) return;
  uv_poll_stop(&poll->handle);
  uv_close((uv_handle_t *)&poll->handle, on_closed);
}

static void on_environment_end(napi_async_cleanup_hook_handle cleanup, void *data) {
  (void)cleanup;
  stop(data);
}

static void on_readable(uv_poll_t *handle, int status, int events) {
  (void)events;
  struct poll *poll = handle->data;
  napi_env env = poll->env;
  napi_handle_scope scope;
  napi_value callback, global, argument = NULL, result, error;
  napi_open_handle_scope(env, &scope);
  napi_get_reference_value(env, poll->callback, &callback);
  napi_get_global(env, &global);
  argument = integer(env, status);
  if (napi_make_callback(env, poll->context, global, callback, 1, &argument, &result) == napi_pending_exception) {
    napi_get_and_clear_last_exception(env, &error);
    napi_fatal_exception(env, error);
  }
  napi_close_handle_scope(env, scope);
}

// pollStart(fd, callback) -> a handle for pollStop, or -errno. The callback gets 0 or -errno, each time there is
// something to read. The descriptor must stay open until pollStop; the handle must be kept until then.
napi_value avfs_poll_start(napi_env env, napi_callback_info info) {
  napi_value arguments[2], name, result;
  napi_valuetype type;
  int fd;
  uv_loop_t *loop;
  if (!take_arguments(env, info, 2, arguments) || !take_descriptor(env, arguments[0], &fd)) return NULL;
  if (napi_typeof(env, arguments[1], &type) != napi_ok || type != napi_function)
    return throw_type_error(env, "callback must be a function");
  struct poll *poll = calloc(1, sizeof *poll);
  if (poll == NULL || napi_get_uv_event_loop(env, &loop) != napi_ok) {
    free(poll);
    napi_throw_error(env, NULL, "no event loop");
    return NULL;
  }
  int status = uv_poll_init(loop, &poll->handle, fd);
  if (status < 0) {
    free(poll);
    return integer(env, status);
  }
  poll->env = env;
  poll->handle.data = poll;
  napi_create_string_utf8(env, "avfs:poll", NAPI_AUTO_LENGTH, &name);
  napi_async_init(env, NULL, name, &poll->context);
  napi_create_reference(env, arguments[1], 1, &poll->callback);
  napi_add_async_cleanup_hook(env, on_environment_end, poll, &poll->cleanup);
  // The struct is never freed: there is one a mount, and libuv must be done with it first.
  napi_create_external(env, poll, NULL, NULL, &result);
  napi_type_tag_object(env, result, &poll_tag);
  status = uv_poll_start(&poll->handle, UV_READABLE, on_readable);
  if (status < 0) {
    stop(poll);
    return integer(env, status);
  }
  return result;
}

// pollStop(handle) -> 0; a second stop does nothing.
napi_value avfs_poll_stop(napi_env env, napi_callback_info info) {
  napi_value argument;
  void *data;
  bool ours = false;
  napi_valuetype type;
  if (!take_arguments(env, info, 1, &argument)) return NULL;
  if (napi_typeof(env, argument, &type) != napi_ok || type != napi_external ||
      napi_check_object_type_tag(env, argument, &poll_tag, &ours) != napi_ok || !ours ||
      napi_get_value_external(env, argument, &data) != napi_ok)
    return throw_type_error(env, "handle must come from pollStart");
  struct poll *poll = data;
  if (poll->callback != NULL) {
    stop(poll);
    napi_delete_reference(env, poll->callback);
    napi_async_destroy(env, poll->context);
    poll->callback = NULL;
  }
  return integer(env, 0);
}
