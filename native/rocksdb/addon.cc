// The functions of the addon, for src/store/rocksdb. A database and a snapshot are handles; groups are numbers; keys, values,
// ranges and batches are bytes as src/store/kv/engine.ts packs them. What fails throws or rejects with an Error whose
// `kind` is one of StoreError; arguments of a wrong type throw TypeError.
#include "batch.h"
#include "job.h"
#include <cstring>
#include <rocksdb/version.h>

static const napi_type_tag database_tag = {0x6176667352440001ULL, 0x8f3a1c5e7b924d60ULL};
static const napi_type_tag snapshot_tag = {0x6176667352440002ULL, 0x8f3a1c5e7b924d61ULL};

namespace {

struct HeldSnapshot {
  std::shared_ptr<Handle> handle;
  Snapshot snapshot;
  bool is_open;

  void release() {
    if (is_open && handle->database != nullptr) handle->database->release(snapshot);
    is_open = false;
  }
};

using Shared = std::shared_ptr<Handle>;

napi_value external_of(napi_env env, void *data, napi_finalize finalize, const napi_type_tag &tag) {
  napi_value result = nullptr;
  if (napi_create_external(env, data, finalize, nullptr, &result) == napi_ok) napi_type_tag_object(env, result, &tag);
  return result;
}

void drop_database(napi_env, void *data, void *) {
  delete static_cast<Shared *>(data);
}

void drop_snapshot(napi_env, void *data, void *) {
  auto *snapshot = static_cast<HeldSnapshot *>(data);
  snapshot->release();
  delete snapshot;
}

const Shared &handle_of(const Arguments &arguments) {
  return *static_cast<Shared *>(arguments.external(0, "database", database_tag));
}

size_t group_of(const Arguments &arguments, size_t index) {
  const uint64_t group = arguments.count(index, "group");
  if (group >= GROUP_COUNT) throw std::invalid_argument("group must be a group");
  return group;
}

// Null: what is committed now.
const Snapshot *snapshot_of(const Arguments &arguments, size_t index, const Shared &handle) {
  if (arguments.is_undefined(index)) return nullptr;
  const auto *held = static_cast<HeldSnapshot *>(arguments.external(index, "snapshot", snapshot_tag));
  if (held->handle != handle) throw std::invalid_argument("snapshot must be one of this database");
  if (!held->is_open) throw Refusal{"closed", "the snapshot is released"};
  return &held->snapshot;
}

// open(path, create, readOnly, cacheBytes) -> Promise of a database
napi_value open(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info, 4);
  auto handle = std::make_shared<Handle>();
  auto *job = new Job;
  try {
    job->run = [handle, path = arguments.text(0, "path"), create = arguments.flag(1, "create"),
                read_only = arguments.flag(2, "readOnly"), cache_bytes = arguments.count(3, "cacheBytes")] {
      handle->database = std::make_shared<Database>(path, create, read_only, cache_bytes);
    };
  } catch (...) {
    delete job;
    throw;
  }
  job->result = [handle](napi_env env) { return external_of(env, new Shared(handle), drop_database, database_tag); };
  return start(env, job);
}

// get(database, snapshot | undefined, group, key, into) -> the value's length, which is in `into` if it fits; -1: none
napi_value get(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info, 5);
  const Shared &handle = handle_of(arguments);
  Database &database = handle->open();
  const rocksdb::Slice into = arguments.bytes(4, "into");
  rocksdb::PinnableSlice value;
  const rocksdb::Status status =
      database.get(snapshot_of(arguments, 1, handle), group_of(arguments, 2), arguments.bytes(3, "key"), &value);
  if (status.IsNotFound()) return number(env, -1);
  insist(status);
  if (value.size() <= into.size()) memcpy(const_cast<char *>(into.data()), value.data(), value.size());
  return number(env, static_cast<double>(value.size()));
}

// range(database, snapshot | undefined, group, gte, lt | undefined, reverse, limit, bytes) -> packed entries
napi_value range(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info, 8);
  const Shared &handle = handle_of(arguments);
  Database &database = handle->open();
  rocksdb::Slice lt;
  Range range{group_of(arguments, 2),   arguments.bytes(3, "gte"),   nullptr,
              arguments.flag(5, "reverse"), arguments.count(6, "limit"), arguments.count(7, "bytes")};
  if (!arguments.is_undefined(4)) {
    lt = arguments.bytes(4, "lt");
    range.lt = &lt;
  }
  std::string packed;
  insist(database.range(snapshot_of(arguments, 1, handle), range, &packed));
  napi_value result = nullptr;
  if (napi_create_buffer_copy(env, packed.size(), packed.data(), nullptr, &result) != napi_ok)
    throw std::runtime_error("no memory for a range");
  return result;
}

