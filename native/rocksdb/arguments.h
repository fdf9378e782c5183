// What the functions of the addon take and give: argument checks that throw, errors with a kind, numbers and text. A C++
// exception leaves a function of the addon as the JavaScript error that it stands for.
#ifndef AVFS_ROCKSDB_ARGUMENTS_H
#define AVFS_ROCKSDB_ARGUMENTS_H

#define NAPI_VERSION 8
#include <node_api.h>
#include <rocksdb/slice.h>
#include <rocksdb/status.h>
#include <stdexcept>
#include <string>

// An Error with a `kind` (src/store/store.ts lists them) and RocksDB's own words.
struct Refusal {
  std::string kind;
  std::string message;
};

// What a status that is not ok means to JavaScript.
Refusal refusal_of(const rocksdb::Status &status);
// Throws what a status means unless it is ok.
void insist(const rocksdb::Status &status);

// Creates the Error of a refusal.
napi_value error_of(napi_env env, const Refusal &refusal);
napi_value number(napi_env env, double value);
napi_value text(napi_env env, const std::string &value);
void set(napi_env env, napi_value object, const char *name, napi_value value);

// The arguments of one call. Each reader throws std::invalid_argument, which becomes a TypeError that calls it `name`.
class Arguments {
public:
  static constexpr size_t COUNT_MAX = 8;

  Arguments(napi_env env, napi_callback_info info, size_t count);
  bool is_undefined(size_t index) const;
  std::string text(size_t index, const char *name) const;
  bool flag(size_t index, const char *name) const;
  // A whole number of at least 0; what is above 2^53 counts as 2^53.
  uint64_t count(size_t index, const char *name) const;
  // Bytes of a Uint8Array, which must not be used after the call.
  rocksdb::Slice bytes(size_t index, const char *name) const;
  // What an external with this tag stands for.
  void *external(size_t index, const char *name, const napi_type_tag &tag) const;

private:
  napi_env env_;
  napi_value values_[COUNT_MAX];
};

// Wraps a function of the addon, so that what it throws reaches JavaScript.
template <napi_value (*FUNCTION)(napi_env, napi_callback_info)>
napi_value guarded(napi_env env, napi_callback_info info) {
  try {
    return FUNCTION(env, info);
  } catch (const Refusal &refusal) {
    napi_throw(env, error_of(env, refusal));
  } catch (const std::invalid_argument &error) {
    napi_throw_type_error(env, nullptr, error.what());
  } catch (const std::exception &error) {
    napi_throw_error(env, nullptr, error.what());
  }
  return nullptr;
}

#endif
