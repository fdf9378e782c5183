// Calls that run on a thread of the pool and answer with a promise. Those that change a database run one at a time in the
// order of the calls; closing waits for all.
#ifndef AVFS_ROCKSDB_JOB_H
#define AVFS_ROCKSDB_JOB_H

#include "arguments.h"
#include "database.h"
#include <deque>
#include <functional>
#include <optional>

struct Job;

// A database as JavaScript holds it. Its fields belong to the main thread; `database` is null once it is closing.
struct Handle {
  std::shared_ptr<Database> database;
  std::deque<Job *> writes;
  size_t running = 0;
  Job *closing = nullptr;

  // Throws Refusal 'closed'.
  Database &open() const;
};

struct Job {
  // Null for the jobs that open and close it.
  std::shared_ptr<Handle> handle;
  // Runs on a thread of the pool; what it throws rejects the promise.
  std::function<void()> run;
  // Makes what the promise resolves with; by default undefined.
  std::function<napi_value(napi_env)> result;

  napi_async_work work = nullptr;
  napi_deferred deferred = nullptr;
  std::optional<Refusal> refusal;
};

// Each takes over the job and returns its promise.
napi_value start(napi_env env, Job *job);
napi_value start_write(napi_env env, Job *job);
// Starts when all jobs of the handle are done; the job itself has no handle.
napi_value start_last(napi_env env, Handle *handle, Job *job);

#endif