// write(database, changes, length) -> Promise; the changes are copied
napi_value write(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info, 3);
  const Shared &handle = handle_of(arguments);
  handle->open();
  rocksdb::Slice changes = arguments.bytes(1, "changes");
  const uint64_t length = arguments.count(2, "length");
  if (length > changes.size()) throw std::invalid_argument("length must be within the changes");
  changes.remove_suffix(changes.size() - length);
  insist_on_changes(changes);
  auto *job = new Job;
  job->handle = handle;
  job->run = [database = handle->database, changes = changes.ToString()] { insist(database->write(changes)); };
  return start_write(env, job);
}

// snapshot(database) -> a snapshot
napi_value snapshot(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info, 1);
  const Shared &handle = handle_of(arguments);
  auto *held = new HeldSnapshot{handle, handle->open().snapshot(), true};
  return external_of(env, held, drop_snapshot, snapshot_tag);
}

// release(snapshot); a second time does nothing
napi_value release(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info, 1);
  static_cast<HeldSnapshot *>(arguments.external(0, "snapshot", snapshot_tag))->release();
  return nullptr;
}

// stats(database) -> figures and words by name; `bytes` are all files
napi_value stats(napi_env env, napi_callback_info info) {
  Database &database = handle_of(Arguments(env, info, 1))->open();
  Figures figures;
  Words words;
  database.report(&figures, &words);
  napi_value result = nullptr;
  napi_create_object(env, &result);
  for (const auto &[name, figure] : figures) set(env, result, name.c_str(), number(env, figure));
  for (const auto &[name, word] : words) set(env, result, name.c_str(), text(env, word));
  return result;
}

// compact(database, anew) -> Promise; it writes everything anew in any case
napi_value compact(napi_env env, napi_callback_info info) {
  const Shared &handle = handle_of(Arguments(env, info, 2));
  handle->open();
  auto *job = new Job;
  job->handle = handle;
  job->run = [database = handle->database] { insist(database->compact()); };
  return start(env, job);
}

// verify(database) -> Promise of findings
napi_value verify(napi_env env, napi_callback_info info) {
  const Shared &handle = handle_of(Arguments(env, info, 1));
  handle->open();
  auto findings = std::make_shared<std::vector<std::string>>();
  auto *job = new Job;
  job->handle = handle;
  job->run = [database = handle->database, findings] { *findings = database->verify(); };
  job->result = [findings](napi_env env) {
    napi_value result = nullptr;
    napi_create_array(env, &result);
    for (size_t i = 0; i < findings->size(); i++)
      napi_set_element(env, result, static_cast<uint32_t>(i), text(env, (*findings)[i]));
    return result;
  };
  return start(env, job);
}

// close(database) -> Promise; waits for writes, and ends compact and verify early
napi_value close(napi_env env, napi_callback_info info) {
  const Shared &handle = handle_of(Arguments(env, info, 1));
  handle->open().cancel();
  auto *job = new Job;
  job->run = [database = std::move(handle->database)] { database->close(); };
  return start_last(env, handle.get(), job);
}

} // namespace

NAPI_MODULE_INIT() {
  const napi_property_descriptor properties[] = {
#define FUNCTION(name) {#name, nullptr, guarded<name>, nullptr, nullptr, nullptr, napi_enumerable, nullptr}
      FUNCTION(open),    FUNCTION(get),     FUNCTION(range),   FUNCTION(write),  FUNCTION(snapshot),
      FUNCTION(release), FUNCTION(stats),   FUNCTION(compact), FUNCTION(verify), FUNCTION(close),
#undef FUNCTION
      {"version", nullptr, nullptr, nullptr, nullptr, text(env, rocksdb::GetRocksVersionAsString()), napi_enumerable, nullptr},
  };
  napi_define_properties(env, exports, sizeof properties / sizeof *properties, properties);
  return exports;
}
