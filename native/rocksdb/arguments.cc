// Reading arguments and making results: see arguments.h.
#include "arguments.h"
#include <cmath>
#include <cstring>

[[noreturn]] static void refuse(const char *name, const char *what) {
  throw std::invalid_argument(std::string(name) + " must be " + what);
}

// RocksDB names only ENOSPC; a quota and a limit on files are as full.
static bool is_full(const rocksdb::Status &status) {
  if (status.IsNoSpace()) return true;
  if (!status.IsIOError()) return false;
  std::string words = status.ToString();
  for (int code : {ENOSPC, EDQUOT, EFBIG})
    if (words.find(strerror(code)) != std::string::npos) return true;
  return false;
}

Refusal refusal_of(const rocksdb::Status &status) {
  const char *kind = "io";
  if (is_full(status)) kind = "full";
  else if (status.IsCorruption()) kind = "corrupt";
  else if (status.IsBusy() || status.IsTimedOut() || status.IsTryAgain()) kind = "busy";
  else if (status.IsNotSupported()) kind = "locked";
  else if (status.IsShutdownInProgress() || status.IsIncomplete() || status.IsAborted()) kind = "closed";
  return {kind, status.ToString()};
}

void insist(const rocksdb::Status &status) {
  if (!status.ok()) throw refusal_of(status);
}

napi_value error_of(napi_env env, const Refusal &refusal) {
  napi_value error = nullptr;
  napi_create_error(env, nullptr, text(env, refusal.message), &error);
  set(env, error, "kind", text(env, refusal.kind));
  return error;
}

napi_value number(napi_env env, double value) {
  napi_value result = nullptr;
  napi_create_double(env, value, &result);
  return result;
}

napi_value text(napi_env env, const std::string &value) {
  napi_value result = nullptr;
  napi_create_string_utf8(env, value.data(), value.size(), &result);
  return result;
}

void set(napi_env env, napi_value object, const char *name, napi_value value) {
  napi_set_named_property(env, object, name, value);
}

Arguments::Arguments(napi_env env, napi_callback_info info, size_t count) : env_(env) {
  size_t given = COUNT_MAX;
  if (napi_get_cb_info(env, info, &given, values_, nullptr, nullptr) != napi_ok || given != count)
    throw std::invalid_argument("wrong number of arguments");
}

bool Arguments::is_undefined(size_t index) const {
  napi_valuetype type;
  return napi_typeof(env_, values_[index], &type) == napi_ok && type == napi_undefined;
}

std::string Arguments::text(size_t index, const char *name) const {
  size_t length = 0;
  if (napi_get_value_string_utf8(env_, values_[index], nullptr, 0, &length) != napi_ok) refuse(name, "a string");
  std::string result(length + 1, '\0');
  napi_get_value_string_utf8(env_, values_[index], result.data(), result.size(), &length);
  result.resize(length);
  if (result.empty() || result.find('\0') != std::string::npos) refuse(name, "a string without NUL");
  return result;
}

bool Arguments::flag(size_t index, const char *name) const {
  bool result = false;
  if (napi_get_value_bool(env_, values_[index], &result) != napi_ok) refuse(name, "true or false");
  return result;
}

uint64_t Arguments::count(size_t index, const char *name) const {
  constexpr double MOST = 9007199254740992.0;
  double value = 0;
  if (napi_get_value_double(env_, values_[index], &value) != napi_ok || !(value >= 0)) refuse(name, "a count");
  return static_cast<uint64_t>(std::fmin(value, MOST));
}

rocksdb::Slice Arguments::bytes(size_t index, const char *name) const {
  bool is_typed_array = false;
  napi_typedarray_type type;
  size_t length = 0;
  void *data = nullptr;
  if (napi_is_typedarray(env_, values_[index], &is_typed_array) != napi_ok || !is_typed_array ||
      napi_get_typedarray_info(env_, values_[index], &type, &length, &data, nullptr, nullptr) != napi_ok ||
      type != napi_uint8_array)
    refuse(name, "a Uint8Array");
  return {length == 0 ? "" : static_cast<const char *>(data), length};
}

void *Arguments::external(size_t index, const char *name, const napi_type_tag &tag) const {
  napi_valuetype type;
  bool ours = false;
  void *data = nullptr;
  if (napi_typeof(env_, values_[index], &type) != napi_ok || type != napi_external ||
      napi_check_object_type_tag(env_, values_[index], &tag, &ours) != napi_ok || !ours ||
      napi_get_value_external(env_, values_[index], &data) != napi_ok)
    refuse(name, "a handle of its kind");
  return data;
}
