// The clock that the kernel stamps files with: CLOCK_REALTIME_COARSE, which lags the precise one by up to a tick.
#include "addon.h"
#include <string.h>
#include <time.h>

napi_value avfs_coarse_time(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  if (!take_arguments(env, info, 1, arguments)) return NULL;
  void *bytes;
  size_t length;
  if (!take_buffer(env, arguments[0], "ns", &bytes, &length)) return NULL;
  if (length < sizeof(uint32_t)) return throw_type_error(env, "ns must have room for 4 bytes");
  struct timespec now;
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  uint32_t ns = (uint32_t)now.tv_nsec;
  memcpy(bytes, &ns, sizeof ns);
  return integer(env, now.tv_sec);
}
